/** Backups on a server that namespaces share: what one namespace has, no other gets, and no tenant sees a key of the platform. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { waitFor } from '../rig/process.ts';
import { atProvider, type BackupWorld, contents, ended, PLATFORM, s3Secret, startBackupWorld } from './backup-world.ts';
import {
  allReady,
  conditionOf,
  get,
  managed,
  namespaceOf,
  providerConfig,
  resourceName,
  run,
  secret,
  untilCondition,
} from './objects.ts';

let world: BackupWorld;
const config = { kind: 'ClusterProviderConfig', name: 'shared' };
const [a, b] = ['team-a', 'team-b'];
const storage = { name: 'main' };
let adminPassword: string;

const thing = (
  kind: string,
  namespace: string,
  name: string,
  forProvider: Record<string, unknown>,
  more = {},
): KubeObject => managed(kind, namespace, name, forProvider, { config, ...more });
const job = (kind: string, namespace: string, name: string, forProvider: Record<string, unknown>): KubeObject =>
  run(kind, namespace, name, forProvider, config);

beforeAll(async () => {
  world = await startBackupWorld();
  const { cluster, server, s3 } = world;
  const bucket = await s3.bucket();
  adminPassword = server.password;
  await cluster.apply([
    namespaceOf(a),
    namespaceOf(b),
    secret(PLATFORM, 'admin', { username: server.adminUser, password: server.password }),
    s3Secret(world, PLATFORM),
    {
      apiVersion: 'm.xdatabase.dev/v1alpha1',
      kind: 'ClusterProviderConfig',
      metadata: { name: 'shared' },
      spec: {
        engine: 'postgres',
        endpoint: server.host,
        port: server.port,
        credentials: { secretRef: { namespace: PLATFORM, name: 'admin' } },
        tls: { mode: 'disable' },
        allowedNamespaces: { names: [a, b] },
        jobs: { concurrency: 4 },
        storages: [
          {
            name: 'main',
            s3: {
              bucket,
              region: s3.region,
              endpoint: s3.endpoint,
              prefix: 'platform',
              credentialsSecretRef: { namespace: PLATFORM, name: 's3-secret' },
            },
          },
        ],
      },
    },
  ]);
  await cluster.apply(
    [a, b].flatMap((namespace) => [
      thing('Role', namespace, 'owner', { privileges: { login: false } }, { externalName: `${namespace}-owner` }),
      thing('Role', namespace, 'app', {}, { externalName: `${namespace}-app`, secret: 'app' }),
      thing('Database', namespace, 'db', { owner: `${namespace}-owner` }, { externalName: `${namespace}-db` }),
      thing('Database', namespace, 'empty', { owner: `${namespace}-owner` }, { externalName: `${namespace}-empty` }),
    ]),
  );
  await Promise.all([a, b].map(async (namespace) => await allReady(cluster, namespace)));
  for (const namespace of [a, b])
    await server.query(
      `SET ROLE "${namespace}-owner"; CREATE TABLE secrets AS SELECT '${namespace}' AS owner, g FROM generate_series(1, 50) g`,
      [],
      `${namespace}-db`,
    );
  await cluster.apply(job('Backup', a, 'mine', { databaseRef: { name: 'db' }, storage }));
  expect(atProvider(await ended(world, 'Backup', a, 'mine'))).toMatchObject({ phase: 'Succeeded' });
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(world?.provider.log() ?? '');
  await world?.stop();
});

/** Waits until the resource is refused, and gives why. */
const refused = async (kind: string, namespace: string, name: string): Promise<Managed> =>
  await untilCondition(world.cluster, kind, namespace, name, 'Synced', 'False', 'NotYours');

