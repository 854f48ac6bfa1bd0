/** The CRDs against a real API server: what it accepts, what it refuses and in which words. */
import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { fileName } from '../../package/reference.ts';
import { toCrd } from '../../provider/api/crd.ts';
import type { KindDefinition, KubeObject } from '../../provider/api/kind.ts';
import { kinds } from '../../provider/api/registry.ts';
import { parse } from '../../provider/api/validate.ts';
import { sharedCluster } from '../rig/servers.ts';
import { badManifests } from './bad-manifests.ts';
import { changed, example } from './manifests.ts';

const cluster = sharedCluster();
const run = randomBytes(4).toString('hex');
const namespace = `crds-${run}`;
const every = kinds.map((kind) => [kind.kind, kind] as const);

beforeAll(async () => {
  await cluster.kubectl(['create', 'namespace', namespace]);
  return async () => {
    const mine = ['clusterproviderconfigs.m.xdatabase.dev', '-l', `run=${run}`];
    await cluster.kubectl(['delete', '--ignore-not-found', '--wait=false', ...mine]);
    await cluster.kubectl(['delete', 'namespace', namespace, '--wait=false']);
  };
});

let count = 0;

/** A copy under a name of its own, in the namespace of this file. */
function fresh(object: KubeObject): KubeObject {
  const { metadata, ...rest } = object;
  const name = `${metadata.name}-${run}-${count++}`;
  const labels = { ...metadata.labels, run };
  const own = metadata.namespace === undefined ? { name, labels } : { name, labels, namespace };
  return { ...rest, metadata: own };
}

const exampleOf = (kind: KindDefinition): KubeObject => fresh(example(fileName(kind, 'yaml').replace('.yaml', '')));

/** Server-side apply as a GitOps tool does it, with unknown fields refused. Gives the object as it is stored. */
const apply = async (object: KubeObject): Promise<KubeObject> =>
  JSON.parse(
    await cluster.kubectl(
      ['apply', '--server-side', '--validate=strict', '--field-manager=gitops', '-o', 'json', '-f', '-'],
      { input: JSON.stringify(object) },
    ),
  ) as KubeObject;

/** What the API server says against an object, made new or changed, unknown fields refused. Nothing is stored. */
const refusal = async (verb: 'create' | 'apply', object: KubeObject): Promise<string> => {
  const flags = verb === 'apply' ? ['--server-side', '--field-manager=gitops'] : [];
  const args = [verb, ...flags, '--validate=strict', '--dry-run=server', '-f', '-'];
  return await cluster.kubectl(args, { input: JSON.stringify(object) }).then(
    () => expect.fail(`${object.kind} was accepted`),
    (error: unknown) => (error as Error).message,
  );
};

test.each(every)('the CRD of %s is established, with every name accepted', async (_, kind) => {
  const crd = await cluster.get<{ status: { conditions: { type: string; status: string; message: string }[] } }>(
    'crd',
    toCrd(kind).metadata.name,
  );
  const conditions = Object.fromEntries(crd.status.conditions.map(({ type, status }) => [type, status]));
  expect(conditions).toMatchObject({ Established: 'True', NamesAccepted: 'True' });
  // There when something in the schema is not structural, and the server would prune nothing.
  expect(conditions).not.toHaveProperty('NonStructuralSchema');
});

test.each(every)(
  'the example of %s is accepted, and gets the defaults that the command line fills in',
  async (_, kind) => {
    const object = exampleOf(kind);
    const { apiVersion: _version, kind: _kind, metadata: _metadata, ...stored } = await apply(object);
    const { apiVersion: _v, kind: _k, metadata: _m, ...parsed } = parse(kind, object) as unknown as KubeObject;
    expect(stored).toEqual(parsed);
  },
);

test.each(every)('applying the example of %s again changes nothing', async (_, kind) => {
  const object = exampleOf(kind);
  const first = await apply(object);
  const second = await apply(object);
  expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  // Exit status 0: no difference, nested defaults included.
  const diff = ['diff', '--server-side', '--field-manager=gitops', '-f', '-'];
  expect(await cluster.kubectl(diff, { input: JSON.stringify(object) })).toBe('');
});

test('a member without inherit, and objects that are empty, show no difference when applied again', async () => {
  const role = changed(fresh(example('role')), {
    'spec.forProvider': {
      memberOf: [{ role: 'readers' }, { role: 'writers', admin: true }],
      passwordSecretRef: { name: 'given' },
      onDelete: {},
      privileges: {},
    },
    'spec.providerConfigRef': {},
  });
  const first = await apply(role);
  expect(first['spec']).toMatchObject({
    forProvider: {
      memberOf: [{ role: 'readers' }, { role: 'writers', admin: true }],
      passwordSecretRef: { name: 'given', key: 'password' },
      onDelete: { revokeGrants: true },
    },
    providerConfigRef: { kind: 'ClusterProviderConfig', name: 'default' },
  });
  expect((await apply(role)).metadata.resourceVersion).toBe(first.metadata.resourceVersion);
});

test.each(badManifests)(
  '$what is refused, and the message says what is allowed',
  async ({ file, change, update, says }) => {
    const first = changed(fresh(example(file)), change);
    if (update !== undefined) await apply(first);
    const message = await (update === undefined ? refusal('create', first) : refusal('apply', changed(first, update)));
    for (const words of says) expect(message).toMatch(words);
  },
);

test('a resolved reference is no change of what cannot be changed', async () => {
  const grant = await apply(fresh(example('grant')));
  const patch = JSON.stringify({ spec: { forProvider: { database: 'orders', schema: 'billing', role: 'readwrite' } } });
  const type = 'grants.sql.m.xdatabase.dev';
  await cluster.kubectl(['patch', type, grant.metadata.name, '-n', namespace, '--type=merge', '-p', patch]);
  const stored = await cluster.get<KubeObject>(type, grant.metadata.name, '-n', namespace);
  expect(stored['spec']).toMatchObject({ forProvider: { database: 'orders', databaseRef: { name: 'orders' } } });
});

test('status has a door of its own, and its conditions are merged by type', async () => {
  const database = await apply(fresh(example('database')));
  const { apiVersion, kind, metadata } = database;
  const condition = (type: string) => ({
    type,
    status: 'True',
    reason: 'Available',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  });
  for (const type of ['Ready', 'Synced']) {
    const status = {
      apiVersion,
      kind,
      metadata: { name: metadata.name, namespace },
      status: { conditions: [condition(type)] },
    };
    await cluster.kubectl(
      ['apply', '--server-side', '--subresource=status', `--field-manager=${type.toLowerCase()}`, '-f', '-'],
      { input: JSON.stringify(status) },
    );
  }
  const stored = await cluster.get<KubeObject>('databases.sql.m.xdatabase.dev', metadata.name, '-n', namespace);
  expect(stored['status']).toEqual({ conditions: [condition('Ready'), condition('Synced')] });
  expect(stored.metadata.generation).toBe(1);
});

test('kubectl explains every kind in our words', async () => {
  for (const kind of kinds) {
    const text = await cluster.kubectl(['explain', `${kind.plural}.${kind.group}`]);
    expect(text.replaceAll(/\s+/g, ' ')).toContain(kind.description);
  }
});
