/**
 * The claim of the other engines on CockroachDB, under real Crossplane core: from the file of an app team to rows, backups
 * and the end, on every version; and a database that is not left behind when somebody changes where it is to be.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../../provider/api/engines.ts';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { runSchedule } from '../rig/cockroachdb/schedules.ts';
import { CockroachServer } from '../rig/cockroachdb/server.ts';
import { ownCrossplane } from '../rig/own-cluster.ts';
import { waitFor } from '../rig/process.ts';
import { inAll } from './cockroachdb/scene.ts';
import { conditionOf, connectionSecret, namespaceOf, secret } from './objects.ts';
import { CLAIMS, composedOf, installDefinitions, unreadyOf } from './platform.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const { cluster, crossplane, stop } = await ownCrossplane();
const CASES = [
  { version: '24.3', form: 'v1', how: 'serverRef' },
  { version: '25.2', form: 'v2', how: 'class' },
  { version: '26.2', form: 'v2', how: 'serverRef' },
] as const;
type Case = (typeof CASES)[number];
const servers = new Map<string, CockroachServer>();
let provider: ProviderProcess;
let fn: Awaited<ReturnType<typeof installDefinitions>>;

const CLASS = 'ledger';
const namespace = ({ version }: Case): string => `ledger-v${version.replace('.', '-')}`;
const config = ({ version }: Case): string => `cockroachdb-v${version.replace('.', '-')}`;
const serverOf = ({ version }: Case): CockroachServer => servers.get(version)!;

const configurations = (at: Case): KubeObject[] => {
  const { host, port, settings } = serverOf(at);
  return [
    secret(namespace(at), 'admin', { username: settings.username, password: settings.password?.reveal() ?? '' }),
    secret(namespace(at), 's3', { AWS_ACCESS_KEY_ID: 'MYKEY', AWS_SECRET_ACCESS_KEY: 'MYSECRET' }),
    {
      apiVersion: 'm.xdatabase.dev/v1alpha1',
      kind: 'ProviderConfig',
      metadata: { namespace: namespace(at), name: config(at) },
      spec: {
        engine: 'cockroachdb',
        endpoint: host,
        port,
        credentials: { secretRef: { name: 'admin' } },
        tls: { mode: 'disable' },
        storages: [{ name: 'main', s3: { bucket: 'testbucket', credentialsSecretRef: { name: 's3' } } }],
      },
    },
  ];
};

/** That of every other engine, but for the engine, the server, and what the server has for backups. */
const spec = (at: Case): Record<string, unknown> => ({
  ...(at.how === 'class'
    ? { class: CLASS }
    : { engine: 'cockroachdb', serverRef: { kind: 'ProviderConfig', name: config(at) } }),
  schemas: [{ name: 'app' }],
  roles: [
    { name: 'migrate', access: 'owner' },
    { name: 'app', access: 'readWrite' },
    { name: 'report', access: 'readOnly' },
  ],
  backup: { schedule: '0 3 * * *', storage: 'main', cockroachdb: { fullBackup: 'Always' } },
  writeConnectionSecretToRef: { name: 'ledger-db' },
});

const everywhere = (promise: string, work: (at: Case) => Promise<void>): void => {
  test(promise, async () => {
    await inAll(CASES, work);
  });
};

const claim = async (at: Case): Promise<Managed> =>
  await cluster.get<Managed>(CLAIMS[at.form].resource, 'ledger', '-n', namespace(at));

/** The Composition of the namespaced form, with a class of ours and whatever a platform may change besides. */
async function compose(engine: string, more: { input?: object; server?: string } = {}): Promise<void> {
  interface Composition extends KubeObject {
    spec: { pipeline: { input: Record<string, unknown> }[] };
  }
  const name = 'xdatabases.xdatabase.dev';
  const { apiVersion, kind, spec: composition } = await cluster.get<Composition>('composition', name);
  const [step] = composition.pipeline;
  const { naming: _naming, ...input } = step!.input;
  const serverRef = { kind: 'ProviderConfig', name: more.server ?? config(CASES[1]) };
  step!.input = { ...input, classes: [{ name: CLASS, engine, serverRef }], ...more.input };
  await cluster.apply({ apiVersion, kind, metadata: { name }, spec: composition });
}

