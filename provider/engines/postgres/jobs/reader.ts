/** Which rights a dump needs, and the least that give them. */
import type { ServerInfo } from '../../../resources/model/server.ts';
import { borrow } from '../membership.ts';
import type { Session } from '../session.ts';
import { ident, join, sql } from '../sql.ts';
import type { LoginRights } from './logins.ts';

const READ_ALL = 'pg_read_all_data';

/** Asked inside the database that is dumped. */
const NEEDS = `
SELECT pg_get_userbyid(d.datdba) AS owner,
  EXISTS (SELECT FROM pg_largeobject_metadata) AS has_large_objects,
  EXISTS (SELECT FROM pg_class WHERE relrowsecurity) AS has_row_security
FROM pg_database d WHERE d.datname = current_database()`;

const MAY_GRANT = `SELECT pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION') AS may FROM pg_roles WHERE rolname = $1`;

/**
 * A login that can only read, where the server has one that can read everything that is there. Otherwise one that may
 * act for the owner of the database, in sessions that write nothing.
 */
export async function readerRights(session: Session, info: ServerInfo): Promise<LoginRights> {
  const [needs] = await session.query(NEEDS, []);
  const owner = needs?.['owner'] as string;
  const { superUser } = info.admin;
  const [grantable] = await session.query(MAY_GRANT, [READ_ALL]);
  const mayGrant = superUser ? grantable !== undefined : grantable?.['may'] === true;
  const isHidden = needs?.['has_large_objects'] === true || needs?.['has_row_security'] === true;
  if (mayGrant && (superUser || !isHidden))
    return {
      memberOf: [READ_ALL],
      readOnly: true,
      bypassRls: superUser,
      readsLargeObjects: superUser && needs?.['has_large_objects'] === true,
    };
  return { memberOf: [owner], readOnly: true };
}

/** Lets a login into a database that is not open to everybody, as those of claims are not. Dropping the login undoes it. */
export async function letIn(session: Session, login: string, database: string, info: ServerInfo): Promise<void> {
  const [row] = await session.query("SELECT has_database_privilege($1, $2, 'CONNECT') AS may", [login, database]);
  if (row?.['may'] === true) return;
  const { take, giveBack } = await borrow(session, [{ kind: 'alterDatabase', name: database }], info);
  const grant = sql`GRANT CONNECT ON DATABASE ${ident(database)} TO ${ident(login)}`;
  await session.execute(`BEGIN; ${join([...take, grant, ...giveBack], '; ').text}; COMMIT`);
}
