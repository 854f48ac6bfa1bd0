/**
 * Runs SQL that a tenant wrote, as a login of its own that is a member of the owner and of nothing else. SET ROLE from
 * the administrator's session would be no protection: the script could RESET it.
 */
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { Secret } from '../../resources/secret.ts';
import type { ServerInfo } from '../engine.ts';
import { toResourceError } from './errors.ts';
import { scramVerifier } from './scram.ts';
import type { SessionPool } from './session-pool.ts';
import { ident, join, literal, secretLiteral, sql, tenantScript } from './sql.ts';

export interface TenantScript {
  database: string;
  owner: string;
  text: string;
}

export interface TenantRunner {
  pool: SessionPool;
  adminDatabase: string;
  info: ServerInfo;
  open: (database: string, login: { username: string; password: string }) => Promise<Client>;
}

/** How long the login is valid, should this process die before it drops it. */
const VALID_MS = 10 * 60_000;

export async function runTenantScript(
  { pool, adminDatabase, info, open }: TenantRunner,
  { database, owner, text }: TenantScript,
): Promise<void> {
  const username = `xdatabase_run_${randomBytes(8).toString('hex')}`;
  const password = randomBytes(24).toString('base64url');
  const verifier = await scramVerifier(new Secret(password));
  const until = new Date(Date.now() + VALID_MS).toISOString();
  const login = ident(username);
  const create = [
    sql`CREATE ROLE ${login} WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT PASSWORD ${secretLiteral(verifier)} VALID UNTIL ${literal(until)}`,
    info.versionNumber >= 160000
      ? sql`GRANT ${ident(owner)} TO ${login} WITH INHERIT TRUE, SET TRUE`
      : sql`GRANT ${ident(owner)} TO ${login}`,
    // What the script makes belongs to the owner, not to a login that is about to go.
    sql`ALTER ROLE ${login} SET role TO ${literal(owner)}`,
  ];
  await pool.use(adminDatabase, async (session) => {
    await session.execute(`BEGIN; ${join(create, '; ').text}; COMMIT`);
  });
  try {
    await pool.reserve(async () => {
      const client = await open(database, { username, password });
      try {
        await client.query(
          'RESET search_path; RESET statement_timeout; RESET lock_timeout; RESET idle_in_transaction_session_timeout',
        );
        await client.query(tenantScript(text).text);
      } catch (error) {
        throw toResourceError(error, { tried: 'initSQL' });
      } finally {
        await client.end().catch(() => {});
      }
    });
  } finally {
    await dropLogin(pool, [database, adminDatabase], username);
  }
}

/** What a script that did RESET ROLE made in its own name goes with the login: it was told to make it as the owner. */
async function dropLogin(pool: SessionPool, databases: readonly string[], username: string): Promise<void> {
  const login = ident(username);
  for (const database of new Set(databases))
    await pool.use(database, async (session) => {
      await session.execute(
        `BEGIN; ${sql`GRANT ${login} TO CURRENT_USER`.text}; ${sql`DROP OWNED BY ${login}`.text}; COMMIT`,
      );
    });
  await pool.use(databases.at(-1) ?? '', async (session) => {
    await session.execute(sql`DROP ROLE IF EXISTS ${login}`.text);
  });
}
