/**
 * Runs SQL that a tenant wrote, as a login of its own that is a member of the owner and of nothing else. SET ROLE from
 * the administrator's session would be no protection: the script could RESET it.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { Secret } from '../../common/secret.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { SessionPool } from '../session-pool.ts';
import { dropExpired, dropLogin, makeLogin, type Place, RUN_PREFIX } from './jobs/logins.ts';
import type { ClientSession } from './session.ts';
import { runScript } from './tenant-script.ts';

export interface TenantScript {
  database: string;
  owner: string;
  text: string;
}

export interface TenantRunner {
  pool: SessionPool<ClientSession>;
  adminDatabase: string;
  info: ServerInfo;
  /** Gives a session with the settings of the server, the database and the login, and none of ours. */
  open: (database: string, login: { username: string; password: string }) => Promise<Client>;
}

/** How long the login is valid, should this process die before it drops it. */
const VALID_MS = 10 * 60_000;

/** One that is left behind is found by its name, which is that of the database: see `SCRIPT_LOGIN`. */
const scriptLoginOf = (database: string): string =>
  `${RUN_PREFIX}sql_${createHash('sha256').update(database).digest('hex').slice(0, 16)}`;

/** `scriptLoginOf` of the database in row d, as SQL. */
export const SCRIPT_LOGIN = `'${RUN_PREFIX}sql_' || left(encode(sha256(convert_to(d.datname, 'UTF8')), 'hex'), 16)`;

/** Throws ResourceError. */
export async function runTenantScript(runner: TenantRunner, script: TenantScript): Promise<void> {
  const { pool, adminDatabase, info } = runner;
  const place: Place = { adminDatabase, use: async (database, work) => await pool.use(database, work) };
  const username = scriptLoginOf(script.database);
  const password = randomBytes(24).toString('base64url');
  // A process that was killed could not drop its login.
  await dropExpired(place, info).catch(() => {});
  await dropLogin(place, username);
  await pool.use(adminDatabase, async (session) => {
    await makeLogin(
      session,
      { name: username, password: new Secret(password), validUntil: new Date(Date.now() + VALID_MS) },
      // What the script makes belongs to the owner, not to a login that is about to go.
      { memberOf: [script.owner], actsAs: script.owner },
      info,
    );
  });
  try {
    await pool.reserve(async () => {
      await runScript(await runner.open(script.database, { username, password }), script.text);
    });
  } finally {
    // What a script that did RESET ROLE made in its own name goes with the login: it was told to make it as the owner.
    // Should that fail, the script's own outcome counts, and the next look finds the login.
    await dropLogin(place, username).catch(() => {});
  }
}
