/** Reads the address of a server from a URL, as psql and mysql users write it. */
import { readFileSync } from 'node:fs';
import type { EngineName } from '../api/engines.ts';
import { Secret } from '../common/secret.ts';
import type { ConnectionSettings } from '../engines/engine.ts';

export class ServerUrlError extends Error {
  override readonly name = 'ServerUrlError';
}

const ENGINES: Record<string, { engine: EngineName; port: number; database: string; user: string; variable: string }> =
  {
    'postgres:': { engine: 'postgres', port: 5432, database: 'postgres', user: 'postgres', variable: 'PGUSER' },
    'postgresql:': { engine: 'postgres', port: 5432, database: 'postgres', user: 'postgres', variable: 'PGUSER' },
    'mysql:': { engine: 'mysql', port: 3306, database: '', user: 'root', variable: 'MYSQL_USER' },
    'mariadb:': { engine: 'mariadb', port: 3306, database: '', user: 'root', variable: 'MYSQL_USER' },
    'cockroachdb:': { engine: 'cockroachdb', port: 26257, database: 'defaultdb', user: 'root', variable: 'PGUSER' },
  };

const TLS_OPTIONS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'];
const TLS_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new ServerUrlError('--server: a % that stands for itself is written %25');
  }
}

/**
 * `engine://user:password@host:port/database?sslmode=…&sslrootcert=FILE&sslcert=FILE&sslkey=FILE`. The password may
 * come from the environment instead (`XDB_PASSWORD`, `PGPASSWORD`, `MYSQL_PWD`), where other users cannot see it.
 */
export function parseServerUrl(text: string, environment: NodeJS.ProcessEnv): ConnectionSettings {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new ServerUrlError('--server is not a URL: write postgres://user@host:port/database');
  }
  const known = ENGINES[url.protocol];
  if (known === undefined)
    throw new ServerUrlError(
      `--server: ${url.protocol}// is not known; use one of ${Object.keys(ENGINES)
        .map((p) => `${p}//`)
        .join(' ')}`,
    );
  const options = url.searchParams;
  // What is misspelt would leave the session less safe than was meant, or unable to say why it fails.
  for (const name of options.keys())
    if (/^(ssl|tls)/i.test(name) && !TLS_OPTIONS.includes(name))
      throw new ServerUrlError(`--server: ${name} is not known; TLS is a matter of ${TLS_OPTIONS.join(', ')}`);
  const mode = options.get('sslmode') ?? 'verify-full';
  if (!TLS_MODES.includes(mode as (typeof TLS_MODES)[number]))
    throw new ServerUrlError(`--server: sslmode must be one of ${TLS_MODES.join(', ')}, not ${JSON.stringify(mode)}`);
  const password =
    url.password === ''
      ? (environment['XDB_PASSWORD'] ?? environment['PGPASSWORD'] ?? environment['MYSQL_PWD'])
      : decoded(url.password);
  const file = (name: string): string | undefined => {
    const path = options.get(name);
    if (path === null) return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw new ServerUrlError(`--server: ${name}: ${(error as Error).message}`);
    }
  };
  const [ca, cert, key] = [file('sslrootcert'), file('sslcert'), file('sslkey')];
  return {
    engine: known.engine,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1') || 'localhost',
    port: url.port === '' ? known.port : Number(url.port),
    username: decoded(url.username) || (environment[known.variable] ?? known.user),
    ...(password === undefined ? {} : { password: new Secret(password) }),
    database: decoded(url.pathname.slice(1)) || known.database,
    tls: {
      mode: mode as ConnectionSettings['tls']['mode'],
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key: new Secret(key) }),
    },
    connectionLimit: 4,
  };
}
