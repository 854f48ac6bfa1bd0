/** Everything that backups take: a cluster with a kubelet, a PostgreSQL, an S3, and a provider that knows them. */
import { dirname } from 'node:path';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { debianTools, type ToolSetName } from '../rig/debian.ts';
import type { Image } from '../rig/kubelet-sandbox.ts';
import { Kubelet } from '../rig/kubelet.ts';
import type { Cluster } from '../rig/kubernetes.ts';
import { type OwnCluster, ownCluster } from '../rig/own-cluster.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { waitFor } from '../rig/process.ts';
import { type S3Server, startS3 } from '../rig/s3.ts';
import { builtProgram } from '../rig/servers.ts';
import { toolPath } from '../rig/tool-path.ts';
import { get, secret } from './objects.ts';
import { type ProviderProcess, startProvider } from './provider-process.ts';

const RUNNER_IMAGE = 'runner:test';
/** Where the provider takes itself to be. */
export const PLATFORM = 'crossplane-system';

export interface BackupWorld {
  cluster: Cluster;
  kubelet: Kubelet;
  server: PostgresServer;
  s3: S3Server;
  provider: ProviderProcess;
  restartProvider(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

function runnerImage(): Image {
  const node = dirname(process.execPath);
  return { folders: [node], path: [node], mounts: { '/app': dirname(builtProgram('runner')) } };
}

/** Client programs of 18 for every server. */
export async function toolImage(name: ToolSetName = 'postgresql-18'): Promise<Image> {
  const [tools, path] = [await debianTools(name), await toolPath(name)];
  return { folders: [tools.folder, path], path: [path] };
}

/**
 * @param more Images beside those of the runner and of PostgreSQL.
 * @param claims Folders that stand for PersistentVolumeClaims, by `namespace/name`.
 * @param own A cluster that is there already; it goes with the world.
 */
export async function startBackupWorld(
  more: Record<string, Image> = {},
  claims: Record<string, string> = {},
  own?: OwnCluster,
): Promise<BackupWorld> {
  const ends: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.toReversed()) await end();
  };
  try {
    const { cluster, stop: stopCluster } = own ?? (await ownCluster());
    ends.push(stopCluster);
    const server = await startPostgres({ major: 18 });
    ends.push(async () => await server.stop());
    const s3 = await startS3();
    ends.push(async () => await s3.stop());
    const images = {
      [RUNNER_IMAGE]: runnerImage(),
      [`postgres:${server.version}`]: await toolImage(),
      ...more,
    };
    const kubelet = await Kubelet.start({ kubeconfig: cluster.kubeconfig, images, claims });
    ends.push(async () => await kubelet.stop());
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: PLATFORM } });
    const start = async (): Promise<ProviderProcess> =>
      await startProvider(cluster, { args: ['--runner-image', RUNNER_IMAGE] });
    const world: BackupWorld = {
      cluster,
      kubelet,
      server,
      s3,
      provider: await start(),
      restartProvider: async (signal = 'SIGKILL') => {
        await world.provider.stop(signal);
        world.provider = await start();
      },
      stop,
    };
    ends.push(async () => await world.provider.stop());
    return world;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A bucket as a storage, and the Secret with its key. */
export const s3Storage = (world: BackupWorld, bucket: string, secretName = 's3-secret') => ({
  s3: {
    bucket,
    region: world.s3.region,
    endpoint: world.s3.endpoint,
    credentialsSecretRef: { name: secretName },
  },
});

export const s3Secret = (world: BackupWorld, namespace: string, name = 's3-secret'): KubeObject =>
  secret(namespace, name, { AWS_ACCESS_KEY_ID: world.s3.accessKeyId, AWS_SECRET_ACCESS_KEY: world.s3.secretAccessKey });

export const atProvider = (object: Managed): Record<string, unknown> => object.status?.atProvider ?? {};

/** Waits until a run has ended, and gives the resource. */
export async function ended(world: BackupWorld, kind: string, namespace: string, name: string): Promise<Managed> {
  return await waitFor(
    `${kind} ${name} has ended`,
    async () => {
      const object = await get(world.cluster, kind, namespace, name);
      const { phase } = atProvider(object);
      if (phase === 'Succeeded' || phase === 'Failed') return object;
      throw new Error(JSON.stringify(object.status));
    },
    { timeout: 90_000, interval: 200 },
  ).catch(async (error: unknown) => {
    throw new Error(`${String(error)}; the pods of ${namespace}: ${await podsOf(world, namespace)}`, { cause: error });
  });
}

const podsOf = async ({ cluster }: BackupWorld, namespace: string): Promise<string> =>
  JSON.stringify(
    (await cluster.get<{ items: KubeObject[] }>('pods', '-n', namespace)).items.map(({ metadata, status }) => ({
      name: metadata.name,
      status,
    })),
  );

/** Rows and a checksum of every table, by name. */
export async function contents(server: PostgresClient, database: string): Promise<Record<string, string>> {
  const tables = await server.query<{ name: string }>(
    "SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1",
    [],
    database,
  );
  const sums: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await server.query<{ sum: string }>(
      `SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') AS sum FROM ${name} t`,
      [],
      database,
    );
    sums[name] = row?.sum ?? '';
  }
  return sums;
}

/** Roles and databases that a run made for itself and that are still there. */
export const leftOvers = async (server: PostgresClient): Promise<object[]> =>
  await server.query(
    "SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'xdatabase%' UNION ALL SELECT datname FROM pg_database WHERE datname LIKE 'xdatabase%'",
  );
