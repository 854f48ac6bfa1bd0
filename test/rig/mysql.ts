/** Real MySQL and MariaDB servers, one data folder each, thrown away afterwards. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeServerCertificate } from './certificate-files.ts';
import { type CertificateAuthority, createAuthority } from './certificates.ts';
import { type MysqlAddress, MysqlClient } from './mysql-client.ts';
import {
  asUser,
  copyNewData,
  type Flavour,
  mariadbFlavour,
  type MariadbVersion,
  mysqlFlavour,
} from './mysql-flavours.ts';
import { type Lifecycle, notOurs, OwnServer, startInFolder } from './own-server.ts';
import { freePort } from './process.ts';
import { addressOf } from './server-client.ts';

export interface MysqlOptions {
  /** Gives the server a certificate of our own for 127.0.0.1 and localhost; connections without TLS stay possible. */
  tls?: boolean;
  /** Server options without the dashes, e.g. `{ general_log: 'ON' }`. */
  settings?: Record<string, string>;
}

export interface MysqlServer extends MysqlClient, Lifecycle {
  /** Only with `tls`: to issue client certificates, which the server trusts. */
  readonly authority: CertificateAuthority | undefined;
  /** What the server logged; undefined for a server of your own. */
  readonly logFile: string | undefined;
  /** Takes the server away without warning (SIGKILL) and keeps its data. */
  kill(): Promise<void>;
  /** In order. */
  down(): Promise<void>;
  restart(): Promise<void>;
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

class Server extends MysqlClient implements MysqlServer {
  readonly authority: CertificateAuthority | undefined;
  readonly logFile: string | undefined;
  readonly #life: Lifecycle;

  constructor(address: MysqlAddress, life: Lifecycle, authority?: CertificateAuthority, logFile?: string) {
    super(address);
    this.authority = authority;
    this.logFile = logFile;
    this.#life = life;
  }

  up(): Promise<void> {
    return this.#life.up();
  }

  async down(signal?: NodeJS.Signals): Promise<void> {
    await this.disconnect();
    await this.#life.down(signal);
  }

  kill(): Promise<void> {
    return this.down('SIGKILL');
  }

  async restart(): Promise<void> {
    await this.down();
    await this.up();
  }

  async stop(): Promise<void> {
    await this.disconnect();
    await this.#life.stop('SIGKILL');
  }
}

async function foreignServer(variable: string, url: string, flavour: 'mysql' | 'mariadb'): Promise<MysqlServer> {
  const address = { flavour, ...addressOf(url, { port: 3306, adminUser: 'root' }) };
  const probe = new MysqlClient(address);
  try {
    const [row] = await probe.query<{ version: string }>('SELECT VERSION() AS version');
    return new Server({ ...address, version: row?.version ?? '' }, notOurs(`the server of ${variable}`));
  } finally {
    await probe.disconnect();
  }
}

/** The administrator of the tests, and no account without a password. */
const accounts = (password: string): string => `
DROP USER IF EXISTS 'root'@'localhost';
CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '${password}';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
`;

async function startIn(folder: string, kind: Flavour, options: MysqlOptions): Promise<MysqlServer> {
  const password = randomBytes(18).toString('base64url');
  const port = await freePort();
  const data = join(folder, 'data');
  await copyNewData(kind, data);
  await writeFile(join(folder, 'init.sql'), accounts(password), { mode: 0o600 });
  const authority = options.tls ? createAuthority() : undefined;
  const files = authority && (await writeServerCertificate(folder, authority));
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
    ...(files && { 'ssl-ca': files.ca, 'ssl-cert': files.certificate, 'ssl-key': files.key }),
    ...options.settings,
  };
  const address: MysqlAddress = {
    flavour: kind.flavour,
    version: '',
    host: '127.0.0.1',
    port,
    adminUser: 'root',
    password,
    ...(files && { caFile: files.ca }),
  };
  const { command, args } = kind.tools.command(kind.program);
  const logFile = join(folder, 'server.log');
  const life = await OwnServer.start({
    name: kind.title,
    command,
    args: [...args, '--no-defaults', ...optionsOf(settings), ...asUser()],
    logFile,
    cwd: folder,
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    folder,
    ready: async () => await new MysqlClient(address).ping(),
  });
  return new Server(address, life, authority, logFile);
}

const start = async (kind: Flavour, options: MysqlOptions): Promise<MysqlServer> =>
  await startInFolder(kind.flavour, async (folder) => await startIn(folder, kind, options));

const isMadeToMeasure = ({ tls, settings }: MysqlOptions): boolean => tls === true || settings !== undefined;

/**
 * A fresh MySQL 9.7 on a port of its own, with an administrator `root` who has a random password. With
 * XDB_TEST_MYSQL_URL it is that server instead, unless `tls` or `settings` ask for a server made to measure.
 *
 * @throws NotAvailableError when MySQL cannot be had on this machine; Error when it does not come up.
 */
export async function startMysql(options: MysqlOptions = {}): Promise<MysqlServer> {
  const url = process.env['XDB_TEST_MYSQL_URL'];
  if (url && !isMadeToMeasure(options)) return await foreignServer('XDB_TEST_MYSQL_URL', url, 'mysql');
  return await start(await mysqlFlavour(), options);
}

/**
 * The same for MariaDB, with XDB_TEST_MARIADB_URL.
 *
 * @throws NotAvailableError when MariaDB cannot be had on this machine; Error when it does not come up.
 */
export async function startMariadb(version: MariadbVersion, options: MysqlOptions = {}): Promise<MysqlServer> {
  const url = process.env['XDB_TEST_MARIADB_URL'];
  if (url && !isMadeToMeasure(options)) return await foreignServer('XDB_TEST_MARIADB_URL', url, 'mariadb');
  return await start(await mariadbFlavour(version), options);
}
