/** The provider with a real API server and the stand-in for CockroachDB: logins, roles, schemas, grants and backups. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from 'pg';
import type { Managed } from '../../provider/api/kind.ts';
import { Simulator } from '../rig/cockroachdb/simulator.ts';
import { ownCluster } from '../rig/own-cluster.ts';
import { waitFor } from '../rig/process.ts';
import {
  allReady,
  conditionOf,
  connectionSecret,
  get,
  managed,
  namespaceOf,
  run,
  secret,
  untilCondition,
} from './objects.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const { cluster, stop } = await ownCluster();
const server = await Simulator.start({ version: '25.2', secure: true });
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

const ca = server.authority!.certificate;

const certificate = (commonName: string) => {
  const { certificate: cert, key } = server.authority!.issue({ commonName, usage: 'client', hosts: [] });
  return { 'tls.crt': cert, 'tls.key': key };
};

/** The administrator logs in with a certificate, as on most clusters. */
const config = (kind: string, namespace: string, name: string, more: object = {}) => {
  const where = kind === 'ProviderConfig' ? {} : { namespace };
  return [
    secret(namespace, `${name}-admin`, { username: 'root', 'ca.crt': ca, ...certificate('root') }),
    {
      apiVersion: 'm.xdatabase.dev/v1alpha1',
      kind,
      metadata: kind === 'ProviderConfig' ? { namespace, name } : { name },
      spec: {
        engine: 'cockroachdb',
        endpoint: server.host,
        port: server.port,
        credentials: { secretRef: { ...where, name: `${name}-admin` } },
        tls: {
          caSecretRef: { ...where, name: `${name}-admin` },
          clientCertSecretRef: { ...where, name: `${name}-admin` },
        },
        storages: [
          {
            name: 'main',
            s3: { bucket: 'testbucket', credentialsSecretRef: { ...where, name: `${name}-s3` } },
          },
        ],
        ...more,
      },
    },
    secret(namespace, `${name}-s3`, { AWS_ACCESS_KEY_ID: 'MYKEY', AWS_SECRET_ACCESS_KEY: 'very-secret-key' }),
  ];
};

async function query(user: { name: string; password?: string }, database: string, text: string): Promise<unknown[]> {
  const client = new Client({
    host: server.host,
    port: server.port,
    user: user.name,
    password: user.password ?? server.rootPassword,
    database,
    ssl: { ca },
  });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.query(text)).rows;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Why what is left is left. */
async function saidBy(namespace: string): Promise<string> {
  const kinds = ['roles.sql', 'databases.sql', 'backups.backup', 'backupschedules.backup', 'restores.backup'];
  const names = kinds.map((kind) => `${kind}.m.xdatabase.dev`).join(',');
  const { items } = await cluster.get<{ items: Managed[] }>(names, '-n', namespace);
  return items.map((item) => `${item.kind} ${item.metadata.name}: ${conditionOf(item, 'Synced')?.message}`).join('; ');
}

const root = { name: 'root' };
const login = (values: Record<string, string>) => ({
  name: values['username'] ?? '',
  password: values['password'] ?? '',
});
const databases = async (): Promise<string[]> =>
  ((await query(root, 'defaultdb', 'SELECT database_name FROM [SHOW DATABASES]')) as { database_name: string }[]).map(
    ({ database_name: name }) => name,
  );
const users = async (): Promise<string[]> =>
  ((await query(root, 'defaultdb', 'SELECT username FROM [SHOW ROLES]')) as { username: string }[]).map(
    ({ username }) => username,
  );

