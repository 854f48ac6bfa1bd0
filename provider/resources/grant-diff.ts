/** Desired and applied privileges against what is held: the grants and revokes that are missing. Pure. */
import type { AppliedEntry } from './applied.ts';
import {
  type Acting,
  actToGrant,
  actToRevoke,
  type Authority,
  type AuthorityAcl,
  type HeldPrivilege,
  isOurs,
} from './grant-authority.ts';
import { Grouped } from './grant-diff-groups.ts';
import { objectKey, withoutColumns } from './grant-target.ts';
import type { Grantee, ObjectTarget, Step } from './model.ts';

export interface GrantWish {
  grantee: Grantee;
  privileges: readonly string[];
  withOption: boolean;
  grantor: string | undefined;
  exclusive: boolean;
  columns: readonly string[] | undefined;
}

/** A change that no right of the administrator's allows. */
export interface Blocked {
  action: 'grant' | 'revoke';
  target: ObjectTarget;
  owner: string;
  privileges: string[];
  /** Whose grant cannot be revoked, when it is not the owner's. */
  grantor?: string;
}

export interface GrantDiff {
  /** Whether all that is wished, and can be granted, is held. */
  complete: boolean;
  grants: Step[];
  revokes: Step[];
  blocked: Blocked[];
  /** Default privileges of PUBLIC that stay revoked because of `exclusive`, to be given back some day. */
  taken: AppliedEntry[];
  /** Roles whose membership the administrator takes for these changes. */
  borrowed: string[];
}

export interface GrantRules {
  authority: Authority;
  /** Every privilege of the object, in the order in which statements name them. */
  privileges: readonly string[];
  tableRevokeReachesColumns: boolean;
  columnPrivileges: readonly string[];
  publicByDefault: readonly string[];
}

interface Slot {
  acl: AuthorityAcl;
  column: string | undefined;
}

/**
 * @param wished objects that the spec covers
 * @param recorded objects that the record covers, which may be more
 */
export function diffGrant(
  wish: GrantWish,
  applied: readonly AppliedEntry[],
  wished: readonly AuthorityAcl[],
  recorded: readonly AuthorityAcl[],
  rules: GrantRules,
): GrantDiff {
  const diff = new Diff(wish, rules);
  const entries = new EntryIndex(applied);
  const seen = new Set<string>();
  for (const [list, isWished] of [
    [wished, true],
    [recorded, false],
  ] as const)
    for (const acl of list) {
      const key = objectKey(acl.target);
      if (!seen.has(key)) diff.object(acl, entries.of(acl.target), isWished);
      seen.add(key);
    }
  return diff.result();
}

/** Finds the entries that cover an object without looking at all of them for each. */
class EntryIndex {
  readonly #exact = new Map<string, AppliedEntry[]>();

  constructor(entries: readonly AppliedEntry[]) {
    for (const entry of entries) {
      const key = objectKey(entry.target);
      this.#exact.set(key, [...(this.#exact.get(key) ?? []), entry]);
    }
  }

  of(target: ObjectTarget): AppliedEntry[] {
    const { type, database, schema, name } = target;
    const place = { ...(database === undefined ? {} : { database }), ...(schema === undefined ? {} : { schema }) };
    const keys = [objectKey(target), ...(name === undefined ? [] : [objectKey({ type, ...place, name: '*' })])];
    return keys.flatMap((key) => this.#exact.get(key) ?? []);
  }
}

/** What is revoked: the privilege or its grant option. */
type Removed = Map<HeldPrivilege, 'all' | 'option'>;

class Diff {
  readonly #wish: GrantWish;
  readonly #rules: GrantRules;
  readonly #grants: Step[] = [];
  readonly #revokes: Step[] = [];
  readonly #restores: Step[] = [];
  readonly #blocked: Blocked[] = [];
  readonly #taken: AppliedEntry[] = [];
  readonly #borrowed = new Set<string>();
  #complete = true;

  constructor(wish: GrantWish, rules: GrantRules) {
    this.#wish = wish;
    this.#rules = rules;
  }

