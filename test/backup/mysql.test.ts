import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tools } from '../../provider/backup/tools/tools.ts';
import type { LoadOptions, ToolServer } from '../../provider/backup/tools/tool.ts';
import type { MysqlClient } from '../rig/mysql-client.ts';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';
import { toolPath } from '../rig/tool-path.ts';
import { contents, fill, ROWS } from './mysql-world.ts';
import { type Finished, World } from './world.ts';

const TOOLS = { 'MySQL 9.7': 'mysql-9.7', 'MariaDB 10.11': 'mariadb-10.11', 'MariaDB 11.8': 'mariadb-11.8' } as const;
const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

describe.each(mysqlServers)('%s', (name) => {
  const server: MysqlClient = sharedMysql(name);
  const engine = server.flavour;
  // mariadb-dump escapes quotation marks where it must not, and then finds no database of that name.
  const SOURCE = engine === 'mysql' ? 'backup `source` "x"' : 'backup `source` x';
  const READER = { name: 'backup_reader', password: 'p"w\\d #\'' };
  const LOGIN = { name: 'backup_run', password: 'run "pw" ; #' };
  let world: World;
  let path: string;
  let version: string;
  let before: Record<string, unknown>;
  let made: Finished;

  const toolServer = (database: string, login: { name: string; password: string }): ToolServer => ({
    host: server.host,
    port: server.port,
    username: login.name,
    password: login.password,
    database,
    version: version,
    tls: { mode: 'disable' },
  });

  const target = async (database: string): Promise<string> => {
    await server.query(`DROP DATABASE IF EXISTS ${quoted(database)}`);
    await server.query(`CREATE DATABASE ${quoted(database)} CHARACTER SET utf8mb4`);
    await server.query(`GRANT ALL ON ${quoted(database.replaceAll('_', '\\_'))}.* TO backup_run`);
    return database;
  };

  const restore = async (database: string, options: LoadOptions = {}, over: object = {}): Promise<Finished> => {
    const folders = world.folders();
    const container = tools[engine].load(toolServer(database, LOGIN), folders, { countRows: true, ...options });
    return await world.run(
      {
        action: 'restore',
        storage: world.filesystem(),
        source: { namespace: 'team-a', database: SOURCE, engine },
        tool: { folder: folders.work },
        ...over,
      },
      [{ container, path }],
    );
  };

  beforeAll(async () => {
    world = await World.make();
    path = await toolPath(TOOLS[name]);
    const [row] = await server.query<{ version: string }>('SELECT VERSION() AS version');
    version = row?.version ?? '';
    for (const { name: user, password } of [READER, LOGIN])
      await server.query(
        `CREATE USER ${user} IDENTIFIED BY '${password.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`,
      );
    await server.query(
      `GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES${engine === 'mysql' ? ', SHOW_ROUTINE' : ''} ON *.* TO backup_reader`,
    );
    await server.query(`CREATE DATABASE ${quoted(SOURCE)} CHARACTER SET utf8mb4`);
    await fill(server, SOURCE);
    before = await contents(server, SOURCE);
    const folders = world.folders();
    made = await world.run(
      {
        action: 'backup',
        storage: world.filesystem(),
        owner: { namespace: 'team-a', name: 'nightly', database: SOURCE, engine },
        run: 'one',
        serverVersion: version,
        countRows: true,
        tool: { folder: folders.work },
      },
      [{ container: tools[engine].dump(toolServer(SOURCE, READER), folders), path }],
    );
  });
  afterAll(async () => {
    await world.remove();
  });

  test('a backup holds rows, and counts them', () => {
    expect(made.result.failureMessage).toBeUndefined();
    expect(made.result).toMatchObject({ ok: true, backup: { engine, rows: ROWS, database: SOURCE } });
    expect(made.result.backup?.key).toMatch(/\.sql\.zst$/);
    expect(made.codes).toEqual([0, 0]);
    expect(made.log).not.toContain(READER.password);
  });

  test('a login with rights on the target only restores all of it under another name', async () => {
    const database = await target('backup_restored');
    const { result, codes } = await restore(database);
    expect(result.failureMessage).toBeUndefined();
    expect(result).toMatchObject({ ok: true, loaded: { rows: ROWS }, countedRows: ROWS });
    expect(codes).toEqual([0, 0]);
    expect(await contents(server, database)).toEqual(before);
    const definers = await server.query<{ definer: string }>(
      `SELECT DEFINER AS definer FROM information_schema.VIEWS WHERE TABLE_SCHEMA = '${database}'
       UNION SELECT DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '${database}'
       UNION SELECT DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '${database}'
       UNION SELECT DEFINER FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '${database}'`,
    );
    expect(definers).toEqual([{ definer: 'backup_run@%' }]);
  });

  test('a copy is transformed before it is done', async () => {
    const database = await target('backup_copied');
    const from = world.folders();
    const to = world.folders();
    const { result } = await world.run(
      { action: 'copy', engine, countRows: true, from: { folder: from.work }, to: { folder: to.work } },
      [
        { container: tools[engine].dump(toolServer(SOURCE, READER), from), path },
        {
          container: tools[engine].load(toolServer(database, LOGIN), to, {
            transformSQL: "UPDATE people SET name = 'nobody', note = NULL;\nDELETE FROM events;",
          }),
          path,
        },
      ],
    );
    expect(result.failureMessage).toBeUndefined();
    expect(result).toMatchObject({ ok: true, loaded: { rows: ROWS } });
    expect(await server.query(`SELECT DISTINCT name FROM ${quoted(database)}.people`)).toEqual([{ name: 'nobody' }]);
    expect(await server.query(`SELECT COUNT(*) AS n FROM ${quoted(database)}.events`)).toEqual([{ n: 0 }]);
  });

  test('a wrong password fails with the words of the server', async () => {
    const folders = world.folders();
    const { result } = await world.run(
      {
        action: 'backup',
        storage: world.filesystem('other'),
        owner: { namespace: 'team-a', name: 'nightly', database: SOURCE, engine },
        run: 'two',
        serverVersion: version,
        tool: { folder: folders.work },
      },
      [{ container: tools[engine].dump(toolServer(SOURCE, { ...READER, password: 'wrong' }), folders), path }],
    );
    expect(result).toMatchObject({ ok: false, failureReason: 'ToolFailed', failureMessage: /Access denied/ });
    expect(result.backup).toBeUndefined();
  });
});
