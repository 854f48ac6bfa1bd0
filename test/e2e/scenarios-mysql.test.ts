/** MY1 to MY8 of the predecessor, from its manifests by `xdb convert`; all at once on one server, which is left empty. */
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { contents } from '../backup/mysql-world.ts';
import { type MysqlServer, startMysql } from '../rig/mysql.ts';
import { waitFor } from '../rig/process.ts';
import { type BackupWorld, startBackupWorld, toolImage } from './backup-world.ts';
import { allReady, conditionOf, resourceName, untilCondition } from './objects.ts';
import { type Scenario, scenario as start } from './scenarios-world.ts';

let world: BackupWorld;
let server: MysqlServer;
let bucket: string;
/** Accounts of the server itself. */
let own: string[];

beforeAll(async () => {
  server = await startMysql();
  const [row] = await server.query<{ version: string }>('SELECT VERSION() AS version');
  const [version = ''] = /^[\d.]+/.exec(row?.version ?? '') ?? [];
  world = await startBackupWorld({ [`mysql:${version}`]: await toolImage('mysql-9.7') });
  bucket = await world.s3.bucket();
  own = await users();
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(world?.provider.log() ?? '');
  await world?.stop();
  await server?.stop();
});

const scenario = async (file: string): Promise<Scenario> => await start(world, file, server, bucket, true);
const sjuul = (one: Scenario) => ({ name: one.called('sjuul'), password: 'bla' });

const names = async (sql: string): Promise<string[]> =>
  (await server.query<{ name: string }>(sql)).map(({ name }) => name);
const databases = async (): Promise<string[]> =>
  await names(
    "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ('information_schema','performance_schema','mysql','sys') ORDER BY 1",
  );
// The marks of databases are kept by a role that nobody can be.
const users = async (): Promise<string[]> =>
  await names(
    "SELECT User AS name FROM mysql.user WHERE User NOT LIKE 'mysql.%' AND User <> 'xdatabase.marks' ORDER BY 1",
  );
/** What the scenario has on the server. */
const made = async (one: Scenario): Promise<string[][]> => {
  const lists = [await databases(), await users()];
  return lists.map((list) => list.filter((name) => name.endsWith(one.called(''))));
};
const expectMade = async (one: Scenario, ...databaseNames: string[]): Promise<void> =>
  expect(await made(one)).toEqual([databaseNames.map((name) => one.called(name)), [one.called('sjuul')]]);

/** Deleted at once and in no order: nothing is left on the server. */
async function gone(one: Scenario): Promise<void> {
  await one.end();
  expect(await made(one)).toEqual([[], []]);
}

/** Rows, a view, a routine, a trigger and an event. */
async function fill(database: string): Promise<Record<string, unknown>> {
  const session = await server.login({ name: server.adminUser, password: server.password }, database);
  try {
    for (const statement of [
      'CREATE TABLE items (id int AUTO_INCREMENT PRIMARY KEY, text varchar(100) NOT NULL)',
      "INSERT INTO items (text) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT CONCAT('ü ', SHA2(i, 256)) FROM n",
      'CREATE VIEW texts AS SELECT text FROM items',
      'CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN 2 * n',
      'CREATE TRIGGER kept BEFORE INSERT ON items FOR EACH ROW SET NEW.text = TRIM(NEW.text)',
      "CREATE EVENT later ON SCHEDULE AT '2037-01-01' DO DELETE FROM items",
    ])
      await session.query(statement);
  } finally {
    await session.end();
  }
  return await contents(server, database);
}

/** A file is there, of a size that 900 checksums take at least. */
async function expectRows(key: unknown): Promise<void> {
  const { Contents = [] } = await world.s3.client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'mysql/' }));
  expect(Contents.find(({ Key }) => Key === `mysql/${String(key)}`)?.Size).toBeGreaterThan(900 * 32);
}

const change = async (database: string): Promise<void> => {
  await server.query(`DELETE FROM \`${database}\`.items WHERE id % 2 = 0`);
};

test.concurrent('MY1 base: the provider is healthy, on a port of its own choice', async () => {
  const one = await scenario('my1-base.yaml');
  await one.base();
  await waitFor('it is logged in', async () => {
    const config = await world.cluster.get('providerconfigs.m.xdatabase.dev', 'example-host', '-n', one.namespace);
    return conditionOf(config as never, 'Available')?.reason === 'LoggedIn';
  });
  await gone(one);
});

test.concurrent('MY2 backup-job: a dump has rows', async () => {
  const one = await scenario('my2-backup-job.yaml');
  await one.base();
  await expectMade(one, 'example-db');
  await fill(one.called('example-db'));
  const status = await one.once('Backup', 'example-backup-job');
  expect(status).toMatchObject({
    phase: 'Succeeded',
    key: expect.stringContaining(`/${one.called('example-db')}/`),
    sha256: expect.any(String),
  });
  await expectRows(status['key']);
  const rows = await server.queryAs(sjuul(one), 'SELECT COUNT(*) AS n FROM items', one.called('example-db'));
  expect(rows).toEqual([{ n: 900 }]);
  await gone(one);
});

