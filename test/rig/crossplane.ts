/** Real Crossplane core on a cluster of the rig, with functions that run as local processes. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { binary, crossplaneCrds } from './binaries.ts';
import { writeServerCertificate } from './certificate-files.ts';
import { existingAuthority } from './certificates.ts';
import type { Kubectl } from './kubectl.ts';
import { OwnServer, startInFolder } from './own-server.ts';
import { freePorts, type ServerProcess, startProcess, waitFor } from './process.ts';

const run = promisify(execFile);
const namespace = 'crossplane-system';

/** Where core and the functions find each other; plain data, so that it can be handed from a set-up to the tests. */
export interface CrossplaneAddress {
  /** PEM, the authority that core trusts functions by and they trust core by. */
  authority: { certificate: string; key: string };
  logFile: string;
}

export interface CrossplaneOptions {
  /** How often an XR is looked at without a cause. Default 30s; core's own default is 1m. */
  pollInterval?: string;
  debug?: boolean;
  /** Proxy through which functions are reached that pods of the cluster serve. */
  proxy?: string;
  /** Whether providers get their rights from Crossplane's RBAC manager. */
  rbacManager?: boolean;
}

interface SecretObject {
  data: Record<string, string>;
}

/** What a test does with Crossplane, given where it is. */
export class CrossplaneClient {
  readonly address: CrossplaneAddress;
  readonly logFile: string;
  readonly #cluster: Kubectl;

  constructor(cluster: Kubectl, address: CrossplaneAddress) {
    this.#cluster = cluster;
    this.address = address;
    this.logFile = address.logFile;
  }

  /** Writes tls.crt, tls.key (for 127.0.0.1 and localhost) and ca.crt: the folder that a function takes as TLS_SERVER_CERTS_DIR. */
  async functionCertificates(folder: string): Promise<void> {
    const { certificate, key } = this.address.authority;
    await mkdir(folder, { recursive: true });
    await writeServerCertificate(folder, existingAuthority(certificate, key), { commonName: 'function' });
  }

  /**
   * Makes core call `endpoint` (host:port) for pipeline steps whose functionRef is `name`. There is no package behind it: the
   * revision is made by hand, and paused so that the package manager leaves it alone.
   */
  async registerFunction(name: string, endpoint: string): Promise<void> {
    const revision = `${name}-rig`;
    await this.#cluster.apply({
      apiVersion: 'pkg.crossplane.io/v1',
      kind: 'FunctionRevision',
      metadata: {
        name: revision,
        labels: { 'pkg.crossplane.io/package': name },
        annotations: { 'crossplane.io/paused': 'true' },
      },
      spec: { image: `127.0.0.1:1/rig/${name}:v0`, revision: 1, desiredState: 'Active' },
    });
    const status = { endpoint, capabilities: ['composition'] };
    const patch = ['patch', 'functionrevision.pkg.crossplane.io', revision, '--subresource=status', '--type=merge'];
    await this.#cluster.kubectl([...patch, '-p', JSON.stringify({ status })]);
  }
}

export interface Crossplane extends CrossplaneClient {
  /** Where core looks for packages before it asks a registry. */
  readonly packages: string;
  stop(): Promise<void>;
}

class LocalCrossplane extends CrossplaneClient implements Crossplane {
  readonly packages: string;
  readonly #core: OwnServer;
  readonly #rbacManager: ServerProcess | undefined;

  constructor(
    cluster: Kubectl,
    address: CrossplaneAddress,
    packages: string,
    core: OwnServer,
    rbacManager: ServerProcess | undefined,
  ) {
    super(cluster, address);
    this.packages = packages;
    this.#core = core;
    this.#rbacManager = rbacManager;
  }

  async stop(): Promise<void> {
    await this.#rbacManager?.stop();
    await this.#core.stop();
  }
}

async function readSecret(cluster: Kubectl, name: string): Promise<Record<string, string>> {
  const { data } = await cluster.get<SecretObject>('secret', name, '-n', namespace);
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));
}