  result(): GrantDiff {
    return {
      complete: this.#complete,
      grants: this.#grants,
      revokes: [...this.#revokes, ...this.#restores],
      blocked: this.#blocked,
      taken: this.#taken,
      borrowed: [...this.#borrowed],
    };
  }

  object(acl: AuthorityAcl, entries: readonly AppliedEntry[], wished: boolean): void {
    const grouped = new Grouped();
    const removed: Removed = new Map();
    const columns = new Set<string | undefined>(wished ? (this.#wish.columns ?? [undefined]) : []);
    const wishedColumns = new Set(columns);
    for (const entry of entries) for (const column of entry.target.columns ?? [undefined]) columns.add(column);
    for (const column of columns) {
      const covering = entries.filter(({ target }) =>
        column === undefined ? target.columns === undefined : target.columns?.includes(column),
      );
      this.#slot({ acl, column }, covering, wishedColumns.has(column), grouped, removed);
    }
    this.#restoreColumns(acl, removed, grouped);
    this.#emit(acl, grouped);
  }

  #slot(slot: Slot, entries: readonly AppliedEntry[], wished: boolean, grouped: Grouped, removed: Removed): void {
    const { acl, column } = slot;
    const want = new Set(wished ? this.#wish.privileges : []);
    const held = acl.privileges.filter((privilege) => privilege.column === column);
    const isOwner = this.#wish.grantee.public !== true && this.#wish.grantee.name === acl.owner;
    const revoke = new Set<HeldPrivilege>();
    const revokeOption = new Set<HeldPrivilege>();
    if (!isOwner) {
      for (const entry of entries.filter((e) => e.as === undefined))
        this.#outdated(slot, entry, want, held, revoke, revokeOption);
      if (wished && this.#wish.exclusive) this.#undeclared(want, held, revoke, revokeOption);
    }
    for (const row of revoke) if (this.#revoke(slot, row, false, grouped)) removed.set(row, 'all');
    for (const row of revokeOption)
      if (!revoke.has(row) && this.#revoke(slot, row, true, grouped)) removed.set(row, 'option');
    const kept = held.filter((row) => !revoke.has(row));
    this.#missing(slot, want, kept, isOwner, grouped);
    this.#giveBack(slot, entries, want, held, wished, grouped);
  }

  /** What an entry of the record gave and the spec no longer asks for, or asks for by another grantor. */
  #outdated(
    { acl }: Slot,
    entry: AppliedEntry,
    want: ReadonlySet<string>,
    held: readonly HeldPrivilege[],
    revoke: Set<HeldPrivilege>,
    revokeOption: Set<HeldPrivilege>,
  ): void {
    const { authority } = this.#rules;
    for (const row of held) {
      if (!entry.privileges.includes(row.privilege) || !isOurs(acl, row, entry.grantor, authority)) continue;
      if (!want.has(row.privilege) || !isOurs(acl, row, this.#wish.grantor, authority)) revoke.add(row);
      else if (entry.withOption === true && !this.#wish.withOption && row.grantable) revokeOption.add(row);
    }
  }

  #undeclared(
    want: ReadonlySet<string>,
    held: readonly HeldPrivilege[],
    revoke: Set<HeldPrivilege>,
    revokeOption: Set<HeldPrivilege>,
  ): void {
    for (const row of held) {
      if (!want.has(row.privilege)) revoke.add(row);
      else if (row.grantable && !this.#wish.withOption) revokeOption.add(row);
    }
  }

  #missing(
    slot: Slot,
    want: ReadonlySet<string>,
    held: readonly HeldPrivilege[],
    isOwner: boolean,
    grouped: Grouped,
  ): void {
    const withOption = this.#wish.withOption && !isOwner && this.#wish.grantee.public !== true;
    for (const privilege of want) {
      const rows = held.filter((row) => row.privilege === privilege);
      if (rows.length > 0 && (!withOption || rows.some((row) => row.grantable))) continue;
      this.#grant(slot, privilege, this.#wish.grantor, withOption, grouped);
    }
  }

  /** PUBLIC's defaults that an earlier `exclusive` took and that the spec no longer keeps from it. */
  #giveBack(
    slot: Slot,
    entries: readonly AppliedEntry[],
    want: ReadonlySet<string>,
    held: readonly HeldPrivilege[],
    wished: boolean,
    grouped: Grouped,
  ): void {
    if (this.#wish.grantee.public !== true) return;
    for (const entry of entries.filter((e) => e.as === 'taken'))
      for (const privilege of entry.privileges) {
        if (!this.#rules.publicByDefault.includes(privilege)) continue;
        if (want.has(privilege) || held.some((row) => row.privilege === privilege)) continue;
        if (wished && this.#wish.exclusive) this.#take(slot, privilege);
        else this.#grant(slot, privilege, undefined, false, grouped);
      }
  }

  #take({ acl }: Slot, privilege: string): void {
    const known = this.#taken.find((entry) => objectKey(entry.target) === objectKey(acl.target));
    if (known === undefined)
      this.#taken.push({ target: withoutColumns(acl.target), privileges: [privilege], as: 'taken' });
    else if (!known.privileges.includes(privilege)) known.privileges.push(privilege);
  }

  #grant(slot: Slot, privilege: string, grantor: string | undefined, withOption: boolean, grouped: Grouped): void {
    const acting = actToGrant(slot.acl, privilege, slot.column, grantor, this.#rules.authority);
    if (acting === undefined) this.#block('grant', slot.acl, privilege, grantor);
    else {
      this.#complete = false;
      grouped.add({ kind: 'grant', withOption }, acting, privilege, slot.column);
    }
  }

  #revoke(slot: Slot, row: HeldPrivilege, optionOnly: boolean, grouped: Grouped): boolean {
    const acting = actToRevoke(slot.acl, row, this.#rules.authority);
    if (acting === undefined) {
      this.#block('revoke', slot.acl, row.privilege, row.grantor);
      return false;
    }
    grouped.add({ kind: 'revoke', optionOnly }, acting, row.privilege, slot.column);
    const ofOwner = row.grantor === slot.acl.owner;
    if (!optionOnly && ofOwner && this.#wish.grantee.public === true && slot.column === undefined)
      if (this.#wish.exclusive && this.#rules.publicByDefault.includes(row.privilege)) this.#take(slot, row.privilege);
    return true;
  }

  #block(action: Blocked['action'], acl: AuthorityAcl, privilege: string, grantor: string | undefined): void {
    const by = grantor === undefined || grantor === acl.owner ? {} : { grantor };
    const same = this.#blocked.find(
      (b) => b.action === action && b.grantor === by.grantor && objectKey(b.target) === objectKey(acl.target),
    );
    if (same === undefined)
      this.#blocked.push({
        action,
        target: withoutColumns(acl.target),
        owner: acl.owner,
        privileges: [privilege],
        ...by,
      });
    else if (!same.privileges.includes(privilege)) same.privileges.push(privilege);
  }

  /**
   * A REVOKE on a table reaches the grants on its columns: those that nobody asked to revoke are made again, and new
   * ones are made after it.
   */
  #restoreColumns(acl: AuthorityAcl, removed: Removed, grouped: Grouped): void {
    if (!this.#rules.tableRevokeReachesColumns) return;
    for (const [row, what] of removed) {
      if (row.column !== undefined || !this.#rules.columnPrivileges.includes(row.privilege)) continue;
      grouped.defer(row.privilege);
      const lost = acl.privileges.filter(
        (other) =>
          other.column !== undefined &&
          other.privilege === row.privilege &&
          other.grantor === row.grantor &&
          (what === 'all' || other.grantable) &&
          !removed.has(other),
      );
      const acting = actToRevoke(acl, row, this.#rules.authority) ?? {};
      for (const other of lost)
        grouped.add({ kind: 'grant', withOption: other.grantable }, acting, other.privilege, other.column, true);
    }
  }

  #emit(acl: AuthorityAcl, grouped: Grouped): void {
    for (const { change, acting, columns, privileges: names, restore } of grouped.all()) {
      const order = (name: string) => this.#rules.privileges.indexOf(name);
      const privileges = names.toSorted((a, b) => order(a) - order(b));
      const on: ObjectTarget = { ...withoutColumns(acl.target), ...(columns.length === 0 ? {} : { columns }) };
      const by = acting.grantor === undefined ? {} : { grantor: acting.grantor };
      const { grantee } = this.#wish;
      if (change.kind === 'revoke')
        this.#push(this.#revokes, acting, {
          kind: 'revoke',
          on,
          from: grantee,
          privileges,
          ...(change.optionOnly ? { grantOptionOnly: true } : {}),
          ...by,
        });
      else
        this.#push(restore ? this.#restores : this.#grants, acting, {
          kind: 'grant',
          on,
          to: grantee,
          privileges,
          ...(change.withOption ? { withGrantOption: true } : {}),
          ...by,
        });
    }
  }

  #push(list: Step[], acting: Acting, step: Step): void {
    list.push(step);
    if (acting.borrow !== undefined) this.#borrowed.add(acting.borrow);
  }
}
