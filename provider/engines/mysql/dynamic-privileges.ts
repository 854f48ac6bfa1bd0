/** The privileges that a MySQL server has because of what it has loaded. MariaDB has none. */
import { GRANT_OPTION, MYSQL_PRIVILEGES } from './privileges.ts';
import type { Session } from './session.ts';
import { sql } from './sql.ts';

/** Asked of the server; sorted, as components are loaded in any order. */
export async function readDynamicPrivileges(session: Pick<Session, 'query'>): Promise<string[]> {
  const rows = await session.query(sql`SHOW PRIVILEGES`);
  const fixed = new Set(['PROXY', 'USAGE', GRANT_OPTION]);
  for (const { name } of MYSQL_PRIVILEGES.objects.global?.privileges ?? []) fixed.add(name);
  const names = rows.filter((row) => row['Context'] === 'Server Admin').map((row) => String(row['Privilege']));
  return names.filter((name) => !fixed.has(name.toUpperCase())).toSorted();
}
