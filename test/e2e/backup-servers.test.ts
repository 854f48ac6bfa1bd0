/** Copies between servers of different versions, and who may do what in a database that a restore has replaced. */
import { isDeepStrictEqual } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { waitFor } from '../rig/process.ts';
import {
  atProvider,
  type BackupWorld,
  contents,
  ended,
  leftOvers,
  s3Secret,
  s3Storage,
  startBackupWorld,
  toolImage,
} from './backup-world.ts';
import { allReady, connectionSecret, managed, namespaceOf, providerConfig, run } from './objects.ts';

const namespace = 'servers';
const old = { kind: 'ProviderConfig', name: 'old' };

let world: BackupWorld;
let server15: PostgresServer;

beforeAll(async () => {
  server15 = await startPostgres({ major: 15 });
  world = await startBackupWorld({ [`postgres:${server15.version}`]: await toolImage() });
  const { cluster, server } = world;
  await cluster.apply([
    namespaceOf(namespace),
    ...providerConfig(namespace, server),
    ...providerConfig(namespace, server15, 'old'),
    s3Secret(world, namespace),
  ]);
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(world?.provider.log() ?? '');
  await world?.stop();
  await server15?.stop();
});

/** The configurations that usages of a resource hold. */
const usages = async (kind: string, name: string): Promise<unknown[]> => {
  const { items } = await world.cluster.get<{ items: (KubeObject & Record<string, Record<string, string>>)[] }>(
    'providerconfigusages.m.xdatabase.dev',
    '-n',
    namespace,
  );
  return items
    .filter(({ resourceRef }) => resourceRef?.['kind'] === kind && resourceRef['name'] === name)
    .map(({ providerConfigRef }) => providerConfigRef)
    .toSorted((a, b) => String(a?.['name']).localeCompare(String(b?.['name'])));
};

const endOf = async (kind: string, name: string): Promise<Record<string, unknown>> =>
  atProvider(await ended(world, kind, namespace, name));

