/** What logins of runs may do, and who else is there. */
import { createHash, randomBytes } from 'node:crypto';
import type { RunLogin } from '../../jobs.ts';
import { patternOf } from '../database-pattern.ts';
import { codeOf } from '../errors.ts';
import type { MysqlInfo } from '../info.ts';
import type { Session } from '../session.ts';
import { account, ident, integer, join, keyword, literal, type Sql, sql } from '../sql.ts';
import type { JobSessions } from './sessions.ts';

/** Everything in one database. */
export const LOAD = [
  'SELECT',
  'INSERT',
  'UPDATE',
  'DELETE',
  'CREATE',
  'DROP',
  'REFERENCES',
  'INDEX',
  'ALTER',
  'CREATE TEMPORARY TABLES',
  'LOCK TABLES',
  'EXECUTE',
  'CREATE VIEW',
  'SHOW VIEW',
  'CREATE ROUTINE',
  'ALTER ROUTINE',
  'EVENT',
  'TRIGGER',
] as const;
export const DUMP = ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT', 'LOCK TABLES'] as const;

const PRIVILEGES: readonly string[] = LOAD;

export const grant = (privileges: readonly string[], database: string, login: string, info: MysqlInfo): Sql =>
  sql`GRANT ${join(privileges.map((privilege) => keyword(privilege, PRIVILEGES)))} ON ${ident(patternOf(database, info))}.* TO ${account(login)}`;

export const revoke = (database: string, login: string, info: MysqlInfo): Sql =>
  sql`REVOKE ${join(LOAD.map((privilege) => keyword(privilege, PRIVILEGES)))} ON ${ident(patternOf(database, info))}.* FROM ${account(login)}`;

/** Names of logins of runs, which nobody else may have. */
const RUN_PREFIX = 'xdatabase_run_';
export const isRunLogin = (name: string): boolean => name.startsWith(RUN_PREFIX);

const DAY_MS = 86_400_000;

/** Until when a login is of use that is needed at once and for no longer. */
export const soon = (): Date => new Date(Date.now() + DAY_MS);

/** Unlocks a login for a run. Its password ends whole days later, which is all that servers know of. */
function admit(login: string, validUntil: Date): Sql {
  const days = Math.max(1, Math.ceil((validUntil.getTime() - Date.now()) / DAY_MS));
  return sql`ALTER USER ${account(login)} PASSWORD EXPIRE INTERVAL ${integer(days)} DAY ACCOUNT UNLOCK`;
}

/** How long after its end a login of a run that nobody cleaned up is left alone. */
const LEFT_ALONE = sql`INTERVAL 1 HOUR`;
/** Of one that was made and not admitted: in between somebody was killed. In days, longer than any run. */
const UNSAID_DAYS = 30;

const LEFT_ON_MARIADB = sql`
SELECT User AS name FROM mysql.global_priv
WHERE LEFT(User, ${integer(RUN_PREFIX.length)}) = ${literal(RUN_PREFIX)} AND Host = '%'
  AND COALESCE(JSON_VALUE(Priv, '$.account_locked'), 'false') NOT IN ('1', 'true')
  AND FROM_UNIXTIME(JSON_VALUE(Priv, '$.password_last_changed'))
    + INTERVAL COALESCE(JSON_VALUE(Priv, '$.password_lifetime'), ${integer(UNSAID_DAYS)}) DAY < NOW() - ${LEFT_ALONE}`;
const LEFT_ON_MYSQL = sql`
SELECT User AS name FROM mysql.user
WHERE LEFT(User, ${integer(RUN_PREFIX.length)}) = ${literal(RUN_PREFIX)} AND Host = '%' AND account_locked = 'N'
  AND password_last_changed + INTERVAL COALESCE(password_lifetime, ${integer(UNSAID_DAYS)}) DAY < NOW() - ${LEFT_ALONE}`;

