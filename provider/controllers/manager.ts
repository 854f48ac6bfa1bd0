/**
 * Wires caches, queues and controllers of all kinds together, and starts each kind once its CRD is there (safe-start).
 * Nothing is reconciled before every kind that is served has been read completely: tenancy is decided from the caches.
 */
import { GROUPS, type KindDefinition, type KubeObject, type Managed } from '../api/kind.ts';
import { ClusterProviderConfigKind, ProviderConfigKind, type ProviderConfig } from '../api/provider-config.ts';
import { ProviderConfigUsageKind } from '../api/provider-config-usage.ts';
import { kinds, managedKinds } from '../api/registry.ts';
import type { Clock } from '../runtime/clock.ts';
import type { KubeClient } from '../runtime/kube/client.ts';
import { Reflector } from '../runtime/kube/reflector.ts';
import { CUSTOM_RESOURCE_DEFINITIONS, keyOf, NAMESPACES, SECRETS } from '../runtime/kube/resource.ts';
import type { ReadStore } from '../runtime/kube/store.ts';
import type { Log } from '../runtime/log.ts';
import type { ReconcilerMetrics } from '../runtime/managed/options.ts';
import { type Controller, type ControllerObserver } from '../runtime/queue/controller.ts';
import { TokenBucket } from '../runtime/queue/rate.ts';
import type { SecretName } from './connection-settings.ts';
import { configController, managedController } from './controllers.ts';
import { SecretCredentials } from './credentials.ts';
import { configIndexers, configKey, configKeyOf, managedIndexers, secretKeyOf } from './indexes.ts';
import { CachedInventory } from './inventory.ts';
import { Jobs } from './jobs/jobs.ts';
import type { ScheduleObserver } from './jobs/schedule-metrics.ts';
import type { Recorder } from './kube-store.ts';
import { SecretHold } from './secret-hold.ts';
import { Secrets } from './secrets.ts';
import { type EngineFactory, ServerPool } from './servers.ts';
import { Tenancy } from './tenancy.ts';
import { Usages } from './usages.ts';
import { Wiring } from './wiring.ts';

export interface ManagerOptions {
  client: KubeClient;
  recorder: Recorder;
  factory: EngineFactory;
  log: Log;
  clock: Clock;
  metrics: (definition: KindDefinition) => ReconcilerMetrics;
  observer: ControllerObserver;
  pollMs: number;
  /** How often every cache is listed anew, in ms. */
  syncMs: number;
  maxReconcileRate: number;
  managementPolicies: boolean;
  schedules: ScheduleObserver;
  /** Image of the runner in jobs, where a configuration names none. */
  runnerImage: string;
  /** Where jobs of a ClusterProviderConfig run. */
  namespace: string;
}

/** One kind that is served. */
export interface Served {
  definition: KindDefinition;
  reflector: Reflector;
  controller: Controller | undefined;
}

export class Manager {
  readonly options: ManagerOptions;
  readonly servers: ServerPool;
  readonly secrets: Secrets;
  readonly secretHold: SecretHold;
  readonly usages: Usages;
  readonly tenancy: Tenancy;
  readonly credentials: SecretCredentials;
  readonly bucket: TokenBucket;
  readonly secretMetadata: Reflector;
  readonly #usageCache: Reflector;
  readonly #crds: Reflector;
  readonly #served = new Map<string, Served>();
  readonly #wiring: Wiring;
  readonly jobs: Jobs;
  #hasJobs = false;
  readonly #abort = new AbortController();
  #leading = false;

