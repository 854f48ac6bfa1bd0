/**
 * Runs SQL that a tenant wrote, as a login of its own that may do anything in that database and nothing elsewhere. What it
 * defines (views, routines, triggers, events) goes on running with the rights of that login: then it stays, locked, for as
 * long as the database does; otherwise it goes at once.
 */
import type { Step } from '../../resources/model/steps.ts';
import { Secret } from '../../common/secret.ts';
import { dropLogin, grant, initLogin, kill, LOAD, makeLogin, runPassword, soon } from './jobs/logins.ts';
import type { JobSessions } from './jobs/sessions.ts';
import type { Session } from './session.ts';
import { ident, sql, tenantStatement } from './sql.ts';

/** A script may not hold a session of the server's budget for longer. */
const SCRIPT_MS = 5 * 60_000;
const TRIED = 'initSQL';

/** Sessions of ours have settings of their own, which routines would remember: a script has those of the server. */
const SERVERS_SETTINGS = sql`SET SESSION sql_mode = @@GLOBAL.sql_mode, lock_wait_timeout = @@GLOBAL.lock_wait_timeout,
  group_concat_max_len = @@GLOBAL.group_concat_max_len, sql_select_limit = @@GLOBAL.sql_select_limit,
  sql_quote_show_create = @@GLOBAL.sql_quote_show_create`;

interface Login {
  username: string;
  password: string;
}

/** Throws ResourceError; the script's own failure comes before a failure to clean up. */
export async function runTenantScript(
  sessions: JobSessions,
  { database, sql: text }: Extract<Step, { kind: 'initSQL' }>,
): Promise<void> {
  const info = await sessions.info();
  const login = { username: initLogin(database), password: runPassword() };
  await makeLogin(sessions, { name: login.username, password: new Secret(login.password), validUntil: soon() });
  let failure: { error: unknown } | undefined;
  try {
    await sessions.use(TRIED, async (session) => {
      await session.execute(grant(LOAD, database, login.username, info));
    });
    await runAs(sessions, login, database, text);
  } catch (error) {
    failure = { error };
  }
  await dropLogin(sessions, login.username).catch((error: unknown) => {
    failure ??= { error };
  });
  if (failure !== undefined) throw failure.error;
}

async function runAs(sessions: JobSessions, login: Login, database: string, text: string): Promise<void> {
  try {
    await sessions.as(
      login,
      TRIED,
      async (session) => {
        await session.execute(sql`USE ${ident(database)}`);
        await session.execute(SERVERS_SETTINGS);
        await session.execute(tenantStatement(text), SCRIPT_MS);
      },
      { takesScripts: true },
    );
  } catch (error) {
    // What is not answered any more still runs on the server; its own login may always end it.
    await sessions.as(login, TRIED, endOthers).catch(() => {});
    throw error;
  }
}

async function endOthers(session: Session): Promise<void> {
  const [own] = await session.query(sql`SELECT CONNECTION_ID() AS id`);
  for (const row of await session.query(sql`SHOW PROCESSLIST`))
    if (Number(row['Id']) !== Number(own?.['id'])) await kill(session, Number(row['Id']));
}
