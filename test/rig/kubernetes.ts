/** A real Kubernetes API: etcd, kube-apiserver and the controllers that need no node. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { join } from 'node:path';
import { binary } from './binaries.ts';
import { writeServerCertificate } from './certificate-files.ts';
import { createAuthority } from './certificates.ts';
import { Kubectl, kubeconfig } from './kubectl.ts';
import { notOurs, OwnServer, startInFolder } from './own-server.ts';
import { freePorts, type ServerProcess, startProcess, waitFor } from './process.ts';

export interface Cluster extends Kubectl {
  /** Takes the API server away, without warning to its clients; what it stored stays. */
  down(): Promise<void>;
  /** Brings it back at the same address. */
  up(): Promise<void>;
  /** Ends it for good and deletes what it stored. Happens by itself when this process ends. */
  stop(): Promise<void>;
}

/** Those that work without nodes. Pods are left to whoever plays the node. */
const controllers = [
  'garbage-collector-controller',
  'namespace-controller',
  'serviceaccount-controller',
  'serviceaccount-token-controller',
  'clusterrole-aggregation-controller',
  'deployment-controller',
  'replicaset-controller',
  'job-controller',
  'cronjob-controller',
  'ttl-after-finished-controller',
  'root-ca-certificate-publisher-controller',
];

class LocalCluster extends Kubectl implements Cluster {
  readonly #folder: string;
  readonly #apiServer: OwnServer;
  readonly #others: readonly ServerProcess[];

  constructor(kubectl: string, folder: string, apiServer: OwnServer, others: readonly ServerProcess[]) {
    super(kubectl, join(folder, 'kubeconfig'));
    this.#folder = folder;
    this.#apiServer = apiServer;
    this.#others = others;
  }

  down(): Promise<void> {
    return this.#apiServer.down();
  }

  up(): Promise<void> {
    return this.#apiServer.up();
  }

