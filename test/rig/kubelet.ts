/**
 * A small kubelet: it claims every pod of the API server, runs the commands of its containers as local processes and says
 * in the pod's status how they are. Images are folders of this machine. The controllers that make and count the pods
 * (Job, CronJob, TTL) are the real ones.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeObject } from '../../provider/api/kind.ts';
import { KubeClient } from '../../provider/runtime/kube/client.ts';
import { PooledKubeConfig } from '../../provider/runtime/kube/config.ts';
import { isConflict, isNotFound } from '../../provider/runtime/kube/errors.ts';
import { Reflector } from '../../provider/runtime/kube/reflector.ts';
import { keyOf, type Resource, SECRETS } from '../../provider/runtime/kube/resource.ts';
import { createLog } from '../../provider/runtime/log.ts';
import { type Image, requireSandbox } from './kubelet-sandbox.ts';
import { PodRun } from './kubelet-pod.ts';

const PODS: Resource = { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
const BINDINGS: Resource = { group: '', version: 'v1', kind: 'Binding', plural: 'bindings', namespaced: true };
const CONFIG_MAPS: Resource = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
/** Asked for with the name of the account. */
const tokensOf = (account: string): Resource => ({
  group: '',
  version: 'v1',
  kind: 'TokenRequest',
  plural: `serviceaccounts/${encodeURIComponent(account)}/token`,
  namespaced: true,
});
const NODE = 'rig';
const RETRY_MS = 200;

export interface KubeletOptions {
  kubeconfig: string;
  /** By the name that pods have in `image`. */
  images: Readonly<Record<string, Image>>;
  /** Folders that stand for PersistentVolumeClaims, by `namespace/name`. */
  claims?: Readonly<Record<string, string>>;
  /** Only pods of these namespaces; all when not given. */
  namespaces?: (namespace: string) => boolean;
}

export class Kubelet {
  readonly #options: KubeletOptions;
  readonly #client: KubeClient;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #runs = new Map<string, PodRun>();
  readonly #abort = new AbortController();

  private constructor(options: KubeletOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    const config = PooledKubeConfig.load({ kubeconfig: options.kubeconfig });
    this.#client = new KubeClient(config, { fieldManager: 'rig-kubelet' });
    const { hostname, port } = new URL(config.getCurrentCluster()?.server ?? '');
    this.#environment = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port || '443' };
  }

  /** @throws NotAvailableError where this machine does not allow mounts. */
  static async start(options: KubeletOptions): Promise<Kubelet> {
    await requireSandbox();
    const kubelet = new Kubelet(options, await mkdtemp(join(tmpdir(), 'xdatabase-kubelet-')));
    const reflector = new Reflector(kubelet.#client, PODS, { log: createLog({ level: 'error' }) });
    reflector.subscribe({
      onAdd: (pod) => kubelet.#look(pod),
      onUpdate: (_old, pod) => kubelet.#look(pod),
      onDelete: (pod) => kubelet.#runs.get(pod.metadata.uid ?? '')?.kill(),
    });
    void reflector.run(kubelet.#abort.signal);
    await reflector.synced;
    return kubelet;
  }

  /** Kills every container; the pods stay as they are. */
  async stop(): Promise<void> {
    this.#abort.abort(new Error('the kubelet is stopping'));
    await Promise.all([...this.#runs.values()].map(async (run) => await run.stop()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Every pod that has run here, newest last. */
  pods(): KubeObject[] {
    return [...this.#runs.values()].map(({ pod }) => pod);
  }

  /** What a container has written, also after its pod is gone. */
  async log(namespace: string, podPrefix: string, container: string): Promise<string> {
    const run = this.#find(namespace, podPrefix);
    return await readFile(run.container(container).logFile, 'utf8');
  }

  /** Kills a container from outside, as the kernel does when memory is short. */
  kill(namespace: string, podPrefix: string, container: string): void {
    this.#find(namespace, podPrefix).container(container).signal('SIGKILL');
  }

  #find(namespace: string, podPrefix: string): PodRun {
    const run = [...this.#runs.values()].findLast(
      ({ pod }) => pod.metadata.namespace === namespace && pod.metadata.name.startsWith(podPrefix),
    );
    if (run === undefined) throw new Error(`no pod ${namespace}/${podPrefix}… has run`);
    return run;
  }

  #look(pod: KubeObject): void {
    const { namespace = '', name, uid = '' } = pod.metadata;
    if (this.#abort.signal.aborted || this.#options.namespaces?.(namespace) === false) return;
    const node = (pod['spec'] as { nodeName?: string }).nodeName;
    if (node === undefined) {
      if (pod.metadata.deletionTimestamp === undefined) void this.#bind(namespace, name);
      return;
    }
    if (node !== NODE) return;
    const run = this.#runs.get(uid) ?? this.#start(pod, uid);
    if (pod.metadata.deletionTimestamp !== undefined) run.terminate();
  }

  async #bind(namespace: string, name: string): Promise<void> {
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { namespace, name },
      target: { apiVersion: 'v1', kind: 'Node', name: NODE },
    };
    await this.#untilHeard(`${namespace}/${name}`, async () => await this.#client.create(BINDINGS, binding));
  }

  /** What the API server does not take now is said again, as nothing else would: only a pod that is gone is given up. */
  async #untilHeard(pod: string, say: () => Promise<unknown>): Promise<void> {
    for (;;)
      try {
        await say();
        return;
      } catch (error) {
        // A pod that somebody else has bound, or that was made anew under its name, is a conflict.
        if (this.#abort.signal.aborted || isNotFound(error) || isConflict(error)) return;
        process.stderr.write(`kubelet: ${pod}: ${String(error)}\n`);
        await delay(RETRY_MS);
      }
  }

  async #token(pod: KubeObject, audience: string | undefined): Promise<string> {
    const { namespace = '' } = pod.metadata;
    const account = (pod['spec'] as { serviceAccountName?: string }).serviceAccountName ?? 'default';
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { namespace, name: account },
      spec: { expirationSeconds: 3600, ...(audience === undefined ? {} : { audiences: [audience] }) },
    };
    const { status } = (await this.#client.create(tokensOf(account), request)) as { status?: { token?: string } };
    return status?.token ?? '';
  }

  #start(pod: KubeObject, uid: string): PodRun {
    const { namespace = '' } = pod.metadata;
    const run = new PodRun(pod, join(this.#folder, uid), {
      images: this.#options.images,
      get: async (kind, name) =>
        await this.#client
          .get(kind === 'Secret' ? SECRETS : CONFIG_MAPS, { namespace, name })
          .catch((error: unknown) => {
            if (isNotFound(error)) return undefined;
            throw error;
          }),
      claim: (name) => this.#options.claims?.[`${namespace}/${name}`],
      token: async (audience) => await this.#token(pod, audience),
      environment: this.#environment,
      report: async (status) => {
        const at = { namespace, name: pod.metadata.name };
        const patch = { metadata: { uid }, status };
        await this.#untilHeard(
          keyOf(pod.metadata),
          async () => await this.#client.mergePatch(PODS, at, patch, { subresource: 'status' }),
        );
      },
      gone: async () => {
        await this.#client
          .delete(PODS, { namespace, name: pod.metadata.name }, { uid, gracePeriodSeconds: 0 })
          .catch(() => undefined);
      },
    });
    this.#runs.set(uid, run);
    void run.run();
    return run;
  }
}