describe('namespace b', () => {
  test('cannot back up a database of a', async () => {
    await world.cluster.apply(job('Backup', b, 'theft', { database: `${a}-db`, storage }));
    await refused('Backup', b, 'theft');
    await world.cluster.apply(
      job('BackupSchedule', b, 'theft', { database: `${a}-db`, storage, schedule: '* * * * *' }),
    );
    await refused('BackupSchedule', b, 'theft');
    expect((await world.cluster.get<{ items: KubeObject[] }>('cronjobs', '-A')).items).toEqual([]);
  });

  test('cannot restore over a database of a, nor copy from or to it', async () => {
    const source = { storage };
    await world.cluster.apply([
      job('Restore', b, 'over', { source, targetDatabase: `${a}-db`, mode: 'Replace' }),
      job('Copy', b, 'from', { sourceDatabase: `${a}-db`, targetDatabaseRef: { name: 'empty' } }),
      job('Copy', b, 'to', { sourceDatabaseRef: { name: 'db' }, targetDatabase: `${a}-db`, mode: 'Replace' }),
    ]);
    await refused('Restore', b, 'over');
    await refused('Copy', b, 'from');
    await refused('Copy', b, 'to');
    expect(await world.server.query('SELECT count(*)::int AS n FROM secrets', [], `${a}-db`)).toEqual([{ n: 50 }]);
  });

  test('cannot read the stored files of a, by their key or as the newest', async () => {
    const { key } = atProvider(await get(world.cluster, 'Backup', a, 'mine'));
    await world.cluster.apply([
      job('Restore', b, 'by-key', {
        source: { storage, key },
        sourceDatabase: `${a}-db`,
        targetDatabaseRef: { name: 'empty' },
      }),
      job('Restore', b, 'newest', {
        source: { storage },
        sourceDatabase: `${a}-db`,
        targetDatabaseRef: { name: 'empty' },
      }),
    ]);
    expect(atProvider(await ended(world, 'Restore', b, 'by-key'))).toMatchObject({
      phase: 'Failed',
      failureReason: 'NotYours',
    });
    expect(atProvider(await ended(world, 'Restore', b, 'newest'))).toMatchObject({
      phase: 'Failed',
      failureReason: 'BackupNotFound',
    });
    expect(await contents(world.server, `${b}-empty`)).toEqual({});
  });

  test('cannot read what a has restored', async () => {
    await world.cluster.apply(
      job('Restore', a, 'own', {
        source: { backupRef: { name: 'mine' } },
        sourceDatabase: `${a}-db`,
        targetDatabaseRef: { name: 'empty' },
      }),
    );
    expect(atProvider(await ended(world, 'Restore', a, 'own'))).toMatchObject({ phase: 'Succeeded' });
    const { data } = await world.cluster.get<{ data: { password: string } }>('secret', 'app', '-n', b);
    const login = { name: `${b}-app`, password: Buffer.from(data.password, 'base64').toString() };
    await expect(world.server.queryAs(login, `${a}-empty`, 'SELECT * FROM secrets')).rejects.toMatchObject({
      code: '42501',
    });
  });
});

test('no pod, Job or Secret of a tenant has anything of the platform, and none of it is in what is written', async () => {
  const { cluster, kubelet, s3, provider } = world;
  expect(kubelet.pods().length).toBeGreaterThan(0);
  for (const pod of kubelet.pods()) expect(pod.metadata.namespace).toBe(PLATFORM);
  const secrets = [adminPassword, s3.secretAccessKey];
  for (const namespace of [a, b]) {
    const { items } = await cluster.get<{ items: KubeObject[] }>('secrets,jobs,pods,configmaps', '-n', namespace);
    const decoded = items
      .flatMap((item) => Object.values((item['data'] ?? {}) as Record<string, string>))
      .map((value) => Buffer.from(value, 'base64').toString());
    for (const value of secrets)
      for (const text of [JSON.stringify(items), ...decoded]) expect(text).not.toContain(value);
  }
  const all = await cluster.get<{ items: KubeObject[] }>('events,pods,jobs', '-A');
  const resources = await cluster.get<{ items: KubeObject[] }>(
    'backups.backup.m.xdatabase.dev,restores.backup.m.xdatabase.dev,copies.backup.m.xdatabase.dev',
    '-A',
  );
  const logs = await Promise.all(
    kubelet
      .pods()
      .flatMap((pod) => ['runner', 'tool'].map(async (name) => await kubelet.log(PLATFORM, pod.metadata.name, name))),
  );
  for (const value of secrets)
    for (const text of [JSON.stringify(all), JSON.stringify(resources), provider.log(), ...logs])
      expect(text).not.toContain(value);
});

