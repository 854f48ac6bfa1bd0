/** Desired and applied privileges against what is held: the grants and revokes that are missing. Pure. */
import type { AppliedEntry } from './applied.ts';
import { actToGrant, actToRevoke, type Authority, type AuthorityAcl, type HeldPrivilege } from './grant-authority.ts';
import { Grouped } from './grant-diff-groups.ts';
import { changeOf, type GrantWish, type Slot } from './grant-slot.ts';
import { objectKey, withoutColumns } from './grant-target.ts';
import type { ObjectTarget } from './model/objects.ts';
import type { Step } from './model/steps.ts';
import type { ObjectPrivileges, PrivilegeTable } from './privilege-set.ts';

/** Whether another Grant wants that the privilege, or its option, stays. */
export type Keeps = (
  target: ObjectTarget,
  column: string | undefined,
  privilege: string,
  what: 'all' | 'option',
) => boolean;

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
}

export interface GrantRules {
  authority: Authority;
  table: PrivilegeTable;
  keeps?: Keeps;
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
  const visit = (list: readonly AuthorityAcl[], isWished: boolean) => {
    for (const acl of list) {
      const key = objectKey(acl.target);
      if (!seen.has(key)) diff.object(acl, entries.of(acl.target), isWished);
      seen.add(key);
    }
  };
  visit(wished, true);
  visit(recorded, false);
  return diff.result();
}

/** Finds the entries that cover an object without looking at all of them for each. */
class EntryIndex {
  readonly #exact = new Map<string, AppliedEntry[]>();

  constructor(entries: readonly AppliedEntry[]) {
    for (const entry of entries) {
      const key = objectKey(entry.target);
      const list = this.#exact.get(key);
      if (list === undefined) this.#exact.set(key, [entry]);
      else list.push(entry);
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
    };
  }

