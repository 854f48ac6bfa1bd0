/** The provider is killed again and again while resources come and go: what counts is how it ends. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { waitFor } from '../rig/process.ts';
import { ownCrossplane } from '../rig/own-cluster.ts';
import { sharedPostgres } from '../rig/servers.ts';
import { conditionOf, connectionSecret } from './objects.ts';
import { CLAIMS, composedOf, installPlatform, unreadyOf } from './platform.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const { cluster, crossplane, stop } = await ownCrossplane();
const server = sharedPostgres(18);
const namespace = 'killed';
const KILLS = 50;
const COUNT = 20;

const formOf = (i: number) => (i % 2 === 0 ? CLAIMS.v1 : CLAIMS.v2);

const claim = (i: number): KubeObject => ({
  apiVersion: formOf(i).apiVersion,
  kind: 'XDatabase',
  metadata: { namespace, name: `kill${i}` },
  spec: {
    engine: 'postgres',
    serverRef: { kind: 'ClusterProviderConfig', name: 'shared-postgres' },
    databaseName: `kill${i}`,
    schemas: [{ name: 's' }],
    roles: [
      { name: 'migrate', access: 'owner' },
      { name: 'app', access: 'readWrite' },
      { name: 'report', access: 'readOnly' },
    ],
    writeConnectionSecretToRef: { name: `kill${i}-db` },
  },
});
const LOGINS = ['app', 'migrate', 'report'];
const GROUPS = ['owner', 'readers', 'writers'];

let provider: ProviderProcess | undefined;
let fn: Awaited<ReturnType<typeof installPlatform>> | undefined;
afterAll(async () => {
  await provider?.stop();
  await fn?.stop();
  await stop();
});

test(`killed at ${KILLS} random moments while ${COUNT} claims come and go, it ends converged: no duplicate, no leak, no lost Secret`, async () => {
  fn = await installPlatform(cluster, crossplane, server, [namespace]);
  const moments = Array.from({ length: KILLS }, () => Math.random());
  const alive = new Set<number>();
  for (const [kill, moment] of moments.entries()) {
    // Two of five turns bring a claim, from the middle on one of five takes one away.
    if (kill % 5 < 2 && kill / 5 < COUNT / 2) {
      const next = Math.floor(kill / 5) * 2 + (kill % 5);
      await cluster.apply([claim(next)]);
      alive.add(next);
    }
    if (kill % 5 === 2 && kill >= KILLS / 2) {
      const [gone] = alive;
      if (gone !== undefined) {
        alive.delete(gone);
        await cluster.kubectl(['delete', formOf(gone).resource, `kill${gone}`, '-n', namespace, '--wait=false']);
      }
    }
    provider = await startProvider(cluster);
    await delay(moment * 600);
    await provider.stop('SIGKILL');
  }
  provider = await startProvider(cluster);
  await waitFor(
    'those alive are ready and the others gone',
    async () => {
      const lists = await Promise.all(
        Object.values(CLAIMS).map(({ resource }) => cluster.get<{ items: Managed[] }>(resource, '-n', namespace)),
      );
      const claims = lists.flatMap(({ items }) => items);
      const late = claims.filter((item) => conditionOf(item, 'Ready')?.status !== 'True');
      if (claims.length === alive.size && late.length === 0) return true;
      const names = late.map(({ metadata }) => metadata.name).join(', ');
      throw new Error(`${claims.length} claims, ${names} late: ${unreadyOf(await composedOf(cluster, namespace))}`);
    },
    { timeout: 200_000, interval: 500 },
  );

  const wanted = [...alive].map((i) => `kill${i}`).toSorted();
  const managed = await waitFor('what nobody claims is gone', async () => {
    const items = await composedOf(cluster, namespace);
    return items.every(({ metadata }) => metadata.deletionTimestamp === undefined) && items;
  });
  expect(Object.keys(Object.groupBy(managed, ({ metadata }) => ownerOf(metadata))).toSorted()).toEqual(wanted);
  const databases = await server.query<{ datname: string }>(
    "SELECT datname FROM pg_database WHERE datname LIKE 'kill%'",
  );
  expect(databases.map((row) => row.datname).toSorted()).toEqual(wanted);
  const roles = await server.query<{ rolname: string }>(
    "SELECT rolname FROM pg_roles WHERE rolname LIKE 'kill%' OR rolname LIKE 'xdatabase_run%'",
  );
  expect(roles.map((row) => row.rolname).toSorted()).toEqual(
    wanted.flatMap((name) => [...LOGINS, ...GROUPS].map((role) => `${name}_${role}`)).toSorted(),
  );
  const secrets = await cluster.get<{ items: { metadata: { name: string } }[] }>('secrets', '-n', namespace);
  const names = secrets.items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith('kill'));
  expect(names.toSorted()).toEqual(
    wanted.flatMap((name) => [`${name}-db`, ...LOGINS.map((role) => `${name}-${role}`)]).toSorted(),
  );
  for (const name of names) {
    const values = await connectionSecret(cluster, namespace, name);
    const login = { name: values['username'] ?? '', password: values['password'] ?? '' };
    expect(await server.queryAs(login, values['database'] ?? '', 'SELECT session_user AS name')).toEqual([
      { name: login.name },
    ]);
  }
});

/** The claim, or the XR without one, that a managed resource was composed for. */
const ownerOf = ({ labels }: Managed['metadata']): string =>
  labels?.['crossplane.io/claim-name'] ?? labels?.['crossplane.io/composite'] ?? '';
