/** Real MySQL and MariaDB servers, one data folder each, thrown away afterwards. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CertificateAuthority, createAuthority } from './certificates.ts';
import { type DebianTools, debianTools } from './debian.ts';
import { type MysqlAddress, MysqlClient } from './mysql-client.ts';
import { freePort, type ServerProcess, startProcess, waitFor } from './process.ts';

export interface MysqlOptions {
  /** Gives the server a certificate of our own for 127.0.0.1 and localhost; connections without TLS stay possible. */
  tls?: boolean;
  /** Server options without the dashes, e.g. `{ general_log: 'ON' }`. */
  settings?: Record<string, string>;
}

export type MariadbVersion = '10.11' | '11.8';

export interface MysqlServer extends MysqlClient {
  /** Only with `tls`: to issue client certificates, which the server trusts. */
  readonly authority: CertificateAuthority | undefined;
  /** What the server logged; undefined for a server of your own. */
  readonly logFile: string | undefined;
  /** Takes the server away without warning (SIGKILL) and keeps its data. */
  kill(): Promise<void>;
  /** Takes it away in order and keeps its data. */
  down(): Promise<void>;
  /** Brings it back at the same address. */
  up(): Promise<void>;
  restart(): Promise<void>;
  /** Stops it for good and deletes its data. Happens by itself when this process ends. */
  stop(): Promise<void>;
}

/** What differs between the two in how a server is made. */
interface Flavour {
  flavour: 'mysql' | 'mariadb';
  title: string;
  program: string;
  tools: DebianTools;
  initialise(folder: string): Promise<void>;
  settings: Record<string, string>;
}

/** Fast, as its data need not outlive anything; the port belongs to TCP alone, as a test sees the server from outside. */
const ourSettings: Record<string, string> = {
  'bind-address': '127.0.0.1',
  'skip-name-resolve': 'ON',
  'max-connections': '100',
  'innodb-buffer-pool-size': '32M',
  'innodb-flush-log-at-trx-commit': '0',
  'innodb-doublewrite': '0',
  'performance-schema': 'OFF',
  'skip-log-bin': '',
  // A test that logs in wrongly on purpose must not lock the machine out.
  'max-connect-errors': '1000000',
  'default-time-zone': '+00:00',
};

const optionsOf = (settings: Record<string, string>): string[] =>
  Object.entries(settings).map(([name, value]) => (value === '' ? `--${name}` : `--${name}=${value}`));

/** A server refuses to run as root unless told by name. */
const asUser = (): string[] => (process.getuid?.() === 0 ? ['--user=root'] : []);

