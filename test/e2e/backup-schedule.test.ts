/** Schedules with the real CronJob controller: runs by the clock and by hand, edits, retention and test restores. */
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '../../provider/api/kind.ts';
import { jitterOf } from '../../provider/controllers/jobs/names.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { waitFor } from '../rig/process.ts';
import {
  atProvider,
  type BackupWorld,
  contents,
  leftOvers,
  s3Secret,
  s3Storage,
  startBackupWorld,
} from './backup-world.ts';
import {
  allReady,
  conditionOf,
  eventsOf,
  get,
  managed,
  namespaceOf,
  providerConfig,
  resourceName,
  run,
} from './objects.ts';

let world: BackupWorld;
let bucket: string;
/** A server of its own, whose runs by the clock go on beside all that is done here by hand. */
let busy: PostgresServer;
/** Keeps the first of them from ending. */
let holder: Client;
const BUSY = { kind: 'ProviderConfig', name: 'busy' };
const JITTER_MS = 20_000;
const namespace = 'nightly';
/** The 30th of February. */
const NEVER = '0 0 30 2 *';

beforeAll(async () => {
  world = await startBackupWorld();
  bucket = await world.s3.bucket();
  const { cluster, server } = world;
  await cluster.apply([namespaceOf(namespace), ...providerConfig(namespace, server), s3Secret(world, namespace)]);
  await cluster.apply([
    managed('Role', namespace, 'owner', { privileges: { login: false } }, { externalName: 'n_owner' }),
    managed('Database', namespace, 'ledger', { owner: 'n_owner' }),
    managed('Database', namespace, 'mirror', { owner: 'n_owner' }),
  ]);
  await allReady(cluster, namespace);
  await server.query(
    'SET ROLE n_owner; CREATE TABLE entries AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 1000) g',
    [],
    'ledger',
  );
  busy = await startPostgres({ major: 18 });
  await cluster.apply(providerConfig(namespace, busy, BUSY.name));
  await cluster.apply(managed('Database', namespace, 'busy', {}, { config: BUSY }));
  await allReady(cluster, namespace);
  await busy.query('CREATE TABLE entries AS SELECT 1 AS id', [], 'busy');
  holder = new Client({ connectionString: busy.url('busy') });
  holder.on('error', () => {});
  await holder.connect();
  await holder.query('BEGIN; LOCK TABLE entries IN ACCESS EXCLUSIVE MODE');
  await cluster.apply(
    run(
      'BackupSchedule',
      namespace,
      'busy',
      {
        schedule: '* * * * *',
        jitter: `${JITTER_MS / 1000}s`,
        databaseRef: { name: 'busy' },
        storage: s3Storage(world, await world.s3.bucket()),
      },
      BUSY,
    ),
  );
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(world?.provider.log() ?? '');
  await holder?.end().catch(() => {});
  await world?.stop();
  await busy?.stop();
});

const status = async (kind: string, name: string): Promise<Record<string, unknown>> =>
  atProvider(await get(world.cluster, kind, namespace, name));

const until = async (
  kind: string,
  name: string,
  what: string,
  is: (status: Record<string, unknown>) => boolean,
  timeout = 120_000,
): Promise<Record<string, unknown>> =>
  await waitFor(
    `${kind} ${name}: ${what}`,
    async () => {
      const object = await get(world.cluster, kind, namespace, name);
      if (is(atProvider(object))) return atProvider(object);
      throw new Error(JSON.stringify(object.status));
    },
    { timeout, interval: 250 },
  );

/** Starts a run by hand and waits until the status tells of a success that it did not tell of before. */
async function byHand(kind: string, name: string, job: string): Promise<Record<string, unknown>> {
  const before = (await status(kind, name))['lastSuccessTime'];
  const { cronJobName } = await until(kind, name, 'has a CronJob', (s) => s['cronJobName'] !== undefined);
  await waitFor(
    'the CronJob is there',
    async () => await world.cluster.get('cronjob', String(cronJobName), '-n', namespace),
  );
  await world.cluster.kubectl(['create', 'job', job, `--from=cronjob/${String(cronJobName)}`, '-n', namespace]);
  return await until(
    kind,
    name,
    'a run succeeded',
    (s) => s['lastSuccessTime'] !== undefined && s['lastSuccessTime'] !== before,
  );
}

const files = async (): Promise<string[]> => {
  const { Contents = [] } = await world.s3.client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.flatMap(({ Key }) => (Key?.endsWith('.dump.zst') ? [Key] : []));
};

const patch = async (kind: string, name: string, forProvider: Record<string, unknown>): Promise<void> => {
  await world.cluster.kubectl([
    'patch',
    resourceName(kind),
    name,
    '-n',
    namespace,
    '--type=merge',
    '-p',
    JSON.stringify({ spec: { forProvider } }),
  ]);
};

