/**
 * Runs SQL that a tenant wrote, as a login of its own that is a member of the owner and of nothing else. The script may
 * RESET the role that it begins with: it has no other rights then either.
 */
import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { Secret } from '../../common/secret.ts';
import type { Step } from '../../resources/model/steps.ts';
import { toResourceError } from '../postgres/errors.ts';
import { scramVerifier } from '../postgres/scram.ts';
import { type ClientSession, endClient, type Session } from '../postgres/session.ts';
import { bound, ident, literal, sql } from '../postgres/sql.ts';
import { runScript } from '../postgres/tenant-script.ts';
import type { SessionPool } from '../session-pool.ts';
import { command } from './command.ts';
import { send } from './execute.ts';
import { scriptLoginOf } from './names.ts';
import { existingRoles } from './reads/roles.ts';

export interface TenantRunner {
  pool: SessionPool<ClientSession>;
  adminDatabase: string;
  /** Logs in as somebody else. Throws ResourceError. */
  open: (database: string, login: { username: string; password: string }) => Promise<Client>;
}

/** How long the login is valid, should this process die before it drops it. */
const VALID_MS = 10 * 60_000;

/** Throws ResourceError; the script's own failure comes before a failure to clean up. */
export async function runTenantScript(
  { pool, adminDatabase, open }: TenantRunner,
  { database, owner, sql: text }: Extract<Step, { kind: 'initSQL' }>,
): Promise<void> {
  const username = scriptLoginOf(database);
  const password = randomBytes(24).toString('base64url');
  let failure: { error: unknown } | undefined;
  // Whatever goes wrong, even on the way to the login: what may have been made has to go.
  try {
    // A process that was killed could not drop its login.
    await endTenantScript(pool, { database, login: username });
    await pool.use(adminDatabase, async (session) => {
      await makeLogin(session, username, new Secret(password), owner);
    });
    await pool.reserve(async () => {
      await runAs(await open(database, { username, password }), owner, text);
    });
  } catch (error) {
    failure = { error };
  }
  await endTenantScript(pool, { database, login: username }).catch((error: unknown) => {
    failure ??= { error };
  });
  if (failure !== undefined) throw failure.error;
}

/** Drops the login of a script, with what it holds, and ends the script if it still runs. */
export async function endTenantScript(
  pool: SessionPool<ClientSession>,
  { database, login }: Pick<Extract<Step, { kind: 'endScript' }>, 'database' | 'login'>,
): Promise<void> {
  await pool.use(database, async (session) => {
    await dropLogin(session, login);
  });
}

async function makeLogin(session: Session, username: string, password: Secret, owner: string): Promise<void> {
  const login = ident(username);
  const until = literal(new Date(Date.now() + VALID_MS).toISOString());
  await send(session, {
    sql: sql`CREATE ROLE ${login} WITH LOGIN VALID UNTIL ${until} PASSWORD ${bound(1)}`,
    secrets: [await scramVerifier(password)],
  });
  await send(session, command(sql`GRANT ${ident(owner)} TO ${login}`));
}

async function runAs(client: Client, owner: string, text: string): Promise<void> {
  try {
    // What the script makes belongs to the owner, not to a login that is about to go.
    await client.query(sql`SET ROLE ${ident(owner)}`.text);
  } catch (error) {
    await endClient(client);
    throw toResourceError(error, { tried: 'initSQL' });
  }
  await runScript(client, text);
}

async function dropLogin(session: Session, username: string): Promise<void> {
  if (!(await existingRoles(session, [username])).has(username)) return;
  const login = ident(username);
  // A script that was cut off may still run.
  const sessions = sql`SELECT session_id FROM [SHOW CLUSTER SESSIONS] WHERE user_name = ${literal(username)}`;
  await send(session, command(sql`CANCEL SESSIONS IF EXISTS ${sessions}`));
  await send(session, command(sql`DROP OWNED BY ${login}`));
  await send(session, command(sql`DROP ROLE IF EXISTS ${login}`));
}