test('the Secrets of runs are gone with them', async () => {
  await waitFor('they are gone', async () => {
    const { items } = await world.cluster.get<{ items: KubeObject[] }>(
      'secrets',
      '-n',
      PLATFORM,
      '-l',
      'app.kubernetes.io/managed-by=xdatabase',
    );
    return items.length === 0;
  });
});

/** Restores a database in which loading a row runs a function of the tenant; it acts only where it is restored. */
const attempts: [string, string][] = [
  ['makes a superuser', "PERFORM set_config('role', 'none', false); EXECUTE 'CREATE ROLE evil_superuser SUPERUSER'"],
  [
    'makes itself a superuser',
    "PERFORM set_config('role', 'none', false); EXECUTE format('ALTER ROLE %I SUPERUSER', session_user)",
  ],
  ['reaches for another database', "EXECUTE 'CREATE EXTENSION dblink WITH SCHEMA public'"],
  ['reads the passwords', 'PERFORM rolpassword FROM pg_authid'],
  ['runs a shell command', "EXECUTE $x$COPY (SELECT 1) TO PROGRAM 'touch /tmp/xdatabase-evil'$x$"],
];

describe('a dump that, while it is loaded,', () => {
  test.each(attempts)('%s fails, and leaves its target as it was', async (what, body) => {
    const { cluster, server } = world;
    const name = `evil-${attempts.findIndex(([other]) => other === what)}`;
    await cluster.apply([
      thing('Database', a, name, { owner: `${a}-owner` }),
      thing('Database', a, `${name}-target`, { owner: `${a}-owner` }),
    ]);
    await allReady(cluster, a);
    await server.query(
      `SET ROLE "${a}-owner";
       CREATE FUNCTION public.evil(int) RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN
         IF current_database() LIKE 'xdatabase%' THEN ${body}; END IF; RETURN true; END $f$;
       CREATE TABLE public.t (id int CHECK (public.evil(id))); INSERT INTO public.t VALUES (1)`,
      [],
      name,
    );
    await cluster.apply(job('Backup', a, name, { databaseRef: { name }, storage }));
    expect(atProvider(await ended(world, 'Backup', a, name))).toMatchObject({ phase: 'Succeeded' });
    await cluster.apply(
      job('Restore', a, name, {
        source: { backupRef: { name } },
        sourceDatabase: name,
        targetDatabaseRef: { name: `${name}-target` },
      }),
    );
    const restore = atProvider(await ended(world, 'Restore', a, name));
    expect(restore).toMatchObject({ phase: 'Failed', failureReason: 'ToolFailed' });
    expect(String(restore['failureMessage'])).toMatch(/permission denied|must be superuser/);
    expect(await contents(server, `${name}-target`)).toEqual({});
    expect(
      await server.query(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'evil%' OR (rolsuper AND rolname LIKE 'xdatabase%')",
      ),
    ).toEqual([]);
    expect(existsSync('/tmp/xdatabase-evil')).toBe(false);
  });
});

test.each([
  ['reset its role', 'RESET ROLE; ALTER ROLE SESSION_USER SUPERUSER'],
  ['use commands of the client', '\\! touch /tmp/xdatabase-evil'],
  ['read another database', '\\c team-b-db'],
])('transformSQL cannot %s', async (what, transformSQL) => {
  const name = `copy-${what.replaceAll(/\W/g, '-')}`;
  await world.cluster.apply(thing('Database', a, name, { owner: `${a}-owner` }));
  await allReady(world.cluster, a);
  await world.cluster.apply(
    job('Copy', a, name, { sourceDatabaseRef: { name: 'db' }, targetDatabaseRef: { name }, transformSQL }),
  );
  expect(atProvider(await ended(world, 'Copy', a, name))).toMatchObject({
    phase: 'Failed',
    failureReason: 'ToolFailed',
  });
  expect(await contents(world.server, name)).toEqual({});
  expect(existsSync('/tmp/xdatabase-evil')).toBe(false);
});

