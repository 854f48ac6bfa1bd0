/** Changes of one object, put together so that as few statements as possible make them. */
import type { Acting } from './grant-authority.ts';

export type Change = { kind: 'grant'; withOption: boolean } | { kind: 'revoke'; optionOnly: boolean };

export interface Group {
  change: Change;
  acting: Acting;
  columns: string[];
  privileges: string[];
  restore: boolean;
}

/** Privileges of one column together, then columns with the same privileges together. */
export class Grouped {
  readonly #groups = new Map<string, Group>();

  add(change: Change, acting: Acting, privilege: string, column: string | undefined, restore = false): void {
    const key = JSON.stringify([change, acting, column ?? null, restore]);
    const group = this.#groups.get(key);
    if (group === undefined)
      this.#groups.set(key, {
        change,
        acting,
        columns: column === undefined ? [] : [column],
        privileges: [privilege],
        restore,
      });
    else if (!group.privileges.includes(privilege)) group.privileges.push(privilege);
  }

  /** Makes grants of this privilege on columns wait until the revokes are done. */
  defer(privilege: string): void {
    for (const { change, acting, columns, privileges, restore } of this.#groups.values()) {
      if (change.kind !== 'grant' || restore || columns.length === 0 || !privileges.includes(privilege)) continue;
      privileges.splice(privileges.indexOf(privilege), 1);
      for (const column of columns) this.add(change, acting, privilege, column, true);
    }
  }

  /** Makes grants with the option wait until the revokes are done. */
  deferOptions(): void {
    for (const { change, acting, columns, privileges, restore } of this.#groups.values()) {
      if (change.kind !== 'grant' || !change.withOption || restore || columns.length > 0) continue;
      for (const privilege of privileges.splice(0)) this.add(change, acting, privilege, undefined, true);
    }
  }

  all(): Group[] {
    const merged = new Map<string, Group>();
    for (const group of this.#groups.values()) {
      const { columns, ...rest } = group;
      if (rest.privileges.length === 0) continue;
      const key = JSON.stringify([rest, columns.length > 0]);
      const same = merged.get(key);
      if (same === undefined) merged.set(key, { ...group, columns: [...columns] });
      else same.columns.push(...columns);
    }
    return [...merged.values()];
  }
}
