/**
 * A Grant says several things of one grantee: its own objects, and those under `also`. Each part is about one type of
 * object in one place, so every object belongs to one part.
 */
import type { GrantParameters } from '../api/grant.ts';
import { invalidSpec, ResourceError } from '../common/errors.ts';
import type { AppliedEntry } from './applied.ts';
import type { AuthorityAcl } from './grant-authority.ts';
import { type GrantDiff, type GrantRules, diffGrant } from './grant-diff.ts';
import type { GrantWish } from './grant-slot.ts';
import { spelt } from './grant-spelling.ts';
import { granteeOf, grantSubject, type GrantSubject } from './grant-target.ts';
import type { ObjectTarget } from './model/objects.ts';
import type { ServerInfo } from './model/server.ts';
import { expandPrivileges, type PrivilegeTable, unlessInvalid } from './privilege-set.ts';

export interface GrantPart {
  wish: GrantWish;
  subject: GrantSubject;
  /** Whether it speaks of the whole database, perhaps in other words. */
  isWhole: boolean;
}

/** What the whole Grant wants of its grantee, without objects. */
export function baseWish(spec: GrantParameters, table: PrivilegeTable): GrantWish {
  if (spec.role === undefined) throw invalidSpec('role: is not resolved');
  return {
    grantee: granteeOf(spec.role, table),
    privileges: [],
    withOption: spec.withOption === true,
    grantor: spec.grantor,
    exclusive: spec.exclusive === true,
    columns: undefined,
  };
}

/** Throws InvalidSpec for a part that names no object of this server, and for two parts about the same objects. */
export function grantParts(spec: GrantParameters, table: PrivilegeTable, server: ServerInfo): GrantPart[] {
  const parts = new Map<string, GrantPart>();
  for (const { path, fields } of fieldsOf(spec)) {
    const part = within(path, () => partOf(spelt(fields, table, server), table, server));
    const place = placeKey(part.subject.targets[0] ?? { type: part.subject.type });
    const known = parts.get(place);
    if (known !== undefined && !(part.isWhole && known.isWhole))
      throw invalidSpec(
        `${path === '' ? 'forProvider' : path}: the Grant speaks of such objects there already; say it in one place`,
      );
    parts.set(place, known === undefined ? part : together(known, part));
  }
  return [...parts.values()];
}

/** On servers without schemas, all tables and all routines of a database are both the database. */
function together(a: GrantPart, b: GrantPart): GrantPart {
  const privileges = [...new Set([...a.wish.privileges, ...b.wish.privileges])];
  return { ...a, wish: { ...a.wish, privileges } };
}

/** The parts that can still be read, for a Grant that goes: one that is wrong by now gave nothing. */
export function readableParts(spec: GrantParameters, table: PrivilegeTable, server: ServerInfo): GrantPart[] {
  return fieldsOf(spec).flatMap(({ fields: written }) => {
    const fields = spelt(written, table, server);
    const subject = unlessInvalid(() => grantSubject(fields, table, server));
    if (subject === undefined) return [];
    const words = unlessInvalid(() => wordsOf(fields, subject, server)) ?? [];
    return [{ subject, isWhole: false, wish: wishOf(fields, subject, words, table, server) }];
  });
}

/** Splits what was observed by the part that speaks of it, and compares each. */
export function diffParts(
  parts: readonly GrantPart[],
  nothing: GrantWish,
  applied: readonly AppliedEntry[],
  wished: readonly AuthorityAcl[],
  recorded: readonly AuthorityAcl[],
  rules: GrantRules,
): {
  whole: GrantDiff;
  byPart: { part: GrantPart; applied: AppliedEntry[]; objects: AuthorityAcl[]; diff: GrantDiff }[];
} {
  const entries = Map.groupBy(applied, ({ target }) => placeKey(target));
  const now = Map.groupBy(wished, ({ target }) => placeKey(target));
  const before = Map.groupBy(recorded, ({ target }) => placeKey(target));
  const places = new Map(parts.map((part) => [placeKey(part.subject.targets[0] ?? { type: part.subject.type }), part]));
  const byPart = [...places].map(([place, part]) => {
    const mine = entries.get(place) ?? [];
    const objects = now.get(place) ?? [];
    return { part, applied: mine, objects, diff: diffGrant(part.wish, mine, objects, before.get(place) ?? [], rules) };
  });
  const strays = [...entries].filter(([place]) => !places.has(place));
  const gone = strays.map(([place, list]) => diffGrant(nothing, list, [], before.get(place) ?? [], rules));
  return { whole: merged([...byPart.map(({ diff }) => diff), ...gone]), byPart };
}

const merged = (diffs: readonly GrantDiff[]): GrantDiff => ({
  complete: diffs.every(({ complete }) => complete),
  grants: diffs.flatMap(({ grants }) => grants),
  revokes: diffs.flatMap(({ revokes }) => revokes),
  blocked: diffs.flatMap(({ blocked }) => blocked),
  taken: diffs.flatMap(({ taken }) => taken),
});

const placeKey = ({ type, schema }: Pick<ObjectTarget, 'type' | 'schema'>): string =>
  JSON.stringify([type, schema ?? null]);

function partOf(fields: GrantParameters, table: PrivilegeTable, server: ServerInfo): GrantPart {
  const subject = grantSubject(fields, table, server);
  const isWhole = table.ownerless === true && subject.type === 'database';
  return { subject, isWhole, wish: wishOf(fields, subject, wordsOf(fields, subject, server), table, server) };
}

/** To act as another account is one privilege, which nobody has to name. */
const wordsOf = (fields: GrantParameters, subject: GrantSubject, server: ServerInfo): string[] =>
  expandPrivileges(fields.privileges ?? (subject.type === 'proxy' ? ['ALL'] : []), subject.privileges, server);

/** Where WITH GRANT OPTION is of the scope, it is wished as a privilege of it. */
function wishOf(
  fields: GrantParameters,
  { privileges: object }: GrantSubject,
  words: readonly string[],
  table: PrivilegeTable,
  server: ServerInfo,
): GrantWish {
  const wish = { ...baseWish(fields, table), privileges: words, columns: fields.columns };
  const { option } = object;
  if (option === undefined) return wish;
  const except = new Set(object.dynamic === true ? server.dynamicPrivileges : []);
  const isOfScope = words.length === 0 || words.some((word) => !except.has(word));
  const isMissing = wish.withOption && isOfScope && !words.includes(option);
  return { ...wish, privileges: isMissing ? [...words, option] : words, scopeOption: { except } };
}

function fieldsOf(spec: GrantParameters): { path: string; fields: GrantParameters }[] {
  const { also = [], ...own } = spec;
  const { role, database, withOption, grantor, exclusive } = spec;
  const shared = { role, database, withOption, grantor, exclusive };
  return [
    { path: '', fields: own },
    ...also.map((part, index) => ({
      path: `also[${index}]`,
      fields: { ...shared, ...part, schema: part.schema ?? spec.schema } as GrantParameters,
    })),
  ];
}

/** Errors of a part begin with where it stands. */
function within<T>(path: string, work: () => T): T {
  if (path === '') return work();
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ResourceError) || error.reason !== 'InvalidSpec') throw error;
    throw invalidSpec(`${path}.${error.message}`);
  }
}
