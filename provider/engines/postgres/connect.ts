/** Opens one session, with TLS as the configuration says and settings that no database can change for us. */
import { Socket } from 'node:net';
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';
import { Client, type CustomTypesConfig, types } from 'pg';
import type { ConnectionSettings } from '../engine.ts';
import { type Circumstance, codeOf, toResourceError } from './errors.ts';
import { refuseOtherEngine } from './info.ts';
import { endClient, STATEMENT_TIMEOUT_MS } from './session.ts';
import { ident } from './sql.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A lock that a migration holds must not keep a session of ours for long: the step is tried again. */
const LOCK_TIMEOUT_MS = 10_000;

const INT8 = 20;
const OID = 26;

const parserOf = types.getTypeParser as (type: number, format?: string) => (text: string) => unknown;

/** Numbers of 64 bits and oids stay text: a JavaScript number would round them. */
const asText: CustomTypesConfig = {
  getTypeParser: (type: number, format?: 'text' | 'binary') =>
    type === INT8 || type === OID ? String : parserOf(type, format),
};

/** The role that the administrator itself is to begin as, which PostgreSQL puts above what the database says. */
const OWN_ROLE = `(SELECT substr(c, 6) FROM pg_db_role_setting s, pg_database d, unnest(s.setconfig) c
  WHERE s.setrole = (SELECT oid FROM pg_roles WHERE rolname = session_user) AND d.datname = current_database()
    AND s.setdatabase IN (0, d.oid) AND starts_with(c, 'role=') ORDER BY s.setdatabase DESC LIMIT 1)`;

/** What changes answers of the catalog, or, from PostgreSQL 16 on, makes the administrator a member of what it makes. */
const NEVER_OTHERS = [
  'quote_all_identifiers',
  'transform_null_equals',
  'array_nulls',
  'DateStyle',
  'TimeZone',
  'bytea_output',
  'createrole_self_grant',
];

/**
 * Whoever owns a database may give its sessions any setting that is anybody's: make them read-only, end them after a
 * millisecond, or have them begin as another role. Those are not for us, and neither are objects in public that have a name
 * of the catalog's. Nor are those that change what a catalog answers, wherever they come from: the administrator's own
 * and the server's.
 */
const SESSION_SETTINGS = [
  `SET statement_timeout TO ${STATEMENT_TIMEOUT_MS}`,
  'SET search_path TO pg_catalog',
  `SELECT set_config('role', coalesce(${OWN_ROLE}, 'none'), false)`,
  `SELECT set_config(name, boot_val, false) FROM pg_settings
    WHERE (source = 'database' AND context = 'user' OR name IN (${NEVER_OTHERS.map((name) => `'${name}'`).join(', ')}))
      AND boot_val IS NOT NULL AND name NOT IN ('statement_timeout', 'search_path')`,
  'SET standard_conforming_strings TO on',
  `SET lock_timeout TO ${LOCK_TIMEOUT_MS}`,
  'SET idle_in_transaction_session_timeout TO 60000',
  'SET client_min_messages TO warning',
].join('; ');

export interface Login {
  username: string;
  password: string | undefined;
}

/** What a session begins with: statements, or settings that travel with the login (`-c name=value`). */
export interface Opening {
  statements?: string;
  options?: string;
  policies?: Circumstance['policies'];
}

const OPENING: Opening = { statements: SESSION_SETTINGS };

export const circumstanceOf = (settings: ConnectionSettings): Circumstance => ({
  admin: settings.username,
  server: `${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${settings.port}`,
});