test('a run by hand counts, and retention keeps as many as it says', async () => {
  const storage = s3Storage(world, bucket);
  await world.cluster.apply(
    run('BackupSchedule', namespace, 'b', {
      databaseRef: { name: 'ledger' },
      storage,
      schedule: NEVER,
      countRows: true,
      retention: { keepLast: 2 },
    }),
  );
  for (const job of ['one', 'two', 'three']) {
    const after = await byHand('BackupSchedule', 'b', job);
    expect(after).toMatchObject({ lastBackup: { rows: 1000, engine: 'postgres' }, suspended: false });
  }
  expect(await files()).toHaveLength(2);
  expect(await files()).toContain(
    (await status('BackupSchedule', 'b'))['lastBackup'] === undefined
      ? ''
      : ((await status('BackupSchedule', 'b'))['lastBackup'] as { key: string }).key,
  );
  const schedule = await get(world.cluster, 'BackupSchedule', namespace, 'b');
  expect(conditionOf(schedule, 'LastRunSucceeded')).toMatchObject({ status: 'True' });
  const metrics = await (await fetch(world.provider.metricsUrl)).text();
  expect(metrics).toMatch(
    /xdatabase_schedule_runs_total\{kind="BackupSchedule",namespace="nightly",name="b",run="run",result="success"\} 3/,
  );
  expect(metrics).toMatch(
    /xdatabase_schedule_last_success_timestamp_seconds\{kind="BackupSchedule",namespace="nightly",name="b"\} \d/,
  );
});

test('an edit is applied at once, a run comes by the clock, and none comes while it is suspended', async () => {
  await patch('BackupSchedule', 'b', { schedule: '* * * * *', suspend: true });
  const { cronJobName } = await until(
    'BackupSchedule',
    'b',
    'is suspended',
    (s) => s['suspended'] === true && s['nextRunTime'] === undefined,
  );
  const cronJob = async () =>
    await world.cluster.get<{ spec: { schedule: string; suspend: boolean } }>(
      'cronjob',
      String(cronJobName),
      '-n',
      namespace,
    );
  await expect.poll(async () => (await cronJob()).spec).toMatchObject({ schedule: '* * * * *', suspend: true });
  const before = (await status('BackupSchedule', 'b'))['lastSuccessTime'];
  await patch('BackupSchedule', 'b', { suspend: false });
  await until(
    'BackupSchedule',
    'b',
    'a run came by the clock',
    (s) => s['lastSuccessTime'] !== before && s['lastScheduleTime'] !== undefined && s['nextRunTime'] !== undefined,
  );
  await patch('BackupSchedule', 'b', { schedule: NEVER });
});

test('a CronJob that somebody edits or deletes is put right', async () => {
  const { cronJobName } = await status('BackupSchedule', 'b');
  await world.cluster.kubectl([
    'patch',
    'cronjob',
    String(cronJobName),
    '-n',
    namespace,
    '--type=merge',
    '-p',
    '{"spec":{"schedule":"1 1 1 1 *"}}',
  ]);
  await waitFor(
    'the edit is undone',
    async () =>
      (await world.cluster.get<{ spec: { schedule: string } }>('cronjob', String(cronJobName), '-n', namespace)).spec
        .schedule === NEVER,
  );
  await world.cluster.kubectl(['delete', 'cronjob', String(cronJobName), '-n', namespace]);
  await waitFor('it is back', async () => await world.cluster.get('cronjob', String(cronJobName), '-n', namespace));
});

test('a restore and a copy by schedule bring the rows of now, over those of before', async () => {
  const common = { schedule: NEVER, targetDatabaseRef: { name: 'mirror' }, mode: 'Replace' };
  await world.cluster.apply(
    run('RestoreSchedule', namespace, 'r', {
      ...common,
      source: { storage: s3Storage(world, bucket) },
      sourceDatabaseRef: { name: 'ledger' },
    }),
  );
  await byHand('RestoreSchedule', 'r', 'restore-1');
  expect(await contents(world.server, 'mirror')).toEqual(await contents(world.server, 'ledger'));
  await world.cluster.apply(run('CopySchedule', namespace, 'c', { ...common, sourceDatabaseRef: { name: 'ledger' } }));
  await world.server.query('SET ROLE n_owner; INSERT INTO entries VALUES (1001, $$new$$)', [], 'ledger');
  await byHand('CopySchedule', 'c', 'copy-1');
  expect(await contents(world.server, 'mirror')).toEqual(await contents(world.server, 'ledger'));
  await world.server.query('SET ROLE n_owner; INSERT INTO entries VALUES (1002, $$newer$$)', [], 'ledger');
  await byHand('CopySchedule', 'c', 'copy-2');
  expect(await contents(world.server, 'mirror')).toEqual(await contents(world.server, 'ledger'));
});

