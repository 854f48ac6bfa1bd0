/** Rows of SHOW GRANTS and its relatives as privileges; ALL is what it means on that object. */
import type { Privilege } from '../../../resources/model/privileges.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { expandPrivileges, type ObjectPrivileges } from '../../../resources/privilege-set.ts';
import { truth } from '../rows.ts';

type Row = Record<string, unknown>;

/** `grantor` is the owner: CockroachDB keeps one set of privileges per grantee, whoever gave them. */
export function privilegesOf(
  rows: readonly Row[],
  object: ObjectPrivileges,
  owner: string,
  info: ServerInfo,
): Privilege[] {
  const held = new Map<string, boolean>();
  for (const row of rows) {
    const name = String(row['privilege_type']).toUpperCase();
    const names = name === 'ALL' ? expandPrivileges(['ALL'], object, info) : [plainName(name, object)];
    for (const privilege of names) held.set(privilege, truth(row['is_grantable']) || held.get(privilege) === true);
  }
  return [...held].map(([privilege, grantable]) => ({ privilege, grantable, grantor: owner }));
}

/** A privilege that another version calls otherwise; one that no table has stays what it is called. */
const plainName = (name: string, { privileges }: ObjectPrivileges): string =>
  privileges.find((entry) => entry.aliases?.includes(name))?.name ?? name;
