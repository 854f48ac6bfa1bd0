/** From `npm run package` to claims with backups, a preview and a restored database: what a platform team and an app team see. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { managedKinds } from '../../provider/api/registry.ts';
import { parseManifests } from '../../provider/local/manifests.ts';
import { shellBlocks } from '../rig/pages.ts';
import { waitFor } from '../rig/process.ts';
import { type InstalledWorld, startInstalledWorld, SYSTEM } from './installed-world.ts';
import { conditionOf, connectionSecret } from './objects.ts';
import { CLAIMS, composedOf, unreadyOf } from './platform.ts';

const NAMESPACE = 'team-a';
const CLAIM = CLAIMS.v1.resource;
/** The 30th of February: what runs, runs by hand. */
const NEVER = '0 0 30 2 *';

const world: InstalledWorld = await startInstalledWorld();
const { cluster, kubelet, server } = world;
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG'])
    for (const pod of ['xdatabase-provider', 'function'])
      process.stderr.write(await kubelet.log(SYSTEM, pod, 'package-runtime').catch(String));
  await world.stop();
});

const exampleClaim = async (file: string): Promise<KubeObject & { spec: Record<string, unknown> }> => {
  const [object] = parseManifests(await readFile(join(import.meta.dirname, '../../examples', file), 'utf8'), file);
  return object as KubeObject & { spec: Record<string, unknown> };
};

const claim = async (name: string): Promise<Managed> => await cluster.get<Managed>(CLAIM, name, '-n', NAMESPACE);
const describeOf = async (name: string): Promise<string> => {
  const text = await cluster.kubectl(['describe', CLAIM, name, '-n', NAMESPACE]);
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(`${text}\n`);
  return text;
};

async function until(name: string, what: string, is: (object: Managed) => boolean): Promise<Managed> {
  return await waitFor(
    `claim ${name}: ${what}`,
    async () => {
      const object = await claim(name);
      if (is(object)) return object;
      throw new Error(`${JSON.stringify(object.status)} ${unreadyOf(await composedOf(cluster, NAMESPACE))}`);
    },
    { timeout: 180_000, interval: 500 },
  );
}

const untilReady = async (name: string): Promise<Managed> =>
  await until(name, 'is Ready', (object) => conditionOf(object, 'Ready')?.status === 'True');

async function loginOf(secretName: string): Promise<{ name: string; password: string }> {
  const values = await connectionSecret(cluster, NAMESPACE, secretName);
  return { name: values['username'] ?? '', password: values['password'] ?? '' };
}

