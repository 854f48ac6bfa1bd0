/** Backup, Restore and Copy in a cluster: real Job controllers, real tools, a real object storage. */
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../provider/api/kind.ts';
import { waitFor } from '../rig/process.ts';
import {
  allReady,
  conditionOf,
  get,
  managed,
  namespaceOf,
  providerConfig,
  resourceName,
  run,
  untilCondition,
} from './objects.ts';
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
  /** Keeps dumps from ending until what it gives is called. */
  const holdDumps = (): (() => Promise<void>) => {
    const { server } = world;
    const blocker = server
      .query('BEGIN; LOCK TABLE app1.orders IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)', [], 'shop')
      .catch(() => undefined);
    return async () => {
      await server.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; LOCK%' AND pid <> pg_backend_pid()",
      );
      await blocker;
    };
  };
  const jobsOf = async (name: string): Promise<KubeObject[]> =>
    (await world.cluster.get<{ items: KubeObject[] }>('jobs', '-n', namespace)).items.filter(
      ({ metadata }) => metadata.annotations?.['xdatabase.dev/resource']?.endsWith(`/${name}`) === true,
    );

  test('a provider that is dead when the Job ends records its outcome when it is back, although nothing is to be kept of Jobs', async () => {
    const { cluster, server } = world;
    await cluster.kubectl([
      'patch',
      'providerconfig.m.xdatabase.dev',
      'default',
      '-n',
      namespace,
      '--type=merge',
      '-p',
      '{"spec":{"jobs":{"ttlSecondsAfterFinished":0,"concurrency":3}}}',
    ]);
    const letGo = holdDumps();
    await cluster.apply(
      run('Backup', namespace, 'killed', { databaseRef: { name: 'shop' }, storage: s3Storage(world, bucket) }),
    );
    const [job] = await waitFor('its Job has begun', async () => {
      const jobs = await jobsOf('killed');
      return jobs[0]?.metadata.finalizers?.includes('xdatabase.dev/run') === true && jobs;
    });
    await cluster.apply(
      run('Backup', namespace, 'mute', { databaseRef: { name: 'shop' }, storage: s3Storage(world, bucket) }),
    );
    const begun = async (name: string) => {
      const [now] = await jobsOf(name);
      return now?.metadata.finalizers?.includes('xdatabase.dev/run') === true;
    };
    await waitFor('the other has begun as well', async () => await begun('mute'));
    await world.provider.stop('SIGKILL');
    await letGo();
    const isComplete = ({ status }: KubeObject): boolean =>
      (status as { succeeded?: number } | undefined)?.succeeded === 1;
    for (const name of ['killed', 'mute'])
      await waitFor('the Job is finished', async () => (await jobsOf(name)).every(isComplete));
    // With its pod goes what its runner said.
    const [mute] = await jobsOf('mute');
    const of = [mute?.metadata.name ?? '', '-n', namespace];
    await cluster.kubectl(['delete', 'job', ...of, '--wait=false', '--cascade=foreground']);
    await waitFor('its pod is gone', async () => {
      const { items } = await cluster.get<{ items: KubeObject[] }>('pods', '-n', namespace, '-l', `job-name=${of[0]}`);
      return items.length === 0;
    });
    await world.restartProvider();
    expect(atProvider(await ended(world, 'Backup', namespace, 'killed'))).toMatchObject({
      phase: 'Succeeded',
      jobName: job?.metadata.name,
      key: expect.stringMatching(/^shop\/killed\/shop\//),
    });
    const lost = await ended(world, 'Backup', namespace, 'mute');
    expect(atProvider(lost)).toMatchObject({ phase: 'Succeeded', jobName: of[0] });
    expect(atProvider(lost)).not.toHaveProperty('key');
    for (const name of ['killed', 'mute']) {
      await waitFor('the Job is let go', async () => (await jobsOf(name)).length === 0);
      expect(await stored(name)).toBe(1);
    }
    const source = { backupRef: { name: 'mute' } };
    const target = { sourceDatabase: 'shop', targetDatabaseRef: { name: 'fresh' }, mode: 'Replace' };
    await cluster.apply(run('Restore', namespace, 'of-mute', { source, ...target }));
    expect(atProvider(await ended(world, 'Restore', namespace, 'of-mute'))).toMatchObject({
      phase: 'Succeeded',
      restored: { key: expect.stringMatching(/^shop\/mute\/shop\//) },
    });
    expect(await contents(server, 'fresh')).toEqual(await contents(server, 'shop'));
  });

  test('a manifest that is copied, with all that the first resource remembers, is a run of its own', async () => {
    const { metadata, ...first } = await get(world.cluster, 'Backup', namespace, 'first');
    const { annotations = {} } = metadata;
    expect(annotations['xdatabase.dev/applied']).toContain('Succeeded');
    await world.cluster.apply({ ...first, metadata: { namespace, name: 'another', annotations } });
    const copied = await ended(world, 'Backup', namespace, 'another');
    expect(atProvider(copied)).toMatchObject({
      phase: 'Succeeded',
      key: expect.stringMatching(/^shop\/another\/shop\//),
    });
    expect(await stored('another')).toBe(1);
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

  test('a Job that goes while it runs, however it goes, has failed, is not made again, and leaves nothing', async () => {
    const { cluster, server } = world;
    const letGo = holdDumps();
    const ways = [
      { name: 'deleted', cascade: 'foreground', reason: /JobDeleted|Interrupted/ },
      // As the CronJob controller does for concurrencyPolicy Replace.
      { name: 'without-pods', cascade: 'background', reason: /^JobDeleted$/ },
      { name: 'lost', cascade: 'background', reason: /^JobLost$/ },
    ];
    await Promise.all(
      ways.map(async ({ name, cascade, reason }) => {
        await cluster.apply(
          run('Backup', namespace, name, { databaseRef: { name: 'shop' }, storage: s3Storage(world, bucket) }),
        );
        const [job] = await waitFor('its Job runs', async () => {
          const jobs = await jobsOf(name);
          return (jobs[0]?.['status'] as { active?: number } | undefined)?.active === 1 && jobs;
        });
        const of = [job?.metadata.name ?? '', '-n', namespace];
        await waitFor('its pod runs', () => world.kubelet.log(namespace, of[0] ?? '', 'runner'));
        if (name === 'lost')
          await cluster.kubectl(['patch', 'job', ...of, '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
        await cluster.kubectl(['delete', 'job', ...of, '--wait=false', `--cascade=${cascade}`]);
        expect(atProvider(await ended(world, 'Backup', namespace, name))).toMatchObject({
          phase: 'Failed',
          failureReason: expect.stringMatching(reason),
        });
        await waitFor('the Job is gone', async () => (await jobsOf(name)).length === 0);
      }),
    );
    await expect.poll(async () => await leftOvers(server)).toEqual([]);
    await letGo();
    for (const { name } of ways) expect(await stored(name)).toBe(0);
  });
});

describe('a run that cannot begin', () => {
  const limits = (spec: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { namespace, name: 'small' },
    spec,
  });

  test('says why its Job gets no pod, and says so still when its deadline has passed', async () => {
    const { cluster } = world;
    await cluster.apply(limits({ limits: [{ type: 'Container', max: { memory: '64Mi' } }] }));
    try {
      await cluster.apply(
        run('Backup', namespace, 'refused', {
          databaseRef: { name: 'shop' },
          storage: s3Storage(world, bucket),
          activeDeadlineSeconds: 15,
        }),
      );
      const waiting = await untilCondition(cluster, 'Backup', namespace, 'refused', 'Ready', 'False', 'Waiting');
      const why = /its Job gets no pod: FailedCreate, .*must be less than or equal to memory limit of 64Mi/;
      expect(conditionOf(waiting, 'Ready')?.message).toMatch(why);
      const over = atProvider(await ended(world, 'Backup', namespace, 'refused'));
      expect(over).toMatchObject({ phase: 'Failed', failureReason: 'DeadlineExceeded' });
      expect(over['failureMessage']).toMatch(why);
    } finally {
      await cluster.kubectl(['delete', 'limitrange', 'small', '-n', namespace]);
    }
  });

  test('for want of a right to more than a look keeps nobody from their turn', async () => {
    const { cluster } = world;
    const fields = { databaseRef: { name: 'shop' }, storage: s3Storage(world, bucket) };
    const schedule = run('BackupSchedule', namespace, 'looked-at', { ...fields, schedule: '0 0 30 2 *' });
    await cluster.apply(schedule);
    const { cronJobName } = await waitFor('it has a CronJob', async () => {
      const found = await get(cluster, 'BackupSchedule', namespace, 'looked-at');
      return conditionOf(found, 'Ready')?.status === 'True' && atProvider(found);
    });
    await cluster.apply({ ...schedule, spec: { ...(schedule['spec'] as object), managementPolicies: ['Observe'] } });
    await cluster.kubectl(['create', 'job', 'unwanted', `--from=cronjob/${String(cronJobName)}`, '-n', namespace]);
    await untilCondition(cluster, 'BackupSchedule', namespace, 'looked-at', 'UpToDate', 'False', 'UpdateRestricted');
    const created = run('Backup', namespace, 'made-once', fields);
    const managementPolicies = ['Observe', 'Create', 'Delete'];
    await cluster.apply({ ...created, spec: { ...(created['spec'] as object), managementPolicies } });
    expect(atProvider(await ended(world, 'Backup', namespace, 'made-once'))).toMatchObject({ phase: 'Succeeded' });
    expect(await cluster.get('job', 'unwanted', '-n', namespace)).toMatchObject({ spec: { suspend: true } });
    await cluster.apply(schedule);
    await waitFor('the run that was to wait has ended', async () => {
      const found = await get(cluster, 'BackupSchedule', namespace, 'looked-at');
      return atProvider(found)['lastSuccessTime'] !== undefined;
    });
  });
});

test('a namespace goes although files were to go with it, for which nobody can be sent any more', async () => {
  const { cluster, server } = world;
  const doomed = 'doomed';
  await cluster.apply([namespaceOf(doomed), ...providerConfig(doomed, server), s3Secret(world, doomed)]);
  await cluster.apply(managed('Database', doomed, 'doomed', {}));
  await allReady(cluster, doomed);
  const fields = { databaseRef: { name: 'doomed' }, storage: s3Storage(world, bucket), filePolicy: 'Delete' };
  await cluster.apply(run('Backup', doomed, 'first', fields));
  const { key } = atProvider(await ended(world, 'Backup', doomed, 'first'));
  await cluster.kubectl(['delete', 'namespace', doomed, '--timeout=100s']);
  const { Contents = [] } = await world.s3.client.send(new ListObjectsV2Command({ Bucket: bucket }));
  expect(Contents.map(({ Key }) => Key)).toContain(key);
});

test('nothing of the runs is left on the server', async () => {
  const { server } = world;
  await expect.poll(async () => await leftOvers(server)).toEqual([]);
});
