/** Manifests that several end-to-end tests begin with, and what they look at. */
import type { Condition, KubeObject, Managed } from '../../provider/api/kind.ts';
import type { Kubectl } from '../rig/kubectl.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';
import { waitFor } from '../rig/process.ts';

export const secret = (namespace: string, name: string, values: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace, name },
  stringData: values,
});

/** A ProviderConfig for the server in that namespace, and the Secret it reads. */
export const providerConfig = (
  namespace: string,
  server: PostgresClient,
  name = 'default',
  change: Record<string, unknown> = {},
): KubeObject[] => [
  secret(namespace, `${name}-admin`, { username: server.adminUser, password: server.password }),
  {
    apiVersion: 'm.xdatabase.dev/v1alpha1',
    kind: 'ProviderConfig',
    metadata: { namespace, name },
    spec: {
      engine: 'postgres',
      endpoint: server.host,
      port: server.port,
      credentials: { secretRef: { name: `${name}-admin` } },
      tls: { mode: 'disable' },
      ...change,
    },
  },
];

export const namespaceOf = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

export const managed = (
  kind: string,
  namespace: string,
  name: string,
  forProvider: Record<string, unknown>,
  more: { externalName?: string; secret?: string; policies?: string[]; config?: { kind: string; name: string } } = {},
): KubeObject => ({
  apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
  kind,
  metadata: {
    namespace,
    name,
    ...(more.externalName === undefined ? {} : { annotations: { 'crossplane.io/external-name': more.externalName } }),
  },
  spec: {
    forProvider,
    providerConfigRef: more.config ?? { kind: 'ProviderConfig', name: 'default' },
    ...(more.policies === undefined ? {} : { managementPolicies: more.policies }),
    ...(more.secret === undefined ? {} : { writeConnectionSecretToRef: { name: more.secret } }),
  },
});

/** One of the kinds of group backup. */
export const run = (
  kind: string,
  namespace: string,
  name: string,
  forProvider: Record<string, unknown>,
  config: { kind: string; name: string } = { kind: 'ProviderConfig', name: 'default' },
): KubeObject => ({
  apiVersion: 'backup.m.xdatabase.dev/v1alpha1',
  kind,
  metadata: { namespace, name },
  spec: { forProvider, providerConfigRef: config },
});

const RUNS: Record<string, string> = {
  Backup: 'backups',
  Restore: 'restores',
  Copy: 'copies',
  BackupSchedule: 'backupschedules',
  RestoreSchedule: 'restoreschedules',
  CopySchedule: 'copyschedules',
};

const PLURALS: Record<string, string> = {
  Database: 'databases',
  Role: 'roles',
  Schema: 'schemas',
  Grant: 'grants',
  DefaultPrivileges: 'defaultprivileges',
  Extension: 'extensions',
};

export const resourceName = (kind: string): string =>
  RUNS[kind] === undefined ? `${PLURALS[kind]}.sql.m.xdatabase.dev` : `${RUNS[kind]}.backup.m.xdatabase.dev`;

export const get = async (cluster: Kubectl, kind: string, namespace: string, name: string): Promise<Managed> =>
  await cluster.get<Managed>(resourceName(kind), name, '-n', namespace);

export const conditionOf = (object: Managed, type: string): Condition | undefined =>
  object.status?.conditions?.find((c) => c.type === type);

/** Waits until every managed resource of the namespace is Ready and Synced for its newest generation. */
export async function allReady(cluster: Kubectl, namespace: string, timeout = 90_000): Promise<Managed[]> {
  const kinds = Object.keys(PLURALS).map(resourceName).join(',');
  return await waitFor(
    `everything in ${namespace} is ready`,
    async () => {
      const { items } = await cluster.get<{ items: Managed[] }>(kinds, '-n', namespace);
      const late = items.filter(
        (item) =>
          conditionOf(item, 'Ready')?.status !== 'True' ||
          conditionOf(item, 'Synced')?.status !== 'True' ||
          item.status?.observedGeneration !== item.metadata.generation,
      );
      if (late.length > 0)
        throw new Error(
          late
            .map(
              (item) =>
                `${item.kind} ${item.metadata.name}: ${conditionOf(item, 'Synced')?.message ?? conditionOf(item, 'Ready')?.message ?? 'no condition'}`,
            )
            .join('; '),
        );
      return items.length > 0 && items;
    },
    { timeout, interval: 300 },
  );
}

/** Waits until a condition of a resource has that status and, if given, reason; gives the resource. */
export async function untilCondition(
  cluster: Kubectl,
  kind: string,
  namespace: string,
  name: string,
  type: string,
  status: string,
  reason?: string,
): Promise<Managed> {
  return await waitFor(`${kind} ${name} has ${type}=${status} ${reason ?? ''}`, async () => {
    const object = await get(cluster, kind, namespace, name);
    const condition = conditionOf(object, type);
    if (condition?.status === status && (reason === undefined || condition.reason === reason)) return object;
    throw new Error(JSON.stringify(object.status?.conditions));
  });
}

export async function connectionSecret(
  cluster: Kubectl,
  namespace: string,
  name: string,
): Promise<Record<string, string>> {
  const { data } = await cluster.get<{ data: Record<string, string> }>('secret', name, '-n', namespace);
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}

/** Messages of a namespace's events with that reason. Events follow what they tell of by some seconds: poll. */
export async function eventsOf(
  cluster: Pick<Kubectl, 'get'>,
  namespace: string,
  reason: string,
  name?: string,
): Promise<string[]> {
  const { items } = await cluster.get<{
    items: { reason: string; message: string; involvedObject: { name: string } }[];
  }>('events', '-n', namespace);
  return items
    .filter((event) => event.reason === reason && (name === undefined || event.involvedObject.name === name))
    .map(({ message }) => message);
}
