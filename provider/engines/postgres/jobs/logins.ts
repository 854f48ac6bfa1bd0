/** Logins that live as long as one run. */
import { ResourceError } from '../../../common/errors.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { RunLogin } from '../../jobs.ts';
import { dropDatabase } from '../drop-database.ts';
import { scramVerifier } from '../scram.ts';
import type { Session } from '../session.ts';
import { ident, join, keyword, literal, secretLiteral, type Sql, sql } from '../sql.ts';
import { FILLED_BY } from './beside.ts';
import { openAgain } from './door.ts';

/** Names of all run logins begin so; initSQL's too. */
export const RUN_PREFIX = 'xdatabase_run_';

/** Sessions in which logins are made and dropped. */
export interface Place {
  use: <T>(database: string, work: (session: Session) => Promise<T>) => Promise<T>;
  adminDatabase: string;
}

export interface LoginRights {
  /** Roles that it is a member of. */
  memberOf: readonly string[];
  /** Role in whose name its sessions begin. */
  actsAs?: string;
  bypassRls?: boolean;
  /** Its sessions write nothing unless they ask to. */
  readOnly?: boolean;
  /** It may read large objects of others, which no role allows before PostgreSQL 19. */
  readsLargeObjects?: boolean;
}

/** Makes the login. What an earlier attempt of the run left has to be dropped before, so that it has these rights and no others. */
export async function makeLogin(
  session: Session,
  login: RunLogin,
  rights: LoginRights,
  info: ServerInfo,
): Promise<void> {
  if (!login.name.startsWith(RUN_PREFIX)) throw new TypeError(`${login.name} is no name of a run login`);
  const name = ident(login.name);
  const verifier = await scramVerifier(login.password);
  const bypass = keyword(rights.bypassRls === true ? 'BYPASSRLS' : 'NOBYPASSRLS', ['BYPASSRLS', 'NOBYPASSRLS']);
  const statements: Sql[] = [
    sql`CREATE ROLE ${name} WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION ${bypass} INHERIT PASSWORD ${secretLiteral(verifier)} VALID UNTIL ${literal(login.validUntil.toISOString())}`,
    ...rights.memberOf.map((role) =>
      info.versionNumber >= 160_000
        ? sql`GRANT ${ident(role)} TO ${name} WITH INHERIT TRUE, SET TRUE`
        : sql`GRANT ${ident(role)} TO ${name}`,
    ),
  ];
  if (rights.actsAs !== undefined) statements.push(sql`ALTER ROLE ${name} SET role TO ${literal(rights.actsAs)}`);
  if (rights.readOnly === true) statements.push(sql`ALTER ROLE ${name} SET default_transaction_read_only TO on`);
  if (rights.readsLargeObjects === true) statements.push(sql`ALTER ROLE ${name} SET lo_compat_privileges TO on`);
  await session.execute(`BEGIN; ${join(statements, '; ').text}; COMMIT`);
}

/**
 * Drops a login with all that it holds, wherever that is: whoever writes its SQL may have let it log in to other databases.
 * Its sessions are ended first, as a script that was cut off may still run.
 */
export async function dropLogin({ use, adminDatabase }: Place, name: string): Promise<void> {
  if (!name.startsWith(RUN_PREFIX))
    throw new ResourceError('InvalidSpec', `${name} is no login of a run`, { retryable: false });
  const places = await use(adminDatabase, async (session) => await holdings(session, name));
  if (places === undefined) return;
  const login = ident(name);
  const disown = [
    sql`GRANT ${login} TO CURRENT_USER`,
    sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${literal(name)}`,
    sql`DROP OWNED BY ${login}`,
    sql`REVOKE ${login} FROM CURRENT_USER`,
  ];
  // What all databases share is given up from any of them.
  for (const database of new Set([adminDatabase, ...places]))
    await use(database, async (session) => {
      await session.execute(`BEGIN; ${join(disown, '; ').text}; COMMIT`);
    });
  await use(adminDatabase, async (session) => {
    await session.execute(sql`DROP ROLE IF EXISTS ${login}`.text);
  });
}

const HOLDINGS = `
SELECT ARRAY(SELECT DISTINCT d.datname::text FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
  WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid ORDER BY 1) AS places
FROM pg_roles r WHERE r.rolname = $1`;

/** The databases in which a login owns something or may do something; undefined when there is no such login. */
async function holdings(session: Session, name: string): Promise<string[] | undefined> {
  const [row] = await session.query(HOLDINGS, [name]);
  return row?.['places'] as string[] | undefined;
}

/** How long after its end a login of a run that nobody cleaned up is left alone. */
const EXPIRED = sql`interval '1 hour'`;

/** Logins that nobody cleaned up, each with the databases that it was to fill. */
const LEFT = `
SELECT r.rolname AS name, ARRAY(SELECT d.datname::text FROM pg_database d JOIN pg_shdepend s
    ON s.dbid = 0 AND s.classid = 'pg_database'::regclass AND s.objid = d.oid AND s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid
  WHERE starts_with(shobj_description(d.oid, 'pg_database'), $2)) AS databases
FROM pg_roles r WHERE starts_with(r.rolname, $1) AND r.rolvaliduntil < now() - ${EXPIRED.text}`;

/** Drops what runs left behind that were killed with all their records, and opens what they have closed. */
export async function dropExpired(place: Place, info: ServerInfo): Promise<void> {
  const { use, adminDatabase } = place;
  const rows = await use(adminDatabase, async (session) => await session.query(LEFT, [RUN_PREFIX, FILLED_BY]));
  for (const { name, databases } of rows as { name: string; databases: string[] }[])
    try {
      await use(adminDatabase, async (session) => {
        await openAgain(session, name, info);
        for (const database of databases) await dropDatabase(session, database, info);
      });
      await dropLogin(place, name);
    } catch {
      // One that owns something where nobody can get at it is no reason for a run to fail.
    }
}
