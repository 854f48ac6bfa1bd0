/** Those that are compared: how each is started, and the same wishes in the words of each. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../package/build.ts';
import { NODE_FLAGS } from '../../provider/common/node-flags.ts';
import type { KubeObject } from '../../provider/api/kind.ts';
import type { Resource } from '../../provider/runtime/kube/resource.ts';
import { managed, providerConfig, secret } from '../e2e/objects.ts';
import { binary, providerSqlCrds } from '../rig/binaries.ts';
import type { Kubectl } from '../rig/kubectl.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';
import { freePorts, type ServerProcess, startProcess, waitFor } from '../rig/process.ts';

/** The database that all grants are on; made before anything is counted. */
export const DATABASE = 'bench';

export interface StartOptions {
  /** A folder for a CPU profile of ours, written when it ends. */
  profile?: string | undefined;
}

export interface Contestant {
  readonly label: string;
  readonly role: Resource;
  readonly grant: Resource;
  /** A file or folder of manifests. */
  crds(): Promise<string>;
  config(namespace: string, server: PostgresClient): KubeObject[];
  /** A login role with a generated password in a Secret. */
  newRole(namespace: string, name: string): KubeObject;
  /** CONNECT on the database for the role of that name. */
  newGrant(namespace: string, name: string): KubeObject;
  start(cluster: Kubectl, options: StartOptions): Promise<ServerProcess>;
}

const kinds = (group: string): { role: Resource; grant: Resource } => {
  const common = { group, version: 'v1alpha1', namespaced: true };
  return {
    role: { ...common, kind: 'Role', plural: 'roles' },
    grant: { ...common, kind: 'Grant', plural: 'grants' },
  };
};

const ROLE = { privileges: { login: true } };
const grantTo = (role: string) => ({ privileges: ['CONNECT'], role, database: DATABASE });

export const ours: Contestant = {
  label: 'xdatabase',
  ...kinds('sql.m.xdatabase.dev'),
  crds: () => Promise.resolve(join(import.meta.dirname, '../../package/provider/crds')),
  config: providerConfig,
  newRole: (namespace, name) => managed('Role', namespace, name, ROLE, { secret: `${name}-login` }),
  newGrant: (namespace, name) => managed('Grant', namespace, name, grantTo(name)),
  start: async (cluster, { profile }) => {
    const folder = await mkdtemp(join(tmpdir(), 'xdatabase-bench-'));
    // The bundle, as that is what is shipped: the sources would also be charged for having their types taken off.
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    const program = await bundle('provider', 'provider/main.ts', folder);
    const [metrics, health] = await freePorts(2);
    const server = await startProcess({
      name: 'provider',
      command: process.execPath,
      args: [
        ...NODE_FLAGS,
        ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
        program,
        `--kubeconfig=${cluster.kubeconfig}`,
        '--poll=1m',
        `--metrics-bind-address=127.0.0.1:${metrics}`,
        `--health-bind-address=127.0.0.1:${health}`,
      ],
      logFile: join(folder, 'log'),
      folder,
    });
    void server.ended.then(() => rm(folder, { recursive: true, force: true }));
    await waitFor('the provider is ready', async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok, {
      server,
    });
    return server;
  },
};

const peerApi = 'postgresql.sql.m.crossplane.io';

const peerObject = (kind: string, namespace: string, name: string, spec: Record<string, unknown>): KubeObject => ({
  apiVersion: `${peerApi}/v1alpha1`,
  kind,
  metadata: { namespace, name },
  spec: { ...spec, providerConfigRef: { kind: 'ProviderConfig', name: 'default' } },
});

export const peer: Contestant = {
  label: 'provider-sql',
  ...kinds(peerApi),
  crds: providerSqlCrds,
  config: (namespace, server) => [
    secret(namespace, 'default-admin', {
      username: server.adminUser,
      password: server.password,
      endpoint: server.host,
      port: String(server.port),
    }),
    {
      apiVersion: `${peerApi}/v1alpha1`,
      kind: 'ProviderConfig',
      metadata: { namespace, name: 'default' },
      spec: {
        sslMode: 'disable',
        credentials: { source: 'PostgreSQLConnectionSecret', connectionSecretRef: { name: 'default-admin' } },
      },
    },
  ],
  newRole: (namespace, name) =>
    peerObject('Role', namespace, name, {
      forProvider: ROLE,
      writeConnectionSecretToRef: { name: `${name}-login` },
    }),
  newGrant: (namespace, name) => peerObject('Grant', namespace, name, { forProvider: grantTo(name) }),
  start: async (cluster) => {
    const folder = await mkdtemp(join(tmpdir(), 'xdatabase-bench-'));
    const [metrics] = await freePorts(1);
    const server = await startProcess({
      name: 'provider-sql',
      command: await binary('provider-sql'),
      args: ['--poll=1m', `--metrics-bind-address=127.0.0.1:${metrics}`],
      env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
      logFile: join(folder, 'log'),
      folder,
    });
    void server.ended.then(() => rm(folder, { recursive: true, force: true }));
    await waitFor('provider-sql is ready', async () => (await fetch(`http://127.0.0.1:${metrics}/metrics`)).ok, {
      server,
    });
    return server;
  },
};
