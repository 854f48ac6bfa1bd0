/** The provider is killed again and again while resources come and go: what counts is how it ends. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { waitFor } from '../rig/process.ts';
import { sharedCluster, sharedPostgres } from '../rig/servers.ts';
import { allReady, connectionSecret, managed, namespaceOf, providerConfig, resourceName } from './objects.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const cluster = sharedCluster();
const server = sharedPostgres(18);
const namespace = 'killed';
const KILLS = 50;
const CLAIMS = 20;
const KINDS = ['Database', 'Role', 'Schema', 'Grant', 'DefaultPrivileges'];

/** What a claim is made of, for the provider. */
const claim = (i: number): KubeObject[] => {
  const name = `kill${i}`;
  return [
    managed(
      'Role',
      namespace,
      `${name}-owner`,
      { privileges: { login: false }, onDelete: { reassignOwnedToAdmin: true } },
      { externalName: `${name}_owner` },
    ),
    managed(
      'Role',
      namespace,
      `${name}-app`,
      { connectionDatabase: name },
      { externalName: `${name}_app`, secret: `${name}-app` },
    ),
    managed('Database', namespace, name, { owner: `${name}_owner` }),
    managed('Schema', namespace, `${name}-s`, { database: name, owner: `${name}_owner` }, { externalName: 's' }),
    managed('Grant', namespace, `${name}-connect`, { database: name, role: `${name}_app`, privileges: ['CONNECT'] }),
    managed('Grant', namespace, `${name}-usage`, {
      database: name,
      schema: 's',
      role: `${name}_app`,
      privileges: ['USAGE'],
    }),
    managed('DefaultPrivileges', namespace, `${name}-tables`, {
      database: name,
      targetRole: `${name}_owner`,
      role: `${name}_app`,
      objectType: 'table',
      privileges: ['SELECT'],
    }),
  ];
};

let provider: ProviderProcess | undefined;
afterAll(async () => {
  await provider?.stop();
});

test(`killed at ${KILLS} random moments while ${CLAIMS} claims come and go, it ends converged: no duplicate, no leak, no lost Secret`, async () => {
  await cluster.apply([namespaceOf(namespace), ...providerConfig(namespace, server)]);
  const moments = Array.from({ length: KILLS }, () => Math.random());
  const alive = new Set<number>();
  for (const [kill, moment] of moments.entries()) {
    // Two of five turns bring a claim, from the middle on one of five takes one away.
    if (kill % 5 < 2 && kill / 5 < CLAIMS / 2) {
      const next = Math.floor(kill / 5) * 2 + (kill % 5);
      await cluster.apply(claim(next));
      alive.add(next);
    }
    if (kill % 5 === 2 && kill >= KILLS / 2) {
      const [gone] = alive;
      if (gone !== undefined) {
        alive.delete(gone);
        const names = claim(gone).map((object) => `${resourceName(object.kind)}/${object.metadata.name}`);
        await cluster.kubectl(['delete', ...names, '-n', namespace, '--wait=false']);
      }
    }
    provider = await startProvider(cluster);
    await delay(moment * 600);
    await provider.stop('SIGKILL');
  }
  provider = await startProvider(cluster);
  await waitFor('what was deleted is gone', async () => {
    const { items } = await cluster.get<{ items: Managed[] }>(KINDS.map(resourceName).join(','), '-n', namespace);
    return items.every((item) => item.metadata.deletionTimestamp === undefined) && items.length === alive.size * 7;
  });
  await allReady(cluster, namespace);

  const wanted = [...alive].map((i) => `kill${i}`).toSorted();
  const databases = await server.query<{ datname: string }>(
    "SELECT datname FROM pg_database WHERE datname LIKE 'kill%'",
  );
  expect(databases.map((row) => row.datname).toSorted()).toEqual(wanted);
  const roles = await server.query<{ rolname: string }>(
    "SELECT rolname FROM pg_roles WHERE rolname LIKE 'kill%' OR rolname LIKE 'xdatabase_run%'",
  );
  expect(roles.map((row) => row.rolname).toSorted()).toEqual(
    wanted.flatMap((name) => [`${name}_app`, `${name}_owner`]).toSorted(),
  );
  for (const name of wanted) {
    const values = await connectionSecret(cluster, namespace, `${name}-app`);
    const login = { name: values['username'] ?? '', password: values['password'] ?? '' };
    expect(await server.queryAs(login, name, "SELECT has_schema_privilege('s', 'USAGE') AS usage")).toEqual([
      { usage: true },
    ]);
  }
  const { items } = await cluster.get<{ items: { metadata: { name: string } }[] }>('secrets', '-n', namespace);
  expect(
    items
      .map((item) => item.metadata.name)
      .filter((name) => name.endsWith('-app'))
      .toSorted(),
  ).toEqual(wanted.map((name) => `${name}-app`).toSorted());
});
