/** PG1 to PG9 of the predecessor, from its manifests by `xdb convert`; each has the server for itself, and leaves it empty. */
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../rig/process.ts';
import { type BackupWorld, contents, startBackupWorld } from './backup-world.ts';
import { conditionOf, get, managed, untilCondition } from './objects.ts';
import { threeRoles } from './scenarios-privileges.ts';
import { type Scenario, scenario as start } from './scenarios-world.ts';

let world: BackupWorld;
let bucket: string;

beforeAll(async () => {
  world = await startBackupWorld();
  bucket = await world.s3.bucket();
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(world?.provider.log() ?? '');
  await world?.stop();
});

const SJUUL = { name: 'sjuul', password: 'bla' };
const scenario = async (file: string): Promise<Scenario> => await start(world, file, world.server, bucket);

const names = async (sql: string): Promise<string[]> =>
  (await world.server.query<{ name: string }>(sql)).map(({ name }) => name);
const databases = async (): Promise<string[]> =>
  await names('SELECT datname AS name FROM pg_database WHERE NOT datistemplate ORDER BY 1');
const users = async (): Promise<string[]> => await names('SELECT usename AS name FROM pg_user ORDER BY 1');
const as = async (user: { name: string; password: string }, database: string, sql: string): Promise<unknown[]> =>
  await world.server.queryAs(user, database, sql);

/** Deleted at once and in no order: the server has what it had before. */
async function gone(one: Scenario): Promise<void> {
  await one.end();
  expect([await databases(), await users()]).toEqual([['postgres'], ['postgres']]);
  expect(await names("SELECT rolname AS name FROM pg_roles WHERE rolname !~ '^pg_'")).toEqual(['postgres']);
}

/** Rows in public and in a schema, a sequence, a view and a function. */
async function fill(database: string): Promise<Record<string, string>> {
  await world.server.query(
    `CREATE TABLE items AS SELECT n AS id, md5(n::text) AS text FROM generate_series(1, 2000) n;
     CREATE SCHEMA app1;
     CREATE TABLE app1.things (id serial PRIMARY KEY, name text);
     INSERT INTO app1.things (name) SELECT 'thing ' || n FROM generate_series(1, 300) n;
     CREATE VIEW app1.names AS SELECT name FROM app1.things;
     CREATE FUNCTION app1.twice(n int) RETURNS int LANGUAGE sql RETURN 2 * n`,
    [],
    database,
  );
  return await contents(world.server, database);
}

/** That more came than rows: what is computed, what is counted. */
async function works(database: string): Promise<void> {
  const [row] = await world.server.query(
    "SELECT app1.twice(21) AS twice, (SELECT count(*)::int FROM app1.names) AS names, nextval('app1.things_id_seq')::int AS next",
    [],
    database,
  );
  expect(row).toEqual({ twice: 42, names: 300, next: 301 });
}

const keys = async (prefix: string): Promise<string[]> => {
  const { Contents = [] } = await world.s3.client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
  return Contents.map(({ Key = '' }) => Key);
};

test('PG1 base: the provider is healthy, and four faults of a configuration have four messages', async () => {
  const one = await scenario('pg1-base.yaml');
  await one.base();
  const config = 'providerconfigs.m.xdatabase.dev';
  const available = async (reason: string): Promise<string> =>
    await waitFor(
      `Available says ${reason}`,
      async () => {
        const condition = conditionOf(
          await world.cluster.get(config, 'example-host', '-n', one.namespace),
          'Available',
        );
        if (condition?.reason === reason) return condition.message ?? '';
        throw new Error(JSON.stringify(condition));
      },
      { timeout: 60_000 },
    );
  await available('LoggedIn');
  const { spec } = await world.cluster.get<{ spec: object }>(config, 'example-host', '-n', one.namespace);
  const messages: string[] = [];
  for (const [reason, change] of [
    ['SecretNotFound', { credentials: { secretRef: { name: 'missing' } } }],
    ['Unreachable', { port: 1 }],
    ['TlsRefused', { tls: { mode: 'verify-full' } }],
  ] as const) {
    await one.patch('ProviderConfig', 'example-host', { spec: change });
    messages.push(await available(reason));
    await world.cluster.kubectl([
      'patch',
      config,
      'example-host',
      '-n',
      one.namespace,
      '--type=json',
      '-p',
      JSON.stringify([{ op: 'replace', path: '/spec', value: spec }]),
    ]);
    await available('LoggedIn');
  }
  await world.cluster.kubectl([
    'patch',
    'secret',
    'postgres',
    '-n',
    one.namespace,
    '-p',
    '{"stringData":{"password":"wrong"}}',
  ]);
  messages.push(await available('AuthenticationFailed'));
  expect(new Set(messages).size).toBe(4);
  expect(messages.join()).not.toContain('wrong');
  await gone(one);
});

