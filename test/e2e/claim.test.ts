/** The whole life of a claim under real Crossplane core: backups of it, a preview made from it, and the preview's end. */
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { ownCrossplane } from '../rig/own-cluster.ts';
import { waitFor } from '../rig/process.ts';
import { atProvider, type BackupWorld, PLATFORM, s3Secret, s3Storage, startBackupWorld } from './backup-world.ts';
import { conditionOf, connectionSecret, namespaceOf } from './objects.ts';
import { CLAIMS, composedOf, installPlatform, unreadyOf } from './platform.ts';

const namespace = 'team-a';
const { apiVersion, resource } = CLAIMS.v1;

let world: BackupWorld;
let fn: Awaited<ReturnType<typeof installPlatform>>;
let bucket: string;

beforeAll(async () => {
  const own = await ownCrossplane();
  world = await startBackupWorld({}, {}, own);
  const { cluster, server } = world;
  bucket = await world.s3.bucket();
  const { s3 } = s3Storage(world, bucket);
  const credentialsSecretRef = { ...s3.credentialsSecretRef, namespace: PLATFORM };
  await cluster.apply(s3Secret(world, PLATFORM));
  fn = await installPlatform(cluster, own.crossplane, server, [namespace], {
    storages: [{ name: 'nightly', s3: { ...s3, prefix: 'platform', credentialsSecretRef } }],
  });
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(`${world?.provider.log()}${fn?.log()}`);
  await fn?.stop();
  await world?.stop();
});

const claim = (name: string, spec: Record<string, unknown>): KubeObject => ({
  apiVersion,
  kind: 'XDatabase',
  metadata: { namespace, name },
  spec: {
    class: 'shared',
    schemas: [{ name: 'app' }],
    writeConnectionSecretToRef: { name: `${name}-db` },
    ...spec,
  },
});

const current = async (name: string): Promise<Managed> =>
  await world.cluster.get<Managed>(resource, name, '-n', namespace);

/** Waits until the claim is as it is said, and gives it. */
const until = async (name: string, what: string, is: (claim: Managed) => boolean): Promise<Managed> =>
  await waitFor(
    `claim ${name} ${what}`,
    async () => {
      const found = await current(name);
      if (is(found)) return found;
      throw new Error(`${JSON.stringify(found.status)} ${unreadyOf(await composedOf(world.cluster, namespace))}`);
    },
    { timeout: 120_000, interval: 300 },
  );

const isReady = (found: Managed): boolean => conditionOf(found, 'Ready')?.status === 'True';

const login = async (name: string): Promise<{ name: string; password: string }> => {
  const { username = '', password = '' } = await connectionSecret(world.cluster, namespace, name);
  return { name: username, password };
};

const describeClaim = async (name: string): Promise<string> =>
  await world.cluster.kubectl(['describe', resource, name, '-n', namespace]);

test('a claim with roles, a schema and backups becomes ready, and says that none has been made yet', async () => {
  const { cluster, server } = world;
  await cluster.apply([
    namespaceOf(namespace),
    claim('orders', {
      roles: [
        { name: 'migrate', access: 'owner' },
        { name: 'app', access: 'readWrite' },
        { name: 'report', access: 'readOnly' },
      ],
      backup: { schedule: '0 0 30 2 *', storage: 'nightly', retention: { keepLast: 3 }, countRows: true },
    }),
  ]);
  const ready = await until('orders', 'is ready', isReady);
  expect(ready.status).toMatchObject({ phase: 'Ready', databaseName: 'orders' });
  expect(conditionOf(ready, 'BackupHealthy')).toMatchObject({ status: 'Unknown', reason: 'NoBackupYet' });
  const migrate = await login('orders-migrate');
  await server.queryAs(migrate, 'orders', 'CREATE TABLE app.customers (id int PRIMARY KEY, name text NOT NULL)');
  await server.queryAs(await login('orders-db'), 'orders', "INSERT INTO app.customers VALUES (1, 'Ada'), (2, 'Grace')");
});