async function run(
  what: string,
  { command, args }: { command: string; args: string[] },
  more: readonly string[],
  input?: string,
) {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-init-'));
  const log = join(folder, 'log');
  const output = createWriteStream(log);
  try {
    // One that starts clears the temporary folder of what it takes for its own, and another may be at work there.
    const env = { ...process.env, TMPDIR: folder };
    const child = spawn(command, [...args, ...more], { stdio: ['pipe', 'pipe', 'pipe'], cwd: folder, env });
    child.stdout.pipe(output, { end: false });
    child.stderr.pipe(output, { end: false });
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    await new Promise((resolve) => output.end(resolve));
    if (code !== 0) throw new Error(`${what} failed (exit ${String(code)}):\n${await readFile(log, 'utf8')}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function mysqlFlavour(): Promise<Flavour> {
  const tools = await debianTools('mysql-9.7');
  const base = [`--basedir=${join(tools.folder, 'usr')}`, `--plugin-dir=${join(tools.folder, 'usr/lib/mysql/plugin')}`];
  return {
    flavour: 'mysql',
    title: 'MySQL 9.7',
    program: 'mysqld',
    tools,
    settings: {
      mysqlx: 'OFF',
      'secure-file-priv': 'NULL',
      basedir: join(tools.folder, 'usr'),
      'plugin-dir': base[1]!.slice(13),
    },
    initialise: async (data) => {
      const server = tools.command('mysqld');
      await run('mysqld --initialize-insecure', server, [
        '--no-defaults',
        '--initialize-insecure',
        '--innodb-redo-log-capacity=8M',
        ...base,
        `--datadir=${data}`,
        ...asUser(),
      ]);
    },
  };
}

async function mariadbFlavour(version: MariadbVersion): Promise<Flavour> {
  const tools = await debianTools(`mariadb-${version}`);
  const shares = ['usr/share/mariadb', 'usr/share/mysql'].map((path) => join(tools.folder, path));
  const share = shares.find((path) => existsSync(join(path, `${path.split('/').at(-1)}_system_tables.sql`)));
  if (share === undefined) throw new Error(`${tools.folder} holds no system tables of MariaDB`);
  const paths = [
    `--basedir=${join(tools.folder, 'usr')}`,
    `--lc-messages-dir=${share}`,
    `--plugin-dir=${join(tools.folder, 'usr/lib/mysql/plugin')}`,
  ];
  const scripts = ['system_tables', 'performance_tables', 'system_tables_data'].map((name) =>
    join(share, `${share.split('/').at(-1)}_${name}.sql`),
  );
  return {
    flavour: 'mariadb',
    title: `MariaDB ${version}`,
    program: 'mariadbd',
    tools,
    settings: Object.fromEntries(paths.map((option) => option.slice(2).split('=') as [string, string])),
    initialise: async (data) => {
      await mkdir(join(data, 'mysql'), { recursive: true });
      const texts = await Promise.all(scripts.map(async (file) => await readFile(file, 'utf8')));
      const variables = 'SET @auth_root_socket=NULL;\nSET @skip_auth_anonymous=1;\nUSE mysql;\n';
      await run(
        'mariadbd --bootstrap',
        tools.command('mariadbd'),
        [
          '--no-defaults',
          '--bootstrap',
          ...paths,
          `--datadir=${data}`,
          '--skip-log-bin',
          '--default-storage-engine=Aria',
          '--max-allowed-packet=32M',
          ...asUser(),
        ],
        // The accounts without a password that it makes go at once; ours is made by the init file.
        `${variables}${texts.join('\n')}\nDELETE FROM mysql.global_priv WHERE User = 'root';\n`,
      );
    },
  };
}

class EmbeddedServer extends MysqlClient implements MysqlServer {
  readonly authority: CertificateAuthority | undefined;
  readonly logFile: string;
  readonly #kind: Flavour;
  readonly #folder: string;
  readonly #args: readonly string[];
  #process: ServerProcess | undefined;

  constructor(
    address: MysqlAddress,
    authority: CertificateAuthority | undefined,
    kind: Flavour,
    folder: string,
    args: readonly string[],
  ) {
    super(address);
    this.authority = authority;
    this.logFile = join(folder, 'server.log');
    this.#kind = kind;
    this.#folder = folder;
    this.#args = args;
  }

  async up(): Promise<void> {
    if (this.#process?.running) return;
    const { command, args } = this.#kind.tools.command(this.#kind.program);
    const server = await startProcess({
      name: this.#kind.title,
      command,
      args: [...args, ...this.#args],
      logFile: this.logFile,
      cwd: this.#folder,
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
      folder: this.#folder,
    });
    this.#process = server;
    await waitFor(`${this.#kind.title} answers on port ${this.port}`, () => this.ping(), { server });
  }

  async down(): Promise<void> {
    await this.disconnect();
    await this.#process?.stop();
  }

  async kill(): Promise<void> {
    await this.disconnect();
    await this.#process?.stop('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.down();
    await this.up();
  }

  async stop(): Promise<void> {
    await this.disconnect();
    await this.#process?.stop('SIGKILL');
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A server that somebody else runs. It is used as it is, and left as it is. */
class ForeignServer extends MysqlClient implements MysqlServer {
  readonly authority = undefined;
  readonly logFile = undefined;

  down(): Promise<void> {
    return Promise.reject(new Error('the server of the environment variable is not ours to stop'));
  }

  kill(): Promise<void> {
    return this.down();
  }

  up(): Promise<void> {
    return this.down();
  }

  restart(): Promise<void> {
    return this.down();
  }

  stop(): Promise<void> {
    return this.disconnect();
  }
}

async function foreignServer(url: string, flavour: 'mysql' | 'mariadb'): Promise<ForeignServer> {
  const parsed = new URL(url);
  const caFile = parsed.searchParams.get('sslrootcert') ?? undefined;
  const address: MysqlAddress = {
    flavour,
    version: '',
    host: parsed.hostname,
    port: Number(parsed.port || '3306'),
    adminUser: decodeURIComponent(parsed.username) || 'root',
    password: decodeURIComponent(parsed.password),
    ...(caFile === undefined ? {} : { caFile }),
  };
  const probe = new MysqlClient(address);
  try {
    const [row] = await probe.query<{ version: string }>('SELECT VERSION() AS version');
    return new ForeignServer({ ...address, version: row?.version ?? '' });
  } finally {
    await probe.disconnect();
  }
}

async function certificates(folder: string): Promise<CertificateAuthority> {
  const authority = createAuthority();
  const server = authority.issue({ commonName: 'localhost', usage: 'server' });
  for (const [file, content] of [
    ['ca.pem', authority.certificate],
    ['server.pem', server.certificate],
    ['server.key', server.key],
  ] as const)
    await writeFile(join(folder, file), content, { mode: 0o600 });
  return authority;
}

/** The administrator of the tests, and no account without a password. */
const accounts = (password: string): string => `
DROP USER IF EXISTS 'root'@'localhost';
CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '${password}';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
`;

async function startOnce(kind: Flavour, options: MysqlOptions): Promise<MysqlServer> {
  const folder = await mkdtemp(join(tmpdir(), `xdatabase-${kind.flavour}-`));
  let server: EmbeddedServer | undefined;
  try {
    const password = randomBytes(18).toString('base64url');
    const port = await freePort();
    const data = join(folder, 'data');
    await kind.initialise(data);
    await writeFile(join(folder, 'init.sql'), accounts(password), { mode: 0o600 });
    const authority = options.tls ? await certificates(folder) : undefined;
    const settings: Record<string, string> = {
      ...ourSettings,
      ...kind.settings,
      datadir: data,
      tmpdir: folder,
      port: String(port),
      // Paths of sockets may not be long, and those of temporary folders are on some machines.
      socket: join(folder, 's'),
      'pid-file': join(folder, 'pid'),
      'init-file': join(folder, 'init.sql'),
      ...(authority === undefined
        ? {}
        : {
            'ssl-ca': join(folder, 'ca.pem'),
            'ssl-cert': join(folder, 'server.pem'),
            'ssl-key': join(folder, 'server.key'),
          }),
      ...options.settings,
    };
    const address: MysqlAddress = {
      flavour: kind.flavour,
      version: '',
      host: '127.0.0.1',
      port,
      adminUser: 'root',
      password,
      ...(authority === undefined ? {} : { caFile: join(folder, 'ca.pem') }),
    };
    const args = ['--no-defaults', ...optionsOf(settings), ...asUser()];
    server = new EmbeddedServer(address, authority, kind, folder, args);
    await server.up();
    return server;
  } catch (error) {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function start(kind: Flavour, options: MysqlOptions): Promise<MysqlServer> {
  for (let attempt = 1; ; attempt++)
    try {
      return await startOnce(kind, options);
    } catch (error) {
      // The port was free when we looked, and is not any more.
      if (attempt === 3 || !/already in use|Can't start server/i.test(String(error))) throw error;
    }
}

const isMadeToMeasure = ({ tls, settings }: MysqlOptions): boolean => tls === true || settings !== undefined;

/**
 * A fresh MySQL 9.7 on a port of its own, with an administrator `root` who has a random password. With
 * XDB_TEST_MYSQL_URL it is that server instead, unless `tls` or `settings` ask for a server made to measure.
 *
 * @throws NotAvailableError when MySQL cannot be had on this machine; Error when it does not come up.
 */
export async function startMysql(options: MysqlOptions = {}): Promise<MysqlServer> {
  const url = process.env['XDB_TEST_MYSQL_URL'];
  if (url && !isMadeToMeasure(options)) return await foreignServer(url, 'mysql');
  return await start(await mysqlFlavour(), options);
}

/**
 * The same for MariaDB, with XDB_TEST_MARIADB_URL.
 *
 * @throws NotAvailableError when MariaDB cannot be had on this machine; Error when it does not come up.
 */
export async function startMariadb(version: MariadbVersion, options: MysqlOptions = {}): Promise<MysqlServer> {
  const url = process.env['XDB_TEST_MARIADB_URL'];
  if (url && !isMadeToMeasure(options)) return await foreignServer(url, 'mariadb');
  return await start(await mariadbFlavour(version), options);
}
