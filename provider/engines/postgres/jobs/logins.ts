/** Logins that live as long as one run. */
import { ResourceError } from '../../../common/errors.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { RunLogin } from '../../jobs.ts';
import { scramVerifier } from '../scram.ts';
import type { Session } from '../session.ts';
import { ident, join, keyword, literal, secretLiteral, type Sql, sql } from '../sql.ts';

/** Names of all run logins begin so; initSQL's too. */
export const RUN_PREFIX = 'xdatabase_run_';

const exists = async (session: Session, name: string): Promise<boolean> =>
  (await session.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name])).length > 0;

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

/** Makes the login anew: what an earlier attempt of the run left is dropped, so that it has these rights and no others. */
export async function makeLogin(
  session: Session,
  login: RunLogin,
  rights: LoginRights,
  info: ServerInfo,
): Promise<void> {
  if (!login.name.startsWith(RUN_PREFIX)) throw new TypeError(`${login.name} is no name of a run login`);
  if (await exists(session, login.name)) await dropLogin(session, login.name);
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
 * Drops a login with what it holds in the database of this session. Dropping fails, and names the place, where it made
 * something in another database.
 */
export async function dropLogin(session: Session, name: string): Promise<void> {
  if (!name.startsWith(RUN_PREFIX))
    throw new ResourceError('InvalidSpec', `${name} is no login of a run`, { retryable: false });
  if (!(await exists(session, name))) return;
  await disown(session, name);
  await session.execute(sql`DROP ROLE IF EXISTS ${ident(name)}`.text);
}

/** Takes away what a login owns and may do in the database of this session, and its rights on databases. */
async function disown(session: Session, name: string): Promise<void> {
  if (!(await exists(session, name))) return;
  const login = ident(name);
  const statements = [
    sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${literal(name)}`,
    sql`GRANT ${login} TO CURRENT_USER`,
    sql`DROP OWNED BY ${login}`,
  ];
  await session.execute(`BEGIN; ${join(statements, '; ').text}; COMMIT`);
}

/** How long after its end a login of a run that nobody cleaned up is left alone. */
const EXPIRED = sql`interval '1 hour'`;

/** Drops what runs left behind that were killed with all their records, e.g. those of initSQL. */
export async function dropExpired(session: Session): Promise<void> {
  const rows = await session.query(
    `SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1) AND rolvaliduntil < now() - ${EXPIRED.text}`,
    [RUN_PREFIX],
  );
  // One that still owns something somewhere is for its own run to clean up.
  for (const row of rows) await dropLogin(session, row['rolname'] as string).catch(() => undefined);
}