test('after the first backup its health is told, on the claim', async () => {
  const { cluster, s3 } = world;
  const items = await composedOf(cluster, namespace);
  const { cronJobName } = atProvider(items.find(({ kind }) => kind === 'BackupSchedule')!);
  await cluster.kubectl(['create', 'job', 'by-hand', `--from=cronjob/${String(cronJobName)}`, '-n', PLATFORM]);
  const healthy = await until(
    'orders',
    'has a backup',
    (found) => conditionOf(found, 'BackupHealthy')?.status === 'True',
  );
  const { lastKey } = (healthy.status as unknown as { backup: { lastKey: string } }).backup;
  expect(conditionOf(healthy, 'BackupHealthy')?.message).toContain(lastKey);
  const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'platform/' }));
  expect(Contents.map(({ Key }) => Key)).toContain(lastKey);
});

test('a preview is a transformed copy, for its own login', async () => {
  const { cluster, server } = world;
  await cluster.apply(
    claim('orders-pr-42', {
      source: {
        copyFrom: { name: 'orders', transformSQL: "UPDATE app.customers SET name = 'customer ' || id" },
      },
      roles: [{ name: 'app', access: 'readWrite' }],
      expiresAfter: '72h',
      dropPolicy: 'Always',
    }),
  );
  await until('orders-pr-42', 'is ready', isReady);
  const app = await login('orders-pr-42-db');
  const rows = 'SELECT id, name FROM app.customers ORDER BY id';
  expect(await server.queryAs(app, 'orders_pr_42', rows)).toEqual([
    { id: 1, name: 'customer 1' },
    { id: 2, name: 'customer 2' },
  ]);
  await server.queryAs(app, 'orders_pr_42', "INSERT INTO app.customers VALUES (3, 'of the preview')");
  expect(await server.query(rows, [], 'orders')).toEqual([
    { id: 1, name: 'Ada' },
    { id: 2, name: 'Grace' },
  ]);
  await expect(server.queryAs(app, 'orders', rows)).rejects.toMatchObject({ code: '42501' });
});

test('kubectl describe tells a stranger what there is and what happened', async () => {
  const source = await describeClaim('orders');
  for (const said of [
    /Phase: +Ready/,
    /Database Name: +orders\n/,
    /Message: +The database: all in place/,
    /Message: +Roles: all in place/,
    /Message: +Privileges: all in place/,
    /Message: +the last backup was made at \S+: platform\//,
    /Secret Names:\s+orders-migrate\s+orders-app\s+orders-report/,
    /Events:[^]*BindCompositeResource/,
  ])
    expect(source).toMatch(said);
  const preview = await describeClaim('orders-pr-42');
  for (const said of [/Phase: +Ready/, /Expires At: +\S+/, /Message: +no backups are asked for/])
    expect(preview).toMatch(said);
  expect(source).not.toContain((await login('orders-db')).password);
});

test('an end in the past ends the preview alone: its login, its database and its Secret go, the claim says so', async () => {
  const { cluster, server } = world;
  await cluster.kubectl([
    'patch',
    resource,
    'orders-pr-42',
    '-n',
    namespace,
    '--type=merge',
    '-p',
    '{"spec":{"expiresAfter":"1m"}}',
  ]);
  const ended = await until('orders-pr-42', 'has ended', ({ status }) => status?.['phase' as never] === 'Expired');
  expect(conditionOf(ended, 'DatabaseReady')).toMatchObject({ status: 'False', reason: 'Expired' });
  await waitFor('nothing of it is left on the server', async () => {
    const left = await server.query(
      "SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'orders\\_pr%' UNION ALL SELECT datname FROM pg_database WHERE datname LIKE 'orders\\_pr%'",
    );
    if (left.length === 0) return true;
    throw new Error(JSON.stringify(left));
  });
  expect(await describeClaim('orders-pr-42')).toMatch(/Message: +its time was over at \S+/);
  expect(await server.query('SELECT count(*)::int AS n FROM app.customers', [], 'orders')).toEqual([{ n: 2 }]);
  expect(isReady(await current('orders'))).toBe(true);
});