test('a test restore proves the newest backup and leaves nothing behind', async () => {
  await patch('BackupSchedule', 'b', { verify: { schedule: NEVER } });
  const name = await waitFor('there is a CronJob for it', async () => {
    const { items } = await world.cluster.get<{ items: { metadata: { name: string } }[] }>(
      'cronjobs',
      '-n',
      namespace,
      '-l',
      'xdatabase.dev/run=verify',
    );
    return items[0]?.metadata.name;
  });
  await world.cluster.kubectl(['create', 'job', 'verify-1', `--from=cronjob/${name}`, '-n', namespace]);
  const after = await until(
    'BackupSchedule',
    'b',
    'a test restore succeeded',
    (s) => s['lastVerifyTime'] !== undefined,
  );
  expect(after['lastVerifiedKey']).toBe((after['lastBackup'] as { key: string }).key);
  await expect.poll(async () => await leftOvers(world.server)).toEqual([]);
});

test('a failure is told with its reason, and the last good backup stays', async () => {
  const before = await files();
  await patch('BackupSchedule', 'b', { storage: { s3: { bucket: 'no-such-bucket' } }, backoffLimit: 0 });
  const { cronJobName } = await status('BackupSchedule', 'b');
  await waitFor(
    'the edit is there',
    async () =>
      (await get(world.cluster, 'BackupSchedule', namespace, 'b')).status?.observedGeneration ===
      (await get(world.cluster, 'BackupSchedule', namespace, 'b')).metadata.generation,
  );
  await world.cluster.kubectl(['create', 'job', 'fails', `--from=cronjob/${String(cronJobName)}`, '-n', namespace]);
  const after = await until('BackupSchedule', 'b', 'a run failed', (s) => s['lastFailureTime'] !== undefined);
  expect(after).toMatchObject({ lastFailureReason: 'BucketNotFound' });
  expect(conditionOf(await get(world.cluster, 'BackupSchedule', namespace, 'b'), 'LastRunSucceeded')).toMatchObject({
    status: 'False',
    reason: 'BucketNotFound',
  });
  expect(await files()).toEqual(before);
});

test('a run that is due while the one before goes on is missed, which is told, and the next one makes it good', async () => {
  const { cluster } = world;
  const missed = await until(
    'BackupSchedule',
    'busy',
    'missed a run',
    (s) => s['lastMissedTime'] !== undefined,
    280_000,
  );
  expect(missed).not.toHaveProperty('lastSuccessTime');
  const schedule = await get(cluster, 'BackupSchedule', namespace, 'busy');
  expect(conditionOf(schedule, 'LastRunSucceeded')).toMatchObject({ status: 'False', reason: 'RunMissed' });
  await expect.poll(() => eventsOf(cluster, namespace, 'RunMissed', 'busy')).not.toEqual([]);
  await holder.end();
  await until(
    'BackupSchedule',
    'busy',
    'a run succeeded that was due after the one that was missed',
    (s) => Date.parse(String(s['lastSuccessTime'])) > Date.parse(String(s['lastMissedTime'])),
    200_000,
  );
  await expect
    .poll(async () => conditionOf(await get(cluster, 'BackupSchedule', namespace, 'busy'), 'LastRunSucceeded'), {
      timeout: 30_000,
    })
    .toMatchObject({ status: 'True' });
});

test('a run by the clock waits for the jitter of its schedule', async () => {
  const { cluster } = world;
  const schedule = await get(cluster, 'BackupSchedule', namespace, 'busy');
  const { items } = await cluster.get<{ items: (KubeObject & { status?: { startTime?: string } })[] }>(
    'jobs',
    '-n',
    namespace,
    '-l',
    `xdatabase.dev/owner-uid=${schedule.metadata.uid}`,
  );
  const waits = items.flatMap(({ metadata, status: { startTime } = {} }) => {
    const due = metadata.annotations?.['batch.kubernetes.io/cronjob-scheduled-timestamp'];
    // One that still waits has not started.
    return due === undefined || startTime === undefined ? [] : [Date.parse(startTime) - Date.parse(due)];
  });
  expect(waits.length).toBeGreaterThan(0);
  // Times of Kubernetes are whole seconds.
  for (const wait of waits) expect(wait).toBeGreaterThan(jitterOf(schedule, JITTER_MS) - 1000);
});

test('a schedule that goes takes everything with it', async () => {
  const { cluster } = world;
  await patch('BackupSchedule', 'b', { storage: { s3: { bucket } }, filePolicy: 'Delete' });
  for (const kind of ['BackupSchedule', 'RestoreSchedule', 'CopySchedule'])
    await cluster.kubectl(['delete', resourceName(kind), '--all', '-n', namespace, '--timeout=100s']);
  const { items } = await cluster.get<{ items: { kind: string; metadata: { name: string } }[] }>(
    'cronjobs,pods',
    '-n',
    namespace,
  );
  expect(
    items.filter(({ metadata }) => !metadata.name.includes('delete')).map(({ metadata }) => metadata.name),
  ).toEqual([]);
  expect(await files()).toEqual([]);
});
