/** Two namespaces on one ClusterProviderConfig: one tries everything to reach what is the other's, or the platform's. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { ownCluster } from '../rig/own-cluster.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { waitFor } from '../rig/process.ts';
import { tries } from '../tenancy/tries.ts';
import type { Try } from '../tenancy/try.ts';
import {
  allReady,
  conditionOf,
  connectionSecret,
  get,
  managed,
  namespaceOf,
  resourceName,
  secret,
  untilCondition,
} from './objects.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const { cluster, stop } = await ownCluster();
const [a, b, outsider] = ['iso-a', 'iso-b', 'iso-c'] as const;
const config = { kind: 'ClusterProviderConfig', name: 'iso' };
let server: PostgresServer;
let provider: ProviderProcess;

const of = (kind: string, namespace: string, name: string, forProvider: object, more: object = {}): KubeObject => {
  const object = managed(kind, namespace, name, { ...forProvider }, { config, ...more });
  if (namespace === a) object.metadata.labels = { team: 'a' };
  return object;
};

const tenant = (namespace: string, letter: string): KubeObject[] => [
  of('Role', namespace, `${letter}-owner`, { privileges: { login: false } }, { externalName: `iso_${letter}_owner` }),
  of('Role', namespace, `${letter}-app`, {}, { externalName: `iso_${letter}_app`, secret: `${letter}-app` }),
  of('Database', namespace, `${letter}-db`, { owner: `iso_${letter}_owner` }, { externalName: `iso_${letter}` }),
  of(
    'Schema',
    namespace,
    `${letter}-schema`,
    { database: `iso_${letter}`, owner: `iso_${letter}_owner` },
    {
      externalName: `${letter}_app`,
    },
  ),
  of('Grant', namespace, `${letter}-usage`, {
    database: `iso_${letter}`,
    schema: `${letter}_app`,
    role: `iso_${letter}_app`,
    privileges: ['USAGE'],
  }),
  of('DefaultPrivileges', namespace, `${letter}-tables`, {
    database: `iso_${letter}`,
    targetRole: `iso_${letter}_owner`,
    role: `iso_${letter}_app`,
    objectType: 'table',
    privileges: ['SELECT'],
  }),
];

/** What the platform made by hand. */
const PLATFORM = [
  'CREATE ROLE iso_dba SUPERUSER LOGIN',
  'CREATE ROLE iso_legacy LOGIN',
  'CREATE ROLE iso_orphan LOGIN',
  'CREATE DATABASE iso_platform',
  'CREATE DATABASE iso_legacy',
  'CREATE DATABASE iso_orphan',
];
const INSIDE_B = `
  CREATE SCHEMA platform;
  CREATE TABLE b_app.platform_table (id int);
  CREATE SEQUENCE b_app.platform_sequence;
  CREATE TYPE b_app.platform_type AS ENUM ('x');
  CREATE FUNCTION b_app.platform_function() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
  REVOKE ALL ON FUNCTION b_app.platform_function() FROM PUBLIC;
  CREATE FOREIGN DATA WRAPPER platform_wrapper;
  CREATE SERVER platform_server FOREIGN DATA WRAPPER platform_wrapper;
  SELECT lo_create(4242);
  SET ROLE iso_b_owner;
  CREATE TABLE b_app.own (id int)`;

beforeAll(async () => {
  server = await startPostgres({ major: 18, settings: { log_statement: 'all', log_line_prefix: '%a ' } });
  provider = await startProvider(cluster, { poll: '2s' });
  await cluster.apply([
    ...[a, b, outsider, 'iso-platform'].map(namespaceOf),
    secret('iso-platform', 'admin', { username: server.adminUser, password: server.password }),
    {
      apiVersion: 'm.xdatabase.dev/v1alpha1',
      kind: 'ClusterProviderConfig',
      metadata: { name: 'iso' },
      spec: {
        engine: 'postgres',
        endpoint: server.host,
        port: server.port,
        credentials: { secretRef: { namespace: 'iso-platform', name: 'admin' } },
        tls: { mode: 'disable' },
        allowedNamespaces: { names: [a, b] },
      },
    },
    ...tenant(a, 'a'),
    ...tenant(b, 'b'),
  ]);
  await Promise.all([allReady(cluster, a), allReady(cluster, b)]);
  for (const statement of PLATFORM) await server.query(statement);
  await server.query(INSIDE_B, [], 'iso_b');
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(provider.log());
  await provider?.stop();
  await server?.stop();
  await stop();
});