describe('a copy', () => {
  beforeAll(async () => {
    const { cluster, server } = world;
    await cluster.apply([
      managed('Role', namespace, 'owner15', { privileges: { login: false } }, { externalName: 'keeper', config: old }),
      managed('Database', namespace, 'from15', { owner: 'keeper' }, { config: old }),
      managed('Database', namespace, 'to15', { owner: 'keeper' }, { config: old }),
      managed('Role', namespace, 'owner18', { privileges: { login: false } }, { externalName: 'holder' }),
      managed('Database', namespace, 'from18', { owner: 'holder' }),
      managed('Database', namespace, 'to18', { owner: 'holder' }),
    ]);
    await allReady(cluster, namespace);
    const fill = `CREATE SCHEMA shop; CREATE TABLE shop.orders (id serial PRIMARY KEY, person text);
      INSERT INTO shop.orders (person) SELECT 'person ' || g FROM generate_series(1, 5000) g;
      CREATE FUNCTION shop.twice(i int) RETURNS int LANGUAGE sql AS 'SELECT i * 2'`;
    await server15.query(`SET ROLE keeper; ${fill}`, [], 'from15');
    await server.query(`SET ROLE holder; ${fill}`, [], 'from18');
  });

  test('from PostgreSQL 15 to 18 arrives whole, and belongs to the owner there', async () => {
    const { cluster, server } = world;
    await cluster.apply(
      run('Copy', namespace, 'up', {
        sourceProviderConfigRef: old,
        sourceDatabase: 'from15',
        targetDatabaseRef: { name: 'to18' },
      }),
    );
    expect(await endOf('Copy', 'up')).toMatchObject({ phase: 'Succeeded' });
    expect(await contents(server, 'to18')).toEqual(await contents(server15, 'from15'));
    expect(
      await server.query("SELECT DISTINCT tableowner AS owner FROM pg_tables WHERE schemaname = 'shop'", [], 'to18'),
    ).toEqual([{ owner: 'holder' }]);
    expect(await server.query('SELECT shop.twice(21) AS n', [], 'to18')).toEqual([{ n: 42 }]);
  });

  test('from 18 to 15 says why it cannot be, and leaves both as they were', async () => {
    const { cluster, server } = world;
    const before = await contents(server, 'from18');
    await cluster.apply(
      run(
        'Copy',
        namespace,
        'down',
        {
          sourceProviderConfigRef: { kind: 'ProviderConfig', name: 'default' },
          sourceDatabase: 'from18',
          targetDatabaseRef: { name: 'to15' },
        },
        old,
      ),
    );
    const copy = await endOf('Copy', 'down');
    expect(copy).toMatchObject({ phase: 'Failed', failureReason: 'ToolFailed' });
    expect(copy['failureMessage']).toMatch(/transaction_timeout|unsupported version/);
    expect(await contents(server15, 'to15')).toEqual({});
    expect(await contents(server, 'from18')).toEqual(before);
  });

  test('holds the configuration that it reads from until it is gone itself', async () => {
    const { cluster, server } = world;
    await cluster.apply([
      ...providerConfig(namespace, server15, 'reading'),
      ...providerConfig(namespace, server15, 'other'),
      managed('Database', namespace, 'read18', { owner: 'holder' }),
    ]);
    await allReady(cluster, namespace);
    const reading = { kind: 'ProviderConfig', name: 'reading' };
    const copy = run('Copy', namespace, 'reading', {
      sourceProviderConfigRef: reading,
      sourceDatabase: 'from15',
      targetDatabaseRef: { name: 'read18' },
    });
    const holder = new Client({ connectionString: server15.url('from15') });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE shop.orders IN ACCESS EXCLUSIVE MODE');
    await cluster.apply(copy);
    await waitFor('the copy waits for the lock', async () => {
      const waiting =
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename LIKE 'xdatabase_run_%'";
      return (await server15.query(waiting)).length > 0;
    });
    await cluster.kubectl(['delete', 'providerconfig.m.xdatabase.dev', 'reading', '-n', namespace, '--wait=false']);
    await waitFor('the configuration says why it stays', async () => {
      const { conditions = [] } =
        (await cluster.get<Managed>('providerconfig.m.xdatabase.dev', 'reading', '-n', namespace)).status ?? {};
      return conditions.some(({ message }) => message === 'Blocking deletion while usages still exist');
    });
    expect(await usages('Copy', 'reading')).toEqual([{ kind: 'ProviderConfig', name: 'default' }, reading]);
    await holder.end();
    expect(await endOf('Copy', 'reading')).toMatchObject({ phase: 'Succeeded' });
    expect(await contents(server, 'read18')).toEqual(await contents(server15, 'from15'));
    await cluster.kubectl(['delete', 'copy.backup.m.xdatabase.dev', 'reading', '-n', namespace, '--timeout=60s']);
    await cluster.kubectl([
      'wait',
      '--for=delete',
      'providerconfig.m.xdatabase.dev/reading',
      '-n',
      namespace,
      '--timeout=60s',
    ]);
  });

  test('by schedule holds the configuration that it reads from now, and no longer the one before', async () => {
    const { cluster } = world;
    const schedule = (source: string) =>
      run('CopySchedule', namespace, 'moves', {
        schedule: '0 0 30 2 *',
        mode: 'Replace',
        sourceProviderConfigRef: { kind: 'ProviderConfig', name: source },
        sourceDatabase: 'from15',
        targetDatabaseRef: { name: 'read18' },
      });
    for (const source of ['old', 'other']) {
      await cluster.apply(schedule(source));
      await waitFor(`its source is ${source}`, async () =>
        isDeepStrictEqual(await usages('CopySchedule', 'moves'), [
          { kind: 'ProviderConfig', name: 'default' },
          { kind: 'ProviderConfig', name: source },
        ]),
      );
    }
    await cluster.kubectl(['delete', 'copyschedule.backup.m.xdatabase.dev', 'moves', '-n', namespace, '--timeout=60s']);
  });

  test('leaves no login and no database on either server', async () => {
    for (const server of [world.server, server15]) await expect.poll(async () => await leftOvers(server)).toEqual([]);
  });
});