function coreEnvironment(cluster: Kubectl, crds: string, proxy: string | undefined): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...(proxy === undefined ? {} : { HTTPS_PROXY: proxy }),
    KUBECONFIG: cluster.kubeconfig,
    POD_NAMESPACE: namespace,
    POD_SERVICE_ACCOUNT: 'crossplane',
    CRDS_PATH: crds,
    WEBHOOK_CONFIGS_PATH: join(dirname(crds), 'webhookconfigurations'),
    TLS_CA_SECRET_NAME: 'crossplane-root-ca',
    TLS_SERVER_SECRET_NAME: 'crossplane-tls-server',
    TLS_CLIENT_SECRET_NAME: 'crossplane-tls-client',
    // Webhooks would have to reach this process by a Service.
    ENABLE_WEBHOOKS: 'false',
    // Functions are on this machine, whatever proxy it uses for the rest of the world.
    NO_PROXY: [process.env['NO_PROXY'], '127.0.0.1', 'localhost'].filter(Boolean).join(','),
    GRPC_ENABLE_TXT_SERVICE_CONFIG: 'false',
  };
}

async function initialise(cluster: Kubectl, command: string, env: NodeJS.ProcessEnv): Promise<void> {
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await cluster.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'crossplane', namespace } });
  // It goes on to use kinds that it has only just made, and then it may be too quick for the API server.
  const init = (): Promise<true> => run(command, ['core', 'init', '--activation', '*'], { env }).then(() => true);
  await waitFor('crossplane core init', init, { interval: 500 });
}

/** It gives the service account of each provider what Crossplane gives all providers, and no more. */
const startRbacManager = async (command: string, env: NodeJS.ProcessEnv, folder: string): Promise<ServerProcess> =>
  await startProcess({
    name: 'Crossplane RBAC manager',
    command,
    args: ['rbac', 'start'],
    env,
    logFile: join(folder, 'rbac-manager.log'),
  });

/**
 * Starts core as the administrator of the cluster, so that it may manage every kind. All managed resource definitions are
 * activated.
 *
 * @throws NotAvailableError when the programs are neither in the cache nor can be built.
 * @throws Error with the end of the log when core does not come up.
 */
export async function startCrossplane(cluster: Kubectl, options: CrossplaneOptions = {}): Promise<Crossplane> {
  const command = await binary('crossplane-core');
  const env = coreEnvironment(cluster, await crossplaneCrds(), options.proxy);
  await initialise(cluster, command, env);
  return await startInFolder('crossplane', async (folder) => {
    const clientCertificates = join(folder, 'client');
    const packages = join(folder, 'packages');
    await Promise.all([mkdir(clientCertificates), mkdir(packages)]);
    for (const [file, content] of Object.entries(await readSecret(cluster, 'crossplane-tls-client'))) {
      await writeFile(join(clientCertificates, file), content, { mode: 0o600 });
    }
    const root = await readSecret(cluster, 'crossplane-root-ca');
    const [metrics = 0, health = 0, webhook = 0] = await freePorts(3);
    const address: CrossplaneAddress = {
      authority: { certificate: root['tls.crt'] ?? '', key: root['tls.key'] ?? '' },
      logFile: join(folder, 'core.log'),
    };
    const rbacManager = options.rbacManager === true ? await startRbacManager(command, env, folder) : undefined;
    const core = await OwnServer.start({
      name: 'Crossplane core',
      command,
      args: [
        'core',
        'start',
        `--namespace=${namespace}`,
        `--tls-client-certs-dir=${clientCertificates}`,
        `--xpkg-cache-dir=${packages}`,
        `--metrics-port=${metrics}`,
        `--health-probe-port=${health}`,
        `--webhook-port=${webhook}`,
        `--poll-interval=${options.pollInterval ?? '30s'}`,
        // As docs recommend for claims of several roles: by default core stops listening to a composite for minutes after a
        // hundred changes of its resources, and on a slow machine a new claim is near that.
        '--circuit-breaker-burst=1000',
        ...(options.debug ? ['--debug'] : []),
      ],
      env,
      logFile: address.logFile,
      folder,
      ready: async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok,
    }).catch(async (error: unknown) => {
      await rbacManager?.stop();
      throw error;
    });
    return new LocalCrossplane(cluster, address, packages, core, rbacManager);
  });
}
