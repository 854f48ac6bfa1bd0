/** What a connection Secret holds: the parts, and the strings that drivers and command lines take. */
import type { EngineName } from '../api/engines.ts';
import { Secret } from '../common/secret.ts';

export interface ConnectionParts {
  engine: EngineName;
  host: string;
  port: number;
  tlsMode: string;
  username?: string;
  password?: Secret;
  database?: string;
}

/** Every value that holds the password is a `Secret`. Keys of parts that are not given are left out. */
export function buildConnectionDetails(parts: ConnectionParts): Record<string, string | Secret> {
  const { host, port, username, password, database } = parts;
  const details: Record<string, string | Secret> = { endpoint: host, port: String(port) };
  if (username !== undefined) details['username'] = username;
  if (password !== undefined) details['password'] = password;
  if (database !== undefined) details['database'] = database;
  if (username === undefined) return details;
  return { ...details, ...STRINGS[parts.engine](parts, username) };
}

type Strings = (parts: ConnectionParts, username: string) => Record<string, string | Secret>;

/** CockroachDB is spoken to as PostgreSQL is. */
const STRINGS: Record<EngineName, Strings> = {
  postgres,
  cockroachdb: postgres,
  mysql: (parts, username) => mysql(parts, username, 'mysql'),
  mariadb: (parts, username) => mysql(parts, username, 'mariadb'),
};

/** What a path may hold as it is stays so: node-postgres does not decode those signs in the name of a database. */
const encodePath = (text: string): string =>
  encode(text).replaceAll(/%(?:24|26|2B|2C|3A|3B|3D|40)/g, (code) => decodeURIComponent(code));

function postgres(parts: ConnectionParts, username: string): Record<string, string | Secret> {
  const { host, port, password, database, tlsMode } = parts;
  const path = database === undefined ? '' : `/${encodePath(database)}`;
  return {
    uri: new Secret(
      `postgresql://${userInfo(username, password)}@${authority(host)}:${port}${path}?sslmode=${tlsMode}`,
    ),
    jdbcUrl: new Secret(
      `jdbc:postgresql://${authority(host)}:${port}/${database === undefined ? '' : encode(database)}?${query({ user: username, password, sslmode: tlsMode })}`,
    ),
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: username,
    ...(password === undefined ? {} : { PGPASSWORD: password }),
    ...(database === undefined ? {} : { PGDATABASE: database }),
    PGSSLMODE: tlsMode,
  };
}

/** Names of the TLS modes in the drivers for Java; MariaDB's has none for `prefer`. */
const JDBC_SSL_MODES: Record<'mysql' | 'mariadb', Record<string, string>> = {
  mysql: {
    disable: 'DISABLED',
    prefer: 'PREFERRED',
    require: 'REQUIRED',
    'verify-ca': 'VERIFY_CA',
    'verify-full': 'VERIFY_IDENTITY',
  },
  mariadb: {
    disable: 'disable',
    require: 'trust',
    'verify-ca': 'verify-ca',
    'verify-full': 'verify-full',
  },
};

function mysql(
  parts: ConnectionParts,
  username: string,
  driver: keyof typeof JDBC_SSL_MODES,
): Record<string, string | Secret> {
  const { host, port, password, database, tlsMode } = parts;
  const path = database === undefined ? '' : `/${encode(database)}`;
  return {
    // Drivers and frameworks know MariaDB by that name too.
    uri: new Secret(`mysql://${userInfo(username, password)}@${authority(host)}:${port}${path}`),
    jdbcUrl: new Secret(
      `jdbc:${driver}://${authority(host)}:${port}/${database === undefined ? '' : encode(database)}?${query({ user: username, password, sslMode: JDBC_SSL_MODES[driver][tlsMode] })}`,
    ),
    MYSQL_HOST: host,
    MYSQL_TCP_PORT: String(port),
    MYSQL_USER: username,
    ...(password === undefined ? {} : { MYSQL_PWD: password }),
    ...(database === undefined ? {} : { MYSQL_DATABASE: database }),
  };
}

const userInfo = (username: string, password: Secret | undefined): string =>
  password === undefined ? encode(username) : `${encode(username)}:${encode(password.reveal())}`;

const query = (values: Record<string, string | Secret | undefined>): string =>
  Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${encode(value instanceof Secret ? value.reveal() : (value ?? ''))}`)
    .join('&');

/** encodeURIComponent leaves some characters that parsers of URIs treat as special. */
const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** Addresses of IPv6 need brackets. */
const authority = (host: string): string => (host.includes(':') ? `[${host}]` : host);
