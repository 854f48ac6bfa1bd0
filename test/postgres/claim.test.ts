/** What a claim asks for beyond schemas and roles, from its file to what the server lets people do. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { startLocalFunction } from '../../provider/cli/local-function.ts';
import { parseManifests } from '../../provider/local/manifests.ts';
import { parseServerUrl } from '../../provider/local/server-url.ts';
import { LocalStore } from '../../provider/local/store.ts';
import { Workspace } from '../../provider/local/workspace.ts';
import { newestPostgres, sharedPostgres } from '../rig/servers.ts';

const server = sharedPostgres(newestPostgres());
const url = `postgres://${server.adminUser}@${server.host}:${server.port}/postgres?sslmode=disable`;
const database = 'claim_test';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xdatabase-claim-'));
});
afterAll(async () => {
  await server.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
  const roles = await server.query<{ name: string }>('SELECT rolname AS name FROM pg_roles WHERE rolname LIKE $1', [
    `${database}%`,
  ]);
  for (const { name } of roles) await server.query(`DROP ROLE "${name}"`);
  await rm(folder, { recursive: true, force: true });
});

const BASE = {
  serverRef: { name: 'any' },
  databaseName: database,
  schemas: [{ name: 'app' }, { name: 'audit' }],
  roles: [
    { name: 'migrate', access: 'owner' },
    { name: 'app', access: 'readWrite' },
    { name: 'report', access: 'readOnly' },
    {
      name: 'auditor',
      access: 'none',
      grants: [
        { name: 'schema', privileges: ['USAGE'], schema: 'audit' },
        { name: 'log', privileges: ['SELECT', 'INSERT'], schema: 'audit', tables: ['*'] },
      ],
    },
  ],
};

/** Makes the server what the claim says, and gives the password of a role. */
async function apply(change: object = {}): Promise<(role: string) => { name: string; password: string }> {
  const claim = {
    apiVersion: 'xdatabase.dev/v1alpha1',
    kind: 'XDatabase',
    metadata: { name: 'claim-test', namespace: 'team-a' },
    spec: { ...BASE, ...change },
  };
  const file = join(folder, 'claim.yaml');
  await writeFile(file, stringify(claim));
  const store = new LocalStore(join(folder, 'state.json'));
  const workspace = new Workspace(parseServerUrl(url, { XDB_PASSWORD: server.password }), store);
  const fn = await startLocalFunction();
  try {
    const resources = await workspace.load(parseManifests(await readFile(file, 'utf8'), file), fn.address);
    const results = await workspace.apply(resources);
    expect(results.filter(({ ready, synced }) => !(ready && synced)).map(({ message }) => message)).toEqual([]);
    return (role) => {
      const found = resources.find(({ spec }) => spec.writeConnectionSecretToRef?.name === `claim-test-${role}`);
      const { username = '', password = '' } = found === undefined ? {} : store.connectionValues(found);
      return { name: username, password };
    };
  } finally {
    await Promise.allSettled([workspace.close(), fn.stop()]);
  }
}

/** Begins with the name of the database, so that it goes with the rest. */
const referred = `${database}_by`;

/** Manifests that refer to each other, taken in anew with what the state remembers. */
async function referring<T>(
  state: string,
  use: (workspace: Workspace, resources: Managed[]) => Promise<T>,
): Promise<T> {
  const manifest = (kind: string, name: string, forProvider: object, labels = {}): KubeObject => ({
    apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
    kind,
    metadata: {
      name,
      labels,
      annotations: kind === 'Grant' ? {} : { 'crossplane.io/external-name': `${referred}_${name}` },
    },
    spec: { forProvider },
  });
  const [reader, named] = [{ roleSelector: { matchLabels: { of: 'app' } } }, { databaseRef: { name: 'db' } }];
  const workspace = new Workspace(parseServerUrl(url, { XDB_PASSWORD: server.password }), new LocalStore(state));
  try {
    return await use(
      workspace,
      await workspace.load(
        [
          manifest('Role', 'own', { privileges: { login: false } }),
          manifest('Role', 'app', { memberOf: [{ roleRef: { name: 'own' } }] }, { of: 'app' }),
          manifest('Database', 'db', { ownerRef: { name: 'own' } }),
          manifest('Grant', 'connect', { ...reader, ...named, privileges: ['CONNECT', 'CREATE'] }),
          manifest('Grant', 'other', { ...reader, ...named, privileges: ['CREATE'] }),
        ],
        '',
      ),
    );
  } finally {
    await workspace.close();
  }
}