/** Statements of the provider that were not only reads, since that place in the log. */
async function changesSince(start: number): Promise<string[]> {
  const log = (await readFile(server.logFile ?? '', 'utf8')).slice(start);
  return log
    .split('\n')
    .filter((line) => line.startsWith('xdatabase ') && /LOG: {2}(statement|execute [^:]*):/.test(line))
    .filter((line) =>
      /: (BEGIN; *)?(CREATE|ALTER|GRANT|REVOKE|DROP|COMMENT|REASSIGN|INSERT|UPDATE|DELETE|DO|BEGIN)\b/i.test(line),
    );
}
const endOfLog = async (): Promise<number> => (await readFile(server.logFile ?? '', 'utf8')).length;

/** Everything about roles, databases, objects and rights on the whole server. */
async function everything(): Promise<unknown> {
  const shared = await server.query(`
    SELECT (SELECT json_agg(r ORDER BY rolname) FROM pg_authid r) AS roles,
      (SELECT json_agg(m ORDER BY m::text) FROM pg_auth_members m) AS members,
      (SELECT json_agg(s ORDER BY s::text) FROM pg_db_role_setting s) AS settings,
      (SELECT json_agg(json_build_array(datname, datdba, datacl, datallowconn, datconnlimit, dattablespace) ORDER BY datname) FROM pg_database) AS databases,
      (SELECT json_agg(d ORDER BY d::text) FROM pg_shdescription d) AS comments`);
  const inside = async (database: string) =>
    await server.query(
      `SELECT (SELECT json_agg(n ORDER BY nspname) FROM pg_namespace n WHERE nspname !~ '^pg_(toast_)?temp') AS schemas,
        (SELECT json_agg(json_build_array(c.oid::regclass::text, relowner, relacl) ORDER BY c.oid) FROM pg_class c) AS relations,
        (SELECT json_agg(json_build_array(p.oid, proowner, proacl) ORDER BY p.oid) FROM pg_proc p) AS routines,
        (SELECT json_agg(d ORDER BY d::text) FROM pg_default_acl d) AS defaults,
        (SELECT json_agg(e ORDER BY extname) FROM pg_extension e) AS extensions`,
      [],
      database,
    );
  return [
    shared,
    await inside('iso_a'),
    await inside('iso_b'),
    await inside('iso_platform'),
    await inside('iso_orphan'),
  ];
}

const stamp = { 'crossplane.io/external-create-succeeded': '2026-01-01T00:00:00Z', 'xdatabase.dev/applied': '{}' };

function attempt({ kind, forProvider = {}, initProvider, externalName, isForged }: Try, index: number): KubeObject {
  const object = of(kind, b, `try-${index}`, forProvider, { externalName: externalName ?? `iso_b_try_${index}` });
  if (isForged === true) Object.assign((object.metadata.annotations ??= {}), stamp);
  if (initProvider !== undefined) (object['spec'] as Managed['spec']).initProvider = initProvider;
  return object;
}

const every = ['Database', 'Role', 'Schema', 'Grant', 'DefaultPrivileges', 'Extension'].map(resourceName).join(',');

/** The tries that are still there, by name. */
async function remaining(): Promise<Map<string, Managed>> {
  const { items } = await cluster.get<{ items: Managed[] }>(every, '-n', b);
  return new Map(items.flatMap((item) => (item.metadata.name.startsWith('try-') ? [[item.metadata.name, item]] : [])));
}

