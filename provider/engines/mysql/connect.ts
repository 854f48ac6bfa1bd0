/** Opens one session, with TLS as the configuration says and settings that no server or database can change for us. */
import { connect as connectSocket, isIP, type Socket } from 'node:net';
import { type Connection, createConnection, type SslOptions } from 'mysql2';
import type { ConnectionSettings } from '../engine.ts';
import { authPlugins } from './auth-plugins.ts';
import { type Circumstance, codeOf, toResourceError } from './errors.ts';
import { endConnection, sendText } from './session.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A lock that a migration holds must not keep a session of ours for long: the step is tried again. */
const LOCK_TIMEOUT_S = 10;
/** Longer than the pool keeps an idle session. */
const IDLE_TIMEOUT_S = 600;

/**
 * Texts are quoted for sessions where a backslash escapes and double quotes are strings; strict, so that nothing is cut
 * silently; and without a limit to what a read gives, as what it leaves out would look absent. An init_connect of the server
 * has run before, and is overruled.
 */
const SESSION_SETTINGS = `SET NAMES utf8mb4, SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', SESSION autocommit = 1,
  SESSION lock_wait_timeout = ${LOCK_TIMEOUT_S}, SESSION wait_timeout = ${IDLE_TIMEOUT_S}, SESSION group_concat_max_len = 1048576,
  SESSION sql_select_limit = 18446744073709551615, SESSION sql_quote_show_create = 1`;

export interface Login {
  username: string;
  password: string | undefined;
}

export interface Opening {
  /** Whether one text may hold several statements. Only for logins that may do no more than who wrote the text. */
  takesScripts?: boolean;
}

export const circumstanceOf = (settings: ConnectionSettings): Circumstance => ({
  admin: settings.username,
  isPlain: settings.tls.mode === 'disable',
  server: `${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${settings.port}`,
});

/**
 * How one configuration connects. Certificates and TLS sessions belong to it alone: two configurations never share them,
 * whatever their names.
 */
export class Connector {
  readonly #settings: ConnectionSettings;
  readonly #ssl: SslOptions | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#ssl = sslOptions(settings.tls);
  }

  /** Throws ResourceError with a reason that tells network, TLS and login apart. */
  async open(login?: Login, how: Opening = {}): Promise<Connection> {
    const circumstance = circumstanceOf(this.#settings);
    try {
      return await this.#attempt(login, how, this.#ssl);
    } catch (error) {
      if (this.#settings.tls.mode !== 'prefer' || codeOf(error) !== 'HANDSHAKE_NO_SSL_SUPPORT')
        throw toResourceError(error, circumstance);
    }
    try {
      return await this.#attempt(login, how, undefined);
    } catch (error) {
      throw toResourceError(error, circumstance);
    }
  }

  async #attempt(login: Login | undefined, how: Opening, ssl: SslOptions | undefined): Promise<Connection> {
    const { host, port, username, password, tls } = this.#settings;
    const expected = tls.serverName ?? host;
    const stream = await openSocket(host, port, expected);
    const connection = createConnection({
      // The driver asks the server for a certificate of this name; the way to the server is the socket's.
      host: expected,
      port,
      stream,
      user: login?.username ?? username,
      password: (login === undefined ? password?.reveal() : login.password) ?? '',
      charset: 'UTF8MB4_GENERAL_CI',
      ...(ssl === undefined ? {} : { ssl }),
      authPlugins,
      connectTimeout: CONNECT_TIMEOUT_MS,
      multipleStatements: how.takesScripts === true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      dateStrings: true,
      jsonStrings: true,
      // Neither files of this machine nor a user's other databases are any business of a server.
      flags: ['-LOCAL_FILES'],
      connectAttributes: { program_name: 'xdatabase' },
    });
    // A session that dies while idle must not end the process; the pool notices.
    connection.on('error', () => {});
    try {
      await connected(connection);
      await sendText(connection, SESSION_SETTINGS, CONNECT_TIMEOUT_MS);
      return connection;
    } catch (error) {
      void endConnection(connection, 0);
      throw withTlsCode(error, connection);
    }
  }
}

/** The driver puts a code of its own in the place of the one that tells what is wrong with a certificate. */
function withTlsCode(error: unknown, connection: Connection): unknown {
  const { authorizationError } = (connection as unknown as { stream: { authorizationError?: unknown } }).stream;
  if (codeOf(error) === 'HANDSHAKE_SSL_ERROR' && typeof authorizationError === 'string' && error instanceof Error)
    return Object.assign(new Error(error.message, { cause: error }), { code: authorizationError });
  return error;
}

async function connected(connection: Connection): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** A socket of our own, as its address and the name that the certificate has to be for may differ. */
async function openSocket(host: string, port: number, expected: string): Promise<Socket> {
  const socket = connectSocket({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 });
  await new Promise<void>((resolve, reject) => {
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
      socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
    });
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.setTimeout(0);
  // The driver gives TLS no name to check when it is an address; without this one it would be checked as "localhost".
  if (isIP(expected) > 0) Object.assign(socket, { _host: expected });
  return socket;
}

function sslOptions(tls: ConnectionSettings['tls']): SslOptions | undefined {
  if (tls.mode === 'disable') return undefined;
  const verifies = tls.mode === 'verify-ca' || tls.mode === 'verify-full';
  return {
    rejectUnauthorized: verifies,
    verifyIdentity: tls.mode === 'verify-full',
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key.reveal() }),
  };
}
