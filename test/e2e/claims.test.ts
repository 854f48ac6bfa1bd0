/** What app teams do with claims beside asking for one: what the claim itself then says, and what becomes of the server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ownCrossplane } from '../rig/own-cluster.ts';
import { waitFor } from '../rig/process.ts';
import { sharedPostgres } from '../rig/servers.ts';
import { lives } from './claims/life.ts';
import { ClaimScene, isReady } from './claims/scene.ts';
import { namespaceOf } from './objects.ts';
import { CLAIMS, installPlatform } from './platform.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const { cluster, crossplane, stop } = await ownCrossplane();
const server = sharedPostgres(18);
const NAMESPACE = 'siblings';
const LONG_NAMESPACE = `n${'o'.repeat(61)}t`;
const LONG_CLAIM = 'x'.repeat(63);

let provider: ProviderProcess;
let fn: Awaited<ReturnType<typeof installPlatform>>;

beforeAll(async () => {
  fn = await installPlatform(cluster, crossplane, server, [NAMESPACE, LONG_NAMESPACE]);
  provider = await startProvider(cluster, { poll: '1m', args: ['--runner-image', 'runner:none'] });
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(provider.log() + fn.log());
  await provider.stop();
  await fn.stop();
  await stop();
});

const scene = new ClaimScene(cluster, server, NAMESPACE);
const claim = scene.claim.bind(scene);
const until = scene.until.bind(scene);
const ready = scene.ready.bind(scene);
const says = scene.says.bind(scene);
const login = scene.login.bind(scene);
const app = { name: 'app', access: 'readWrite' };

describe.each(['v1', 'v2'] as const)('a claim of %s that cannot be had', (version) => {
  test('says why itself, has one event of it, and is Ready once it is mended', async () => {
    const name = `refused-${version}`;
    const wrong = claim(version, name, { serverRef: undefined, class: 'enormous' });
    await cluster.apply(wrong);
    await says(wrong, 'Accepted', /^Refused: spec\.class: "enormous" is not known; allowed: shared$/);
    const told = async () => {
      const { items } = await cluster.get<{
        items: { reason: string; count?: number; involvedObject: { kind: string; name: string } }[];
      }>('events', '-n', NAMESPACE);
      return items.filter(
        ({ reason, involvedObject }) =>
          reason === 'Refused' && involvedObject.kind === 'XDatabase' && involvedObject.name.startsWith(name),
      );
    };
    await expect.poll(told).toHaveLength(1);
    await cluster.kubectl(['delete', CLAIMS[version].resource, name, '-n', NAMESPACE]);
    await ready(claim(version, name, { serverRef: undefined, class: 'shared', roles: [app] }));
  });
});

test.each([
  [
    'a configuration that is not there',
    { serverRef: { name: 'nowhere' } },
    NAMESPACE,
    /ProviderConfigNotFound|there is no ClusterProviderConfig "nowhere"/,
  ],
  ['a configuration that its namespace may not use', {}, 'strangers', /does not allow namespace "strangers"/],
])('%s is named by the claim', async (what, spec, namespace, words) => {
  await cluster.apply(namespaceOf(namespace));
  const object = claim('v1', what.includes('not there') ? 'lost' : 'stranger', spec, namespace);
  await cluster.apply(object);
  await says(object, 'DatabaseReady', words);
});

test('of two claims for one database and one role the older has them, and the other says so until it goes', async () => {
  const first = claim('v1', 'first', {
    databaseName: 'both_want',
    dropPolicy: 'Always',
    roles: [{ name: 'a', access: 'readOnly', username: 'both_are' }],
  });
  await ready(first);
  const second = claim('v1', 'second', {
    databaseName: 'both_want',
    roles: [{ name: 'b', access: 'readOnly', username: 'both_are' }],
  });
  await cluster.apply(second);
  await says(second, 'DatabaseReady', /both_want/);
  await until(second, 'waits for the role too', ({ status }) =>
    ((status as { waitingFor?: string[] }).waitingFor ?? []).some((what) => what.includes('role "both_are"')),
  );
  expect(isReady(await until(first, 'is there', () => true))).toBe(true);
  await cluster.kubectl(['delete', CLAIMS.v1.resource, 'first', '-n', NAMESPACE]);
  await until(second, 'is Ready', isReady);
  await scene.enters('second-b', 'both_want');
});

test('32 roles in whatever order are the same roles; names need not be ASCII, and may be as long as they can', async () => {
  const roles = Array.from({ length: 32 }, (_, n) => ({
    name: `role-${n}`,
    access: n % 2 === 0 ? 'readOnly' : 'readWrite',
    ...(n === 1 ? { username: 'große Nutzerin 用户' } : {}),
  }));
  const spec = { databaseName: 'größe_データ', schemas: [{ name: 'Schéma "x"' }, { name: 's'.repeat(63) }] };
  const object = claim('v2', LONG_CLAIM, { ...spec, roles }, LONG_NAMESPACE);
  await ready(object);
  const user = await login(`${LONG_CLAIM}-role-1`, LONG_NAMESPACE);
  expect(user.name).toBe('große Nutzerin 用户');
  expect(await server.queryAs(user, 'größe_データ', 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  const before = await scene.generations(LONG_CLAIM, LONG_NAMESPACE);
  await cluster.apply(claim('v2', LONG_CLAIM, { ...spec, roles: roles.toReversed() }, LONG_NAMESPACE));
  await until(object, 'is composed of the new order', (current) => {
    const names = (current.status as { secretNames?: string[] } | undefined)?.secretNames;
    return names?.[0] === `${LONG_CLAIM}-role-31`;
  });
  expect(await scene.generations(LONG_CLAIM, LONG_NAMESPACE)).toEqual(before);
});

test('a name that is too long is refused by its bytes, never cut', async () => {
  const object = claim('v1', 'x'.repeat(60), { roles: [app] });
  await cluster.apply(object);
  await says(object, 'Accepted', /spec\.databaseName: "x{60}_owner" has 66 bytes; allowed: 63/);
});

test('a suspended claim lets nobody in, and the same passwords afterwards; a new trigger makes new ones', async () => {
  const spec = { roles: [app] };
  const object = claim('v2', 'door', spec);
  await ready(object);
  const before = await login('door-app');
  const enters = async (user: typeof before): Promise<unknown> => await server.queryAs(user, 'door', 'SELECT 1 AS one');
  await enters(before);
  await cluster.apply(claim('v2', 'door', { ...spec, suspended: true }));
  await until(object, 'is suspended', ({ status }) => (status as { phase?: string }).phase === 'Suspended');
  await expect(enters(before)).rejects.toMatchObject({ code: '28000' });
  await cluster.apply(claim('v2', 'door', { ...spec, suspended: false }));
  await waitFor('the door is open', async () => await enters(before));
  await cluster.apply(claim('v2', 'door', { ...spec, passwordRotation: { trigger: 'now' } }));
  const after = await waitFor('there is a new password', async () => {
    const user = await login('door-app');
    return user.password !== before.password && user;
  });
  await enters(after);
  await expect(enters(before)).rejects.toMatchObject({ code: '28P01' });
});

test('what leaves a claim leaves the server: a schema that is empty, a grant, a role; one that holds tables stays', async () => {
  const both = {
    schemas: [{ name: 'full' }, { name: 'empty' }],
    roles: [
      { name: 'dba', access: 'owner' },
      { ...app, grants: [{ name: 'extra', privileges: ['CREATE'], schema: 'full' }] },
    ],
  };
  const object = claim('v2', 'shrinks', both);
  await ready(object);
  await server.queryAs(await login('shrinks-dba'), 'shrinks', 'CREATE TABLE "full".t (id int)');
  const user = await login('shrinks-app');
  await server.queryAs(user, 'shrinks', 'CREATE TABLE "full".mine (id int); DROP TABLE "full".mine');
  await cluster.apply(claim('v2', 'shrinks', { roles: [both.roles[0], app] }));
  await waitFor('one schema is gone, the other is there', async () => {
    const left = await server.query<{ nspname: string }>(
      "SELECT nspname FROM pg_namespace WHERE nspname IN ('full', 'empty')",
      [],
      'shrinks',
    );
    expect(left).toEqual([{ nspname: 'full' }]);
    return true;
  });
  await waitFor('the grant is gone', async () => {
    await expect(server.queryAs(user, 'shrinks', 'CREATE TABLE "full".mine (id int)')).rejects.toMatchObject({
      code: '42501',
    });
    return true;
  });
});

test('a composite that is deleted in the foreground takes everything along, in whatever order', async () => {
  const object = claim('v2', 'foreground', {
    dropPolicy: 'Always',
    schemas: [{ name: 'app' }],
    roles: [{ name: 'dba', access: 'owner' }, app],
  });
  await ready(object);
  await server.queryAs(await login('foreground-dba'), 'foreground', 'CREATE TABLE app.t (id int)');
  await cluster.kubectl([
    'delete',
    CLAIMS.v2.resource,
    'foreground',
    '-n',
    NAMESPACE,
    '--cascade=foreground',
    '--timeout=120s',
  ]);
  expect(
    await server.query(
      "SELECT datname AS name FROM pg_database WHERE datname = 'foreground' UNION SELECT rolname FROM pg_roles WHERE rolname LIKE 'foreground%'",
    ),
  ).toEqual([]);
});

lives(scene);
