/** The provider with the rights that Crossplane gives it, and with those of examples/install. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../provider/api/kind.ts';
import { Kubectl } from '../rig/kubectl.ts';
import { ownCluster } from '../rig/own-cluster.ts';
import { startPostgres } from '../rig/postgres.ts';
import { waitFor } from '../rig/process.ts';
import { allReady, managed, namespaceOf, providerConfig, run, untilCondition } from './objects.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const { cluster, stop } = await ownCluster();
const server = await startPostgres({ major: 18 });
const namespace = 'rights';
let provider: ProviderProcess;

const rule = (apiGroups: string[], resources: string[], verbs: string[]): object => ({ apiGroups, resources, verbs });
const own = ['get', 'list', 'watch', 'update', 'patch', 'create'];

/** As Crossplane's RBAC manager writes it. */
const systemRole = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: { name: 'system' },
  rules: [
    rule(['m.xdatabase.dev', 'sql.m.xdatabase.dev', 'backup.m.xdatabase.dev'], ['*'], own),
    rule([''], ['secrets', 'configmaps', 'events'], ['*']),
    rule(['coordination.k8s.io'], ['leases'], ['*']),
    rule(['apiextensions.k8s.io'], ['customresourcedefinitions'], ['get', 'list', 'watch']),
  ],
};

const account = { kind: 'ServiceAccount', name: 'provider-xdatabase', namespace: 'crossplane-system' };

beforeAll(async () => {
  await cluster.apply([
    namespaceOf(account.namespace),
    namespaceOf(namespace),
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account.name, namespace: account.namespace } },
    systemRole,
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'system' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system' },
      subjects: [account],
    },
    ...providerConfig(namespace, server),
  ]);
  const kubeconfig = await cluster.serviceAccountKubeconfig(account.namespace, account.name);
  provider = await startProvider(new Kubectl(cluster.command, kubeconfig));
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(provider.log());
  await provider?.stop();
  await server.stop();
  await stop();
});

test('without the right to Jobs all else works, and a Backup names the rule that is missing, until it is there', async () => {
  await cluster.apply([
    managed('Role', namespace, 'owner', { privileges: { login: false } }, { externalName: 'r_owner' }),
    managed('Database', namespace, 'db', { owner: 'r_owner' }),
  ]);
  await allReady(cluster, namespace);
  const storage = { s3: { bucket: 'bucket' } };
  await cluster.apply(run('Backup', namespace, 'b', { databaseRef: { name: 'db' }, storage }));
  const backup = await untilCondition(cluster, 'Backup', namespace, 'b', 'Synced', 'False', 'MissingPermission');
  expect(JSON.stringify(backup.status?.conditions)).toMatch(
    /may not list jobs.*\\"apiGroups\\":\[\\"batch\\"\].*create.*examples\/install/,
  );

  const text = await readFile(join(import.meta.dirname, '../../examples/install/30-rbac.yaml'), 'utf8');
  const documents = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  await cluster.apply(documents.filter(({ kind }) => kind.startsWith('ClusterRole')));
  await waitFor(
    'its Job has begun',
    async () => {
      const { items } = await cluster.get<{ items: { spec: { suspend: boolean } }[] }>('jobs', '-n', namespace);
      return items[0]?.spec.suspend === false;
    },
    { timeout: 120_000 },
  );
});
