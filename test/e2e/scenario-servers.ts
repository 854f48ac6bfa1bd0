/** What a scenario of the predecessor looks at on a server, the same for each engine. */
import type { PostgresClient } from '../rig/postgres-client.ts';
import type { MysqlClient } from '../rig/mysql-client.ts';
import { contents as mysqlContents } from '../backup/mysql-world.ts';
import { contents as postgresContents } from './backup-world.ts';

interface Login {
  name: string;
  password: string;
}

export interface Side {
  readonly host: string;
  readonly port: number;
  readonly adminUser: string;
  readonly password: string;
  /** Where the scenarios keep their files. */
  readonly prefix: string;
  /** Code of the error that a wrong password gives. */
  readonly wrongPassword: string;
  /** Names in order, without those that every server has. */
  databases(): Promise<string[]>;
  /** Names in order, the administrator's among them. */
  users(): Promise<string[]>;
  /** Fails as the driver does when the login is refused. */
  login(user: Login): Promise<void>;
  /** Puts rows into an empty database. */
  fill(database: string): Promise<void>;
  /** Changes what `fill` has put there. */
  spoil(database: string): Promise<void>;
  contents(database: string): Promise<Record<string, unknown>>;
}

const sorted = (rows: { name: string }[]): string[] => rows.map(({ name }) => name).toSorted();

export const postgresSide = (server: PostgresClient): Side => ({
  host: server.host,
  port: server.port,
  adminUser: server.adminUser,
  password: server.password,
  prefix: 'postgres',
  wrongPassword: '28P01',
  databases: async () =>
    sorted(
      await server.query("SELECT datname AS name FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'"),
    ),
  users: async () => sorted(await server.query("SELECT rolname AS name FROM pg_roles WHERE rolname !~ '^pg_'")),
  login: async (user) => {
    await server.queryAs(user, 'postgres', 'SELECT 1');
  },
  fill: async (database) => {
    await server.query(
      `CREATE SCHEMA app1; CREATE SEQUENCE app1.numbers START 7;
       CREATE TABLE public.things AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 500) g;
       CREATE TABLE app1.more AS SELECT nextval('app1.numbers') AS id FROM generate_series(1, 50);
       CREATE VIEW app1.few AS SELECT * FROM app1.more LIMIT 3;
       CREATE FUNCTION app1.one() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      [],
      database,
    );
  },
  spoil: async (database) => {
    await server.query('DELETE FROM public.things WHERE id > 10; DROP TABLE app1.more CASCADE', [], database);
  },
  contents: async (database) => ({
    ...(await postgresContents(server, database)),
    sequences: await server.query(
      'SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2',
      [],
      database,
    ),
    others: await server.query(
      "SELECT viewname AS name FROM pg_views WHERE schemaname = 'app1' UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'app1'::regnamespace ORDER BY 1",
      [],
      database,
    ),
  }),
});

export const mysqlSide = (server: MysqlClient): Side => ({
  host: server.host,
  port: server.port,
  adminUser: server.adminUser,
  password: server.password,
  prefix: 'mysql',
  wrongPassword: 'ER_ACCESS_DENIED_ERROR',
  databases: async () =>
    sorted(
      await server.query(
        "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')",
      ),
    ),
  users: async () =>
    sorted(
      await server.query(
        "SELECT DISTINCT user AS name FROM mysql.user WHERE user NOT LIKE 'mysql.%' AND account_locked = 'N'",
      ),
    ),
  login: async (user) => {
    await server.queryAs(user, 'SELECT 1');
  },
  fill: async (database) => {
    const db = `\`${database}\``;
    await server.query(`CREATE TABLE ${db}.things (id int PRIMARY KEY, text varchar(64))`);
    await server.query(
      `INSERT INTO ${db}.things WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 500) SELECT n, MD5(n) FROM g`,
    );
    await server.query(`CREATE VIEW ${db}.few AS SELECT * FROM ${db}.things WHERE id < 4`);
    await server.query(`CREATE PROCEDURE ${db}.one() SELECT 1`);
    await server.query(`CREATE EVENT ${db}.tick ON SCHEDULE EVERY 1 YEAR STARTS '2099-01-01' DO SELECT 1`);
    await server.query(
      `CREATE TRIGGER ${db}.before_things BEFORE INSERT ON ${db}.things FOR EACH ROW SET NEW.text = COALESCE(NEW.text, 'none')`,
    );
  },
  spoil: async (database) => {
    await server.query(`DELETE FROM \`${database}\`.things WHERE id > 10`);
    await server.query(`DROP PROCEDURE \`${database}\`.one`);
  },
  contents: async (database) => await mysqlContents(server, database),
});