  object(acl: AuthorityAcl, entries: readonly AppliedEntry[], isWished: boolean): void {
    const grouped = new Grouped();
    const removed: Removed = new Map();
    const taken = new Set<string>();
    const wishedColumns = new Set<string | undefined>(isWished ? (this.#wish.columns ?? [undefined]) : []);
    const columns = new Set(wishedColumns);
    for (const { target } of entries) for (const column of target.columns ?? [undefined]) columns.add(column);
    for (const column of columns) {
      const covering = entries.filter(({ target }) =>
        column === undefined ? target.columns === undefined : target.columns?.includes(column),
      );
      const publicDefaults = column === undefined ? this.#publicDefaults(acl) : [];
      const slot = { acl, column, wished: wishedColumns.has(column), entries: covering, publicDefaults };
      for (const privilege of this.#slot(slot, grouped, removed)) taken.add(privilege);
    }
    this.#restoreColumns(acl, removed, grouped);
    this.#renewOptions(acl, removed, grouped);
    this.#emit(acl, grouped);
    if (taken.size > 0) this.#taken.push({ target: withoutColumns(acl.target), privileges: [...taken], as: 'taken' });
  }

  #publicDefaults(acl: AuthorityAcl): readonly string[] {
    if (this.#wish.grantee.public !== true) return [];
    return this.#rules.table.objects[acl.target.type]?.publicByDefault ?? [];
  }

  #slot(slot: Slot, grouped: Grouped, removed: Removed): string[] {
    const { acl, column } = slot;
    const { authority, table } = this.#rules;
    const { grant, revoke, revokeOption, taken } = changeOf(slot, this.#wish, authority);
    for (const { privilege, withOption, grantor, isWish } of grant) {
      const acting = actToGrant(acl, privilege, column, grantor, authority);
      if (acting === undefined) {
        this.#block('grant', acl, privilege, grantor);
        continue;
      }
      if (isWish) this.#complete = false;
      grouped.add({ kind: 'grant', withOption }, acting, privilege, column);
    }
    const isKept = (row: HeldPrivilege, what: 'all' | 'option') =>
      this.#rules.keeps?.(acl.target, column, row.privilege, what) === true;
    for (const row of revoke.filter((held) => !isKept(held, 'all')))
      if (this.#revoke(slot, row, false, grouped)) removed.set(row, 'all');
    const isRenewed = table.objects[acl.target.type]?.dynamic === true;
    for (const row of revokeOption.filter((held) => !isKept(held, 'option')))
      if (isRenewed || this.#revoke(slot, row, true, grouped)) removed.set(row, 'option');
    return taken;
  }

  #revoke({ acl, column }: Slot, row: HeldPrivilege, optionOnly: boolean, grouped: Grouped): boolean {
    const acting = actToRevoke(acl, row, this.#rules.authority);
    if (acting === undefined) this.#block('revoke', acl, row.privilege, row.grantor);
    else grouped.add({ kind: 'revoke', optionOnly }, acting, row.privilege, row.columnAsGranted ?? column);
    return acting !== undefined;
  }

  #block(action: Blocked['action'], acl: AuthorityAcl, privilege: string, grantor: string | undefined): void {
    const by = grantor === undefined || grantor === acl.owner ? {} : { grantor };
    const key = objectKey(acl.target);
    const same = this.#blocked.find(
      (b) => b.action === action && b.grantor === by.grantor && objectKey(b.target) === key,
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
    const { table, authority } = this.#rules;
    if (!table.tableRevokeReachesColumns || acl.target.type !== 'table') return;
    const shared = namesOf(table.objects.column);
    for (const [row, what] of removed) {
      if (row.column !== undefined || !shared.includes(row.privilege)) continue;
      grouped.defer(row.privilege);
      const acting = actToRevoke(acl, row, authority) ?? {};
      const reached = acl.privileges.filter(
        (other) => other.column !== undefined && other.privilege === row.privilege && other.grantor === row.grantor,
      );
      for (const other of reached) {
        const withOption = other.grantable && removed.get(other) !== 'option';
        if (removed.get(other) !== 'all' && (what === 'all' || withOption))
          grouped.add({ kind: 'grant', withOption }, acting, other.privilege, other.column, true);
      }
    }
  }

  /**
   * Privileges with an option of their own lose it only as a whole, and lose it wrongly to a REVOKE GRANT OPTION of the
   * scope: they are revoked, and those that stay are granted anew.
   */
  #renewOptions(acl: AuthorityAcl, removed: Removed, grouped: Grouped): void {
    const object = this.#rules.table.objects[acl.target.type];
    if (object?.dynamic !== true) return;
    const optionGoes = [...removed.keys()].some((row) => row.privilege === object.option);
    if (optionGoes) grouped.deferOptions();
    for (const row of acl.privileges) {
      const what = removed.get(row);
      if (!row.grantable || what === 'all' || (what === undefined && !optionGoes)) continue;
      grouped.add({ kind: 'revoke', optionOnly: false }, {}, row.privilege, undefined);
      grouped.add({ kind: 'grant', withOption: what === undefined }, {}, row.privilege, undefined, true);
    }
  }

  #emit(acl: AuthorityAcl, grouped: Grouped): void {
    const { grantee } = this.#wish;
    const known = namesOf(this.#rules.table.objects[acl.target.type]);
    const order = (name: string) => known.indexOf(name);
    for (const { change, acting, columns, privileges: names, restore } of grouped.all()) {
      const privileges = names.toSorted((a, b) => order(a) - order(b));
      const on: ObjectTarget = { ...withoutColumns(acl.target), ...(columns.length === 0 ? {} : { columns }) };
      if (change.kind === 'revoke') {
        const option = change.optionOnly ? { grantOptionOnly: true } : {};
        this.#revokes.push({ kind: 'revoke', on, from: grantee, privileges, ...option, ...acting });
      } else {
        const option = change.withOption ? { withGrantOption: true } : {};
        const list = restore ? this.#restores : this.#grants;
        const step: Step = { kind: 'grant', on, to: grantee, privileges, ...option, ...acting };
        const isLifted = privileges.some((privilege) => acl.restricted?.includes(privilege));
        list.push(...(isLifted ? [step, step] : [step]));
      }
    }
  }
}

const namesOf = (object: ObjectPrivileges | undefined): string[] => (object?.privileges ?? []).map(({ name }) => name);