  async stop(): Promise<void> {
    // Nothing here is worth an orderly end, and the API server takes its time for one.
    await Promise.all([this.#apiServer, ...this.#others].map((server) => server.stop('SIGKILL')));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A cluster that somebody else runs: the current context of KUBECONFIG, copied, as that may be a list of files. */
class ForeignCluster extends Kubectl implements Cluster {
  readonly #folder: string;
  readonly #life = notOurs('the cluster of KUBECONFIG');

  constructor(command: string, folder: string) {
    super(command, join(folder, 'kubeconfig'));
    this.#folder = folder;
  }

  down(): Promise<void> {
    return this.#life.down();
  }

  up(): Promise<void> {
    return this.#life.up();
  }

  stop(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}

async function foreignCluster(path: string): Promise<Cluster> {
  const command = await binary('kubectl');
  return await startInFolder('kubernetes', async (folder) => {
    const view = ['config', 'view', '--raw', '--minify', '--flatten'];
    await writeFile(join(folder, 'kubeconfig'), await new Kubectl(command, path).kubectl(view), { mode: 0o600 });
    return new ForeignCluster(command, folder);
  });
}

/** Whether a path of the API server answers 200. */
function answers(url: string, ca: string, token: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const request = get(url, { ca, headers: { authorization: `Bearer ${token}` }, timeout: 5_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 5 s')));
    request.on('error', reject);
  });
}

interface Settings {
  folder: string;
  ports: { etcd: number; peer: number; api: number };
  authority: ReturnType<typeof createAuthority>;
  token: string;
}

async function writeFiles({ folder, ports, authority, token }: Settings): Promise<void> {
  await writeServerCertificate(folder, authority, {
    commonName: 'kube-apiserver',
    hosts: ['127.0.0.1', 'localhost', '10.0.0.1', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
  });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const files: Record<string, string | Buffer> = {
    'service-account.key': privateKey.export({ type: 'sec1', format: 'pem' }),
    'tokens.csv': `${token},admin,admin,system:masters\n`,
    kubeconfig: kubeconfig(`https://127.0.0.1:${ports.api}`, authority.certificate, token),
  };
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), content, { mode: 0o600 });
  }
}

function startEtcd({ folder, ports }: Settings, command: string): Promise<ServerProcess> {
  const client = `http://127.0.0.1:${ports.etcd}`;
  const peer = `http://127.0.0.1:${ports.peer}`;
  return startProcess({
    name: 'etcd',
    command,
    args: [
      `--data-dir=${join(folder, 'etcd')}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      '--unsafe-no-fsync',
      '--log-level=error',
    ],
    logFile: join(folder, 'etcd.log'),
    stopSignal: 'SIGKILL',
    folder,
  });
}

async function startApiServer(settings: Settings, command: string): Promise<OwnServer> {
  const url = `https://127.0.0.1:${settings.ports.api}/readyz`;
  const { folder, ports, authority, token } = settings;
  const file = (name: string): string => join(folder, name);
  return await OwnServer.start({
    name: 'kube-apiserver',
    command,
    args: [
      `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
      '--bind-address=127.0.0.1',
      `--secure-port=${ports.api}`,
      `--tls-cert-file=${file('tls.crt')}`,
      `--tls-private-key-file=${file('tls.key')}`,
      `--client-ca-file=${file('ca.crt')}`,
      `--token-auth-file=${file('tokens.csv')}`,
      '--authorization-mode=RBAC',
      '--service-cluster-ip-range=10.0.0.0/24',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${file('service-account.key')}`,
      `--service-account-signing-key-file=${file('service-account.key')}`,
      '--endpoint-reconciler-type=none',
    ],
    logFile: file('kube-apiserver.log'),
    stopSignal: 'SIGKILL',
    ready: async () => await answers(url, authority.certificate, token),
  });
}

function startControllers({ folder }: Settings, command: string): Promise<ServerProcess> {
  const file = (name: string): string => join(folder, name);
  return startProcess({
    name: 'kube-controller-manager',
    command,
    args: [
      `--kubeconfig=${file('kubeconfig')}`,
      `--controllers=${controllers.join(',')}`,
      `--service-account-private-key-file=${file('service-account.key')}`,
      `--root-ca-file=${file('ca.crt')}`,
      '--use-service-account-credentials=false',
      '--leader-elect=false',
      '--secure-port=0',
      // Tests create and delete kinds, and wait for what hangs on them.
      '--concurrent-gc-syncs=5',
      '--concurrent-namespace-syncs=5',
    ],
    logFile: file('kube-controller-manager.log'),
    stopSignal: 'SIGKILL',
  });
}

async function startIn(folder: string): Promise<Cluster> {
  const [etcdBinary, apiServerBinary] = [await binary('etcd'), await binary('kube-apiserver')];
  const [controllersBinary, kubectlBinary] = [await binary('kube-controller-manager'), await binary('kubectl')];
  const [etcd = 0, peer = 0, api = 0] = await freePorts(3);
  const settings: Settings = {
    folder,
    ports: { etcd, peer, api },
    authority: createAuthority('xdatabase test cluster'),
    token: randomBytes(18).toString('base64url'),
  };
  const started: (OwnServer | ServerProcess)[] = [];
  try {
    await writeFiles(settings);
    const store = await startEtcd(settings, etcdBinary);
    started.push(store);
    const apiServer = await startApiServer(settings, apiServerBinary);
    started.push(apiServer);
    const server = await startControllers(settings, controllersBinary);
    started.push(server);
    const cluster = new LocalCluster(kubectlBinary, folder, apiServer, [store, server]);
    const account = ['get', 'serviceaccount', 'default'];
    await waitFor('the controllers work', () => cluster.kubectl(account), { interval: 100, server });
    return cluster;
  } catch (error) {
    await Promise.all(started.map((server) => server.stop('SIGKILL')));
    throw error;
  }
}

/**
 * A fresh cluster on ports of its own, with RBAC and a certificate authority of its own; `kubeconfig` is the administrator's.
 * With XDB_TEST_USE_CLUSTER=1 it is the one that KUBECONFIG names instead.
 *
 * @throws NotAvailableError when the programs are neither in the cache nor can be built.
 * @throws Error with the end of the log when a server does not come up.
 */
export async function startKubernetes(): Promise<Cluster> {
  const own = process.env['KUBECONFIG'];
  if (own && process.env['XDB_TEST_USE_CLUSTER'] === '1') {
    return foreignCluster(own);
  }
  return await startInFolder('kubernetes', startIn);
}
