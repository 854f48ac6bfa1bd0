/**
 * Rights on a database outlive it here, and would be rights on the next database of that name, whoever makes it. So they
 * go with it, and what is left all the same goes before a tenant's database is made.
 */
import { ResourceError } from '../../common/errors.ts';
import { granteeSql } from './accounts.ts';
import { escapedName } from './database-pattern.ts';
import { codeOf } from './errors.ts';
import type { MysqlInfo } from './info.ts';
import { isDefiner, isRunLogin } from './jobs/logins.ts';
import type { Row, Session } from './session.ts';
import { account, ident, join, keyword, literal, qualified, type Sql, sql } from './sql.ts';

const ROUTINE_TYPES = ['FUNCTION', 'PROCEDURE', 'PACKAGE', 'PACKAGE BODY'] as const;

/** The grant says nothing about that any more. */
const NO_SUCH_GRANT: ReadonlySet<string> = new Set(['1141', '1147', '1403']);

const heldOn = (databases: Sql): Sql => sql`
SELECT 'database' AS what, User AS user, Host AS host, Db AS home, '' AS name FROM mysql.db WHERE Db IN (${databases})
UNION ALL SELECT 'table', User, Host, Db, Table_name FROM mysql.tables_priv WHERE Db IN (${databases})
UNION ALL SELECT Routine_type, User, Host, Db, Routine_name FROM mysql.procs_priv WHERE Db IN (${databases})`;

/** Everybody's rights on a database that is not there. Logins of runs that were left for it go altogether. */
export async function revokeLeftovers(session: Session, database: string, info: MysqlInfo): Promise<void> {
  const pattern = escapedName(database, info);
  const rows = await session.query(heldOn(join([...new Set([database, pattern])].map(literal))));
  for (const row of rows.filter((one) => isOf(one, database, pattern, info))) {
    const name = String(row['user']);
    // The anonymous account is the platform's, see refuseOpenName.
    if (name === '') continue;
    if (isRunLogin(name) && !(await isDefiner(session, name)))
      await session.execute(sql`DROP USER IF EXISTS ${account(name, String(row['host']))}`);
    else await revokeOne(session, row, info);
  }
}

/** Of the table the name counts as it is, elsewhere as a pattern; and unless the server folds names, its letters count. */
function isOf(row: Row, database: string, pattern: string, { lowerCaseNames }: MysqlInfo): boolean {
  const wanted = row['what'] === 'database' ? pattern : database;
  const home = String(row['home']);
  return lowerCaseNames === 0 ? home === wanted : home.toLowerCase() === wanted.toLowerCase();
}

async function revokeOne(session: Session, row: Row, info: MysqlInfo): Promise<void> {
  const [what, name, host, home] = ['what', 'user', 'host', 'home'].map((column) => String(row[column])) as [
    string,
    string,
    string,
    string,
  ];
  const from = granteeSql(name === 'PUBLIC' && host === '' ? { public: true } : { name, host }, info);
  const on =
    what === 'database'
      ? sql`${ident(home)}.*`
      : what === 'table'
        ? qualified(home, String(row['name']))
        : sql`${keyword(what, ROUTINE_TYPES)} ${qualified(home, String(row['name']))}`;
  for (const words of [sql`GRANT OPTION`, sql`ALL PRIVILEGES`])
    try {
      await session.execute(sql`REVOKE ${words} ON ${on} FROM ${from}`);
    } catch (error) {
      if (!NO_SUCH_GRANT.has(codeOf(error))) throw error;
    }
}

/** Who may act as an account may act as the next one of its name too. */
export async function revokeProxies(
  session: Session,
  of: { name: string; host?: string },
  info: MysqlInfo,
): Promise<void> {
  const [proxied, host] = [account(of.name, of.host), of.host ?? '%'];
  const rows = await session.query(
    sql`SELECT User AS user, Host AS host FROM mysql.proxies_priv WHERE Proxied_user = ${literal(of.name)} AND Proxied_host = ${literal(host)}`,
  );
  for (const row of rows) {
    const from = granteeSql({ name: String(row['user']), host: String(row['host']) }, info);
    await session.execute(sql`REVOKE PROXY ON ${proxied} FROM ${from}`);
  }
}

/**
 * Servers as they are installed may let everybody into databases called `test` and the like. Throws NotIsolated for a
 * name that such a right covers.
 */
export async function refuseOpenName(session: Session, database: string): Promise<void> {
  const [row] = await session.query(
    sql`SELECT User AS user, Db AS pattern FROM mysql.db WHERE User IN ('', 'PUBLIC') AND ${literal(database)} LIKE Db`,
  );
  if (row === undefined) return;
  const who = row['user'] === '' ? 'anonymous accounts' : 'PUBLIC';
  throw new ResourceError(
    'NotIsolated',
    `a database called ${JSON.stringify(database)} would be open to everybody: ${who} may use ${JSON.stringify(String(row['pattern']))}.* on this server; revoke that, or choose another name`,
    { retryable: false },
  );
}