/** Logins of runs that ended long ago and that nobody cleaned up. Those that are locked stay for what they define. */
async function expiredLogins(session: Session, { engine }: MysqlInfo): Promise<string[]> {
  const rows = await session.query(engine === 'mysql' ? LEFT_ON_MYSQL : LEFT_ON_MARIADB);
  return rows.map(({ name }) => String(name));
}

/** One that every policy of a server is content with. */
export const runPassword = (): string => `Aa1-${randomBytes(24).toString('base64url')}`;

/** The login that runs the initSQL of a database: the same one each time, as it may be the definer of what is there. */
export const initLogin = (database: string): string =>
  `${RUN_PREFIX}init_${createHash('sha256').update(database).digest('hex').slice(0, 12)}`;

const exists = async (session: Session, name: string): Promise<boolean> =>
  (await session.query(sql`SELECT 1 AS one FROM mysql.user WHERE User = ${literal(name)} AND Host = '%'`)).length > 0;

export async function isDefiner(session: Session, name: string): Promise<boolean> {
  const definer = literal(`${name}@%`);
  const rows = await session.query(
    sql`SELECT 1 AS one FROM information_schema.VIEWS WHERE DEFINER = ${definer}
      UNION ALL SELECT 1 FROM information_schema.ROUTINES WHERE DEFINER = ${definer}
      UNION ALL SELECT 1 FROM information_schema.TRIGGERS WHERE DEFINER = ${definer}
      UNION ALL SELECT 1 FROM information_schema.EVENTS WHERE DEFINER = ${definer}`,
  );
  return rows.length > 0;
}

/**
 * Makes the account, or gives the one of an earlier run of the same resource a new password. Others that were left by runs of
 * providers that were killed go first.
 */
export async function makeLogin(
  sessions: JobSessions,
  { name, password, validUntil }: RunLogin,
  signal?: AbortSignal,
): Promise<void> {
  await dropExpired(sessions, name, signal);
  const isThere = await sessions.use('login', async (session) => await exists(session, name), signal);
  await sessions.run(
    [
      isThere
        ? { kind: 'setPassword', name, host: '%', password }
        : { kind: 'createRole', name, host: '%', attributes: { login: true }, password },
    ],
    signal,
  );
  await sessions.use(
    'login',
    async (session) => {
      await session.execute(admit(name, validUntil));
    },
    signal,
  );
}

/** What is left of others is no reason for a run to fail. */
async function dropExpired(sessions: JobSessions, except: string, signal?: AbortSignal): Promise<void> {
  const info = await sessions.info();
  const left = await sessions
    .use('login', async (session) => await expiredLogins(session, info), signal)
    .catch(() => []);
  for (const name of left) if (name !== except) await dropLogin(sessions, name, signal).catch(() => {});
}

/** Ends its sessions and drops the account, or leaves it locked where something runs with its rights. */
export async function dropLogin(sessions: JobSessions, name: string, signal?: AbortSignal): Promise<void> {
  if (!isRunLogin(name)) throw new TypeError(`${name} is no login of a run`);
  await sessions.use(
    'drop the login of a run',
    async (session) => {
      const login = account(name);
      if (!(await exists(session, name))) return;
      await session.execute(sql`ALTER USER ${login} ACCOUNT LOCK`);
      for (const row of await session.query(sql`SHOW PROCESSLIST`))
        if (row['User'] === name) await kill(session, Number(row['Id']));
      if (!(await isDefiner(session, name))) await session.execute(sql`DROP USER IF EXISTS ${login}`);
    },
    signal,
  );
}

export async function kill(session: Session, id: number): Promise<void> {
  try {
    await session.execute(sql`KILL ${integer(id)}`);
  } catch (error) {
    // It has just ended.
    if (codeOf(error) !== '1094') throw error;
  }
}

/** Ends the sessions of others in a database, or counts them. */
export async function sessionsIn(session: Session, database: string, end: boolean): Promise<number> {
  const others = (await session.query(sql`SHOW PROCESSLIST`)).filter((row) => row['db'] === database);
  if (!end) return others.length;
  for (const row of others) await kill(session, Number(row['Id']));
  return 0;
}