beforeAll(async () => {
  await Promise.all(CASES.map(async ({ version }) => servers.set(version, await CockroachServer.start(version))));
  fn = await installDefinitions(cluster, crossplane);
  await compose('cockroachdb');
  // The default poll: a short one would add changes of its own to those that Crossplane counts.
  provider = await startProvider(cluster, { poll: '1m' });
  for (const at of CASES) await cluster.apply([namespaceOf(namespace(at)), ...configurations(at)]);
  for (const at of CASES)
    await cluster.apply({
      apiVersion: CLAIMS[at.form].apiVersion,
      kind: 'XDatabase',
      metadata: { namespace: namespace(at), name: 'ledger' },
      spec: spec(at),
    });
});

afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(provider.log() + fn.log());
  await provider.stop();
  await fn.stop();
  for (const server of servers.values()) await server.stop();
  await stop();
});

const as = async (at: Case, of: string, text: string): Promise<unknown[]> => {
  const { username = '', password = '', database = '' } = await connectionSecret(cluster, namespace(at), of);
  return await serverOf(at).queryAs({ name: username, password }, database, text);
};

/** Events come a little later than what they tell of. */
const toldIn = async (where: string): Promise<string[]> => {
  const { items } = await cluster.get<{ items: { reason: string; message: string }[] }>('events', '-n', where);
  return items.map(({ reason, message }) => `${reason}: ${message}`);
};

describe('a claim on CockroachDB', () => {
  everywhere('is ready, backups included', async (at) => {
    await waitFor(
      'it is ready',
      async () => {
        const current = await claim(at);
        if (conditionOf(current, 'Ready')?.status === 'True') return true;
        throw new Error(`${JSON.stringify(current.status)} ${unreadyOf(await composedOf(cluster, namespace(at)))}`);
      },
      { timeout: 180_000, interval: 500 },
    );
    const { host, port } = serverOf(at);
    expect((await claim(at)).status).toMatchObject({
      engine: 'cockroachdb',
      databaseName: 'ledger',
      endpoint: `${host}:${port}`,
    });
    for (const type of ['DatabaseReady', 'RolesReady', 'GrantsReady'])
      expect(conditionOf(await claim(at), type)).toMatchObject({ status: 'True' });
  });

  everywhere('gives logins with their rights, and no others', async (at) => {
    await as(at, 'ledger-migrate', 'CREATE TABLE app.orders (id serial PRIMARY KEY, note text)');
    await as(at, 'ledger-db', "INSERT INTO app.orders (note) VALUES ('first')");
    expect(await as(at, 'ledger-report', 'SELECT note FROM app.orders')).toEqual([{ note: 'first' }]);
    for (const [of, text] of [
      ['ledger-db', 'CREATE TABLE app.mine (id int)'],
      ['ledger-db', 'CREATE TABLE public.mine (id int)'],
      ['ledger-report', "INSERT INTO app.orders (note) VALUES ('x')"],
    ] as const)
      await expect(as(at, of, text)).rejects.toMatchObject({ code: '42501' });
  });

  everywhere('is backed up by a schedule of the server, and says when', async (at) => {
    const { simulator } = serverOf(at);
    const [schedule, ...others] = [...simulator!.state.schedules.values()];
    expect(others).toEqual([]);
    expect(schedule?.label).toContain(`${namespace(at)}/ledger-`);
    for (const oid of simulator!.made.keys()) simulator!.made.set(oid, new Date(0));
    await simulator!.jobs.ended(runSchedule(simulator!, schedule?.id ?? ''));
    await waitFor('the claim says so', async () => conditionOf(await claim(at), 'BackupHealthy')?.status === 'True', {
      timeout: 120_000,
    });
    expect(await claim(at)).toMatchObject({ status: { backup: { lastTime: expect.stringMatching(/Z$/) as string } } });
  });
});