test('what refers to other manifests is planned by their names, as it is applied', async () => {
  const state = join(folder, 'referring.json');
  const planned = async (edit: (resources: Managed[]) => void = () => {}): Promise<string[]> =>
    await referring(state, async (workspace, resources) => {
      edit(resources);
      const plans = await workspace.plan(resources);
      expect(plans.flatMap(({ problem }) => problem ?? [])).toEqual([]);
      return plans.flatMap(({ statements }) => statements.map(({ text }) => text));
    });
  expect((await planned()).filter((text) => !text.startsWith('COMMENT'))).toEqual([
    `CREATE ROLE "${referred}_own" WITH NOLOGIN`,
    `CREATE ROLE "${referred}_app" WITH LOGIN`,
    `GRANT "${referred}_own" TO "${referred}_app"`,
    `CREATE DATABASE "${referred}_db" OWNER "${referred}_own"`,
    `GRANT CREATE, CONNECT ON DATABASE "${referred}_db" TO "${referred}_app"`,
    `GRANT CREATE ON DATABASE "${referred}_db" TO "${referred}_app"`,
  ]);
  await referring(state, async (workspace, resources) => await workspace.apply(resources));
  expect(await planned()).toEqual([]);
  await server.query(`ALTER DATABASE ${referred}_db OWNER TO ${server.adminUser}`);
  expect(await planned()).toEqual([`ALTER DATABASE "${referred}_db" OWNER TO "${referred}_own"`]);
  // The other Grant gives CREATE too.
  const less = (resources: Managed[]): void => {
    resources.find(({ metadata }) => metadata.name === 'connect')!.spec.forProvider['privileges'] = ['CONNECT'];
  };
  expect((await planned(less)).filter((text) => text.startsWith('REVOKE'))).toEqual([]);
  await server.query(`DROP DATABASE ${referred}_db WITH (FORCE)`);
});

const DENIED = expect.objectContaining({ code: '42501' }) as unknown;

test('groups give readers and writers what owners make later, sequences included, and grants give the rest', async () => {
  const login = await apply();
  await server.queryAs(
    login('migrate'),
    database,
    'CREATE TABLE app.orders (id serial PRIMARY KEY); CREATE TABLE audit.log (id serial, what text)',
  );
  await server.queryAs(login('app'), database, 'INSERT INTO app.orders DEFAULT VALUES');
  expect(await server.queryAs(login('report'), database, 'SELECT last_value::int FROM app.orders_id_seq')).toEqual([
    { last_value: 1 },
  ]);
  await expect(server.queryAs(login('report'), database, 'DELETE FROM app.orders')).rejects.toEqual(DENIED);
  await expect(server.queryAs(login('auditor'), database, 'SELECT FROM app.orders')).rejects.toEqual(DENIED);
  // Made after the grant on all tables: the next look gives it.
  await apply();
  expect(await server.queryAs(login('auditor'), database, 'SELECT what FROM audit.log')).toEqual([]);
  await expect(server.queryAs(login('auditor'), database, 'DELETE FROM audit.log')).rejects.toEqual(DENIED);
});

test('what a grant no longer says is taken back, and nothing else', async () => {
  const login = await apply();
  const less = BASE.roles.map((role) =>
    role.grants === undefined
      ? role
      : { ...role, grants: [role.grants[0], { ...role.grants[1], privileges: ['SELECT'] }] },
  );
  await apply({ roles: less });
  await expect(server.queryAs(login('auditor'), database, "INSERT INTO audit.log (what) VALUES ('x')")).rejects.toEqual(
    DENIED,
  );
  expect(await server.queryAs(login('auditor'), database, 'SELECT what FROM audit.log')).toEqual([]);
});

test('a suspended claim lets nobody in, and afterwards everybody with the password that they had', async () => {
  const login = await apply();
  const before = login('app');
  await apply({ suspended: true });
  for (const role of ['migrate', 'app', 'report'])
    await expect(server.queryAs(login(role), database, 'SELECT 1')).rejects.toMatchObject({ code: '28000' });
  const after = (await apply())('app');
  expect(after).toEqual(before);
  expect(await server.queryAs(after, database, 'SELECT count(*)::int AS rows FROM app.orders')).toEqual([{ rows: 1 }]);
});

test('a new trigger replaces every generated password once', async () => {
  const before = (await apply({ passwordRotation: { trigger: 'a' } }))('app');
  const login = await apply({ passwordRotation: { trigger: 'b' } });
  expect(login('app').password).not.toBe(before.password);
  await expect(server.queryAs(before, database, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  expect((await apply({ passwordRotation: { trigger: 'b' } }))('app')).toEqual(login('app'));
});
