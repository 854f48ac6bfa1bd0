/** What a platform team installs before its app teams file claims: XRDs, Compositions, the function and a shared server. */
import { join } from 'node:path';
import type { Managed } from '../../provider/api/kind.ts';
import type { CrossplaneClient } from '../rig/crossplane.ts';
import type { Kubectl } from '../rig/kubectl.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';
import { startFunctionProcess } from './function-process.ts';
import { conditionOf, namespaceOf, resourceName, secret } from './objects.ts';

const configuration = join(import.meta.dirname, '../../package/configuration');

/** Both forms of the claim, by the XRD that serves them. */
export const CLAIMS = {
  v1: { apiVersion: 'claim.xdatabase.dev/v1alpha1', resource: 'xdatabases.claim.xdatabase.dev' },
  v2: { apiVersion: 'xdatabase.dev/v1alpha1', resource: 'xdatabases.xdatabase.dev' },
} as const;

/** Kinds that a claim is composed of. */
const COMPOSED = ['Database', 'Role', 'Schema', 'Grant', 'DefaultPrivileges', 'BackupSchedule', 'Copy']
  .map(resourceName)
  .join(',');

/**
 * Installs it all for these namespaces; the function runs until it is stopped.
 * @param more Fields of the configuration of the server.
 */
export async function installPlatform(
  cluster: Kubectl,
  crossplane: CrossplaneClient,
  server: PostgresClient,
  namespaces: readonly string[],
  more: Record<string, unknown> = {},
): ReturnType<typeof startFunctionProcess> {
  const fn = await installDefinitions(cluster, crossplane);
  await cluster.apply([
    namespaceOf('platform'),
    ...namespaces.map(namespaceOf),
    secret('platform', 'admin', { username: server.adminUser, password: server.password }),
    {
      apiVersion: 'm.xdatabase.dev/v1alpha1',
      kind: 'ClusterProviderConfig',
      metadata: { name: 'shared-postgres' },
      spec: {
        engine: 'postgres',
        endpoint: server.host,
        port: server.port,
        credentials: { secretRef: { name: 'admin', namespace: 'platform' } },
        tls: { mode: 'disable' },
        allowedNamespaces: { names: [...namespaces] },
        ...more,
      },
    },
  ]);
  return fn;
}

/** XRDs, Compositions, and the function, which runs until it is stopped. */
export async function installDefinitions(
  cluster: Kubectl,
  crossplane: CrossplaneClient,
): ReturnType<typeof startFunctionProcess> {
  for (const version of ['v1', 'v2']) {
    await cluster.apply(join(configuration, version, 'definition.yaml'));
    await cluster.apply(join(configuration, version, 'composition.yaml'));
  }
  const fn = await startFunctionProcess(crossplane, 'function-xdatabase');
  await cluster.wait(
    'condition=Established',
    'xrd/compositexdatabases.claim.xdatabase.dev',
    'xrd/xdatabases.xdatabase.dev',
  );
  await cluster.wait('condition=Offered', 'xrd/compositexdatabases.claim.xdatabase.dev');
  return fn;
}

export const composedOf = async (cluster: Kubectl, namespace: string): Promise<Managed[]> =>
  (await cluster.get<{ items: Managed[] }>(COMPOSED, '-n', namespace)).items;

/** Why what is composed is not ready, for a test that gives up waiting. */
export const unreadyOf = (items: readonly Managed[]): string =>
  items
    .filter((item) => conditionOf(item, 'Ready')?.status !== 'True')
    .map((item) => `${item.kind} ${item.metadata.name}: ${conditionOf(item, 'Synced')?.message}`)
    .join('; ');
