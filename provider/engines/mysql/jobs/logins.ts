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

/** Makes the account, or gives the one of an earlier run of the same resource a new password. */
export async function makeLogin(
  sessions: JobSessions,
  { name, password }: Pick<RunLogin, 'name' | 'password'>,
  signal?: AbortSignal,
): Promise<void> {
  const isThere = await sessions.use('login', async (session) => await exists(session, name), signal);
  if (!isThere) {
    await sessions.run([{ kind: 'createRole', name, host: '%', attributes: { login: true }, password }], signal);
    return;
  }
  await sessions.run([{ kind: 'setPassword', name, host: '%', password }], signal);
  await sessions.use(
    'login',
    async (session) => {
      await session.execute(sql`ALTER USER ${account(name)} ACCOUNT UNLOCK`);
    },
    signal,
  );
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