test('a database that is the administrator’s is never filled on a shared server', async () => {
  await world.cluster.apply(thing('Database', a, 'ownerless', {}));
  await allReady(world.cluster, a);
  await world.cluster.apply(
    job('Copy', a, 'to-ownerless', { sourceDatabaseRef: { name: 'db' }, targetDatabaseRef: { name: 'ownerless' } }),
  );
  const copy = await untilCondition(
    world.cluster,
    'Copy',
    a,
    'to-ownerless',
    'Synced',
    'False',
    'OwnerIsAdministrator',
  );
  expect(conditionOf(copy, 'Ready')).toMatchObject({ status: 'False' });
});

describe('a configuration of a tenant, of whatever server, for a Job that gets what is the platform’s,', () => {
  const own = { kind: 'ProviderConfig', name: 'own' };

  beforeAll(async () => {
    const { cluster, server, s3 } = world;
    await server.query('CREATE DATABASE scratch');
    await cluster.apply(
      providerConfig(b, server, own.name, {
        images: { runner: 'evil:1', engine: 'evil:1' },
        jobs: { serviceAccountName: 'platform', podLabels: { evil: 'yes' }, podAnnotations: { evil: 'yes' } },
        storages: [
          { name: 'volume', filesystem: { path: '/data', persistentVolumeClaim: { claimName: 'of-the-platform' } } },
          { name: 'identity', s3: { bucket: 'of-the-platform', region: s3.region, endpoint: s3.endpoint } },
        ],
      }),
    );
    await cluster.apply(job('Backup', b, 'plain', { databaseRef: { name: 'db' }, storage }));
    expect(atProvider(await ended(world, 'Backup', b, 'plain'))).toMatchObject({ phase: 'Succeeded' });
  });

  test('chooses neither its programs nor its identity', async () => {
    const { cluster } = world;
    const fields = { source: { backupRef: { name: 'plain' } }, targetDatabase: 'scratch', sourceDatabase: `${b}-db` };
    await cluster.apply(run('Restore', b, 'hijack', { ...fields, serviceAccountName: 'platform' }, own));
    await untilCondition(cluster, 'Restore', b, 'hijack', 'Synced', 'False', 'InvalidSpec');
    await cluster.apply(run('Restore', b, 'modest', fields, own));
    const { phase, jobName } = atProvider(await ended(world, 'Restore', b, 'modest'));
    expect(phase).toBe('Succeeded');
    const { spec } = await cluster.get<{ spec: { template: object } }>('job', String(jobName), '-n', PLATFORM);
    expect(JSON.stringify(spec.template)).not.toMatch(/evil|serviceAccount/);
  });

  test('brings no storage that would be reached by a volume or the identity of the platform', async () => {
    const theft = async (name: string): Promise<void> => {
      const lie = run('Backup', b, name, { database: 'scratch', storage: { name } }, own);
      const outcome = { phase: 'Succeeded', key: `${a}/mine/${a}-db/20260101T000000.000Z.dump.zst` };
      const annotations = { 'xdatabase.dev/applied': JSON.stringify({ begun: true, outcome }) };
      await world.cluster.apply({ ...lie, metadata: { ...lie.metadata, annotations } });
      await ended(world, 'Backup', b, name);
      const fields = { source: { backupRef: { name } }, targetDatabaseRef: { name: 'empty' }, mode: 'Replace' };
      await world.cluster.apply(job('Restore', b, `by-${name}`, fields));
      await refused('Restore', b, `by-${name}`);
    };
    await Promise.all(['volume', 'identity'].map(theft));
  });
});

