/**
 * What has to change on one slot: an object, or one column of it. Only rights are compared here; whose rights are used
 * for the change is decided later.
 */
import type { AppliedEntry } from './applied.ts';
import { type Authority, type AuthorityAcl, type HeldPrivilege, isOurs } from './grant-authority.ts';
import type { Grantee } from './model/objects.ts';

export interface GrantWish {
  grantee: Grantee;
  privileges: readonly string[];
  withOption: boolean;
  grantor: string | undefined;
  exclusive: boolean;
  columns: readonly string[] | undefined;
  /** Whether the option is of the scope, and so not of each privilege; but for those that have one of their own. */
  scopeOption?: { except: ReadonlySet<string> };
}

export interface Slot {
  acl: AuthorityAcl;
  column: string | undefined;
  /** Whether the spec speaks of it, and not only the record. */
  wished: boolean;
  /** The record's entries on it. */
  entries: readonly AppliedEntry[];
  /** What everybody has on a new object of that type; empty when the grantee is not PUBLIC. */
  publicDefaults: readonly string[];
}

export interface SlotChange {
  grant: { privilege: string; withOption: boolean; grantor: string | undefined; isWish: boolean }[];
  revoke: HeldPrivilege[];
  revokeOption: HeldPrivilege[];
  /** Defaults that PUBLIC has not, because of an `exclusive` of this resource that still holds. */
  taken: string[];
}

export function changeOf(slot: Slot, wish: GrantWish, authority: Authority): SlotChange {
  const want = new Set(slot.wished ? wish.privileges : []);
  const held = slot.acl.privileges.filter((privilege) => privilege.column === slot.column);
  const isOwner = wish.grantee.public !== true && wish.grantee.name === slot.acl.owner;
  const isStrict = slot.wished && wish.exclusive;
  // The owner's own entry is never revoked: nobody gave it, and without it the owner is locked out of its own object.
  const surplus = isOwner ? NONE : surplusOf(slot, wish, held, want, authority);
  const kept = heldBy(slot, isOwner).filter((row) => !surplus.revoke.has(row));
  const missing = missingOf(wish, want, kept, isOwner);
  const isAbsent = (privilege: string) => !want.has(privilege) && !held.some((row) => row.privilege === privilege);
  const takenBefore = slot.publicDefaults.filter((privilege) =>
    slot.entries.some((entry) => entry.as === 'taken' && entry.privileges.includes(privilege)),
  );
  const back = isStrict ? [] : takenBefore.filter(isAbsent);
  // What we gave ourselves is only taken back: PUBLIC had it from nobody else.
  const given = slot.entries.filter((entry) => entry.as === undefined).flatMap((entry) => entry.privileges);
  const takenNow = [...surplus.revoke]
    .filter(({ grantor, privilege }) => grantor === slot.acl.owner && !given.includes(privilege))
    .map(({ privilege }) => privilege);
  return {
    grant: [
      ...missing,
      ...back.map((privilege) => ({ privilege, withOption: false, grantor: undefined, isWish: false })),
    ],
    revoke: [...surplus.revoke],
    revokeOption: [...surplus.option].filter((row) => !surplus.revoke.has(row)),
    taken: isStrict
      ? slot.publicDefaults.filter((p) => takenNow.includes(p) || (takenBefore.includes(p) && isAbsent(p)))
      : [],
  };
}

/** The owner's rights on a table are its rights on each column. */
function heldBy({ acl, column }: Slot, isOwner: boolean): HeldPrivilege[] {
  return acl.privileges.filter((row) => row.column === column || (isOwner && row.column === undefined));
}

interface Surplus {
  revoke: ReadonlySet<HeldPrivilege>;
  option: ReadonlySet<HeldPrivilege>;
}
const NONE: Surplus = { revoke: new Set(), option: new Set() };

/** What the record says we gave and the spec no longer asks for; with `exclusive`, whatever it does not ask for. */
function surplusOf(
  slot: Slot,
  wish: GrantWish,
  held: readonly HeldPrivilege[],
  want: ReadonlySet<string>,
  authority: Authority,
): Surplus {
  const revoke = new Set<HeldPrivilege>();
  const option = new Set<HeldPrivilege>();
  const given = slot.entries.filter((entry) => entry.as === undefined);
  const isStrict = slot.wished && wish.exclusive;
  for (const row of held) {
    const ours = given.filter(
      (entry) => entry.privileges.includes(row.privilege) && isOurs(slot.acl, row, entry.grantor, authority),
    );
    const isWanted = want.has(row.privilege);
    const hasOtherGrantor = ours.length > 0 && !isOurs(slot.acl, row, wish.grantor, authority);
    if (isWanted ? hasOtherGrantor : ours.length > 0 || isStrict) revoke.add(row);
    else if (row.grantable && !wish.withOption && (isStrict || ours.some((entry) => entry.withOption === true)))
      if (isWanted) option.add(row);
  }
  return { revoke, option };
}

function missingOf(
  wish: GrantWish,
  want: ReadonlySet<string>,
  held: readonly HeldPrivilege[],
  isOwner: boolean,
): SlotChange['grant'] {
  const takesOption = (privilege: string) =>
    wish.withOption && !isOwner && wish.scopeOption?.except.has(privilege) !== false;
  const isHeld = (privilege: string) =>
    held.some((row) => row.privilege === privilege && (!takesOption(privilege) || row.grantable));
  return [...want]
    .filter((privilege) => !isHeld(privilege))
    .map((privilege) => ({ privilege, withOption: takesOption(privilege), grantor: wish.grantor, isWish: true }));
}