describe('after a Restore that replaced a database', () => {
  type Login = { name: string; password: string };
  let [app, stranger]: [Login | undefined, Login | undefined] = [undefined, undefined];
  const READ = 'SELECT count(*)::int AS n FROM app.orders';
  const denied = { code: '42501' };

  beforeAll(async () => {
    const { cluster, server } = world;
    const database = { databaseRef: { name: 'live' } };
    await cluster.apply([
      managed('Role', namespace, 'live-owner', { privileges: { login: false } }, { externalName: 'live_owner' }),
      managed('Role', namespace, 'app', {}, { externalName: 'live_app', secret: 'app' }),
      managed('Role', namespace, 'stranger', {}, { externalName: 'live_stranger', secret: 'stranger' }),
      managed('Database', namespace, 'live', { owner: 'live_owner' }),
      managed('Schema', namespace, 'app', { ...database, owner: 'live_owner' }),
      managed('Grant', namespace, 'usage', { ...database, schema: 'app', role: 'live_app', privileges: ['USAGE'] }),
      managed('Grant', namespace, 'tables', {
        ...database,
        schema: 'app',
        role: 'live_app',
        tables: ['*'],
        privileges: ['SELECT', 'INSERT'],
      }),
      managed('DefaultPrivileges', namespace, 'later', {
        ...database,
        schema: 'app',
        targetRole: 'live_owner',
        role: 'live_app',
        objectType: 'table',
        privileges: ['SELECT'],
      }),
    ]);
    await allReady(cluster, namespace);
    await server.query(
      `SET ROLE live_owner; CREATE TABLE app.orders (id int); INSERT INTO app.orders SELECT generate_series(1, 100)`,
      [],
      'live',
    );
    const login = async (name: string): Promise<Login> => {
      const { username = '', password = '' } = await connectionSecret(cluster, namespace, name);
      return { name: username, password };
    };
    [app, stranger] = [await login('app'), await login('stranger')];
    await cluster.apply(
      run('Backup', namespace, 'live', {
        databaseRef: { name: 'live' },
        storage: s3Storage(world, await world.s3.bucket()),
      }),
    );
    expect(await endOf('Backup', 'live')).toMatchObject({ phase: 'Succeeded' });
    await server.query('DELETE FROM app.orders', [], 'live');
    await cluster.apply(
      run('Restore', namespace, 'live', {
        source: { backupRef: { name: 'live' } },
        targetDatabaseRef: { name: 'live' },
        mode: 'Replace',
      }),
    );
    expect(await endOf('Restore', 'live')).toMatchObject({ phase: 'Succeeded' });
  });

  test('the role of the application works with what came back, and with what comes later', async () => {
    const { server } = world;
    await expect
      .poll(async () => await server.queryAs(app!, 'live', READ).catch((error: Error) => error.message), {
        timeout: 30_000,
      })
      .toEqual([{ n: 100 }]);
    await server.queryAs(app!, 'live', 'INSERT INTO app.orders VALUES (101)');
    await expect(server.queryAs(app!, 'live', 'DROP TABLE app.orders')).rejects.toMatchObject(denied);
    await allReady(world.cluster, namespace);
    await server.query('SET ROLE live_owner; CREATE TABLE app.later AS SELECT 1 AS one', [], 'live');
    expect(await server.queryAs(app!, 'live', 'SELECT one FROM app.later')).toEqual([{ one: 1 }]);
  });

  test('a stranger reads nothing of it', async () => {
    await expect(world.server.queryAs(stranger!, 'live', READ)).rejects.toMatchObject(denied);
  });
});