  constructor(options: ManagerOptions) {
    this.options = options;
    const { client, log, clock } = options;
    this.bucket = new TokenBucket({
      rate: options.maxReconcileRate,
      burst: options.maxReconcileRate * 10,
      clock,
    });
    const cache = { log, clock, relistMs: options.syncMs };
    this.secretMetadata = new Reflector(client, SECRETS, { ...cache, metadataOnly: true });
    this.#usageCache = new Reflector(client, ProviderConfigUsageKind, cache);
    this.#crds = new Reflector(client, CUSTOM_RESOURCE_DEFINITIONS, { ...cache, trim: onlyConditions });
    this.secrets = new Secrets(client, this.secretMetadata.store);
    this.secretHold = new SecretHold(client, this.secretMetadata.store, (secret, config) =>
      this.isSecretNeeded(secret, config),
    );
    this.usages = new Usages(client, this.#usageCache.store);
    const inventory = new CachedInventory({
      store: (kind) => this.store(kind),
      config: (resource) => this.configOf(resource),
    });
    this.tenancy = new Tenancy(inventory);
    this.credentials = new SecretCredentials(
      async (namespace, name) => await this.secrets.get(namespace, name),
      () => new Date(clock.now()),
    );
    this.servers = new ServerPool({
      configurations: {
        get: (resource) => this.configOf(resource),
        secret: async ({ namespace, name }) => await this.secrets.get(namespace, name),
        namespaceLabels: async (namespace) => (await client.get(NAMESPACES, { name: namespace })).metadata.labels ?? {},
        track: async (resource, config) => {
          const definition = managedKinds.find((kind) => kind.kind === resource.kind);
          if (definition !== undefined) await this.usages.track(resource, definition, config);
        },
      },
      factory: options.factory,
      pollMs: options.pollMs,
      now: () => new Date(clock.now()),
      onCloseError: (error) => {
        log.warn({ err: error }, 'a replaced connection could not be closed');
      },
    });
    this.jobs = new Jobs({
      client,
      log,
      clock,
      pollMs: options.pollMs,
      observer: options.schedules,
      resource: (kind, key) => this.store(kind)?.get(key) as Managed | undefined,
      enqueue: (kind, key) => this.served(kind)?.controller?.enqueue(key),
      services: {
        config: (resource) => this.configOf(resource),
        connect: async (resource) => await this.servers.connect(resource),
        get: (kind, namespace, name) => this.store(kind)?.get(`${namespace}/${name}`) as Managed | undefined,
        list: (kind, namespace) => (this.store(kind)?.byIndex('namespace', namespace) ?? []) as Managed[],
        readSecret: async ({ namespace, name }) => await this.secrets.get(namespace, name),
        guard: this.tenancy,
        runnerImage: options.runnerImage,
        providerNamespace: options.namespace,
        now: () => new Date(clock.now()),
        onReplaced: (resource) => {
          const config = this.configOf(resource);
          if (config !== undefined) this.enqueueUsers(config);
        },
      },
    });
    this.#wiring = new Wiring(this);
  }

  store(kind: string): ReadStore | undefined {
    return this.#served.get(kind)?.reflector.store;
  }

  served(kind: string): Served | undefined {
    return this.#served.get(kind);
  }

  servedManaged(): Served[] {
    return [...this.#served.values()].filter(({ definition }) => definition.managed);
  }

  configOf(resource: Managed): ProviderConfig | undefined {
    const { kind, name } = resource.spec.providerConfigRef;
    const key = kind === 'ProviderConfig' ? `${resource.metadata.namespace ?? ''}/${name}` : name;
    return this.store(kind)?.get(key) as ProviderConfig | undefined;
  }

  /** Every cache has been read, and no watch has been failing for long. */
  get ready(): boolean {
    return (
      this.#crds.healthy &&
      this.secretMetadata.healthy &&
      [...this.#served.values()].every(({ reflector }) => reflector.isSynced)
    );
  }

  /** Fills the caches; resolves when those of all kinds that exist are complete. */
  async start(): Promise<void> {
    const { signal } = this.#abort;
    for (const reflector of [this.#crds, this.secretMetadata]) void reflector.run(signal);
    await Promise.all([this.#crds.synced, this.secretMetadata.synced]);
    const established = this.#crds.store.list().flatMap((crd) => kindOf(crd) ?? []);
    await Promise.all(established.map(async (definition) => await this.#serve(definition)));
    this.#crds.subscribe({
      onAdd: (crd) => this.#onDefinition(crd),
      onUpdate: (_old, crd) => this.#onDefinition(crd),
    });
    this.#wiring.secrets(this.secretMetadata);
  }

  /** Begins to reconcile; called once this replica leads. */
  lead(): void {
    this.#leading = true;
    for (const served of this.#served.values()) this.#run(served);
  }

  /** Stops taking work and waits for what runs. Returns whether everything ended in time. */
  async stop(graceMs: number): Promise<boolean> {
    const ended = await Promise.all(this.#controllers().map(async (controller) => await controller.stop(graceMs)));
    this.#abort.abort(new Error('the provider is stopping'));
    await this.servers.close();
    return ended.every(Boolean);
  }

  /** Ends everything at once: another replica leads. */
  abort(reason: Error): void {
    for (const controller of this.#controllers()) controller.abort(reason);
    this.#abort.abort(reason);
  }

  #controllers(): Controller[] {
    return [...this.#served.values()].flatMap(({ controller }) => controller ?? []);
  }

  #onDefinition(crd: KubeObject): void {
    const definition = kindOf(crd);
    if (definition === undefined || this.#served.has(definition.kind)) return;
    this.#serve(definition).catch((error: unknown) => {
      if (!this.#abort.signal.aborted)
        this.options.log.error({ err: error, kind: definition.kind }, 'a kind could not be started');
    });
  }

  async #serve(definition: KindDefinition): Promise<void> {
    const { client, log, clock, syncMs } = this.options;
    const isConfig = definition.kind === ProviderConfigKind.kind || definition.kind === ClusterProviderConfigKind.kind;
    const reflector =
      definition.kind === ProviderConfigUsageKind.kind
        ? this.#usageCache
        : new Reflector(client, definition, {
            log,
            clock,
            relistMs: syncMs,
            indexers: isConfig ? configIndexers : managedIndexers,
          });
    const served: Served = { definition, reflector, controller: undefined };
    this.#served.set(definition.kind, served);
    void reflector.run(this.#abort.signal);
    await reflector.synced;
    // Without a kind that needs Jobs, the right to read them is not needed either.
    if (definition.group === GROUPS.backup && !this.#hasJobs) {
      this.#hasJobs = true;
      this.jobs.start(this.#abort.signal);
    }
    if (definition.managed) served.controller = managedController(this, served);
    else if (isConfig) served.controller = configController(this, served);
    this.#wiring.connect(served);
    log.info({ kind: definition.kind, objects: reflector.store.size }, 'serving');
    if (this.#leading) this.#run(served);
  }

  #run(served: Served): void {
    served.controller?.start();
  }

  /** Looks at everything that uses a configuration again. */
  enqueueUsers(config: KubeObject): void {
    const key = configKeyOf(config);
    for (const { reflector, controller } of this.servedManaged())
      for (const resource of reflector.store.byIndex('config', key)) controller?.enqueue(keyOf(resource.metadata));
  }

  /** Every managed resource that names the configuration. */
  usersOf(config: KubeObject): KubeObject[] {
    const key = configKeyOf(config);
    return this.servedManaged().flatMap(({ reflector }) => reflector.store.byIndex('config', key));
  }

  /** Whether another configuration that is in use reads the Secret. */
  isSecretNeeded(secret: SecretName, except: KubeObject): boolean {
    return ['ProviderConfig', 'ClusterProviderConfig']
      .flatMap((kind) => this.store(kind)?.byIndex('secret', secretKeyOf(secret)) ?? [])
      .some((config) => config.metadata.uid !== except.metadata.uid && this.usersOf(config).length > 0);
  }
}

export const groupOf = (resource: Managed | undefined): string | undefined =>
  resource === undefined ? undefined : configKey(resource);

/** Only what safe-start asks for is kept of a CRD: schemas are large. */
const onlyConditions = (crd: KubeObject): KubeObject => ({
  apiVersion: crd.apiVersion,
  kind: crd.kind,
  metadata: crd.metadata,
  status: { conditions: (crd['status'] as { conditions?: unknown } | undefined)?.conditions },
});

function kindOf(crd: KubeObject): KindDefinition | undefined {
  const conditions =
    (crd['status'] as { conditions?: { type: string; status: string }[] } | undefined)?.conditions ?? [];
  if (!conditions.some((c) => c.type === 'Established' && c.status === 'True')) return undefined;
  return kinds.find((definition) => `${definition.plural}.${definition.group}` === crd.metadata.name);
}
