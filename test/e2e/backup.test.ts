/** Backup, Restore and Copy in a cluster: real Job controllers, real tools, a real object storage. */
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../provider/api/kind.ts';
import { waitFor } from '../rig/process.ts';
import { allReady, get, managed, namespaceOf, providerConfig, resourceName, run } from './objects.ts';
import {
  atProvider,
  type BackupWorld,
  contents,
  ended,
  leftOvers,
  s3Secret,
  s3Storage,
  startBackupWorld,
} from './backup-world.ts';

let world: BackupWorld;
let bucket: string;
const namespace = 'shop';

beforeAll(async () => {
  world = await startBackupWorld();
  bucket = await world.s3.bucket();
  const { cluster, server } = world;
  await cluster.apply([namespaceOf(namespace), ...providerConfig(namespace, server), s3Secret(world, namespace)]);
  await cluster.apply([
    managed('Role', namespace, 'owner', { privileges: { login: false } }, { externalName: 'shop_owner' }),
    managed('Role', namespace, 'app', { connectionDatabase: 'shop' }, { externalName: 'shop_app', secret: 'app' }),
    managed('Database', namespace, 'shop', { owner: 'shop_owner' }),
    managed('Database', namespace, 'fresh', { owner: 'shop_owner' }),
  ]);
  await allReady(cluster, namespace);
  await server.query(
    `SET ROLE shop_owner; CREATE SCHEMA app1; CREATE TABLE app1.orders (id serial PRIMARY KEY, person text, paid numeric);
     INSERT INTO app1.orders (person, paid) SELECT 'person ' || g, g / 7.0 FROM generate_series(1, 20000) g;
     CREATE TABLE "Odd ""name" (a int, b jsonb); INSERT INTO "Odd ""name" VALUES (1, '{"x": "ü"}');
     CREATE VIEW app1.big AS SELECT * FROM app1.orders WHERE paid > 100;
     CREATE FUNCTION app1.twice(i int) RETURNS int LANGUAGE sql AS 'SELECT i * 2'`,
    [],
    'shop',
  );
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(world?.provider.log() ?? '');
  await world?.stop();
});

describe('a Backup', () => {
  test('is in the bucket when it is Ready, with what its status says', async () => {
    await world.cluster.apply(
      run('Backup', namespace, 'first', {
        databaseRef: { name: 'shop' },
        storage: s3Storage(world, bucket),
        countRows: true,
      }),
    );
    const backup = await ended(world, 'Backup', namespace, 'first');
    expect(atProvider(backup)).toMatchObject({ phase: 'Succeeded', engine: 'postgres', rows: 20_001 });
    expect(String(atProvider(backup)['key'])).toMatch(/^shop\/first\/shop\/.*\.dump\.zst$/);
  });
});

describe('a Restore', () => {
  test('gives all rows back in a new database, as its owner, and the grants work', async () => {
    const { cluster, server } = world;
    const restore = run('Restore', namespace, 'into-fresh', {
      source: { backupRef: { name: 'first' } },
      sourceDatabase: 'shop',
      targetDatabaseRef: { name: 'fresh' },
    });
    await cluster.apply(restore);
    const object = await ended(world, 'Restore', namespace, 'into-fresh');
    expect(atProvider(object)).toMatchObject({ phase: 'Succeeded', restored: { rows: 20_001 } });
    expect(await contents(server, 'fresh')).toEqual(await contents(server, 'shop'));
  });

  test('over a database that is not empty fails, and leaves it as it was, unless it may replace it', async () => {
    const { cluster, server } = world;
    const before = await contents(server, 'fresh');
    await server.query("INSERT INTO app1.orders (person) VALUES ('late')", [], 'fresh');
    const spec = {
      source: { storage: s3Storage(world, bucket) },
      sourceDatabase: 'shop',
      targetDatabaseRef: { name: 'fresh' },
    };
    await cluster.apply(run('Restore', namespace, 'careful', spec));
    const careful = await ended(world, 'Restore', namespace, 'careful');
    expect(atProvider(careful)).toMatchObject({ phase: 'Failed', failureReason: 'TargetNotEmpty' });
    expect(await server.query('SELECT count(*)::int AS n FROM app1.orders', [], 'fresh')).toEqual([{ n: 20_001 }]);
    await cluster.apply(run('Restore', namespace, 'over', { ...spec, mode: 'Replace' }));
    expect(atProvider(await ended(world, 'Restore', namespace, 'over'))).toMatchObject({ phase: 'Succeeded' });
    expect(await contents(server, 'fresh')).toEqual(before);
  });
});

describe('a Copy', () => {
  test('arrives anonymised, and its source is as it was', async () => {
    const { cluster, server } = world;
    await cluster.apply(managed('Database', namespace, 'copied', { owner: 'shop_owner' }));
    await allReady(cluster, namespace);
    const before = await contents(server, 'shop');
    await cluster.apply(
      run('Copy', namespace, 'anonymous', {
        sourceDatabaseRef: { name: 'shop' },
        targetDatabaseRef: { name: 'copied' },
        transformSQL: "UPDATE app1.orders SET person = 'somebody'",
      }),
    );
    expect(atProvider(await ended(world, 'Copy', namespace, 'anonymous'))).toMatchObject({ phase: 'Succeeded' });
    expect(await contents(server, 'shop')).toEqual(before);
    expect(await server.query('SELECT DISTINCT person FROM app1.orders', [], 'copied')).toEqual([
      { person: 'somebody' },
    ]);
  });
});

