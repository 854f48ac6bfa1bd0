import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

const thing = (size: number): object => ({
  apiVersion: 'rig.test/v1',
  kind: 'Thing',
  metadata: { name: 'one', namespace: 'default' },
  spec: { size },
});

test('new kinds are served, and their schema is enforced', async () => {
  await cluster.apply(crd);
  await cluster.apply(thing(3));
  await expect(cluster.apply(thing(4))).rejects.toThrow(/should be less than or equal to 3/);
  expect(await cluster.get('things', 'one')).toMatchObject({ spec: { size: 3 } });
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
