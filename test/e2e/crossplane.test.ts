/** A claim and a namespaced XR under real Crossplane core: from the file that an app team writes to rows in a table. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { waitFor } from '../rig/process.ts';
import { sharedCluster, sharedCrossplane, sharedPostgres } from '../rig/servers.ts';
import { startFunctionProcess } from './function-process.ts';
import { conditionOf, connectionSecret, namespaceOf, resourceName, secret } from './objects.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const cluster = sharedCluster();
const server = sharedPostgres(18);
const configuration = join(import.meta.dirname, '../../package/configuration');

let provider: ProviderProcess;
let fn: Awaited<ReturnType<typeof startFunctionProcess>>;

beforeAll(async () => {
  for (const version of ['v1', 'v2']) {
    await cluster.apply(join(configuration, version, 'definition.yaml'));
    await cluster.apply(join(configuration, version, 'composition.yaml'));
  }
  fn = await startFunctionProcess(sharedCrossplane(), 'function-xdatabase');
  // The default poll: a short one would add changes of its own to those that Crossplane counts.
  provider = await startProvider(cluster, { poll: '1m' });
  await cluster.apply([
    namespaceOf('platform'),
    secret('platform', 'admin', { username: server.adminUser, password: server.password }),
    {
      apiVersion: 'm.xdatabase.dev/v1alpha1',
      kind: 'ClusterProviderConfig',
      metadata: { name: 'shared-postgres' },
      spec: {
        engine: 'postgres',
        endpoint: server.host,
        port: server.port,
        credentials: { secretRef: { name: 'admin', namespace: 'platform' } },
        tls: { mode: 'disable' },
        allowedNamespaces: { names: ['claims', 'xrs'] },
      },
    },
  ]);
  await cluster.wait(
    'condition=Established',
    'xrd/compositexdatabases.claim.xdatabase.dev',
    'xrd/xdatabases.xdatabase.dev',
  );
  await cluster.wait('condition=Offered', 'xrd/compositexdatabases.claim.xdatabase.dev');
});

afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(provider.log() + fn.log());
  await provider.stop();
  await fn.stop();
});

const spec = (databaseName: string) => ({
  engine: 'postgres',
  serverRef: { kind: 'ClusterProviderConfig', name: 'shared-postgres' },
  databaseName,
  schemas: [{ name: 'app' }],
  roles: [
    { name: 'migrate', access: 'owner' },
    { name: 'app', access: 'readWrite' },
    { name: 'report', access: 'readOnly' },
  ],
  writeConnectionSecretToRef: { name: 'orders-db' },
});

describe.each([
  {
    what: 'a claim of the v1 XRD',
    namespace: 'claims',
    apiVersion: 'claim.xdatabase.dev/v1alpha1',
    resource: 'xdatabases.claim.xdatabase.dev',
    database: 'orders_claim',
  },
  {
    what: 'an XR of the namespaced v2 XRD',
    namespace: 'xrs',
    apiVersion: 'xdatabase.dev/v1alpha1',
    resource: 'xdatabases.xdatabase.dev',
    database: 'orders_xr',
  },
])('$what', ({ namespace, apiVersion, resource, database }) => {
  const login = (values: Record<string, string>) => ({
    name: values['username'] ?? '',
    password: values['password'] ?? '',
  });
  const claim = async (): Promise<Managed> => await cluster.get<Managed>(resource, 'orders', '-n', namespace);
  const reasonsOf = async (): Promise<string> => {
    const { items } = await cluster.get<{ items: Managed[] }>(
      ['Database', 'Role', 'Schema', 'Grant', 'DefaultPrivileges'].map(resourceName).join(','),
      '-n',
      namespace,
    );
    return items
      .filter((item) => conditionOf(item, 'Ready')?.status !== 'True')
      .map((item) => `${item.kind} ${item.metadata.name}: ${conditionOf(item, 'Synced')?.message}`)
      .join('; ');
  };

  beforeAll(async () => {
    const object: KubeObject = {
      apiVersion,
      kind: 'XDatabase',
      metadata: { namespace, name: 'orders' },
      spec: spec(database),
    };
    await cluster.apply([namespaceOf(namespace), object]);
    await waitFor(
      'it is ready',
      async () => {
        const current = await claim();
        if (conditionOf(current, 'Ready')?.status === 'True') return true;
        throw new Error(`${JSON.stringify(current.status)} ${await reasonsOf()}`);
      },
      { timeout: 120_000, interval: 500 },
    );
  });

  test('says in words what it is', async () => {
    const current = await claim();
    expect(current.status).toMatchObject({ databaseName: database, endpoint: `${server.host}:${server.port}` });
    for (const type of ['DatabaseReady', 'RolesReady', 'GrantsReady'])
      expect(conditionOf(current, type)).toMatchObject({ status: 'True' });
  });

  test('gives a Secret that logs in, with which the app writes into tables that the owner makes later', async () => {
    const app = await waitFor('the Secret', async () => await connectionSecret(cluster, namespace, 'orders-db'));
    const migrate = await connectionSecret(cluster, namespace, 'orders-migrate');
    expect(app).toMatchObject({ username: `${database}_app`, database });
    await server.queryAs(login(migrate), database, 'CREATE TABLE app.orders (id serial PRIMARY KEY, note text)');
    await server.queryAs(login(app), database, "INSERT INTO app.orders (note) VALUES ('first')");
    expect(await server.queryAs(login(app), database, 'SELECT note FROM app.orders')).toEqual([{ note: 'first' }]);
    await expect(server.queryAs(login(app), database, 'CREATE TABLE app.mine (id int)')).rejects.toMatchObject({
      code: '42501',
    });
    await expect(server.queryAs(login(app), database, 'CREATE TABLE public.mine (id int)')).rejects.toMatchObject({
      code: '42501',
    });
  });

  test('a reader reads and does not write', async () => {
    const report = await connectionSecret(cluster, namespace, 'orders-report');
    expect(await server.queryAs(login(report), database, 'SELECT note FROM app.orders')).toEqual([{ note: 'first' }]);
    await expect(
      server.queryAs(login(report), database, "INSERT INTO app.orders (note) VALUES ('x')"),
    ).rejects.toMatchObject({ code: '42501' });
  });

  test('a role that leaves the list leaves the server, and only that role', async () => {
    const { roles, ...rest } = spec(database);
    await cluster.apply({
      apiVersion,
      kind: 'XDatabase',
      metadata: { namespace, name: 'orders' },
      spec: { ...rest, roles: roles.slice(0, 2) },
    });
    // Nobody is left in the group of readers, so it goes too.
    await waitFor(
      'the role is gone, and no other',
      async () => {
        const left = await server.query<{ rolname: string }>('SELECT rolname FROM pg_roles WHERE rolname LIKE $1', [
          `${database}%`,
        ]);
        const names = left.map(({ rolname }) => rolname.slice(database.length + 1)).toSorted();
        if (names.join() === 'app,migrate,owner,writers') return true;
        throw new Error(`${names.join()} ${JSON.stringify((await claim()).status?.conditions)}`);
      },
      { timeout: 90_000 },
    );
  });

  test('its deletion removes roles and grants, and keeps the database that holds tables, with an event', async () => {
    await cluster.kubectl(['delete', resource, 'orders', '-n', namespace, '--wait=false']);
    await waitFor(
      'every managed resource is gone',
      async () => {
        const { items } = await cluster.get<{ items: Managed[] }>(
          ['Database', 'Role', 'Schema', 'Grant', 'DefaultPrivileges'].map(resourceName).join(','),
          '-n',
          namespace,
        );
        if (items.length > 0)
          throw new Error(
            items
              .map((item) => `${item.kind} ${item.metadata.name}: ${conditionOf(item, 'Synced')?.message}`)
              .join('; '),
          );
        return true;
      },
      { timeout: 150_000, interval: 500 },
    );
    expect(await server.query('SELECT rolname FROM pg_roles WHERE rolname LIKE $1', [`${database}%`])).toEqual([]);
    expect(await server.query('SELECT note FROM app.orders', [], database)).toEqual([{ note: 'first' }]);
    const { items } = await cluster.get<{ items: { reason: string; message: string }[] }>('events', '-n', namespace);
    expect(
      items.filter((event) => event.reason === 'KeptExternalResource').map((event) => event.message),
    ).toContainEqual(expect.stringContaining(`database "${database}" kept: it holds`));
  });
});
