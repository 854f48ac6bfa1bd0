/** A claim and a namespaced XR under real Crossplane core: from the file that an app team writes to rows in a table. */
import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { waitFor } from '../rig/process.ts';
import { ownCrossplane } from '../rig/own-cluster.ts';
import { builtProgram, sharedPostgres } from '../rig/servers.ts';
import { conditionOf, connectionSecret, eventsOf, namespaceOf } from './objects.ts';
import { CLAIMS, composedOf, installPlatform, unreadyOf } from './platform.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const { cluster, crossplane, stop } = await ownCrossplane();
const server = sharedPostgres(18);

let provider: ProviderProcess;
let fn: Awaited<ReturnType<typeof installPlatform>>;

beforeAll(async () => {
  fn = await installPlatform(cluster, crossplane, server, ['claims', 'xrs']);
  // The default poll: a short one would add changes of its own to those that Crossplane counts.
  provider = await startProvider(cluster, { poll: '1m' });
});

afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(provider.log() + fn.log());
  await provider.stop();
  await fn.stop();
  await stop();
});

const xdb = async (...args: string[]): Promise<{ code: number; stdout: string }> =>
  await new Promise((resolve) => {
    const { kubeconfig } = cluster;
    const command = [builtProgram('xdb'), ...args, '--kubeconfig', kubeconfig];
    execFile(process.execPath, command, (error, stdout) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout });
    });
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
    ...CLAIMS.v1,
    database: 'orders_claim',
  },
  {
    what: 'an XR of the namespaced v2 XRD',
    namespace: 'xrs',
    ...CLAIMS.v2,
    database: 'orders_xr',
  },
])('$what', ({ namespace, apiVersion, resource, database }) => {
  const login = (values: Record<string, string>) => ({
    name: values['username'] ?? '',
    password: values['password'] ?? '',
  });
  const claim = async (): Promise<Managed> => await cluster.get<Managed>(resource, 'orders', '-n', namespace);
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
        throw new Error(`${JSON.stringify(current.status)} ${unreadyOf(await composedOf(cluster, namespace))}`);
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

  test('is shown with all that it stands for, on the command line', async () => {
    const { code, stdout } = await xdb('status', 'orders', '-n', namespace);
    expect(stdout).toContain(`${namespace}/orders: Ready`);
    expect(stdout).toMatch(/✓ Database orders-/);
    expect(code).toBe(0);
    const table = await xdb('status', '-A', '--json');
    const { claims } = JSON.parse(table.stdout) as { claims: { namespace: string; database: string }[] };
    expect(claims).toContainEqual(expect.objectContaining({ namespace, name: 'orders', phase: 'Ready', database }));
    expect((await xdb('status', 'nothing', '-n', namespace)).code).toBe(1);
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

  test('its deletion removes logins and grants, and keeps the database that holds tables and its owner, with events', async () => {
    await cluster.kubectl(['delete', resource, 'orders', '-n', namespace, '--wait=false']);
    await waitFor(
      'every managed resource is gone',
      async () => {
        const items = await composedOf(cluster, namespace);
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
    expect(
      await server.query('SELECT rolname AS name, rolcanlogin AS login FROM pg_roles WHERE rolname LIKE $1', [
        `${database}%`,
      ]),
    ).toEqual([{ name: `${database}_owner`, login: false }]);
    expect(await server.query('SELECT note FROM app.orders', [], database)).toEqual([{ note: 'first' }]);
    const kept = () => eventsOf(cluster, namespace, 'KeptExternalResource');
    for (const text of [
      `database "${database}" kept: it holds`,
      `role "${database}_owner" kept: it owns database ${database}`,
    ])
      await expect.poll(kept).toContainEqual(expect.stringContaining(text));
  });
});
