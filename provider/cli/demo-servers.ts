/** The server that a demo starts for itself, by engine. */
import { CockroachServer } from '../../test/rig/cockroachdb/server.ts';
import { type MysqlServer, startMariadb, startMysql } from '../../test/rig/mysql.ts';
import { startPostgres } from '../../test/rig/postgres.ts';
import { MYSQL, POSTGRES } from './proof-dialects.ts';
import type { ProvingServer } from './proofs.ts';

export interface DemoServer extends ProvingServer {
  readonly host: string;
  readonly port: number;
  /** For `parseServerUrl`; holds the password. */
  readonly serverUrl: string;
  /** What it is, where that is not what it says it is. */
  readonly note?: string;
  /** Under examples/. */
  readonly example: string;
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

const mysqlServer = (server: MysqlServer): DemoServer => ({
  host: server.host,
  port: server.port,
  serverUrl: `${server.url()}?sslmode=disable`,
  example: 'xr-mysql.yaml',
  dialect: MYSQL,
  queryAs: async (user, database, sql) => await server.queryAs(user, sql, database),
  stop: async () => {
    await server.stop();
  },
});

/** Each throws NotAvailableError when such a server cannot be had on this machine. */
export const demoServers: Readonly<Record<string, () => Promise<DemoServer>>> = {
  postgres,
  mysql: async () => mysqlServer(await startMysql()),
  mariadb: async () => mysqlServer(await startMariadb('11.8')),
  cockroachdb,
};
