/** The server that a demo starts for itself, by engine. */
import { CockroachServer } from '../../test/rig/cockroachdb/server.ts';
import { type MysqlServer, startMariadb, startMysql } from '../../test/rig/mysql.ts';
import { startPostgres } from '../../test/rig/postgres.ts';
import { toolPath } from '../../test/rig/tool-path.ts';
import { MYSQL, POSTGRES } from './dialects.ts';
import type { ProvingServer } from './proofs.ts';

/** What the demo's backup needs of a server, as its administrator. */
export interface DemoBackups {
  /** Whether a database belongs to a role. */
  readonly hasOwners: boolean;
  /** Folder of the dump and load tools; throws NotAvailableError. */
  tools(): Promise<string>;
  url(database: string): string;
  createDatabase(name: string, owner: string | undefined): Promise<void>;
  /** Makes a table with rows. */
  fill(database: string, schema: string | undefined, rows: number): Promise<void>;
}

export interface DemoServer extends ProvingServer {
  readonly host: string;
  readonly port: number;
  /** For `parseServerUrl`; holds the password. */
  readonly serverUrl: string;
  /** What it is, where that is not what it says it is. */
  readonly note?: string;
  /** Under examples/. */
  readonly example: string;
  /** Absent where the server makes backups of its own. */
  readonly backups?: DemoBackups;
  stop(): Promise<void>;
}

async function postgres(): Promise<DemoServer> {
  const server = await startPostgres({ major: 18 });
  return {
    host: server.host,
    port: server.port,
    serverUrl: `${server.url()}?sslmode=disable`,
    example: 'claim.yaml',
    dialect: POSTGRES,
    queryAs: async (user, database, sql) => await server.queryAs(user, database, sql),
    backups: {
      hasOwners: true,
      tools: () => toolPath('postgresql-18'),
      url: (database) => `${server.url(database)}?sslmode=disable`,
      createDatabase: async (name, owner) => {
        await server.query(`CREATE DATABASE "${name}"${owner === undefined ? '' : ` OWNER "${owner}"`}`);
      },
      fill: async (database, schema, rows) => {
        const table = POSTGRES.table(schema ?? 'public', 'rows_of_the_demo');
        await server.query(
          `CREATE TABLE ${table} AS SELECT n AS id, md5(n::text) AS note FROM generate_series(1, ${rows}) n`,
          [],
          database,
        );
      },
    },
    stop: async () => {
      await server.stop();
    },
  };
}

/** There is no CockroachDB that everybody may use, so the demo runs on the stand-in of the tests. */
async function cockroachdb(): Promise<DemoServer> {
  const server = await CockroachServer.start('26.2');
  const { username, password } = server.settings;
  const login = `${username}:${encodeURIComponent(password?.reveal() ?? '')}`;
  return {
    host: server.host,
    port: server.port,
    serverUrl:
      process.env['XDB_TEST_COCKROACH_URL'] ??
      `cockroachdb://${login}@${server.host}:${server.port}/defaultdb?sslmode=disable`,
    ...(server.simulator === undefined
      ? {}
      : { note: 'simulated: a stand-in built from the documentation of CockroachDB, in front of a PostgreSQL' }),
    example: 'xr-cockroachdb.yaml',
    dialect: POSTGRES,
    queryAs: async (user, database, sql) => await server.queryAs(user, database, sql),
    stop: async () => {
      await server.stop();
    },
  };
}

const mysqlServer = (server: MysqlServer, toolSet: 'mysql-9.7' | 'mariadb-11.8'): DemoServer => ({
  host: server.host,
  port: server.port,
  serverUrl: `${server.url()}?sslmode=disable`,
  example: 'xr-mysql.yaml',
  dialect: MYSQL,
  queryAs: async (user, database, sql) => await server.queryAs(user, sql, database),
  backups: {
    hasOwners: false,
    tools: () => toolPath(toolSet),
    url: (database) => `${server.url(database)}?sslmode=disable`,
    createDatabase: async (name) => {
      await server.query(`CREATE DATABASE \`${name}\``);
    },
    fill: async (database, _schema, rows) => {
      const table = `\`${database}\`.rows_of_the_demo`;
      await server.query(`CREATE TABLE ${table} (id int PRIMARY KEY, note text)`);
      await server.query(
        `INSERT INTO ${table} WITH RECURSIVE n AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM n WHERE id < 1000)
         SELECT a.id + 1000 * (b.id - 1), HEX(a.id) FROM n a, n b WHERE b.id <= ${Math.ceil(rows / 1000)}`,
      );
    },
  },
  stop: async () => {
    await server.stop();
  },
});

/** Each throws NotAvailableError when such a server cannot be had on this machine. */
export const demoServers: Readonly<Record<string, () => Promise<DemoServer>>> = {
  postgres,
  mysql: async () => mysqlServer(await startMysql(), 'mysql-9.7'),
  mariadb: async () => mysqlServer(await startMariadb('11.8'), 'mariadb-11.8'),
  cockroachdb,
};