test('the quick start ends with a claim that is Ready, said in words, and an address that logs in', async () => {
  expect(world.said).toContain(`${NAMESPACE}/orders: Ready`);
  expect(world.said).toMatch(/^ {2}Database Name:\s+orders$/m);
  const [, uri = ''] = /(postgres(?:ql)?:\/\/\S+)$/.exec(world.said) ?? [];
  const { username, password, pathname } = new URL(uri);
  const name = decodeURIComponent(username);
  expect([name, pathname]).toEqual(['orders_app', '/orders']);
  const login = { name, password: decodeURIComponent(password) };
  expect(await server.queryAs(login, 'orders', 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

describe('the packages', () => {
  test.each([
    ['provider', 'xdatabase-provider-xdatabase'],
    ['function', 'function-xdatabase'],
    ['configuration', 'configuration-xdatabase'],
  ])('the %s is installed and healthy: what it runs answers its probes', async (kind, name) => {
    await waitFor(
      `${kind} ${name} is healthy`,
      async () => {
        const object = await cluster.get<Managed>(`${kind}.pkg.crossplane.io`, name);
        if (['Installed', 'Healthy'].every((type) => conditionOf(object, type)?.status === 'True')) return true;
        throw new Error(JSON.stringify(object.status));
      },
      { timeout: 120_000, interval: 500 },
    );
  });

  test('bring a definition of every kind', async () => {
    for (const { plural, group } of managedKinds) await cluster.get(`${plural}.${group}`, '-A');
  });

  test('hold a function for compositions', async () => {
    const { items } = await cluster.get<{ items: KubeObject[] }>('functionrevision.pkg.crossplane.io');
    expect(items.map(({ status }) => (status as { capabilities?: string[] })?.capabilities)).toEqual([['composition']]);
  });

  test('offer claims and composites, with their Compositions', async () => {
    await cluster.wait(
      'condition=Established',
      'xrd/compositexdatabases.claim.xdatabase.dev',
      'xrd/xdatabases.xdatabase.dev',
    );
    await cluster.wait('condition=Offered', 'xrd/compositexdatabases.claim.xdatabase.dev');
    const { items } = await cluster.get<{ items: KubeObject[] }>('compositions.apiextensions.crossplane.io');
    expect(items).toHaveLength(2);
  });

  test('run as uid 2000 on a root that they cannot write, and may do what Crossplane lets a provider do', async () => {
    const { items } = await cluster.get<{ items: KubeObject[] }>('pods', '-n', SYSTEM);
    for (const pod of items) {
      const { containers, securityContext, serviceAccountName } = pod['spec'] as {
        serviceAccountName: string;
        securityContext: object;
        containers: { image: string; securityContext: object }[];
      };
      expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 2000 });
      expect(containers.map((one) => one.securityContext)).toMatchObject([
        { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
      ]);
      expect(serviceAccountName).not.toBe('default');
    }
    const account = `--as=system:serviceaccount:${SYSTEM}:provider-xdatabase`;
    for (const forbidden of ['pods', 'clusterroles.rbac.authorization.k8s.io', 'deployments.apps'])
      await expect(cluster.kubectl(['auth', 'can-i', 'create', forbidden, '-n', SYSTEM, account])).rejects.toThrow(/./);
  });
});

describe('a claim with backups', () => {
  beforeAll(async () => {
    const orders = await exampleClaim('claim.yaml');
    orders.spec['backup'] = { schedule: NEVER, storage: 'main', countRows: true };
    await cluster.apply(orders);
  });

  test('is Ready, and says what it is and that there is no backup yet', async () => {
    // It was Ready before backups were asked for.
    for (const pattern of [
      /^ {2}Phase:\s+Ready$/m,
      /^ {2}Database Name:\s+orders$/m,
      /^ {2}Engine:\s+postgres$/m,
      new RegExp(`^  Endpoint:\\s+${server.host}:${server.port}$`, 'm'),
      /^ {4}Reason:\s+NoBackupYet$/m,
    ])
      await expect.poll(async () => await describeOf('orders'), { timeout: 60_000, interval: 500 }).toMatch(pattern);
    await untilReady('orders');
  });

  test('a backup that is started by hand is told of', async () => {
    const migrate = await loginOf('orders-migrate');
    await server.queryAs(
      migrate,
      'orders',
      `CREATE TABLE app.customers (id serial PRIMARY KEY, name text, email text);
       INSERT INTO app.customers (name, email) SELECT 'Jane Doe ' || n, 'jane' || n || '@real.example' FROM generate_series(1, 50) n`,
    );
    const [schedule] = (await composedOf(cluster, NAMESPACE)).filter(({ kind }) => kind === 'BackupSchedule');
    const cronJob = `cronjob/${String(schedule?.status?.atProvider?.['cronJobName'])}`;
    await cluster.kubectl(['create', 'job', 'by-hand', `--from=${cronJob}`, '-n', SYSTEM]);
    const { status } = await until('orders', 'has a backup', (object) => {
      return conditionOf(object, 'BackupHealthy')?.status === 'True';
    });
    const { lastTime, lastKey } = (status as { backup?: { lastTime?: string; lastKey?: string } }).backup ?? {};
    expect(Date.now() - Date.parse(lastTime ?? '')).toBeLessThan(120_000);
    expect(lastKey).toMatch(/^team-a\/.+\/orders\/.+\.dump\.zst$/);
    expect(await describeOf('orders')).toMatch(/^ {4}Message:\s+the last backup was made at .+: team-a\//m);
  });
});

describe('a preview', () => {
  test('is a copy in which persons are anonymous, and its application logs in', async () => {
    await cluster.apply(await exampleClaim('claim-preview.yaml'));
    await untilReady('orders-pr-42');
    const app = await loginOf('orders-pr-42-db');
    const rows = await server.queryAs<{ name: string; email: string }>(
      app,
      'orders_pr_42',
      'SELECT name, email FROM app.customers ORDER BY id',
    );
    expect(rows).toHaveLength(50);
    expect(rows[0]).toEqual({ name: 'customer 1', email: '1@example.org' });
    expect(rows.filter(({ name, email }) => /Jane|real/.test(name + email))).toEqual([]);
    await server.queryAs(app, 'orders_pr_42', "INSERT INTO app.customers (name) VALUES ('new')");
  });

  test('has left the source as it was, and cannot reach it', async () => {
    const app = await loginOf('orders-db');
    const [row] = await server.queryAs<{ rows: number }>(
      app,
      'orders',
      "SELECT count(*)::int AS rows FROM app.customers WHERE name LIKE 'Jane%'",
    );
    expect(row).toEqual({ rows: 50 });
    await expect(server.queryAs(await loginOf('orders-pr-42-db'), 'orders', 'SELECT 1')).rejects.toMatchObject({
      code: '42501',
    });
  });

  test('says when it ends', async () => {
    expect(await describeOf('orders-pr-42')).toMatch(/^ {2}Expires At:\s+20\d\d-\d\d-\d\dT/m);
  });
});

test('a claim with source.restoreFrom begins with the rows of the last backup', async () => {
  await server.queryAs(await loginOf('orders-migrate'), 'orders', 'DELETE FROM app.customers');
  const restored = await exampleClaim('claim.yaml');
  restored.metadata.name = 'orders-restored';
  restored.spec['source'] = { restoreFrom: { name: 'orders', storage: 'main' } };
  restored.spec['writeConnectionSecretToRef'] = { name: 'orders-restored-db' };
  await cluster.apply(restored);
  await untilReady('orders-restored');
  const app = await loginOf('orders-restored-db');
  expect(
    await server.queryAs(app, 'orders_restored', 'SELECT count(*)::int AS rows, min(name) AS name FROM app.customers'),
  ).toEqual([{ rows: 50, name: 'Jane Doe 1' }]);
});

test('what the pages tell people to run runs: to look around, to replace passwords, to see what an upgrade would do', async () => {
  const watch = shellBlocks('docs/operations.md', 'What to watch').join('');
  // It ends with 2 while anything is not ready.
  await expect
    .poll(async () => await world.paste(watch), { timeout: 60_000, interval: 500 })
    .toMatch(/^team-a\s+orders-pr-42\s/m);
  // The kubelet of the rig serves no logs.
  const [look = ''] = shellBlocks('docs/troubleshooting.md', 'When a claim says nothing');
  await world.paste(look.replace(/^kubectl logs .*$/m, ''));
  const before = await loginOf('orders-app');
  await world.paste(shellBlocks('docs/operations.md', 'Passwords of roles').join(''));
  await waitFor('there is another password', async () => (await loginOf('orders-app')).password !== before.password);
  await expect
    .poll(async () => await world.paste(shellBlocks('docs/operations.md', 'Upgrade').join('')), { timeout: 60_000 })
    .toContain('Nothing to change');
});

describe('deletion', () => {
  const databases = async (): Promise<string[]> =>
    (
      await server.query<{ datname: string }>("SELECT datname FROM pg_database WHERE datname LIKE 'orders%' ORDER BY 1")
    ).map(({ datname }) => datname);
  const gone = async (name: string): Promise<void> => {
    await cluster.kubectl(['delete', CLAIM, name, '-n', NAMESPACE, '--timeout=120s']);
    const labels = ['-n', NAMESPACE, '-l', `crossplane.io/claim-name=${name}`];
    await waitFor(
      `all of ${name} is gone`,
      async () => {
        const items = (await composedOf(cluster, NAMESPACE)).filter(
          ({ metadata }) => metadata.labels?.['crossplane.io/claim-name'] === name,
        );
        if (items.length === 0) return true;
        throw new Error(`${labels.join(' ')}: ${JSON.stringify(items.map(({ kind, status }) => ({ kind, status })))}`);
      },
      { timeout: 150_000, interval: 500 },
    );
  };

  test('of the source leaves its preview, and its tables, where they are', async () => {
    await gone('orders');
    expect(await databases()).toEqual(['orders', 'orders_pr_42', 'orders_restored']);
    const app = await loginOf('orders-pr-42-db');
    expect(await server.queryAs(app, 'orders_pr_42', 'SELECT count(*)::int AS rows FROM app.customers')).toEqual([
      { rows: 51 },
    ]);
    expect(conditionOf(await claim('orders-pr-42'), 'Ready')?.status).toBe('True');
  });

  test('of a preview drops it with all that it holds, as it says', async () => {
    await gone('orders-pr-42');
    expect(await databases()).toEqual(['orders', 'orders_restored']);
  });

  test('leaves no login, no grant, no Job and no Secret', async () => {
    await gone('orders-restored');
    expect(await server.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'orders%' AND rolcanlogin")).toEqual([]);
    // Kubernetes' own garbage collector ends them, some time after their owners.
    const names = async (...what: string[]): Promise<string> => await cluster.kubectl(['get', '-o', 'name', ...what]);
    await expect.poll(async () => await names('jobs,cronjobs', '-A'), { timeout: 60_000 }).toBe('');
    await expect.poll(async () => await names('secrets', '-n', NAMESPACE), { timeout: 60_000 }).toBe('');
  });
});

test('nothing of it asked for a right that it does not have', async () => {
  const log = await kubelet.log(SYSTEM, 'xdatabase-provider', 'package-runtime');
  expect(log).toContain('at work');
  // It may be there a moment before the role that the RBAC manager makes for it.
  const early = /RBAC: clusterrole\S* \S+ not found/;
  expect(log.split('\n').filter((line) => /forbidden|MissingPermission/i.test(line) && !early.test(line))).toEqual([]);
});
