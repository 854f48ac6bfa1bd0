/** What Crossplane promises of every managed resource, at a real API server that is not always willing. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { ownCluster } from '../rig/own-cluster.ts';
import { startPostgres } from '../rig/postgres.ts';
import { waitFor } from '../rig/process.ts';
import {
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

const namespace = 'contract';
const FINALIZER = 'finalizer.managedresource.crossplane.io';
const { cluster, stop } = await ownCluster();
const server = await startPostgres({ major: 18 });
let provider: ProviderProcess;

beforeAll(async () => {
  await cluster.apply(namespaceOf('crossplane-system'));
  provider = await startProvider(cluster, { poll: '3s', args: ['--leader-election'] });
  await cluster.apply([namespaceOf(namespace), ...providerConfig(namespace, server)]);
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(provider.log());
  await provider.stop();
  await server.stop();
  await stop();
});

const group = (name: string, more: Parameters<typeof managed>[4] = {}) =>
  managed(
    'Role',
    namespace,
    name.replaceAll('_', '-'),
    { privileges: { login: false } },
    { externalName: name, ...more },
  );

const roles = async (pattern: string): Promise<string[]> =>
  (
    await server.query<{ name: string }>('SELECT rolname AS name FROM pg_roles WHERE rolname LIKE $1 ORDER BY 1', [
      pattern,
    ])
  ).map(({ name }) => name);

const remove = async (kind: string, name: string, ...flags: string[]): Promise<void> => {
  await cluster.kubectl(['delete', resourceName(kind), name, '-n', namespace, ...flags]);
};

const annotate = async (kind: string, name: string, ...annotations: string[]): Promise<void> => {
  await cluster.kubectl(['annotate', '--overwrite', resourceName(kind), name, '-n', namespace, ...annotations]);
};

const patch = async (kind: string, name: string, change: unknown, ...flags: string[]): Promise<void> => {
  const text = JSON.stringify(change);
  await cluster.kubectl(['patch', resourceName(kind), name, '-n', namespace, '--type', 'merge', '-p', text, ...flags]);
};

describe('management policies', () => {
  const CREATING = ['Observe', 'Create', 'Update', 'Delete', 'LateInitialize'];
  const SETS: [policies: string[], created: boolean, deleted: boolean][] = [
    [['*'], true, true],
    [CREATING, true, true],
    [['Observe', 'Create'], true, false],
    [['Observe', 'Create', 'Update', 'LateInitialize'], true, false],
    [['Observe', 'Create', 'Delete'], true, true],
    [['Observe', 'Update'], false, false],
    [['Observe', 'Delete'], false, false],
  ];

  test('each supported set makes and takes away what it may, and nothing else', async () => {
    const names = SETS.map((_, index) => `pol_${index}`);
    await cluster.apply(SETS.map(([policies], index) => group(`pol_${index}`, { policies })));
    for (const [index, [, created]] of SETS.entries())
      await untilCondition(cluster, 'Role', namespace, `pol-${index}`, 'Ready', created ? 'True' : 'False');
    expect(await roles('pol%')).toEqual(names.filter((_, index) => SETS[index]?.[1]));
    for (const index of names.keys()) await remove('Role', `pol-${index}`);
    expect(await roles('pol%')).toEqual(names.filter((_, index) => SETS[index]?.[1] && !SETS[index]?.[2]));
  });

  test('Observe alone tells of what is there, says of what is not that it is not, and never writes', async () => {
    await server.query('CREATE ROLE obs_there NOLOGIN');
    await cluster.apply([
      managed(
        'Role',
        namespace,
        'obs-there',
        { privileges: { createDb: true } },
        { externalName: 'obs_there', policies: ['Observe'], secret: 'obs-there' },
      ),
      group('obs_absent', { policies: ['Observe'] }),
    ]);
    const there = await untilCondition(
      cluster,
      'Role',
      namespace,
      'obs-there',
      'UpToDate',
      'False',
      'UpdateRestricted',
    );
    expect(['Ready', 'Synced'].map((type) => conditionOf(there, type)?.status)).toEqual(['True', 'True']);
    expect(conditionOf(there, 'UpToDate')?.message).toBe('ALTER ROLE "obs_there" WITH CREATEDB');
    // It has no password to give, and stands in nobody's way: another may manage the role.
    const published = await connectionSecret(cluster, namespace, 'obs-there');
    expect(published).toMatchObject({ username: 'obs_there', endpoint: server.host });
    expect(published).not.toHaveProperty('password');
    await cluster.apply(
      managed(
        'Role',
        namespace,
        'obs-manager',
        { privileges: { login: false }, adopt: true },
        { externalName: 'obs_there', policies: ['Observe', 'Update'] },
      ),
    );
    await untilCondition(cluster, 'Role', namespace, 'obs-manager', 'Synced', 'True');
    await untilCondition(cluster, 'Role', namespace, 'obs-there', 'Synced', 'True');
    const absent = await untilCondition(cluster, 'Role', namespace, 'obs-absent', 'Synced', 'False');
    expect(conditionOf(absent, 'Synced')?.message).toBe('observe failed: external resource does not exist');
    for (const name of ['obs-there', 'obs-manager', 'obs-absent']) await remove('Role', name);
    expect(await roles('obs%')).toEqual(['obs_there']);
  });

  test.each([[['Create', 'Update', 'Delete']], [['Observe', 'Update', 'Delete']]])(
    '%j is refused by name, and touches nothing',
    async (policies) => {
      await cluster.apply(group('refused', { policies }));
      const role = await untilCondition(cluster, 'Role', namespace, 'refused', 'Synced', 'False', 'ReconcileError');
      expect(conditionOf(role, 'Synced')?.message).toContain(JSON.stringify(policies));
      await waitFor(
        'the event',
        async () => (await eventsOf(cluster, namespace, 'CannotUseInvalidManagementPolicy', 'refused')).length > 0,
      );
      await remove('Role', 'refused');
      expect(await roles('refused')).toEqual([]);
    },
  );
});

describe('a life', () => {
  test('that is paused rests, deletion included, until it goes on', async () => {
    await cluster.apply(group('rests'));
    await untilCondition(cluster, 'Role', namespace, 'rests', 'Ready', 'True');
    await annotate('Role', 'rests', 'crossplane.io/paused=true');
    await untilCondition(cluster, 'Role', namespace, 'rests', 'Synced', 'False', 'ReconcilePaused');
    await remove('Role', 'rests', '--wait=false');
    // Another resource that is made and Ready after it shows that its turn has come.
    await cluster.apply(group('later'));
    await untilCondition(cluster, 'Role', namespace, 'later', 'Ready', 'True');
    expect(await roles('rests')).toEqual(['rests']);
    await annotate('Role', 'rests', 'crossplane.io/paused-');
    await cluster.wait('delete', `${resourceName('Role')}/rests`, '-n', namespace);
    expect(await roles('rests')).toEqual([]);
  });

  test('waits with its end for the finalizers of others, whatever becomes of its spec', async () => {
    await cluster.apply(group('held'));
    await untilCondition(cluster, 'Role', namespace, 'held', 'Ready', 'True');
    await patch('Role', 'held', { metadata: { finalizers: [FINALIZER, 'example.org/hold'] } });
    await remove('Role', 'held', '--wait=false');
    await untilCondition(cluster, 'Role', namespace, 'held', 'Ready', 'False', 'Deleting');
    await patch('Role', 'held', { spec: { forProvider: { privileges: { createDb: true } } } });
    await waitFor('it is looked at again', async () => {
      const { status, metadata } = await get(cluster, 'Role', namespace, 'held');
      return status?.observedGeneration === metadata.generation;
    });
    expect(await server.query("SELECT rolcreatedb AS may FROM pg_roles WHERE rolname = 'held'")).toEqual([
      { may: false },
    ]);
    await patch('Role', 'held', { metadata: { finalizers: [FINALIZER] } });
    await cluster.wait('delete', `${resourceName('Role')}/held`, '-n', namespace);
    expect(await roles('held')).toEqual([]);
  });

  test('that begins again at once, under the same name, is whole: its Secret is its own and logs in', async () => {
    const login = managed('Role', namespace, 'again', {}, { externalName: 'again', secret: 'again' });
    await cluster.apply(login);
    const first = await untilCondition(cluster, 'Role', namespace, 'again', 'Ready', 'True');
    await remove('Role', 'again');
    await cluster.apply(login);
    const second = await untilCondition(cluster, 'Role', namespace, 'again', 'Ready', 'True');
    expect(second.metadata.uid).not.toBe(first.metadata.uid);
    await waitFor('its Secret logs in and outlives the first', async () => {
      const { metadata } = await cluster.get<Managed>('secret', 'again', '-n', namespace);
      const values = await connectionSecret(cluster, namespace, 'again');
      await server.queryAs({ name: 'again', password: values['password'] ?? '' }, 'postgres', 'SELECT 1');
      return metadata.ownerReferences?.every(({ uid }) => uid === second.metadata.uid);
    });
  });

  test('that was interrupted between the beginning of a creation and its end goes on', async () => {
    const pending = new Date(Date.now() - 3_600_000).toISOString().replace(/\.\d+Z$/, 'Z');
    const role = group('interrupted');
    const annotations = { ...role.metadata.annotations, 'crossplane.io/external-create-pending': pending };
    await cluster.apply({ ...role, metadata: { ...role.metadata, annotations } });
    await untilCondition(cluster, 'Role', namespace, 'interrupted', 'Ready', 'True');
    expect(await roles('interrupted')).toEqual(['interrupted']);
  });
});

describe('another external name, given to what has been made,', () => {
  test('is another object: what somebody else made is not taken, and what was made stays and is said', async () => {
    await server.query('CREATE DATABASE ren_legacy');
    await cluster.apply(
      managed(
        'Database',
        namespace,
        'renamed',
        { dropPolicy: 'Always', connectionLimit: 3 },
        { externalName: 'ren_first' },
      ),
    );
    await untilCondition(cluster, 'Database', namespace, 'renamed', 'Ready', 'True');
    await annotate('Database', 'renamed', 'crossplane.io/external-name=ren_legacy');
    await untilCondition(cluster, 'Database', namespace, 'renamed', 'Synced', 'False', 'AlreadyExists');
    await annotate('Database', 'renamed', 'crossplane.io/external-name=ren_second');
    await untilCondition(cluster, 'Database', namespace, 'renamed', 'Synced', 'True');
    await waitFor('the event', async () =>
      (await eventsOf(cluster, namespace, 'KeptExternalResource', 'renamed')).some((message) =>
        message.includes('"ren_first"'),
      ),
    );
    await annotate('Database', 'renamed', 'crossplane.io/external-name=ren_legacy');
    await untilCondition(cluster, 'Database', namespace, 'renamed', 'Synced', 'False', 'AlreadyExists');
    await remove('Database', 'renamed');
    expect(
      await server.query("SELECT datname, datconnlimit FROM pg_database WHERE datname LIKE 'ren%' ORDER BY 1"),
    ).toEqual([
      { datname: 'ren_first', datconnlimit: 3 },
      { datname: 'ren_legacy', datconnlimit: -1 },
      { datname: 'ren_second', datconnlimit: 3 },
    ]);
  });
});

describe('a reference', () => {
  test('waits for what it names, and takes the first by name of those that a selector matches', async () => {
    const labelled = (name: string) => {
      const role = group(name);
      return { ...role, metadata: { ...role.metadata, labels: { team: 'blue' } } };
    };
    await cluster.apply([
      managed('Database', namespace, 'by-name', { ownerRef: { name: 'ref-b' } }, { externalName: 'ref_named' }),
      managed(
        'Database',
        namespace,
        'by-label',
        { ownerSelector: { matchLabels: { team: 'blue' } } },
        { externalName: 'ref_labelled' },
      ),
    ]);
    for (const name of ['by-name', 'by-label']) {
      const waiting = await untilCondition(
        cluster,
        'Database',
        namespace,
        name,
        'Synced',
        'False',
        'ReferenceNotFound',
      );
      expect(conditionOf(waiting, 'Synced')?.message).toMatch(/^cannot resolve references: forProvider\.owner: /);
    }
    await cluster.apply([labelled('ref_b'), labelled('ref_c')]);
    for (const name of ['by-name', 'by-label'])
      await untilCondition(cluster, 'Database', namespace, name, 'Ready', 'True');
    expect(
      await server.query(
        "SELECT datname, pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname LIKE 'ref%' ORDER BY 1",
      ),
    ).toEqual([
      { datname: 'ref_labelled', owner: 'ref_b' },
      { datname: 'ref_named', owner: 'ref_b' },
    ]);
  });
});

describe('a connection Secret', () => {
  test('of somebody else is left as it is, and one is never written by two', async () => {
    await cluster.apply([
      secret(namespace, 'foreign', { password: 'theirs' }),
      managed('Role', namespace, 'thief', {}, { externalName: 'sec_thief', secret: 'foreign' }),
      managed('Database', namespace, 'sec-one', {}, { externalName: 'sec_one', secret: 'shared' }),
    ]);
    await untilCondition(cluster, 'Role', namespace, 'thief', 'Synced', 'False', 'SecretNotOurs');
    expect(await connectionSecret(cluster, namespace, 'foreign')).toEqual({ password: 'theirs' });
    await untilCondition(cluster, 'Database', namespace, 'sec-one', 'Ready', 'True');
    // Of this one every value is the same.
    await cluster.apply([
      managed('Schema', namespace, 'sec-a', { database: 'sec_one' }, { secret: 'schemas' }),
      managed('Schema', namespace, 'sec-b', { database: 'sec_one' }, { secret: 'schemas' }),
      managed('Database', namespace, 'sec-two', {}, { externalName: 'sec_two', secret: 'shared' }),
    ]);
    const two = await untilCondition(cluster, 'Database', namespace, 'sec-two', 'Synced', 'False', 'SecretNotOurs');
    expect(conditionOf(two, 'Synced')?.message).toContain('Database sec-one');
    expect(await connectionSecret(cluster, namespace, 'shared')).toMatchObject({ database: 'sec_one' });
    await waitFor('one of the schemas has it', async () => {
      const states = await Promise.all(
        ['sec-a', 'sec-b'].map(
          async (name) => conditionOf(await get(cluster, 'Schema', namespace, name), 'Synced')?.reason,
        ),
      );
      return new Set(states).has('SecretNotOurs') && new Set(states).has('ReconcileSuccess');
    });
  });

  test('that the quota does not allow is said, and is there as soon as it does', async () => {
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { namespace, name: 'full' },
      spec: { hard: { secrets: '1' } },
    };
    await cluster.apply(quota);
    // No controller of the rig counts; admission goes by what the status says.
    const full = JSON.stringify({ status: { hard: { secrets: '1' }, used: { secrets: '1' } } });
    await cluster.kubectl([
      'patch',
      'resourcequota',
      'full',
      '-n',
      namespace,
      '--subresource=status',
      '--type=merge',
      '-p',
      full,
    ]);
    await cluster.apply(managed('Role', namespace, 'poor', {}, { externalName: 'quo_poor', secret: 'poor' }));
    const poor = await untilCondition(cluster, 'Role', namespace, 'poor', 'Synced', 'False');
    expect(conditionOf(poor, 'Synced')?.message).toMatch(/^cannot publish connection details: .*exceeded quota: full/);
    await cluster.kubectl(['delete', 'resourcequota', 'full', '-n', namespace]);
    await untilCondition(cluster, 'Role', namespace, 'poor', 'Ready', 'True');
    const { password = '' } = await connectionSecret(cluster, namespace, 'poor');
    expect(await server.queryAs({ name: 'quo_poor', password }, 'postgres', 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('an API server', () => {
  const policy = (name: string, expression: string) => [
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name },
      spec: {
        matchConstraints: {
          resourceRules: [
            { apiGroups: ['sql.m.xdatabase.dev'], apiVersions: ['*'], operations: ['UPDATE'], resources: ['roles'] },
          ],
        },
        validations: [{ expression, message: 'the platform says no' }],
      },
    },
    {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'] },
    },
  ];

  test('that refuses our bookkeeping keeps the server untouched, and is quoted', async () => {
    await cluster.apply(
      policy('no-finalizers', "!object.metadata.name.startsWith('adm-') || !has(object.metadata.finalizers)"),
    );
    await waitFor('the policy is in force', async () => {
      await cluster.apply(group('adm_probe', { policies: ['Observe'] }));
      return await patch(
        'Role',
        'adm-probe',
        { metadata: { finalizers: ['example.org/probe'] } },
        '--dry-run=server',
      ).then(
        () => false,
        (error: Error) => error.message.includes('the platform says no'),
      );
    });
    await cluster.apply(group('adm_refused'));
    const role = await untilCondition(cluster, 'Role', namespace, 'adm-refused', 'Synced', 'False');
    expect(conditionOf(role, 'Synced')?.message).toMatch(/^cannot record the creation: .*the platform says no/);
    expect(await roles('adm%')).toEqual([]);
    await cluster.kubectl(['delete', 'validatingadmissionpolicies,validatingadmissionpolicybindings', 'no-finalizers']);
    await untilCondition(cluster, 'Role', namespace, 'adm-refused', 'Ready', 'True');
  });

  test('that loses a kind, and gets it back, costs only the resources of that kind', async () => {
    const name = 'extensions.sql.m.xdatabase.dev';
    const definition = await cluster.get<KubeObject>('crd', name);
    await cluster.kubectl(['delete', 'crd', name]);
    await cluster.apply(group('crd_between'));
    await untilCondition(cluster, 'Role', namespace, 'crd-between', 'Ready', 'True');
    const { labels = {}, annotations = {} } = definition.metadata;
    await cluster.apply({ ...definition, metadata: { name, labels, annotations }, status: undefined });
    await cluster.apply([
      managed('Database', namespace, 'crd-db', {}, { externalName: 'crd_db' }),
      managed('Extension', namespace, 'crd-extension', { database: 'crd_db', extension: 'plpgsql', adopt: true }),
    ]);
    await untilCondition(cluster, 'Extension', namespace, 'crd-extension', 'Synced', 'True');
  });
});

describe('the metrics', () => {
  test('tell of every controller, its queue and its workers, and of the lease', async () => {
    const text = await (await fetch(provider.metricsUrl)).text();
    const controllers = [
      'managed/role.sql.m.xdatabase.dev',
      'managed/backup.backup.m.xdatabase.dev',
      'providerconfig/',
    ];
    for (const name of controllers)
      for (const metric of [
        'controller_runtime_max_concurrent_reconciles{controller',
        'controller_runtime_reconcile_total{controller',
        'workqueue_depth{name',
        'workqueue_delayed{name',
      ])
        expect(text).toContain(`${metric}="${name}`);
    for (const metric of ['exists', 'ready', 'synced'])
      expect(text).toMatch(
        new RegExp(`crossplane_managed_resource_${metric}\\{gvk="sql.m.xdatabase.dev/v1alpha1, Kind=Role"\\} [1-9]`),
      );
    expect(text).toContain('leader_election_master_status{name="xdatabase-provider"} 1');
  });
});

describe('a provider that is told to stop', () => {
  test('ends in order, though a server that it is talking to never answers', async () => {
    const silent = createServer(() => {});
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const called = once(silent, 'connection');
    await cluster.apply([
      ...providerConfig(namespace, server, 'silent', { port }),
      group('silent', { config: { kind: 'ProviderConfig', name: 'silent' } }),
    ]);
    await called;
    expect(await provider.terminate()).toMatch(/"msg":"stopped"/);
    silent.close();
  });
});
