/** The provider with a real API server and a real PostgreSQL, without a function. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waitFor } from '../rig/process.ts';
import { ownCluster } from '../rig/own-cluster.ts';
import { startPostgres } from '../rig/postgres.ts';
import { builtProgram } from '../rig/servers.ts';
import {
  allReady,
  conditionOf,
  connectionSecret,
  eventsOf,
  get,
  managed,
  namespaceOf,
  providerConfig,
  resourceName,
  secret,
  untilCondition,
} from './objects.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const { cluster, stop } = await ownCluster();
// Statements are counted here: nobody else's may be among them.
const server = await startPostgres({ major: 18 });
let provider: ProviderProcess;

beforeAll(async () => {
  provider = await startProvider(cluster);
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(provider.log());
  await provider.stop();
  await server.stop();
  await stop();
});

const login = (values: Record<string, string>) => ({
  name: values['username'] ?? '',
  password: values['password'] ?? '',
});

describe('a database with an owner, a writer and a reader', () => {
  const namespace = 'p-basic';
  beforeAll(async () => {
    await cluster.apply([namespaceOf(namespace), ...providerConfig(namespace, server)]);
    await cluster.apply([
      managed('Role', namespace, 'owner', { privileges: { login: false } }, { externalName: 'pb_owner' }),
      managed(
        'Role',
        namespace,
        'writer',
        { connectionDatabaseRef: { name: 'db' } },
        { externalName: 'pb_writer', secret: 'writer' },
      ),
      managed('Database', namespace, 'db', { ownerRef: { name: 'owner' } }, { externalName: 'pb' }),
      managed('Schema', namespace, 'app', { databaseRef: { name: 'db' }, ownerRef: { name: 'owner' } }),
      managed('Grant', namespace, 'usage', {
        databaseRef: { name: 'db' },
        schemaRef: { name: 'app' },
        roleRef: { name: 'writer' },
        privileges: ['USAGE'],
      }),
      managed('Grant', namespace, 'tables', {
        database: 'pb',
        schema: 'app',
        role: 'pb_writer',
        tables: ['*'],
        privileges: ['SELECT', 'INSERT'],
      }),
      managed('DefaultPrivileges', namespace, 'tables', {
        database: 'pb',
        targetRole: 'pb_owner',
        role: 'pb_writer',
        objectType: 'table',
        privileges: ['SELECT', 'INSERT'],
      }),
    ]);
    await allReady(cluster, namespace);
  });

  test('is usable with what the connection Secret says', async () => {
    const values = await connectionSecret(cluster, namespace, 'writer');
    expect(values).toMatchObject({
      username: 'pb_writer',
      endpoint: server.host,
      port: String(server.port),
      database: 'pb',
    });
    await server.query('SET ROLE pb_owner; CREATE TABLE app.t (id int)', [], 'pb');
    await server.queryAs(login(values), 'pb', 'INSERT INTO app.t VALUES (1)');
    expect(await server.queryAs(login(values), 'pb', 'SELECT id FROM app.t')).toEqual([{ id: 1 }]);
    await expect(server.queryAs(login(values), 'pb', 'CREATE TABLE app.u (id int)')).rejects.toMatchObject({
      code: '42501',
    });
  });

  test('is planned by xdb as the cluster has it: there is nothing to change', async () => {
    const manifests = await cluster.kubectl(['get', 'managed,secrets', '-n', namespace, '-o', 'yaml']);
    const url = `postgres://${server.adminUser}@${server.host}:${server.port}/postgres?sslmode=disable`;
    const xdb = builtProgram('xdb');
    const child = execFile(process.execPath, [xdb, 'plan', '-f', '-', '--server', url, '--json'], {
      env: { ...process.env, XDB_PASSWORD: server.password },
    });
    child.stdin?.end(manifests);
    const [plan, problems, [code]] = await Promise.all([
      text(child.stdout as Readable),
      text(child.stderr as Readable),
      once(child, 'exit'),
    ]);
    expect({ problems, code, plan: JSON.parse(plan) as unknown }).toMatchObject({
      problems: '',
      code: 0,
      plan: { changes: 0 },
    });
  });

  test('gets a grant back that somebody revoked by hand', async () => {
    await server.query('REVOKE USAGE ON SCHEMA app FROM pb_writer', [], 'pb');
    await waitFor('the grant is back', async () => {
      const [row] = await server.query<{ has: boolean }>(
        "SELECT has_schema_privilege('pb_writer', 'app', 'USAGE') AS has",
        [],
        'pb',
      );
      return row?.has;
    });
  });

  describe('long before the next poll', () => {
    beforeAll(async () => {
      await provider.stop();
      provider = await startProvider(cluster, { poll: '1h' });
    });
    afterAll(async () => {
      await provider.stop();
      provider = await startProvider(cluster);
    });

    test('keeps what a Grant gives that takes the place of another', async () => {
      const named = (name: string, isPaused = false) => {
        const spec = { database: 'pb', schema: 'app', role: 'pb_writer', tables: ['t'], privileges: ['TRIGGER'] };
        const grant = managed('Grant', namespace, name, spec);
        if (isPaused) grant.metadata.annotations = { ...grant.metadata.annotations, 'crossplane.io/paused': 'true' };
        return grant;
      };
      const remove = async (name: string, ...more: string[]): Promise<unknown> =>
        await cluster.kubectl(['delete', resourceName('Grant'), name, '-n', namespace, ...more]);
      await cluster.apply([named('before'), named('after', true)]);
      await untilCondition(cluster, 'Grant', namespace, 'before', 'Ready', 'True');
      await untilCondition(cluster, 'Grant', namespace, 'after', 'Synced', 'False', 'ReconcilePaused');
      const { host, port, adminUser: user, password } = server;
      const slow = new Client({ host, port, user, password, database: 'pb' });
      await slow.connect();
      try {
        await slow.query("BEGIN; SELECT FROM pg_class WHERE oid = 'app.t'::regclass FOR UPDATE");
        await remove('before', '--wait=false');
        await waitFor('it is being revoked', async () => {
          const blocked = "SELECT FROM pg_stat_activity WHERE query LIKE '%REVOKE%' AND wait_event_type = 'Lock'";
          return (await server.query(blocked)).length > 0;
        });
        await cluster.apply(named('after'));
        await untilCondition(cluster, 'Grant', namespace, 'after', 'Synced', 'False', 'Waiting');
      } finally {
        await slow.end();
      }
      await untilCondition(cluster, 'Grant', namespace, 'after', 'Ready', 'True');
      const has = "SELECT has_table_privilege('pb_writer', 'app.t', 'TRIGGER') AS has";
      expect(await server.query(has, [], 'pb')).toEqual([{ has: true }]);
      await remove('after');
    });

    test('gets its Secret back, with a password that works, when somebody deletes it', async () => {
      await cluster.kubectl(['delete', 'secret', 'writer', '-n', namespace]);
      await waitFor('the Secret is back and logs in', async () => {
        const values = await connectionSecret(cluster, namespace, 'writer');
        return (await server.queryAs(login(values), 'pb', 'SELECT 1 AS one')).length === 1;
      });
    });

    test('takes over an edit of the password', async () => {
      const old = await connectionSecret(cluster, namespace, 'writer');
      await cluster.kubectl([
        'patch',
        'secret',
        'writer',
        '-n',
        namespace,
        '--type=merge',
        '-p',
        JSON.stringify({ stringData: { password: 'edited-by-hand' } }),
      ]);
      const edited = { name: 'pb_writer', password: 'edited-by-hand' };
      await waitFor(
        'the new password logs in',
        async () => (await server.queryAs(edited, 'pb', 'SELECT 1 AS one')).length === 1,
      );
      await expect(server.queryAs(login(old), 'pb', 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    });
  });

  test('the removal of a privilege revokes it, once, and nothing else', async () => {
    await cluster.kubectl([
      'patch',
      resourceName('Grant'),
      'tables',
      '-n',
      namespace,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { forProvider: { privileges: ['SELECT'] } } }),
    ]);
    await waitFor('INSERT is gone', async () => {
      const [row] = await server.query<{ insert: boolean; select: boolean }>(
        "SELECT has_table_privilege('pb_writer', 'app.t', 'INSERT') AS insert, has_table_privilege('pb_writer', 'app.t', 'SELECT') AS select",
        [],
        'pb',
      );
      return row?.insert === false && row.select;
    });
  });

  test('two polls of what is converged write nothing, to the server or to the API', async () => {
    await allReady(cluster, namespace);
    await waitFor('the success of every creation is on record', async () => {
      const items = await allReady(cluster, namespace);
      return items.every(
        (item) => item.metadata.annotations?.['crossplane.io/external-create-succeeded'] !== undefined,
      );
    });
    const versions = async () =>
      (
        await cluster.get<{ items: { metadata: { name: string; resourceVersion: string } }[] }>(
          [...['Database', 'Role', 'Schema', 'Grant', 'DefaultPrivileges'].map(resourceName), 'secrets', 'events'].join(
            ',',
          ),
          '-n',
          namespace,
        )
      ).items
        .map((item) => `${item.metadata.name}@${item.metadata.resourceVersion}`)
        .toSorted();
    // Events of what came before are still being written.
    let before = await versions();
    await waitFor(
      'the API is quiet',
      async () => {
        const now = await versions();
        const isSame = JSON.stringify(now) === JSON.stringify(before);
        before = now;
        return isSame;
      },
      { interval: 2_000 },
    );
    await server.query('SELECT pg_stat_statements_reset()');
    const polls = async () =>
      Number(
        /controller_runtime_reconcile_total\{[^}]*controller="managed\/role[^}]*result="requeue_after"[^}]*\} (\d+)/.exec(
          await (await fetch(provider.metricsUrl)).text(),
        )?.[1] ?? 0,
      );
    const start = await polls();
    await waitFor('two polls of both roles', async () => (await polls()) >= start + 4, { timeout: 60_000 });
    expect(await versions()).toEqual(before);
    const writes = await server.query(
      "SELECT query FROM pg_stat_statements WHERE query !~* '^\\s*(select|with|set|begin|commit|show)\\M'",
    );
    expect(writes.filter((row) => !JSON.stringify(row).includes('pg_stat_statements'))).toEqual([]);
  });

  test('goes in any order, and keeps the database that holds tables', async () => {
    await cluster.kubectl([
      'delete',
      ['Role', 'Database', 'Schema', 'Grant', 'DefaultPrivileges'].map(resourceName).join(','),
      '--all',
      '-n',
      namespace,
      '--wait=false',
    ]);
    // The owner owns what is kept, so it stays and says what it owns.
    await waitFor('all but the owner are gone', async () => {
      const { items } = await cluster.get<{ items: { metadata: { name: string } }[] }>(
        ['Role', 'Database', 'Schema', 'Grant', 'DefaultPrivileges'].map(resourceName).join(','),
        '-n',
        namespace,
      );
      return items.length === 1 && items[0]?.metadata.name === 'owner';
    });
    expect(await server.query("SELECT rolname FROM pg_roles WHERE rolname IN ('pb_owner', 'pb_writer')")).toEqual([
      { rolname: 'pb_owner' },
    ]);
    expect(await server.query('SELECT count(*)::int AS n FROM app.t', [], 'pb')).toEqual([{ n: 1 }]);
    await expect
      .poll(() => eventsOf(cluster, namespace, 'KeptExternalResource'))
      .toContainEqual(expect.stringContaining('table'));
    const owner = await untilCondition(cluster, 'Role', namespace, 'owner', 'Synced', 'False', 'DependentObjects');
    expect(conditionOf(owner, 'Synced')?.message).toMatch(/reassignOwned|dropOwned/);
    await cluster.kubectl([
      'patch',
      resourceName('Role'),
      'owner',
      '-n',
      namespace,
      '--type=merge',
      '-p',
      JSON.stringify({ spec: { forProvider: { onDelete: { reassignOwnedToAdmin: true } } } }),
    ]);
    await cluster.wait('delete', `${resourceName('Role')}/owner`, '-n', namespace);
    expect(await server.query("SELECT tableowner FROM pg_tables WHERE tablename = 't'", [], 'pb')).toEqual([
      { tableowner: 'postgres' },
    ]);
  });
});

describe('bad input', () => {
  const namespace = 'p-bad';
  beforeAll(async () => {
    await server.query('CREATE DATABASE pbad_existing');
    await cluster.apply([
      namespaceOf(namespace),
      ...providerConfig(namespace, server),
      ...providerConfig(namespace, server, 'wrong-port', { port: 1 }),
      ...providerConfig(namespace, server, 'needs-tls', { tls: { mode: 'verify-full' } }),
      ...providerConfig(namespace, server, 'wrong-password'),
      secret(namespace, 'wrong-password-admin', { username: server.adminUser, password: 'nope' }),
      ...providerConfig(namespace, server, 'no-secret', { credentials: { secretRef: { name: 'absent' } } }),
      ...providerConfig(namespace, server, 'no-key', {
        credentials: { secretRef: { name: 'default-admin' }, secretKeyMapping: { password: 'passwort' } },
      }),
    ]);
  });

  test.each([
    ['wrong-port', 'Unreachable', /check endpoint and port/],
    ['needs-tls', 'TlsRefused', /tls\.mode/],
    ['wrong-password', 'AuthenticationFailed', /credentials Secret/],
    ['no-secret', 'SecretNotFound', /p-bad\/absent/],
    ['no-key', 'SecretKeyNotFound', /passwort/],
    ['missing', 'ProviderConfigNotFound', /missing/],
  ])('a configuration that is %s gives %s and the remedy, and others go on', async (name, reason, text) => {
    await cluster.apply(
      managed(
        'Role',
        namespace,
        `r-${name}`,
        {},
        { config: { kind: 'ProviderConfig', name }, externalName: `pbad_${name}` },
      ),
    );
    const role = await untilCondition(cluster, 'Role', namespace, `r-${name}`, 'Synced', 'False', reason);
    expect(conditionOf(role, 'Synced')?.message).toMatch(text);
    expect(JSON.stringify(role)).not.toContain(server.password);
    await cluster.apply(
      managed(
        'Role',
        namespace,
        `good-${name}`,
        { privileges: { login: false } },
        { externalName: `pbad_good_${name}` },
      ),
    );
    await untilCondition(cluster, 'Role', namespace, `good-${name}`, 'Ready', 'True');
  });

  test('a configuration heals its resources as soon as its Secret is right', async () => {
    await cluster.apply(
      secret(namespace, 'wrong-password-admin', { username: server.adminUser, password: server.password }),
    );
    await untilCondition(cluster, 'Role', namespace, 'r-wrong-password', 'Ready', 'True');
  });

  test('a name that the server already has is refused, and nothing is touched', async () => {
    await cluster.apply(
      managed(
        'Database',
        namespace,
        'taken',
        { connectionLimit: 7, dropPolicy: 'Always' },
        { externalName: 'pbad_existing' },
      ),
    );
    const database = await untilCondition(cluster, 'Database', namespace, 'taken', 'Synced', 'False', 'AlreadyExists');
    expect(conditionOf(database, 'Synced')?.message).toMatch(/adopt/);
    await cluster.kubectl(['delete', resourceName('Database'), 'taken', '-n', namespace]);
    expect(
      await server.query(
        "SELECT datconnlimit, shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = 'pbad_existing'",
      ),
    ).toEqual([{ datconnlimit: -1, comment: null }]);
  });

  test('a second resource for one object learns who has it, and its deletion sends nothing', async () => {
    await cluster.apply(managed('Database', namespace, 'first', {}, { externalName: 'pbad_twice' }));
    await untilCondition(cluster, 'Database', namespace, 'first', 'Ready', 'True');
    await cluster.apply(
      managed('Database', namespace, 'second', { dropPolicy: 'Always' }, { externalName: 'pbad_twice' }),
    );
    const second = await untilCondition(cluster, 'Database', namespace, 'second', 'Synced', 'False', 'AlreadyManaged');
    expect(conditionOf(second, 'Synced')?.message).toContain('p-bad/first');
    await cluster.kubectl(['delete', resourceName('Database'), 'second', '-n', namespace]);
    expect(conditionOf(await get(cluster, 'Database', namespace, 'first'), 'Ready')?.status).toBe('True');
    expect(await server.query("SELECT 1 AS one FROM pg_database WHERE datname = 'pbad_twice'")).toEqual([{ one: 1 }]);
  });

  test('a configuration in use is held until its last user is gone', async () => {
    await cluster.apply(providerConfig(namespace, server, 'held'));
    await cluster.apply(
      managed(
        'Role',
        namespace,
        'user-of-held',
        { privileges: { login: false } },
        { config: { kind: 'ProviderConfig', name: 'held' }, externalName: 'pbad_held' },
      ),
    );
    await untilCondition(cluster, 'Role', namespace, 'user-of-held', 'Ready', 'True');
    await cluster.kubectl(['delete', 'providerconfigs.m.xdatabase.dev', 'held', '-n', namespace, '--wait=false']);
    await waitFor('it says that it is in use', async () => {
      const config = await cluster.get<Parameters<typeof conditionOf>[0]>(
        'providerconfigs.m.xdatabase.dev',
        'held',
        '-n',
        namespace,
      );
      return conditionOf(config, 'Terminating')?.reason === 'InUse';
    });
    await cluster.kubectl(['delete', resourceName('Role'), 'user-of-held', '-n', namespace]);
    await cluster.wait('delete', 'providerconfigs.m.xdatabase.dev/held', '-n', namespace);
  });

  test('a namespace goes as a whole, with everything that is in it', async () => {
    await cluster.kubectl(['delete', 'namespace', namespace, '--timeout=100s']);
    expect(await server.query("SELECT rolname FROM pg_roles WHERE rolname LIKE 'pbad%'")).toEqual([]);
    expect(await server.query("SELECT datname FROM pg_database WHERE datname LIKE 'pbad%'")).toEqual([
      { datname: 'pbad_existing' },
    ]);
  });
});
