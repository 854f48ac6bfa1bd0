/** What the backups are measured on: a server of each engine, rows in it, and the engine's dump tool on its own. */
import type { BackupEngine } from '../../provider/backup/contract.ts';
import type { ToolServer } from '../../provider/backup/tools/tool.ts';
import { toolServer } from '../backup/postgres-world.ts';
import type { World } from '../backup/world.ts';
import { type MysqlServer, startMariadb, startMysql } from '../rig/mysql.ts';
import { startPostgres } from '../rig/postgres.ts';
import { toolPath } from '../rig/tool-path.ts';

export const DATABASE = 'bench';
const ROW_BYTES = 1000;
/** Of one statement on MySQL and MariaDB. */
const ROWS_AT_ONCE = 1_000_000;

export interface Subject {
  engine: BackupEngine;
  /** The bare tool, as people call it. */
  label: string;
  /** Folder of its programs. */
  path: string;
  server: ToolServer;
  /** Makes the database, with about so many megabytes of rows. */
  fill(megabytes: number): Promise<void>;
  /** Bytes of the database, as the server counts them. */
  size(): Promise<number>;
  /** The bare tool with a file as its target. */
  bare(world: World, file: string): Promise<{ program: string; args: string[] }>;
  stop(): Promise<void>;
}

const rowsOf = (megabytes: number): number => Math.ceil((megabytes * 1e6) / ROW_BYTES);

async function postgres(): Promise<Subject> {
  const server = await startPostgres({ major: 18 });
  return {
    engine: 'postgres',
    label: 'pg_dump -Fc --file',
    path: await toolPath('postgresql-18'),
    server: toolServer(server, DATABASE),
    fill: async (megabytes) => {
      await server.query(`create database ${DATABASE}`);
      await server.query('create unlogged table t (id bigint, a text, b text, c timestamptz)', [], DATABASE);
      // About as compressible as the tables of a business: words that repeat, and keys that do not.
      await server.query(
        `insert into t select n, repeat(md5((n % 1000)::text) || ' order line ', 18), md5(n::text) || md5((n + 1)::text), now()
           from generate_series(1, ${rowsOf(megabytes)}) n`,
        [],
        DATABASE,
      );
    },
    size: async () => {
      const [row] = await server.query<{ bytes: string }>(`select pg_database_size('${DATABASE}') as bytes`);
      return Number(row?.bytes ?? 0);
    },
    bare: async (_, file) => ({
      program: 'pg_dump',
      args: ['--format=custom', '--file', file, '--dbname', server.url(DATABASE)],
    }),
    stop: async () => await server.stop(),
  };
}

/** Big enough that writing the rows is not what takes the time. */
const SETTINGS = { 'innodb-buffer-pool-size': '512M' };

/** The same rows as PostgreSQL's. */
async function fillFamily(server: MysqlServer, megabytes: number): Promise<void> {
  const rows = rowsOf(megabytes);
  await server.query(`CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4`);
  const session = await server.login({ name: server.adminUser, password: server.password }, DATABASE);
  try {
    await session.query('CREATE TABLE t (id bigint, a text, b text, c timestamp)');
    await session.query('CREATE TEMPORARY TABLE k (n int)');
    await session.query('INSERT INTO k VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)');
    await session.query('CREATE TEMPORARY TABLE l SELECT * FROM k');
    await session.query('CREATE TEMPORARY TABLE m SELECT * FROM k');
    await session.query('CREATE TEMPORARY TABLE x SELECT k.n * 100 + l.n * 10 + m.n AS n FROM k, l, m');
    await session.query('CREATE TEMPORARY TABLE y SELECT * FROM x');
    for (let begin = 0; begin < rows; begin += ROWS_AT_ONCE)
      await session.query(
        `INSERT INTO t SELECT n, REPEAT(CONCAT(LEFT(SHA2(n % 1000, 224), 32), ' order line '), 18), SHA2(n, 256), NOW()
           FROM (SELECT ${begin} + x.n * 1000 + y.n + 1 AS n FROM x, y) AS numbers WHERE n <= ${rows}`,
      );
  } finally {
    await session.end();
  }
}

async function family(engine: 'mysql' | 'mariadb'): Promise<Subject> {
  const server = await (engine === 'mysql'
    ? startMysql({ settings: SETTINGS })
    : startMariadb('11.8', { settings: SETTINGS }));
  const [row] = await server.query<{ version: string }>('SELECT VERSION() AS version');
  const program = engine === 'mysql' ? 'mysqldump' : 'mariadb-dump';
  return {
    engine,
    label: `${program} --result-file`,
    path: await toolPath(engine === 'mysql' ? 'mysql-9.7' : 'mariadb-11.8'),
    server: {
      host: server.host,
      port: server.port,
      username: server.adminUser,
      password: server.password,
      database: DATABASE,
      version: row?.version ?? '',
      tls: { mode: 'disable' },
    },
    fill: async (megabytes) => await fillFamily(server, megabytes),
    size: async () => {
      const [size] = await server.query<{ bytes: string }>(
        `SELECT SUM(DATA_LENGTH) AS bytes FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${DATABASE}'`,
      );
      return Number(size?.bytes ?? 0);
    },
    bare: async (world, file) => {
      const { host, port, adminUser, password } = server;
      const tls = engine === 'mysql' ? 'ssl-mode=DISABLED\nget-server-public-key' : 'skip-ssl';
      const login = await world.file(
        'bare.cnf',
        `[client]\nhost=${host}\nport=${port}\nprotocol=tcp\nuser=${adminUser}\npassword=${password}\n${tls}\n`,
      );
      return {
        program,
        args: [
          `--defaults-file=${login}`,
          '--single-transaction',
          '--quick',
          '--hex-blob',
          ...(engine === 'mysql' ? ['--set-gtid-purged=OFF'] : []),
          '--routines',
          '--events',
          '--triggers',
          `--result-file=${file}`,
          DATABASE,
        ],
      };
    },
    stop: async () => await server.stop(),
  };
}

export const SUBJECTS: Readonly<Record<BackupEngine, () => Promise<Subject>>> = {
  postgres,
  mysql: () => family('mysql'),
  mariadb: () => family('mariadb'),
};
