import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '../../provider/api/kind.ts';
import { type Cluster, startKubernetes } from './kubernetes.ts';
import { waitFor } from './process.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startKubernetes();
});

afterAll(async () => {
  await cluster?.stop();
});

const crd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.rig.test' },
  spec: {
    group: 'rig.test',
    scope: 'Namespaced',
    names: { kind: 'Thing', plural: 'things', singular: 'thing' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { size: { type: 'integer', maximum: 3 } } } },
          },
        },
      },
    ],
  },
};

const thing = (size: number, name = 'one'): KubeObject => ({
  apiVersion: 'rig.test/v1',
  kind: 'Thing',
  metadata: { name, namespace: 'default' },
  spec: { size },
});

test('new kinds are served, and their schema is enforced', async () => {
  await cluster.apply(crd);
  await cluster.apply(thing(3));
  await expect(cluster.apply(thing(4))).rejects.toThrow(/should be less than or equal to 3/);
  expect(await cluster.get('things', 'one')).toMatchObject({ spec: { size: 3 } });
});

test('what is applied together is applied as far as it is right, and each refusal is told', async () => {
  const typo = { ...thing(1, 'typo'), spec: { sise: 1 } };
  const applying = cluster.apply([thing(4, 'large'), thing(2, 'two'), typo]);
  await expect(applying).rejects.toThrow(/large[^]*should be less than or equal to 3[^]*spec.sise: field not declared/);
  const { items } = await cluster.get<{ items: KubeObject[] }>('things');
  expect(items.map(({ metadata }) => metadata.name)).toEqual(['one', 'two']);
});

test.each([
  ['one object', 'thing', 'one'],
  ['a kind in a namespace', 'configmaps', '-n', 'kube-system'],
  ['a kind in all namespaces, with its group', 'things.rig.test', '-A'],
  ['several kinds, by short names', 'cm,sa', '-n', 'kube-system'],
  ['a kind without namespaces', 'crd'],
  ['what has a label', 'clusterroles', '-l', 'kubernetes.io/bootstrapping=rbac-defaults'],
])('what is read without kubectl is what kubectl reads: %s', async (_, ...args) => {
  const read = await cluster.get<Record<string, unknown>>(...args);
  expect(read).toEqual(JSON.parse(await cluster.kubectl(['get', ...args, '-o', 'json'])));
  expect(read['items'] ?? [read]).not.toEqual([]);
});

test('what is not there is told as kubectl tells it', async () => {
  await expect(cluster.get('things', 'none')).rejects.toThrow(
    'Error from server (NotFound): things.rig.test "none" not found',
  );
  await expect(cluster.get('nothings')).rejects.toThrow('the server doesn\'t have a resource type "nothings"');
  await expect(cluster.get('things', '--watch')).rejects.toThrow('--watch is not understood here');
});

test('what an owner leaves behind is collected', async () => {
  await cluster.kubectl(['create', 'configmap', 'owner']);
  const { metadata } = await cluster.get<{ metadata: { uid: string } }>('configmap', 'owner');
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'owned',
      namespace: 'default',
      ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: metadata.uid }],
    },
  });
  await cluster.kubectl(['delete', 'configmap', 'owner']);
  await cluster.wait('delete', 'configmap/owned');
});

test('namespaces come with a service account and go away', async () => {
  await cluster.kubectl(['create', 'namespace', 'team']);
  await waitFor('the service account', () => cluster.kubectl(['get', 'serviceaccount', 'default', '-n', 'team']));
  await cluster.kubectl(['delete', 'namespace', 'team', '--timeout=60s']);
});

test('a service account may do what its roles say, and nothing else', async () => {
  const kubeconfig = await cluster.serviceAccountKubeconfig('default', 'default');
  const as = ['--kubeconfig', kubeconfig];
  await expect(cluster.kubectl([...as, 'get', 'configmaps'])).rejects.toThrow(/forbidden/);
  await cluster.kubectl(['create', 'rolebinding', 'look', '--clusterrole=view', '--serviceaccount=default:default']);
  await waitFor('the binding works', () => cluster.kubectl([...as, 'get', 'configmaps']));
  await expect(cluster.kubectl([...as, 'create', 'configmap', 'no'])).rejects.toThrow(/forbidden/);
});

test('the API server keeps what it stored while it was away', async () => {
  await cluster.kubectl(['create', 'configmap', 'kept']);
  await cluster.down();
  await expect(cluster.kubectl(['get', 'configmap', 'kept'])).rejects.toThrow(/refused/);
  await cluster.up();
  expect(await cluster.get('configmap', 'kept')).toMatchObject({ metadata: { name: 'kept' } });
});

test('leaves nothing behind', async () => {
  const folder = dirname(cluster.kubeconfig);
  expect(existsSync(folder)).toBe(true);
  await cluster.stop();
  expect(existsSync(folder)).toBe(false);
});