test.concurrent('MY3 backup-cron-job: runs by hand', async () => {
  const one = await scenario('my3-backup-cron-job.yaml');
  await one.base();
  await fill(one.called('example-db'));
  const name = 'example-backup-cron-job';
  await one.apply(one.object('BackupSchedule', name));
  const { lastBackup } = await one.byHand('BackupSchedule', name, name);
  await expectRows((lastBackup as { key: string }).key);
  await gone(one);
});

test.concurrent('MY4 restore-job: into a database that had rows, with what belongs to it', async () => {
  const one = await scenario('my4-restore-job.yaml');
  await one.base();
  const before = await fill(one.called('example-db'));
  expect(await one.once('Backup', 'example-backup-job')).toMatchObject({ phase: 'Succeeded' });
  await change(one.called('example-db'));
  await server.query(`DROP FUNCTION \`${one.called('example-db')}\`.twice`);
  expect(await one.once('Restore', 'example-restore-job')).toMatchObject({ phase: 'Succeeded' });
  expect(await contents(server, one.called('example-db'))).toEqual(before);
  await server.queryAs(sjuul(one), "INSERT INTO items (text) VALUES ('after')", one.called('example-db'));
  await gone(one);
});

test.concurrent('MY5 restore-cron-job: rows after every run', async () => {
  const one = await scenario('my5-restore-cron-job.yaml');
  await one.base();
  const before = await fill(one.called('example-db'));
  expect(await one.once('Backup', 'example-backup-job')).toMatchObject({ phase: 'Succeeded' });
  const name = 'example-restore-cron-job';
  await one.apply(one.object('RestoreSchedule', name));
  for (const job of ['first', 'second']) {
    await change(one.called('example-db'));
    await one.byHand('RestoreSchedule', name, job);
    expect(await contents(server, one.called('example-db'))).toEqual(before);
  }
  await gone(one);
});

test.concurrent('MY6 copy-job: rows with routines and triggers, and the source as it was', async () => {
  const one = await scenario('my6-copy-job.yaml');
  await one.base();
  await expectMade(one, 'destination-db', 'source-db');
  const before = await fill(one.called('source-db'));
  expect(await one.once('Copy', 'example-db-copyjob')).toMatchObject({ phase: 'Succeeded' });
  expect(await contents(server, one.called('destination-db'))).toEqual(before);
  expect(await contents(server, one.called('source-db'))).toEqual(before);
  await gone(one);
});

test.concurrent('MY7 copy-cron-job: rows after every run', async () => {
  const one = await scenario('my7-copy-cron-job.yaml');
  await one.base();
  await fill(one.called('source-db'));
  const name = 'example-db-copycronjob';
  await one.apply(one.object('CopySchedule', name));
  for (const job of ['example-db-copycronjob-job', 'again']) {
    await one.byHand('CopySchedule', name, job);
    expect(await contents(server, one.called('destination-db'))).toEqual(
      await contents(server, one.called('source-db')),
    );
    await change(one.called('source-db'));
  }
  await gone(one);
});

test.concurrent('MY8 privileges: nothing before, global and table grants after, each gone at once', async () => {
  const one = await scenario('my8-privileges.yaml');
  const database = one.called('example-db');
  const sql = async (text: string): Promise<unknown[]> => await server.queryAs(sjuul(one), text, database);
  const count = async (table: string): Promise<unknown[]> => await sql(`SELECT COUNT(*) AS n FROM ${table}`);
  // By a privilege on the database or the table, and not by a login that failed.
  const refused = async (text: string): Promise<void> =>
    expect([1044, 1142]).toContain(await sql(text).then(String, ({ errno }: { errno?: number }) => errno));
  const grant = async (of: RegExp): Promise<string> => {
    const object = one.objects.find(({ kind, metadata }) => kind === 'Grant' && of.test(metadata.name))!;
    await one.apply(object);
    await untilCondition(world.cluster, 'Grant', one.namespace, object.metadata.name, 'Ready', 'True');
    return object.metadata.name;
  };
  await one.apply(...one.objects.filter(({ kind }) => kind !== 'Grant'));
  await allReady(world.cluster, one.namespace);
  await expectMade(one, 'example-db');
  for (const table of ['SomeTable', 'Other']) await server.query(`CREATE TABLE \`${database}\`.${table} (ID int)`);
  await refused('SELECT COUNT(*) FROM SomeTable');
  const ofTable = await grant(/sometable$/);
  expect(await count('SomeTable')).toEqual([{ n: 0 }]);
  await refused('SELECT COUNT(*) FROM Other');
  await refused('INSERT INTO SomeTable VALUES (1)');
  const ofServer = await grant(/server$/);
  expect(await count('Other')).toEqual([{ n: 0 }]);
  const remove = async (name: string): Promise<unknown> =>
    await world.cluster.kubectl(['delete', resourceName('Grant'), name, '-n', one.namespace]);
  await remove(ofServer);
  await refused('SELECT COUNT(*) FROM Other');
  expect(await count('SomeTable')).toEqual([{ n: 0 }]);
  await remove(ofTable);
  await refused('SELECT COUNT(*) FROM SomeTable');
  await gone(one);
});

test('all of them together leave the server as it was', async () => {
  expect([await databases(), await users()]).toEqual([[], own]);
});