describe('a database that is there is not left for another one', () => {
  const at = CASES[1];
  const composed = async (): Promise<string[]> =>
    (await composedOf(cluster, namespace(at))).map(({ kind, metadata }) => `${kind} ${metadata.uid}`).toSorted();
  const accepted = async (status: string, message = ''): Promise<void> => {
    await waitFor(
      `Accepted is ${status}: ${message}`,
      async () => {
        const condition = conditionOf(await claim(at), 'Accepted');
        if (condition?.status === status && (condition.message ?? '').includes(message)) return true;
        throw new Error(JSON.stringify(condition));
      },
      { timeout: 60_000, interval: 300 },
    );
  };

  test.each([
    ...ENGINES.filter((engine) => engine !== 'cockroachdb').map((engine) => ({
      what: `the class is on ${engine} now`,
      change: async () => await compose(engine),
      says: 'spec.engine: cannot be changed: the database is on cockroachdb',
    })),
    {
      what: 'the class leads to another server now',
      change: async () => await compose('cockroachdb', { server: 'elsewhere' }),
      says: 'spec.class: cannot be changed to "elsewhere"',
    },
    {
      what: 'databases are named otherwise now',
      change: async () => await compose('cockroachdb', { input: { naming: { database: 'other_{name}' } } }),
      says: 'spec.databaseName: cannot be changed: the database is "ledger"',
    },
  ])('as $what: the claim says why, and everything stays', async ({ change, says }) => {
    const before = await composed();
    await change();
    await accepted('False', says);
    await expect.poll(async () => await toldIn(namespace(at))).toContainEqual(expect.stringContaining(says));
    expect(await composed()).toEqual(before);
    await compose('cockroachdb');
    await accepted('True');
    expect(await composed()).toEqual(before);
  });

  // Nothing is composed of these: only the API server is asked.
  const pairs = ENGINES.flatMap((from) => ENGINES.filter((to) => to !== from).map((to) => ({ from, to })));
  describe.each([
    { form: 'v1', none: { compositionRef: { name: 'none' } } },
    { form: 'v2', none: { crossplane: { compositionRef: { name: 'none' } } } },
  ] as const)('the API server refuses it ($form)', ({ form, none }) => {
    const { apiVersion, resource } = CLAIMS[form];
    const name = (engine: string): string => `only-${engine}`;
    beforeAll(async () => {
      await cluster.apply([
        namespaceOf('switches'),
        ...ENGINES.map((engine) => ({
          apiVersion,
          kind: 'XDatabase',
          metadata: { namespace: 'switches', name: name(engine) },
          spec: { engine, serverRef: { name: 'some' }, databaseName: 'old', ...none },
        })),
      ]);
    });
    const edit = async (engine: string, change: object): Promise<string> =>
      await cluster
        .kubectl([
          'patch',
          resource,
          name(engine),
          '--namespace=switches',
          '--type=merge',
          '--dry-run=server',
          `--patch=${JSON.stringify({ spec: change })}`,
        ])
        .then(
          () => 'accepted',
          (error: unknown) => (error as Error).message,
        );

    test.each(pairs)('from $from to $to', async ({ from, to }) => {
      expect(await edit(from, { engine: to })).toContain('engine cannot be changed: it would be another database');
    });

    test.each([
      ['databaseName', { databaseName: 'new' }],
      ['databaseName', { databaseName: null }],
      ['serverRef', { serverRef: { name: 'another' } }],
      ['engine', { engine: null }],
    ])('by a change of %s: %j', async (field, change) => {
      for (const engine of ENGINES) expect(await edit(engine, change)).toContain(`${field} cannot be changed`);
    });
  });
});

describe('the end of a claim on CockroachDB', () => {
  everywhere(
    'takes logins, grants and schedules, and keeps the database that holds tables, with an event',
    async (at) => {
      await cluster.kubectl(['delete', CLAIMS[at.form].resource, 'ledger', '-n', namespace(at), '--wait=false']);
      await waitFor(
        'everything that it was composed of is gone',
        async () => {
          const items = await composedOf(cluster, namespace(at));
          if (items.length === 0) return true;
          throw new Error(items.map((item) => `${item.kind}: ${conditionOf(item, 'Synced')?.message}`).join('; '));
        },
        { timeout: 150_000, interval: 500 },
      );
      const { simulator } = serverOf(at);
      expect([...simulator!.state.roles.keys()].toSorted()).toEqual(['admin', 'root']);
      expect([...simulator!.state.schedules.keys(), ...simulator!.state.connections.keys()]).toEqual([]);
      expect(await serverOf(at).query('SELECT note FROM app.orders', [], 'ledger')).toEqual([{ note: 'first' }]);
      await expect
        .poll(async () => await toldIn(namespace(at)))
        .toContainEqual(expect.stringMatching(/^KeptExternalResource: database "ledger" kept: it holds/));
      expect(simulator!.violations).toEqual([]);
    },
  );
});