test('PG2 dbserver: attributes, passwords and names follow, and nobody else takes them', async () => {
  const one = await scenario('pg2-dbserver.yaml');
  await one.base();
  expect([await databases(), await users()]).toEqual([
    ['postgres', 'some-example-database'],
    ['postgres', 'sjuul'],
  ]);
  const isSuper = async (): Promise<unknown[]> =>
    await as(SJUUL, 'postgres', 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user');
  expect(await isSuper()).toEqual([{ rolsuper: true }]);
  await expect(as({ ...SJUUL, password: 'bla\n' }, 'postgres', 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  await one.patch('Role', 'example-user', { spec: { forProvider: { privileges: { superUser: false, login: true } } } });
  await waitFor('it is no superuser', async () => {
    expect(await isSuper()).toEqual([{ rolsuper: false }]);
    return true;
  });
  await world.cluster.kubectl([
    'patch',
    'secret',
    'example-user-secret',
    '-n',
    one.namespace,
    '-p',
    '{"stringData":{"password":"other"}}',
  ]);
  await waitFor(
    'the new password is taken',
    async () => await as({ ...SJUUL, password: 'other' }, 'postgres', 'SELECT 1'),
  );
  await expect(as(SJUUL, 'postgres', 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  const second = managed(
    'Database',
    one.namespace,
    'second',
    {},
    {
      externalName: 'some-example-database',
      config: { kind: 'ProviderConfig', name: 'example-host' },
    },
  );
  await one.apply(second);
  const conflict = await untilCondition(world.cluster, 'Database', one.namespace, 'second', 'Synced', 'False');
  expect(conditionOf(conflict, 'Synced')?.message).toContain('some-example-database');
  await gone(one);
});

test('PG3 backup-job: rows come back, whatever the object is called; it happens once', async () => {
  const one = await scenario('pg3-backup-job.yaml');
  await one.base();
  expect([await databases(), await users()]).toEqual([
    ['example-db-real-name', 'postgres'],
    ['postgres', 'sjuul'],
  ]);
  const before = await fill('example-db-real-name');
  const status = await one.once('Backup', 'example-backup-job');
  expect(status).toMatchObject({
    phase: 'Succeeded',
    key: expect.stringContaining('/example-db'),
    sha256: expect.any(String),
  });
  expect(await keys('postgres/')).toContain(`postgres/${String(status['key'])}`);
  const { storage } = (one.object('Backup', 'example-backup-job')['spec'] as { forProvider: { storage: object } })
    .forProvider;
  await world.server.query('DELETE FROM items; DROP SCHEMA app1 CASCADE', [], 'example-db-real-name');
  const restore = {
    ...managed(
      'Restore',
      one.namespace,
      'back',
      { targetDatabaseRef: { name: 'example-db' }, source: { storage }, mode: 'Replace' },
      { config: { kind: 'ProviderConfig', name: 'example-host' } },
    ),
    apiVersion: 'backup.m.xdatabase.dev/v1alpha1',
  };
  await one.apply(restore);
  await waitFor('it is restored', async () => {
    const { status: now } = await get(world.cluster, 'Restore', one.namespace, 'back');
    return now?.atProvider?.['phase'] === 'Succeeded';
  });
  expect(await contents(world.server, 'example-db-real-name')).toEqual(before);
  await works('example-db-real-name');
  expect((await keys('postgres/')).filter((key) => key.endsWith('.manifest.json'))).toHaveLength(1);
  await gone(one);
});

test('PG4 backup-cron-job: runs by hand, is edited, and keeps its runs apart', async () => {
  const one = await scenario('pg4-backup-cron-job.yaml');
  await one.base();
  await fill('example-db');
  const name = 'example-backup-cron-job';
  await one.apply(one.object('BackupSchedule', name));
  const first = await one.byHand('BackupSchedule', name, name);
  expect(first).toMatchObject({ suspended: false, lastBackup: { key: expect.stringContaining('/example-db') } });
  await one.patch('BackupSchedule', name, { spec: { forProvider: { suspend: true, schedule: '*/5 * * * *' } } });
  await waitFor('the CronJob is edited', async () => {
    const { items } = await world.cluster.get<{ items: { spec: { suspend: boolean; schedule: string } }[] }>(
      'cronjobs',
      '-n',
      one.namespace,
    );
    expect(items.map(({ spec }) => [spec.suspend, spec.schedule])).toEqual([[true, '*/5 * * * *']]);
    return true;
  });
  await gone(one);
});

test('PG5 restore-job: the newest of this very database, with the grants of its users', async () => {
  const one = await scenario('pg5-restore-job.yaml');
  await one.base();
  const before = await fill('example-db');
  expect(await one.once('Backup', 'example-backup-job')).toMatchObject({ phase: 'Succeeded' });
  await world.server.query('TRUNCATE items; DROP TABLE app1.things CASCADE', [], 'example-db');
  const status = await one.once('Restore', 'example-restore-job');
  expect(status).toMatchObject({ phase: 'Succeeded' });
  // PG3 and PG4 left files of other databases, and of an older one of this name, in the same place.
  expect(await contents(world.server, 'example-db')).toEqual(before);
  await works('example-db');
  await as(SJUUL, 'example-db', 'CREATE SCHEMA mine');
  await gone(one);
});

test('PG6 restore-cron-job: every run brings the rows back, and names the file', async () => {
  const one = await scenario('pg6-restore-cron-job.yaml');
  await one.base();
  const before = await fill('example-db');
  const backup = await one.once('Backup', 'example-backup-job');
  const name = 'example-restore-cron-job';
  await one.apply(one.object('RestoreSchedule', name));
  for (const job of ['first', 'second']) {
    await world.server.query('DELETE FROM items WHERE id % 2 = 0', [], 'example-db');
    const status = await one.byHand('RestoreSchedule', name, job);
    expect(JSON.stringify(status)).toContain(String(backup['key']));
    expect(await contents(world.server, 'example-db')).toEqual(before);
  }
  await gone(one);
});

test('PG7 copy-job: all rows of all schemas, and the source as it was', async () => {
  const one = await scenario('pg7-copy-job.yaml');
  await one.base();
  expect([await databases(), await users()]).toEqual([
    ['destination-db', 'postgres', 'source-db'],
    ['postgres', 'sjuul'],
  ]);
  const before = await fill('source-db');
  expect(await one.once('Copy', 'example-db-copyjob')).toMatchObject({ phase: 'Succeeded' });
  expect(await contents(world.server, 'destination-db')).toEqual(before);
  expect(await contents(world.server, 'source-db')).toEqual(before);
  await works('destination-db');
  await as(SJUUL, 'destination-db', 'CREATE SCHEMA mine');
  await gone(one);
});

test('PG8 copy-cron-job: a second run over a filled destination brings the new rows', async () => {
  const one = await scenario('pg8-copy-cron-job.yaml');
  await one.base();
  await fill('source-db');
  const name = 'example-db-copycronjob';
  await one.apply(one.object('CopySchedule', name));
  await one.byHand('CopySchedule', name, 'example-db-copycronjob-job');
  await world.server.query("INSERT INTO app1.things (name) VALUES ('later')", [], 'source-db');
  await one.byHand('CopySchedule', name, 'again');
  expect(await contents(world.server, 'destination-db')).toEqual(await contents(world.server, 'source-db'));
  await gone(one);
});

test('PG9 privileges: three roles, each with the least that it needs', async () => {
  const one = await scenario('pg9-privileges.yaml');
  await one.base();
  expect(await users()).toEqual(['application-user', 'human-user', 'migration-user', 'postgres']);
  await threeRoles(world, one);
  await gone(one);
});