/** The reason for which each try is not in sync; waits until each has one. */
async function refusals(): Promise<Map<string, string>> {
  return await waitFor(
    'every try is refused',
    async () => {
      const synced = [...(await remaining())].map(([name, item]) => [name, conditionOf(item, 'Synced')] as const);
      const open = synced.filter(([, condition]) => condition === undefined).map(([name]) => name);
      if (open.length > 0) throw new Error(`no answer yet for ${open.join(', ')}`);
      return new Map(
        synced.map(([name, condition]) => [
          name,
          condition?.status === 'True' ? 'accepted' : (condition?.reason ?? ''),
        ]),
      );
    },
    { timeout: 120_000, interval: 500 },
  );
}

describe('a namespace of a shared server', () => {
  test('reaches nothing of another, nor of the platform, by any field of any kind', async () => {
    // Resources of b that claim what is the platform's: that they name it proves nothing.
    await cluster.apply([
      of('Role', b, 'fake-dba', {}, { externalName: 'iso_dba' }),
      of('Database', b, 'fake-platform', {}, { externalName: 'iso_platform' }),
    ]);
    await untilCondition(cluster, 'Role', b, 'fake-dba', 'Synced', 'False');
    await untilCondition(cluster, 'Database', b, 'fake-platform', 'Synced', 'False');
    const before = await everything();
    const start = await endOfLog();
    const attempts = tries.map(attempt);
    await cluster.apply(attempts);
    const reasons = await refusals();
    const wrong = tries.flatMap((one, index) => {
      const reason = reasons.get(`try-${index}`);
      return reason === one.reason ? [] : [{ ...one, got: reason }];
    });
    expect(wrong).toEqual([]);
    expect(await changesSince(start)).toEqual([]);
    expect(await everything()).toEqual(before);

    // Whatever was refused can be deleted, and that sends nothing either.
    for (const kind of new Set(tries.map((one) => one.kind))) {
      const names = attempts.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
      await cluster.kubectl(['delete', resourceName(kind), '-n', b, ...names, '--wait=false']);
    }
    await waitFor('all tries are gone', async () => (await remaining()).size === 0);
    expect(await changesSince(start)).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  const finalizers = ['finalizer.managedresource.crossplane.io'];
  const forged = (object: KubeObject, applied: unknown): KubeObject => ({
    ...object,
    metadata: {
      ...object.metadata,
      finalizers,
      annotations: { ...object.metadata.annotations, ...stamp, 'xdatabase.dev/applied': JSON.stringify(applied) },
    },
  });

  test('takes nothing away by a record that it wrote itself', async () => {
    await server.query('SET ROLE iso_a_owner; CREATE TABLE IF NOT EXISTS a_app.orders (id int)', [], 'iso_a');
    await allReady(cluster, a);
    const before = await everything();
    const start = await endOfLog();
    const table = { type: 'table', database: 'iso_a', schema: 'a_app', name: 'orders' };
    const authid = { type: 'table', database: 'iso_b', schema: 'pg_catalog', name: 'pg_authid' };
    const records = [
      forged(
        of('Grant', b, 'forged-a', {
          role: 'iso_a_app',
          database: 'iso_a',
          schema: 'a_app',
          tables: ['*'],
          privileges: ['SELECT'],
        }),
        [{ target: table, privileges: ['SELECT'] }],
      ),
      forged(
        of('Grant', b, 'forged-public', {
          role: 'PUBLIC',
          database: 'iso_b',
          schema: 'b_app',
          tables: ['own'],
          privileges: [],
          exclusive: true,
        }),
        [{ target: authid, privileges: ['SELECT'], as: 'taken' }],
      ),
      forged(
        of('DefaultPrivileges', b, 'forged-defaults', {
          database: 'iso_a',
          targetRole: 'iso_a_owner',
          role: 'iso_a_app',
          objectType: 'table',
          privileges: ['SELECT'],
        }),
        [{ privileges: ['SELECT'] }],
      ),
      forged(of('Grant', b, 'forged-member', { role: 'iso_a_app', memberOf: 'iso_a_owner' }), [
        { memberOf: 'iso_a_owner' },
      ]),
      forged(
        of('Schema', b, 'forged-schema', { database: 'iso_a', dropPolicy: 'Always' }, { externalName: 'a_app' }),
        {},
      ),
      forged(of('Extension', b, 'forged-extension', { database: 'iso_a', extension: 'plpgsql' }), {}),
      forged(of('Role', b, 'forged-role', { onDelete: { dropOwned: true } }, { externalName: 'iso_orphan' }), {}),
      forged(of('Database', b, 'forged-database', { dropPolicy: 'Always' }, { externalName: 'iso_orphan' }), {}),
      forged(of('Role', b, 'forged-app', { onDelete: { dropOwned: true } }, { externalName: 'iso_a_app' }), {}),
    ];
    await cluster.apply(records);
    for (const { kind, metadata } of records)
      await cluster.kubectl(['delete', resourceName(kind), metadata.name, '-n', b, '--timeout=60s']);
    expect(await changesSince(start)).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  test('leaves what it owns to nobody else: not even when the heir is named while the role goes', async () => {
    await cluster.apply([of('Role', b, 'late', {}, { externalName: 'iso_b_late' })]);
    await untilCondition(cluster, 'Role', b, 'late', 'Ready', 'True');
    await server.query('CREATE SCHEMA late AUTHORIZATION iso_b_late', [], 'iso_b');
    const heirs = [{ reassignOwnedTo: 'iso_a_owner' }, { reassignOwnedToAdmin: true }];
    await cluster.kubectl(['delete', resourceName('Role'), 'late', '-n', b, '--wait=false']);
    for (const heir of heirs) {
      const start = await endOfLog();
      const patch = JSON.stringify({
        spec: { forProvider: { onDelete: { reassignOwnedTo: null, reassignOwnedToAdmin: null, ...heir } } },
      });
      await cluster.kubectl(['patch', resourceName('Role'), 'late', '-n', b, '--type=merge', '-p', patch]);
      await untilCondition(cluster, 'Role', b, 'late', 'Synced', 'False', 'NotYours');
      expect(await changesSince(start)).toEqual([]);
    }
    const own = JSON.stringify({
      spec: { forProvider: { onDelete: { reassignOwnedTo: 'iso_b_owner', reassignOwnedToAdmin: null } } },
    });
    await cluster.kubectl(['patch', resourceName('Role'), 'late', '-n', b, '--type=merge', '-p', own]);
    await waitFor(
      'the role is gone',
      async () => (await server.query("SELECT FROM pg_roles WHERE rolname = 'iso_b_late'")).length === 0,
    );
    expect(
      await server.query(
        "SELECT nspowner::regrole::text AS owner FROM pg_namespace WHERE nspname = 'late'",
        [],
        'iso_b',
      ),
    ).toEqual([{ owner: 'iso_b_owner' }]);
  });

  test('overwrites no Secret that is not its own', async () => {
    await cluster.apply([
      secret(b, 'others', { password: 'theirs' }),
      of('Role', b, 'greedy', {}, { externalName: 'iso_b_greedy', secret: 'others' }),
    ]);
    await untilCondition(cluster, 'Role', b, 'greedy', 'Synced', 'False', 'SecretNotOurs');
    expect(await connectionSecret(cluster, b, 'others')).toEqual({ password: 'theirs' });
  });

  test('that the configuration does not name uses nothing of it', async () => {
    const start = await endOfLog();
    await cluster.apply([of('Database', outsider, 'try', {}, { externalName: 'iso_c' })]);
    await untilCondition(cluster, 'Database', outsider, 'try', 'Synced', 'False', 'NamespaceNotAllowed');
    expect(await changesSince(start)).toEqual([]);
  });

  test('cannot keep another from a name by a configuration of its own that leads nowhere', async () => {
    await cluster.apply([
      secret(b, 'bogus', { username: 'nobody', password: 'nothing' }),
      {
        apiVersion: 'm.xdatabase.dev/v1alpha1',
        kind: 'ProviderConfig',
        metadata: { namespace: b, name: 'bogus' },
        spec: {
          engine: 'postgres',
          endpoint: server.host,
          port: server.port,
          credentials: { secretRef: { name: 'bogus' } },
          tls: { mode: 'disable' },
        },
      },
      managed(
        'Role',
        b,
        'squatter',
        {},
        { externalName: 'iso_a_next', config: { kind: 'ProviderConfig', name: 'bogus' } },
      ),
    ]);
    await untilCondition(cluster, 'Role', b, 'squatter', 'Synced', 'False');
    await cluster.apply([of('Role', a, 'next', {}, { externalName: 'iso_a_next' })]);
    await untilCondition(cluster, 'Role', a, 'next', 'Ready', 'True');
  });

  test('does all of that with what is its own', async () => {
    await cluster.apply([
      of(
        'Role',
        b,
        'free',
        {
          memberOf: [{ role: 'iso_b_owner' }],
          configurationParameters: [
            { name: 'Statement_Timeout', value: '5s' },
            { name: 'search_path', value: 'b_app, public' },
          ],
          onDelete: { reassignOwnedTo: 'iso_b_owner' },
        },
        { externalName: 'iso_b_free' },
      ),
      of(
        'Database',
        b,
        'copy',
        { owner: 'iso_b_owner', settings: [{ name: 'work_mem', value: '5MB' }], tablespace: 'pg_default' },
        { externalName: 'iso_b_copy' },
      ),
      of('Schema', b, 'public', { database: 'iso_b', owner: 'iso_b_owner', adopt: true }, { externalName: 'public' }),
      of('Extension', b, 'hstore', { database: 'iso_b', extension: 'hstore', schema: 'public' }),
      of('Grant', b, 'all-tables', {
        role: 'iso_b_free',
        database: 'iso_b',
        schema: 'b_app',
        tables: ['*'],
        privileges: ['SELECT'],
      }),
      of('Grant', b, 'member', { role: 'iso_b_app', memberOf: 'iso_b_owner' }),
    ]);
    for (const [kind, name] of [
      ['Role', 'free'],
      ['Database', 'copy'],
      ['Schema', 'public'],
      ['Extension', 'hstore'],
      ['Grant', 'all-tables'],
      ['Grant', 'member'],
    ] as const)
      await untilCondition(cluster, kind, b, name, 'Ready', 'True');
    // `*` passes over what the platform has there.
    const [rights] = await server.query(
      "SELECT has_table_privilege('iso_b_free', 'b_app.own', 'SELECT') AS own, has_table_privilege('iso_b_free', 'b_app.platform_table', 'SELECT') AS platform",
      [],
      'iso_b',
    );
    expect(rights).toEqual({ own: true, platform: false });
    // An owner that puts a comment of its own on its database does not lose it.
    await server.query("SET ROLE iso_b_owner; COMMENT ON DATABASE iso_b_copy IS 'our orders'");
    const later = JSON.stringify({ spec: { forProvider: { settings: [{ name: 'work_mem', value: '6MB' }] } } });
    await cluster.kubectl(['patch', resourceName('Database'), 'copy', '-n', b, '--type=merge', '-p', later]);
    await waitFor(
      'the new setting is there',
      async () =>
        (await server.query("SELECT FROM pg_db_role_setting WHERE 'work_mem=6MB' = ANY(setconfig)")).length === 1,
    );
    await cluster.kubectl(['delete', resourceName('Database'), 'copy', '-n', b, '--timeout=60s']);
    expect(await server.query("SELECT FROM pg_database WHERE datname = 'iso_b_copy'")).toEqual([]);
    expect((await get(cluster, 'Role', b, 'b-app')).status?.conditions?.every(({ status }) => status === 'True')).toBe(
      true,
    );
  });
});
