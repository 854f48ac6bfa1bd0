/** Opens one session, with TLS as the configuration says and settings that no database can change for us. */
import { Socket } from 'node:net';
import { checkServerIdentity, type ConnectionOptions } from 'node:tls';
import { Client, type CustomTypesConfig, types } from 'pg';
import type { ConnectionSettings } from '../engine.ts';
import { type Circumstance, codeOf, toResourceError } from './errors.ts';
import { endClient, STATEMENT_TIMEOUT_MS } from './session.ts';

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

/** Objects of that name in public cannot take the place of the catalog's. */
const SESSION_SETTINGS = [
  'SET search_path TO pg_catalog',
  'SET standard_conforming_strings TO on',
  `SET statement_timeout TO ${STATEMENT_TIMEOUT_MS}`,
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
  try {
    return await attempt(settings, database, login, tlsOptions(settings), opening);
  } catch (error) {
    if (settings.tls.mode !== 'prefer' || !wantsPlain(error)) throw toResourceError(error, circumstanceOf(settings));
  }
  try {
    return await attempt(settings, database, login, false, opening);
  } catch (error) {
    throw toResourceError(error, circumstanceOf(settings));
  }
}

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
  // A session that dies while idle must not end the process; the pool notices.
  client.on('error', () => {});
  try {
    await client.connect();
    if (statements !== undefined)
      await client.query({ text: statements, query_timeout: CONNECT_TIMEOUT_MS } as { text: string });
    return client;
  } catch (error) {
    void endClient(client, 0);
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