describe('a Job that a tenant makes, as if it were of the provider,', () => {
  const schedule = async (): Promise<Managed> => await get(world.cluster, 'BackupSchedule', b, 'mine');
  const cronJobOf = async (): Promise<KubeObject> => {
    const { cronJobName } = atProvider(await schedule());
    return await world.cluster.get('cronjob', String(cronJobName), '-n', PLATFORM);
  };
  /** With the pod, the labels and the annotations of the real ones. */
  const forged = async (name: string, change: object = {}): Promise<KubeObject> => {
    const { spec } = (await cronJobOf()) as unknown as { spec: { jobTemplate: { metadata: object; spec: object } } };
    const { metadata, spec: template } = spec.jobTemplate;
    return {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { ...metadata, namespace: b, name },
      spec: { ...template, ...change },
    };
  };
  const secretsOfRuns = async (): Promise<string[]> =>
    (
      await world.cluster.get<{ items: KubeObject[] }>(
        'secrets',
        '-n',
        b,
        '-l',
        'app.kubernetes.io/managed-by=xdatabase',
      )
    ).items
      .filter(({ metadata }) => metadata.ownerReferences?.some(({ kind }) => kind === 'Job') === true)
      .map(({ metadata }) => metadata.name);

  beforeAll(async () => {
    const fields = { databaseRef: { name: 'db' }, storage, schedule: '0 0 30 2 *' };
    await world.cluster.apply(job('BackupSchedule', b, 'mine', fields));
    await untilCondition(world.cluster, 'BackupSchedule', b, 'mine', 'Ready', 'True');
  });
  afterAll(async () => {
    await world.cluster.kubectl(['delete', 'jobs', '--all', '-n', b, '--wait=false']);
    await world.cluster.kubectl(['delete', resourceName('BackupSchedule'), 'mine', '-n', b, '--timeout=60s']);
  });

  test('gets no Secret of a run', async () => {
    const { cluster } = world;
    await cluster.apply(await forged('forged'));
    const backup = job('Backup', b, 'forged', { databaseRef: { name: 'db' }, storage });
    // It remembers what it never did: that its Job is here.
    const annotations = { 'xdatabase.dev/applied': JSON.stringify({ namespace: b }) };
    await cluster.apply({ ...backup, metadata: { ...backup.metadata, annotations } });
    const made = await ended(world, 'Backup', b, 'forged');
    const { jobName } = atProvider(made);
    expect(await cluster.get('job', String(jobName), '-n', PLATFORM)).toMatchObject({ status: { succeeded: 1 } });
    const labels = { ...(await forged('x')).metadata.labels, 'xdatabase.dev/owner-uid': made.metadata.uid ?? '' };
    const own = await forged(String(jobName));
    await cluster.apply({ ...own, metadata: { ...own.metadata, labels } });
    // A run that has begun after them has ended: theirs would have.
    const { cronJobName } = atProvider(await schedule());
    await cluster.kubectl(['create', 'job', 'real', `--from=cronjob/${String(cronJobName)}`, '-n', PLATFORM]);
    await waitFor('the real run has ended', async () => atProvider(await schedule())['lastSuccessTime'] !== undefined);
    expect(await secretsOfRuns()).toEqual([]);
    const { items } = await cluster.get<{ items: { spec: { suspend?: boolean } }[] }>('jobs', '-n', b);
    expect(items.map(({ spec }) => spec.suspend)).toEqual([true, true]);
  });

  test('takes no turn of the server', async () => {
    for (const name of ['one', 'two', 'three', 'four'])
      await world.cluster.apply(await forged(name, { suspend: false, activeDeadlineSeconds: 600 }));
    await world.cluster.apply(job('Backup', a, 'in-turn', { databaseRef: { name: 'db' }, storage }));
    expect(atProvider(await ended(world, 'Backup', a, 'in-turn'))).toMatchObject({ phase: 'Succeeded' });
  });
});