describe('a server of a namespace of its own', () => {
  const namespace = 'cr-own';
  beforeAll(async () => {
    await cluster.apply([namespaceOf(namespace), ...config('ProviderConfig', namespace, 'default')]);
    await cluster.apply([
      managed(
        'Role',
        namespace,
        'owner',
        { privileges: { login: false }, onDelete: { reassignOwnedToAdmin: true } },
        { externalName: 'ledger_owner' },
      ),
      managed(
        'Role',
        namespace,
        'app',
        { connectionDatabaseRef: { name: 'db' } },
        { externalName: 'userwithgeneratedsecret', secret: 'generated-secret' },
      ),
      managed('Database', namespace, 'db', { ownerRef: { name: 'owner' } }, { externalName: 'example-db' }),
      managed(
        'Schema',
        namespace,
        'schema',
        { databaseRef: { name: 'db' }, ownerRef: { name: 'owner' } },
        { externalName: 'app1' },
      ),
      managed('Grant', namespace, 'usage', {
        databaseRef: { name: 'db' },
        schemaRef: { name: 'schema' },
        roleRef: { name: 'app' },
        privileges: ['USAGE'],
      }),
      managed('DefaultPrivileges', namespace, 'tables', {
        databaseRef: { name: 'db' },
        targetRoleRef: { name: 'owner' },
        roleRef: { name: 'app' },
        objectType: 'table',
        privileges: ['SELECT', 'INSERT'],
      }),
    ]);
    await allReady(cluster, namespace);
  });

  test('is logged in to by certificate, and says what it is (CR1)', async () => {
    const found = await cluster.get<{ status: { version?: string } }>(
      'providerconfigs.m.xdatabase.dev',
      'default',
      '-n',
      namespace,
    );
    expect(JSON.stringify(found.status)).toContain('25.2.1');
  });

  test('has a role whose generated Secret is enough to log in, and is remade (CR2)', async () => {
    const values = await connectionSecret(cluster, namespace, 'generated-secret');
    expect(values).toMatchObject({
      username: 'userwithgeneratedsecret',
      port: String(server.port),
      database: 'example-db',
    });
    expect(await query(login(values), 'example-db', 'SELECT 1 AS one')).toHaveLength(1);
    await cluster.kubectl(['delete', 'secret', 'generated-secret', '-n', namespace]);
    await waitFor('the Secret is back and logs in', async () => {
      const again = await connectionSecret(cluster, namespace, 'generated-secret').catch(() => undefined);
      return again !== undefined && (await query(login(again), 'example-db', 'SELECT 1 AS one').catch(() => undefined));
    });
  });

  test('gives rights that are used, and refuses others with 42501 (CR3, CR6)', async () => {
    const app = login(await connectionSecret(cluster, namespace, 'generated-secret'));
    await query(root, 'example-db', 'SET ROLE ledger_owner');
    await expect(query(app, 'example-db', 'CREATE TABLE app1.t (id int)')).rejects.toMatchObject({ code: '42501' });
    await cluster.kubectl(['delete', 'grants.sql.m.xdatabase.dev', 'usage', '-n', namespace, '--wait=true']);
    const held = await query(
      root,
      'example-db',
      "SELECT grantee FROM [SHOW GRANTS ON SCHEMA app1] WHERE grantee = 'userwithgeneratedsecret'",
    );
    expect(held).toEqual([]);
  });

  test('is backed up by itself, once and by schedule, and restored (CR4, CR5)', async () => {
    await query(root, 'example-db', 'CREATE TABLE public.items (id int)');
    await query(root, 'example-db', 'INSERT INTO public.items VALUES (1), (2)');
    for (const oid of server.made.keys()) server.made.set(oid, new Date(0));
    await cluster.apply([
      run('Backup', namespace, 'once', { databaseRef: { name: 'db' }, storage: { name: 'main' } }),
      run('BackupSchedule', namespace, 'nightly', {
        databaseRef: { name: 'db' },
        storage: { name: 'main' },
        schedule: '0 0 * * *',
        cockroachdb: { fullBackup: 'Always' },
      }),
    ]);
    const backup = await untilCondition(cluster, 'Backup', namespace, 'once', 'Ready', 'True');
    expect(backup.status?.atProvider).toMatchObject({ phase: 'Succeeded', engine: 'cockroachdb' });
    const schedule = await untilCondition(cluster, 'BackupSchedule', namespace, 'nightly', 'Ready', 'True');
    expect(String(schedule.status?.atProvider?.['command'])).toMatch(/^BACKUP DATABASE "example-db" INTO 'external:/);
    await query(root, 'example-db', 'DELETE FROM public.items WHERE id = 1');
    await cluster.apply(
      run('Restore', namespace, 'back', {
        source: { backupRef: { name: 'once' } },
        targetDatabaseRef: { name: 'db' },
        mode: 'Replace',
      }),
    );
    const restore = await untilCondition(cluster, 'Restore', namespace, 'back', 'Ready', 'True');
    expect(restore.status?.atProvider).toMatchObject({ phase: 'Succeeded' });
    expect(await query(root, 'example-db', 'SELECT id FROM public.items ORDER BY id')).toHaveLength(2);
    await allReady(cluster, namespace);
    const said = JSON.stringify([
      server.statements.map(({ text }) => text),
      [...server.state.jobs.values()].map(({ description }) => description),
      await cluster.get(
        'events,backups.backup.m.xdatabase.dev,backupschedules.backup.m.xdatabase.dev',
        '-n',
        namespace,
      ),
      provider.log(),
    ]);
    expect(said).not.toContain('very-secret-key');
    expect(server.violations).toEqual([]);
  });

  test('leaves nothing when everything is deleted in any order', async () => {
    await cluster.kubectl(['delete', 'namespace', namespace, '--wait=false']);
    await waitFor(
      'everything is gone from the server',
      async () => {
        const left = [...(await users()), ...server.state.schedules.keys(), ...server.state.connections.keys()];
        if (left.toSorted().join(' ') === 'admin root') return true;
        throw new Error(`there are ${left.join(', ')}; ${await saidBy(namespace)}`);
      },
      { timeout: 60_000 },
    );
    // It held a table: data is never lost by default.
    expect(await databases()).toContain('example-db');
  });
});

describe('a server that namespaces share (CR7)', () => {
  const platform = 'cr-platform';
  const mine = 'cr-mine';
  const other = 'cr-other';
  const shared = { kind: 'ClusterProviderConfig', name: 'shared-crdb' };
  beforeAll(async () => {
    await cluster.apply([platform, mine, other].map((name) => namespaceOf(name)));
    await cluster.apply(
      config('ClusterProviderConfig', platform, 'shared-crdb', { allowedNamespaces: { names: [mine] } }),
    );
  });

  test('is for the namespaces that it allows, whose names are their own', async () => {
    await cluster.apply([
      managed('Role', mine, 'owner', { privileges: { login: false } }, { externalName: 'mine_owner', config: shared }),
      managed('Database', mine, 'db', { ownerRef: { name: 'owner' } }, { externalName: 'mine', config: shared }),
      managed('Role', other, 'owner', {}, { externalName: 'other_owner', config: shared }),
    ]);
    await allReady(cluster, mine);
    await untilCondition(cluster, 'Role', other, 'owner', 'Synced', 'False', 'NamespaceNotAllowed');
    await cluster.apply([
      managed('Role', mine, 'chief', { privileges: { superUser: true } }, { config: shared }),
      managed(
        'Grant',
        mine,
        'system',
        { system: true, roleRef: { name: 'owner' }, privileges: ['VIEWJOB'] },
        { config: shared },
      ),
      managed('Grant', mine, 'admin', { memberOf: 'admin', roleRef: { name: 'owner' } }, { config: shared }),
    ]);
    await untilCondition(cluster, 'Role', mine, 'chief', 'Synced', 'False', 'AttributeNotAllowed');
    await untilCondition(cluster, 'Grant', mine, 'system', 'Synced', 'False', 'PrivilegeNotAllowed');
    await untilCondition(cluster, 'Grant', mine, 'admin', 'Synced', 'False', 'NotYours');
  });

  test('keeps its Secret to itself, and its backups too', async () => {
    for (const oid of server.made.keys()) server.made.set(oid, new Date(0));
    await cluster.apply(
      run('Backup', mine, 'once', { databaseRef: { name: 'db' }, storage: { name: 'main' } }, shared),
    );
    await untilCondition(cluster, 'Backup', mine, 'once', 'Ready', 'True');
    const { items } = await cluster.get<{ items: { metadata: { name: string } }[] }>('secrets', '-n', mine);
    expect(items).toEqual([]);
    await cluster.apply(run('Backup', mine, 'theft', { database: 'example-db', storage: { name: 'main' } }, shared));
    const theft = await untilCondition(cluster, 'Backup', mine, 'theft', 'Synced', 'False', 'NotYours');
    expect(conditionOf(theft, 'Ready')?.status).not.toBe('True');
    expect((await get(cluster, 'Backup', mine, 'once')).status?.atProvider?.['key']).toMatch(/^cr-mine\/once\/mine\//);
  });
});
