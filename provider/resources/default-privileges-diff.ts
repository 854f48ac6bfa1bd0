/** Desired default privileges against one layer of what the server has. Pure. */
import type { AppliedDefault } from './applied.ts';
import type { Grantee } from './model/objects.ts';
import type { DefaultPrivilegesObserved } from './model/privileges.ts';
import type { Step } from './model/steps.ts';

export interface DefaultsWish {
  database: string;
  creator: string;
  /** undefined = the global layer. */
  schema: string | undefined;
  objectType: string;
  grantee: Grantee;
  privileges: string[];
  withOption: boolean;
  publicByDefault: readonly string[];
  /** Whether PUBLIC keeps what the server gives it by default, listed or not. */
  keepsDefaults: boolean;
}

export interface DefaultsDiff {
  grants: Step[];
  revokes: Step[];
  /** Privileges that PUBLIC should not have and that this layer cannot take from it. */
  ineffective: string[];
  applied: AppliedDefault[];
}

export function diffDefaults(
  wish: DefaultsWish,
  before: readonly AppliedDefault[],
  observed: DefaultPrivilegesObserved,
): DefaultsDiff {
  const held = new Map(observed.privileges.map((row) => [row.privilege, row]));
  const wanted = new Set(wish.privileges);
  const given = before.filter((entry) => entry.as === undefined);
  const names = (entries: readonly AppliedDefault[]) => new Set(entries.flatMap((entry) => entry.privileges));
  const isPublic = wish.grantee.public === true;
  const builtin = isPublic ? wish.publicByDefault : [];
  const global = wish.schema === undefined;

  // The list of PUBLIC is complete where the server gives something by itself: that is the only way to take it away.
  const kept = builtin.filter((privilege) => !wanted.has(privilege));
  const take = global && !wish.keepsDefaults ? kept : [];
  const ineffective = global || wish.keepsDefaults ? [] : kept.filter((p) => has(observed.inherited, p));

  const takenBefore = builtin.filter(
    (privilege) => global && names(before.filter((e) => e.as === 'taken')).has(privilege),
  );
  const giveBack = takenBefore.filter((privilege) => wish.keepsDefaults && !held.has(privilege));

  const grant = wish.privileges.filter((privilege) => {
    const row = held.get(privilege);
    return row === undefined || (wish.withOption && !row.grantable && !isCreator(wish));
  });
  // Everywhere, the creator has its rights by being the owner: nobody gave them and nobody takes them.
  const isOwn = global && isCreator(wish);
  const left = [...names(given)].filter((privilege) => !isOwn && !wanted.has(privilege) && held.has(privilege));
  const revoke = [...new Set([...left, ...take.filter((privilege) => held.has(privilege))])];
  const optionBefore = names(given.filter((entry) => entry.withOption === true));
  const revokeOption = wish.privileges.filter(
    (privilege) => !wish.withOption && optionBefore.has(privilege) && held.get(privilege)?.grantable === true,
  );

  const foundBefore = names(before.filter((entry) => entry.as !== undefined));
  const found = builtin.filter(
    (p) => global && wanted.has(p) && (foundBefore.has(p) || (!names(given).has(p) && held.has(p))),
  );
  const ours = wish.privileges.filter((privilege) => !found.includes(privilege));
  // What we gave ourselves is only taken back: PUBLIC had it from nobody else.
  const taken = take.filter(
    (privilege) => takenBefore.includes(privilege) || (held.has(privilege) && !names(given).has(privilege)),
  );
  return {
    grants: [...grantStep(wish, grant, wish.withOption), ...grantStep(wish, giveBack, false)],
    revokes: [...revokeStep(wish, revoke, false), ...revokeStep(wish, revokeOption, true)],
    ineffective,
    applied: [
      ...(ours.length === 0 ? [] : [{ privileges: ours, ...(wish.withOption ? { withOption: true as const } : {}) }]),
      ...(found.length === 0 ? [] : [{ privileges: found, as: 'found' as const }]),
      ...(taken.length === 0 ? [] : [{ privileges: taken, as: 'taken' as const }]),
    ],
  };
}

const has = (rows: DefaultPrivilegesObserved['inherited'], privilege: string): boolean =>
  rows.some((row) => row.privilege === privilege);

const isCreator = ({ grantee, creator }: DefaultsWish): boolean => grantee.public !== true && grantee.name === creator;

const layer = ({ database, creator, schema, objectType }: DefaultsWish) => ({
  database,
  creator,
  ...(schema === undefined ? {} : { schema }),
  objectType,
});

function grantStep(wish: DefaultsWish, privileges: string[], withOption: boolean): Step[] {
  if (privileges.length === 0) return [];
  const option = withOption ? { withGrantOption: true } : {};
  return [{ kind: 'grantDefault', ...layer(wish), to: wish.grantee, privileges, ...option }];
}

function revokeStep(wish: DefaultsWish, privileges: string[], optionOnly: boolean): Step[] {
  if (privileges.length === 0) return [];
  const option = optionOnly ? { grantOptionOnly: true } : {};
  return [{ kind: 'revokeDefault', ...layer(wish), from: wish.grantee, privileges, ...option }];
}
