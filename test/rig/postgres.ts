/** Real PostgreSQL servers, one data folder each, thrown away afterwards. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, rm, writeFile } from 'node:fs/promises';
import { platform } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { writeServerCertificate } from './certificate-files.ts';
import { type CertificateAuthority, createAuthority } from './certificates.ts';
import { type Lifecycle, notOurs, OwnServer, startInFolder } from './own-server.ts';
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.ts';
import { type PostgresAddress, PostgresClient } from './postgres-client.ts';
import { freePort } from './process.ts';
import { addressOf } from './server-client.ts';

export interface PostgresOptions {
  major: number;
  /** Adds a certificate for 127.0.0.1 and localhost; connections without TLS stay possible unless `hba` forbids them. */
  tls?: boolean;
  /** Lines for postgresql.conf, e.g. `{ log_statement: 'all' }`. */
  settings?: Record<string, string>;
  /** Lines for pg_hba.conf, put before our own `host all all 127.0.0.1/32 scram-sha-256`. */
  hba?: readonly string[];
}

export interface PostgresServer extends PostgresClient, Lifecycle {
  /** Only with `tls`: to issue client certificates, which the server trusts. */
  readonly authority: CertificateAuthority | undefined;
  /** What the server logged; undefined for a server of your own. */
  readonly logFile: string | undefined;
  /** Without warning to its clients. */
  down(): Promise<void>;
  restart(): Promise<void>;
}

/** Fast, as its data need not outlive anything; few sessions, as a test that leaks them should be seen. */
const ourSettings: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  shared_preload_libraries: 'pg_stat_statements',
  'pg_stat_statements.max': '10000',
  'pg_stat_statements.save': 'off',
  max_connections: '100',
  shared_buffers: '64MB',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  max_wal_size: '256MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  logging_collector: 'off',
  log_connections: 'off',
};

const quote = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/** initdb as the user that the server will run as. */
async function initialise(binaries: PostgresBinaries, folder: string, password: string): Promise<string> {
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (binaries.user) {
    await chown(folder, binaries.user.uid, binaries.user.gid);
    await chown(passwordFile, binaries.user.uid, binaries.user.gid);
  }
  const locale = platform() === 'linux' ? 'C.UTF-8' : 'C';
  const args = ['-D', data, '-U', 'postgres', `--pwfile=${passwordFile}`, '-A', 'scram-sha-256', '-E', 'UTF8'];
  const child = spawn(binaries.initdb, [...args, `--locale=${locale}`, '--no-sync'], {
    cwd: folder,
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...binaries.user,
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) {
    throw new Error(`initdb failed (exit ${String(code)}):\n${(await output).join('')}`);
  }
  await rm(passwordFile);
  return data;
}

async function configure(
  data: string,
  options: PostgresOptions,
  port: number,
  user: PostgresBinaries['user'],
): Promise<CertificateAuthority | undefined> {
  const settings: Record<string, string> = { ...ourSettings, port: String(port) };
  let authority: CertificateAuthority | undefined;
  if (options.tls) {
    authority = createAuthority();
    const files = await writeServerCertificate(data, authority);
    if (user) for (const file of Object.values(files)) await chown(file, user.uid, user.gid);
    Object.assign(settings, {
      ssl: 'on',
      ssl_ca_file: files.ca,
      ssl_cert_file: files.certificate,
      ssl_key_file: files.key,
    });
  }
  Object.assign(settings, options.settings);
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quote(value)}\n`);
  await writeFile(join(data, 'postgresql.conf'), lines.join(''));
  const hba = [
    ...(options.hba ?? []),
    'host all all 127.0.0.1/32 scram-sha-256',
    'host replication all 127.0.0.1/32 scram-sha-256',
  ];
  await writeFile(join(data, 'pg_hba.conf'), `${hba.join('\n')}\n`);
  return authority;
}

class Server extends PostgresClient implements PostgresServer {
  readonly authority: CertificateAuthority | undefined;
  readonly logFile: string | undefined;
  readonly #life: Lifecycle;

  constructor(address: PostgresAddress, life: Lifecycle, authority?: CertificateAuthority, logFile?: string) {
    super(address);
    this.authority = authority;
    this.logFile = logFile;
    this.#life = life;
  }

  up(): Promise<void> {
    return this.#life.up();
  }

  async down(): Promise<void> {
    await this.disconnect();
    await this.#life.down('SIGINT');
  }

  async restart(): Promise<void> {
    await this.down();
    await this.up();
  }

  async stop(): Promise<void> {
    await this.disconnect();
    await this.#life.stop();
  }
}

async function foreignServer(url: string): Promise<PostgresServer> {
  const address = { major: 0, ...addressOf(url, { port: 5432, adminUser: 'postgres' }) };
  const probe = new PostgresClient(address);
  try {
    const [row] = await probe.query<{ number: number; version: string }>(
      `select current_setting('server_version_num')::int as number, current_setting('server_version') as version`,
    );
    const major = Math.floor((row?.number ?? 0) / 10_000);
    return new Server(
      { ...address, major, version: row?.version ?? '' },
      notOurs('the server of XDB_TEST_POSTGRES_URL'),
    );
  } finally {
    await probe.disconnect();
  }
}

async function startIn(folder: string, options: PostgresOptions, binaries: PostgresBinaries): Promise<PostgresServer> {
  const password = randomBytes(18).toString('base64url');
  const port = await freePort();
  const data = await initialise(binaries, folder, password);
  const authority = await configure(data, options, port, binaries.user);
  const address: PostgresAddress = {
    major: options.major,
    version: binaries.version.replace(/\.0-.*$/, ''),
    host: '127.0.0.1',
    port,
    adminUser: 'postgres',
    password,
    ...(authority ? { caFile: join(data, 'ca.crt') } : {}),
  };
  const logFile = join(folder, 'server.log');
  const life = await OwnServer.start({
    name: `PostgreSQL ${options.major}`,
    command: binaries.postgres,
    args: ['-D', data],
    logFile,
    cwd: folder,
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    ...binaries.user,
    stopSignal: 'SIGQUIT',
    folder,
    ready: async () => await new PostgresClient(address).ping(),
  });
  const server = new Server(address, life, authority, logFile);
  await server.query('create extension if not exists pg_stat_statements');
  return server;
}

/**
 * A fresh server on a port of its own, with SCRAM, pg_stat_statements (extension in database `postgres`) and an administrator
 * `postgres` with a random password. With XDB_TEST_POSTGRES_URL it is that server instead, of whatever major it has, unless
 * `tls`, `settings` or `hba` ask for a server made to measure.
 *
 * @throws Error when this major is not installed for this platform, or the server does not come up.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const url = process.env['XDB_TEST_POSTGRES_URL'];
  if (url && !options.tls && !options.settings && !options.hba) {
    return foreignServer(url);
  }
  const binaries = await postgresBinaries(options.major);
  return await startInFolder(`pg${options.major}`, async (folder) => await startIn(folder, options, binaries));
}
