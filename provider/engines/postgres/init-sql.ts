/**
 * Runs SQL that a tenant wrote, as a login of its own that is a member of the owner and of nothing else. SET ROLE from
 * the administrator's session would be no protection: the script could RESET it.
 */
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { Secret } from '../../common/secret.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { SessionPool } from '../session-pool.ts';
import { toResourceError } from './errors.ts';
import { dropExpired } from './jobs/logins.ts';
import { scramVerifier } from './scram.ts';
import { type ClientSession, endClient } from './session.ts';
import { ident, join, literal, secretLiteral, sql, tenantScript } from './sql.ts';

export interface TenantScript {
  database: string;
  owner: string;
  text: string;
}

export interface TenantRunner {
  pool: SessionPool<ClientSession>;
  adminDatabase: string;
  info: ServerInfo;
  open: (database: string, login: { username: string; password: string }) => Promise<Client>;
}

/** How long the login is valid, should this process die before it drops it. */
const VALID_MS = 10 * 60_000;
/** A script may not hold a session of the server's budget for longer. */
const SCRIPT_MS = 5 * 60_000;

/** Throws ResourceError; the script's own failure comes before a failure to clean up. */
export async function runTenantScript(runner: TenantRunner, script: TenantScript): Promise<void> {
  const { pool, adminDatabase } = runner;
  const username = `xdatabase_run_${randomBytes(8).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  // A process that was killed could not drop its login; it is of no use any more, and not worth a failure.
  await pool.use(adminDatabase, dropExpired).catch(() => {});
  await createLogin(runner, script.owner, username, new Secret(password));
  let failure: { error: unknown } | undefined;
  try {
    await pool.reserve(async () => {
      await runAs(await runner.open(script.database, { username, password }), script.text);
    });
  } catch (error) {
    failure = { error };
  }
  const databases = [...new Set([script.database, adminDatabase])];
  await dropLogin(pool, databases, username).catch((error: unknown) => {
    failure ??= { error };
  });
  if (failure !== undefined) throw failure.error;
}

async function createLogin(
  { pool, adminDatabase, info }: TenantRunner,
  owner: string,
  username: string,
  password: Secret,
): Promise<void> {
  const verifier = await scramVerifier(password);
  const until = new Date(Date.now() + VALID_MS).toISOString();
  const login = ident(username);
  const create = [
    sql`CREATE ROLE ${login} WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT PASSWORD ${secretLiteral(verifier)} VALID UNTIL ${literal(until)}`,
    info.versionNumber >= 160_000
      ? sql`GRANT ${ident(owner)} TO ${login} WITH INHERIT TRUE, SET TRUE`
      : sql`GRANT ${ident(owner)} TO ${login}`,
    // What the script makes belongs to the owner, not to a login that is about to go.
    sql`ALTER ROLE ${login} SET role TO ${literal(owner)}`,
  ];
  await pool.use(adminDatabase, async (session) => {
    await session.execute(`BEGIN; ${join(create, '; ').text}; COMMIT`);
  });
}

async function runAs(client: Client, text: string): Promise<void> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void endClient(client, 0);
  }, SCRIPT_MS);
  try {
    await client.query(
      'RESET search_path; RESET statement_timeout; RESET lock_timeout; RESET idle_in_transaction_session_timeout; RESET client_min_messages',
    );
    await client.query(tenantScript(text).text);
  } catch (error) {
    throw isLate
      ? toResourceError(
          Object.assign(new Error(`took more than ${SCRIPT_MS / 60_000} minutes`), { code: '57014' }),
          TRIED,
        )
      : toResourceError(error, TRIED);
  } finally {
    clearTimeout(timer);
    await endClient(client);
  }
}

const TRIED = { tried: 'initSQL' };

/** What a script that did RESET ROLE made in its own name goes with the login: it was told to make it as the owner. */
async function dropLogin(
  pool: SessionPool<ClientSession>,
  databases: readonly string[],
  username: string,
): Promise<void> {
  const login = ident(username);
  for (const database of databases)
    await pool.use(database, async (session) => {
      // A script that was cut off may still run.
      const end = sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${literal(username)}`;
      const statements = [sql`GRANT ${login} TO CURRENT_USER`, end, sql`DROP OWNED BY ${login}`];
      await session.execute(`BEGIN; ${join(statements, '; ').text}; COMMIT`);
    });
  await pool.use(databases.at(-1) ?? '', async (session) => {
    await session.execute(sql`DROP ROLE IF EXISTS ${login}`.text);
  });
}