/** Throws ResourceError with a reason that tells network, TLS, login and database apart. */
export async function openClient(
  settings: ConnectionSettings,
  database: string,
  login?: Login,
  opening: Opening = OPENING,
): Promise<Client> {
  // The server would cut a long name, and end one at a NUL and take the rest for settings: another database's name, perhaps.
  ident(database);
  if (login !== undefined) ident(login.username);
  const { policies } = opening;
  const circumstance = { ...circumstanceOf(settings), ...(policies === undefined ? {} : { policies }) };
  let ssl = tlsOptions(settings);
  let options = opening.options;
  for (let tries = 1; ; tries += 1)
    try {
      return await attempt(settings, database, login, ssl, {
        ...opening,
        ...(options === undefined ? {} : { options }),
      });
    } catch (error) {
      const limit = opening === OPENING ? LIMITS[codeOf(error)] : undefined;
      if (tries > MOST_TRIES) throw toResourceError(error, circumstance);
      if (limit !== undefined) options = `${options ?? ''} -c ${limit}=0`;
      else if (ssl !== false && settings.tls.mode === 'prefer' && wantsPlain(error)) ssl = false;
      else throw toResourceError(error, circumstance);
    }
}

/**
 * Limits of a database that can end a session before its first statement, by the code with which they do; a setting that
 * comes with the login stands above them. Not given to every login, as poolers refuse it.
 */
const LIMITS: Readonly<Record<string, string>> = {
  '57014': 'statement_timeout',
  '57P05': 'idle_session_timeout',
  '25P03': 'idle_in_transaction_session_timeout',
  '25P04': 'transaction_timeout',
};
/** Without TLS, and once for each limit. */
const MOST_TRIES = 1 + Object.keys(LIMITS).length;

/** The server has no TLS, or takes this login without it only. */
const wantsPlain = (error: unknown): boolean =>
  error instanceof Error && (error.message.startsWith('The server does not support SSL') || codeOf(error) === '28000');

async function attempt(
  settings: ConnectionSettings,
  database: string,
  login: Login | undefined,
  ssl: false | ConnectionOptions,
  { statements, options }: Opening,
): Promise<Client> {
  const password = login === undefined ? settings.password?.reveal() : login.password;
  const { serverName } = settings.tls;
  const client = new Client({
    // The driver asks for the certificate of the host that it is told, so it is told that name and led to the server.
    ...(serverName === undefined || ssl === false
      ? { host: settings.host }
      : { host: serverName, stream: () => socketTo(settings.host) }),
    port: settings.port,
    user: login?.username ?? settings.username,
    // A function, as an empty text would make the driver look into PGPASSWORD and ~/.pgpass.
    password: () => password ?? '',
    database,
    ssl,
    ...(options === undefined ? {} : { options }),
    application_name: 'xdatabase',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    types: asText,
  });
  let last: unknown;
  // A session that dies while idle must not end the process; the pool notices.
  client.on('error', (error) => {
    last = error;
  });
  try {
    await client.connect();
    if (statements !== undefined) await begin(client, statements);
    return client;
  } catch (error) {
    void endClient(client, 0);
    // What the server said as it ended the session, rather than that it is over.
    throw codeOf(last).length === 5 ? last : error;
  }
}

/** Another product with this protocol may lack what we set: what it is says more than what it lacks. */
async function begin(client: Client, statements: string): Promise<void> {
  const ask = async (text: string): Promise<{ rows: { version?: string }[] }> =>
    await client.query({ text, query_timeout: CONNECT_TIMEOUT_MS } as { text: string });
  try {
    await ask(statements);
  } catch (error) {
    if (codeOf(error).length === 5) {
      const answer = await ask('SELECT version() AS version').catch(() => undefined);
      refuseOtherEngine(answer?.rows[0]?.version ?? '');
    }
    throw error;
  }
}

/** A socket that connects to that host, whatever host it is told. */
function socketTo(host: string): Socket {
  const socket = new Socket();
  const connect = socket.connect.bind(socket) as (port: number, host: string) => Socket;
  socket.connect = ((port: number) => connect(port, host)) as Socket['connect'];
  return socket;
}

function tlsOptions({ host, tls }: ConnectionSettings): false | ConnectionOptions {
  if (tls.mode === 'disable') return false;
  const verifies = tls.mode === 'verify-ca' || tls.mode === 'verify-full';
  const expected = tls.serverName ?? host;
  return {
    rejectUnauthorized: verifies,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key.reveal() }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    // Asked for by name, so that addresses are checked against the addresses in the certificate too.
    checkServerIdentity: (_host, certificate) =>
      tls.mode === 'verify-full' ? checkServerIdentity(expected, certificate) : undefined,
  };
}
