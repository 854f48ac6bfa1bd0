/**
 * The life of the provider's controllers: fills the caches, starts each kind once its CRD is there (safe-start), stops.
 * Nothing is reconciled before every kind that is served has been read completely: tenancy is decided from the caches.
 */
import { GROUPS, type KindDefinition, type KubeObject } from '../api/kind.ts';
import { ProviderConfigUsageKind } from '../api/provider-config-usage.ts';
import { ClusterProviderConfigKind, ProviderConfigKind } from '../api/provider-config.ts';
import { kinds } from '../api/registry.ts';
import { sleep } from '../runtime/clock.ts';
import { Reflector } from '../runtime/kube/reflector.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../runtime/kube/resource.ts';
import type { ReadStore } from '../runtime/kube/store.ts';
import type { Controller } from '../runtime/queue/controller.ts';
import { configController, managedController } from './controllers.ts';
import { configIndexers, managedIndexers } from './objects/indexes.ts';
import { completed } from './objects/trims.ts';
import type { Served } from './served.ts';
import { cacheOptions, type ManagerOptions, Services } from './services.ts';
import { Wiring } from './wiring.ts';

export class Manager {
  readonly #options: ManagerOptions;
  readonly #services: Services;
  readonly #crds: Reflector;
  readonly #wiring: Wiring;
  #hasJobs = false;
  readonly #abort = new AbortController();
  #leading = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#services = new Services(options);
    this.#crds = new Reflector(options.client, CUSTOM_RESOURCE_DEFINITIONS, {
      ...cacheOptions(options),
      trim: onlyConditions,
    });
    this.#wiring = new Wiring(this.#services.kinds, this.#services.secrets);
  }

  store(kind: string): ReadStore | undefined {
    return this.#services.kinds.store(kind);
  }

  /** Every cache has been read, and no watch has been failing for long. */
  get ready(): boolean {
    return (
      this.#crds.healthy &&
      this.#services.secretMetadata.healthy &&
      this.#services.kinds.all().every(({ reflector }) => reflector.isSynced)
    );
  }

  /** Fills the caches; resolves when those of all kinds that exist are complete. */
  async start(): Promise<void> {
    const { signal } = this.#abort;
    const { secretMetadata } = this.#services;
    for (const reflector of [this.#crds, secretMetadata]) void reflector.run(signal);
    await Promise.all([this.#crds.synced, secretMetadata.synced]);
    const established = this.#crds.store.list().flatMap((crd) => kindOf(crd) ?? []);
    await Promise.all(established.map(async (definition) => await this.#serve(definition)));
    this.#crds.subscribe({
      onAdd: (crd) => this.#onDefinition(crd),
      onUpdate: (_old, crd) => this.#onDefinition(crd),
    });
    this.#wiring.secrets(secretMetadata);
  }

  /** Begins to reconcile; called once this replica leads. */
  lead(): void {
    this.#leading = true;
    for (const served of this.#services.kinds.all()) served.controller?.start();
  }

  /** Stops taking work and waits for what runs. Returns whether everything ended in time. */
  async stop(graceMs: number, closeMs: number): Promise<boolean> {
    const ended = await Promise.all(this.#controllers().map(async (controller) => await controller.stop(graceMs)));
    this.#abort.abort(new Error('the provider is stopping'));
    const cancel = new AbortController();
    const closed = this.#services.servers.close().then(() => true);
    const late = sleep(closeMs, cancel.signal, this.#options.clock).then(
      () => false,
      () => false,
    );
    const isClosed = await Promise.race([closed, late]);
    cancel.abort();
    return isClosed && ended.every(Boolean);
  }

  /** Ends everything at once: another replica leads. */
  abort(reason: Error): void {
    for (const controller of this.#controllers()) controller.abort(reason);
    this.#abort.abort(reason);
  }

  #controllers(): Controller[] {
    return this.#services.kinds.all().flatMap(({ controller }) => controller ?? []);
  }

  #onDefinition(crd: KubeObject): void {
    const definition = kindOf(crd);
    if (definition === undefined || this.#services.kinds.get(definition.kind) !== undefined) return;
    this.#serve(definition).catch((error: unknown) => {
      if (!this.#abort.signal.aborted)
        this.#options.log.error({ err: error, kind: definition.kind }, 'a kind could not be started');
    });
  }

  async #serve(definition: KindDefinition): Promise<void> {
    const { client, log } = this.#options;
    const { usageCache, jobs } = this.#services;
    const isConfig = definition.kind === ProviderConfigKind.kind || definition.kind === ClusterProviderConfigKind.kind;
    const reflector =
      definition.kind === ProviderConfigUsageKind.kind
        ? usageCache
        : new Reflector(client, definition, {
            ...cacheOptions(this.#options),
            indexers: isConfig ? configIndexers : managedIndexers,
            trim: definition.managed ? completed : undefined,
          });
    const served: Served = { definition, reflector, controller: undefined };
    this.#services.kinds.add(served);
    void reflector.run(this.#abort.signal);
    await reflector.synced;
    // Without a kind that needs Jobs, the right to read them is not needed either.
    if (definition.group === GROUPS.backup && !this.#hasJobs) {
      this.#hasJobs = true;
      jobs.start(this.#abort.signal);
    }
    if (definition.managed) served.controller = managedController(this.#services, served);
    else if (isConfig) served.controller = configController(this.#services, served);
    if (served.controller !== undefined) this.#options.onController(served.controller);
    this.#wiring.connect(served);
    log.info({ kind: definition.kind, objects: reflector.store.size }, 'serving');
    if (this.#leading) served.controller?.start();
  }
}

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