describe('once means once', () => {
  const stored = async (name: string): Promise<number> => {
    const { Contents = [] } = await world.s3.client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: `shop/${name}/` }),
    );
    return Contents.filter(({ Key }) => Key?.endsWith('.dump.zst')).length;
  };
  const jobsOf = async (name: string): Promise<KubeObject[]> =>
    (await world.cluster.get<{ items: KubeObject[] }>('jobs', '-n', namespace)).items.filter(
      ({ metadata }) => metadata.annotations?.['xdatabase.dev/resource']?.endsWith(`/${name}`) === true,
    );

  test('a provider that is dead when the Job ends records its outcome when it is back, although the Job should be gone', async () => {
    const { cluster } = world;
    await cluster.kubectl([
      'patch',
      'providerconfig.m.xdatabase.dev',
      'default',
      '-n',
      namespace,
      '--type=merge',
      '-p',
      '{"spec":{"jobs":{"ttlSecondsAfterFinished":0}}}',
    ]);
    await cluster.apply(
      run('Backup', namespace, 'killed', { databaseRef: { name: 'shop' }, storage: s3Storage(world, bucket) }),
    );
    const [job] = await waitFor('its Job has begun', async () => {
      const jobs = await jobsOf('killed');
      return jobs[0]?.metadata.finalizers?.includes('xdatabase.dev/run') === true && jobs;
    });
    await world.provider.stop('SIGKILL');
    await waitFor('the Job is finished and asked to go', async () => {
      const [now] = await jobsOf('killed');
      return now?.metadata.deletionTimestamp !== undefined;
    });
    await world.restartProvider();
    expect(atProvider(await ended(world, 'Backup', namespace, 'killed'))).toMatchObject({
      phase: 'Succeeded',
      jobName: job?.metadata.name,
    });
    await waitFor('the Job is let go', async () => (await jobsOf('killed')).length === 0);
    expect(await stored('killed')).toBe(1);
  });

  test('neither an edit of a label, nor a restart, nor the loss of its Job or of its status runs it again', async () => {
    const { cluster, server } = world;
    await server.query("INSERT INTO app1.orders (person) VALUES ('after the restore')", [], 'fresh');
    const before = [await get(cluster, 'Restore', namespace, 'over'), await get(cluster, 'Backup', namespace, 'first')];
    for (const object of before) {
      const name = resourceName(object.kind);
      await cluster.kubectl(['label', name, object.metadata.name, '-n', namespace, 'edited=yes']);
      await cluster.kubectl([
        'patch',
        name,
        object.metadata.name,
        '-n',
        namespace,
        '--subresource=status',
        '--type=json',
        '-p',
        '[{"op":"remove","path":"/status"}]',
      ]);
    }
    await cluster.kubectl(['delete', 'jobs', '--all', '-n', namespace]);
    await world.restartProvider('SIGTERM');
    for (const object of before) {
      const after = await ended(world, object.kind, namespace, object.metadata.name);
      expect(atProvider(after)).toEqual(atProvider(object));
    }
    expect(await jobsOf('first')).toEqual([]);
    expect(await jobsOf('over')).toEqual([]);
    expect(await stored('first')).toBe(1);
    expect(
      await server.query("SELECT count(*)::int AS n FROM app1.orders WHERE person = 'after the restore'", [], 'fresh'),
    ).toEqual([{ n: 1 }]);
  });

  test.each([
    { name: 'deleted', how: 'deleted', reason: /JobDeleted|Interrupted/ },
    { name: 'lost', how: 'taken away with its finalizers', reason: /^JobLost$/ },
  ])('a Job that is $how while it runs has failed, is not made again, and leaves nothing', async ({ name, reason }) => {
    const { cluster, server } = world;
    const blocker = server
      .query('BEGIN; LOCK TABLE app1.orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)', [], 'shop')
      .catch(() => undefined);
    await cluster.apply(
      run('Backup', namespace, name, { databaseRef: { name: 'shop' }, storage: s3Storage(world, bucket) }),
    );
    const [job] = await waitFor('its Job runs', async () => {
      const jobs = await jobsOf(name);
      return (jobs[0]?.['status'] as { active?: number } | undefined)?.active === 1 && jobs;
    });
    const of = [job?.metadata.name ?? '', '-n', namespace];
    if (name === 'lost')
      await cluster.kubectl(['patch', 'job', ...of, '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
    await cluster.kubectl([
      'delete',
      'job',
      ...of,
      '--wait=false',
      `--cascade=${name === 'lost' ? 'background' : 'foreground'}`,
    ]);
    expect(atProvider(await ended(world, 'Backup', namespace, name))).toMatchObject({
      phase: 'Failed',
      failureReason: expect.stringMatching(reason),
    });
    await waitFor('the Job is gone', async () => (await jobsOf(name)).length === 0);
    await expect.poll(async () => await leftOvers(server)).toEqual([]);
    await server.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%' AND pid <> pg_backend_pid()",
    );
    await blocker;
    expect(await stored(name)).toBe(0);
  });
});

test('nothing of the runs is left on the server', async () => {
  const { server } = world;
  await expect.poll(async () => await leftOvers(server)).toEqual([]);
});
