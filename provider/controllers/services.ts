/** What all controllers share: caches, the servers and their sessions, tenancy, Secrets, and the Jobs. */
import type { KindDefinition, Managed } from '../api/kind.ts';
import { ProviderConfigUsageKind } from '../api/provider-config-usage.ts';
import { managedKinds } from '../api/registry.ts';
import type { Clock } from '../runtime/clock.ts';
import type { KubeClient } from '../runtime/kube/client.ts';
import { Reflector } from '../runtime/kube/reflector.ts';
import { keyOf, NAMESPACES, SECRETS } from '../runtime/kube/resource.ts';
import type { Log } from '../runtime/log.ts';
import { policiesOf } from '../runtime/managed/policies.ts';
import type { ReconcilerMetrics } from '../runtime/managed/options.ts';
import type { Controller, ControllerObserver } from '../runtime/queue/controller.ts';
import { TokenBucket } from '../runtime/rate.ts';
import { Jobs } from './jobs/jobs.ts';
import type { ScheduleObserver } from './jobs/schedule-metrics.ts';
import type { WorkServices } from './jobs/work.ts';
import { configKey, configKeyOf } from './objects/indexes.ts';
import type { Recorder } from './objects/kube-store.ts';
import { permitted } from './objects/permitted.ts';
import { Secrets } from './objects/secrets.ts';
import { countedUsage, secretVersion } from './objects/trims.ts';
import { ServedKinds } from './served.ts';
import { SecretHold } from './servers/secret-hold.ts';
import { type EngineFactory, ServerPool } from './servers/servers.ts';
import { Usages } from './servers/usages.ts';
import { SecretCredentials } from './sql/credentials.ts';
import { CachedInventory } from './tenancy/inventory.ts';
import { Tenancy } from './tenancy/tenancy.ts';

export interface ManagerOptions {
  client: KubeClient;
  recorder: Recorder;
  factory: EngineFactory;
  log: Log;
  clock: Clock;
  metrics: (definition: KindDefinition) => ReconcilerMetrics;
  observer: ControllerObserver;
  /** Hears of each controller before it starts. */
  onController: (controller: Controller) => void;
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

/** How all caches are kept. */
export const cacheOptions = ({ log, clock, syncMs }: ManagerOptions) => ({ log, clock, relistMs: syncMs });

export class Services {
  readonly options: ManagerOptions;
  readonly kinds = new ServedKinds();
  /** Of all controllers together. */
  readonly bucket: TokenBucket;
  /** Names and versions of all Secrets, not what they hold. */
  readonly secretMetadata: Reflector;
  readonly usageCache: Reflector;
  readonly secrets: Secrets;
  readonly secretHold: SecretHold;
  readonly usages: Usages;
  readonly tenancy: Tenancy;
  readonly credentials: SecretCredentials;
  readonly servers: ServerPool;
  /** For backups, restores and copies, by Jobs or by the server itself. */
  readonly work: WorkServices;
  readonly jobs: Jobs;

  constructor(options: ManagerOptions) {
    this.options = options;
    const { client, clock, maxReconcileRate } = options;
    const { kinds } = this;
    this.bucket = new TokenBucket({ rate: maxReconcileRate, burst: maxReconcileRate * 10, clock });
    const cache = cacheOptions(options);
    this.secretMetadata = new Reflector(client, SECRETS, { ...cache, metadataOnly: true, trim: secretVersion });
    this.usageCache = new Reflector(client, ProviderConfigUsageKind, { ...cache, trim: countedUsage });
    this.secrets = new Secrets(client, this.secretMetadata.store);
    this.secretHold = new SecretHold(client, this.secretMetadata.store, (secret, config) =>
      kinds.isSecretNeeded(secret, config),
    );
    this.usages = new Usages(client, this.usageCache.store);
    this.tenancy = new Tenancy(
      new CachedInventory({ store: (kind) => kinds.store(kind), config: (resource) => kinds.configOf(resource) }),
      ({ spec }) => options.managementPolicies && policiesOf(spec.managementPolicies).observeOnly,
    );
    this.credentials = new SecretCredentials(
      async (namespace, name, isNew) =>
        isNew === true ? await this.secrets.getKnown(namespace, name) : await this.secrets.get(namespace, name),
      this.now,
    );
    this.servers = this.#openServers();
    this.work = this.#workServices();
    this.jobs = this.#followJobs();
  }

  readonly now = (): Date => new Date(this.options.clock.now());

  #openServers(): ServerPool {
    const { client, factory, log, pollMs } = this.options;
    return new ServerPool({
      configurations: {
        get: (resource) => this.kinds.configOf(resource),
        secret: async ({ namespace, name }) => await this.secrets.get(namespace, name),
        namespaceLabels: async (namespace) =>
          await permitted('get', NAMESPACES, undefined, async () => {
            const { metadata } = await client.get(NAMESPACES, { name: namespace });
            return metadata.labels ?? {};
          }),
        track: async (resource, config) => {
          const definition = managedKinds.find((kind) => kind.kind === resource.kind);
          if (definition === undefined) return;
          const stored = this.kinds.store(resource.kind)?.get(keyOf(resource.metadata)) as Managed | undefined;
          // A copy reads from its source in the shape of a resource of that server.
          const isSource = stored !== undefined && configKey(stored) !== configKeyOf(config);
          await this.usages.track(resource, definition, config, isSource ? 'source' : undefined);
        },
      },
      factory,
      pollMs,
      now: this.now,
      onCloseError: (error) => {
        log.warn({ err: error }, 'a replaced connection could not be closed');
      },
    });
  }

  #workServices(): WorkServices {
    const { kinds } = this;
    return {
      config: (resource) => kinds.configOf(resource),
      connect: async (resource) => await this.servers.connect(resource),
      get: (kind, namespace, name) => kinds.resource(kind, namespace, name),
      list: (kind, namespace) => kinds.resources(kind, namespace),
      readSecret: async ({ namespace, name }) => await this.secrets.get(namespace, name),
      guard: this.tenancy,
      runnerImage: this.options.runnerImage,
      providerNamespace: this.options.namespace,
      now: this.now,
      onReplaced: (resource) => {
        const config = kinds.configOf(resource);
        if (config !== undefined) kinds.enqueueUsers(config);
      },
    };
  }

  #followJobs(): Jobs {
    const { client, log, clock, pollMs, schedules } = this.options;
    return new Jobs({
      client,
      log,
      clock,
      pollMs,
      observer: schedules,
      resource: (kind, key) => this.kinds.store(kind)?.get(key) as Managed | undefined,
      enqueue: (kind, key) => this.kinds.get(kind)?.controller?.enqueue(key),
      services: this.work,
    });
  }
}
