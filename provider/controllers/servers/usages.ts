/**
 * ProviderConfigUsages: one per resource and configuration, so that a configuration is not deleted under its users.
 * A resource that is being deleted never gets a new one: in a namespace that is going away that would fail for ever.
 */
import { isDeepStrictEqual } from 'node:util';
import { apiVersion, type KindDefinition, type KubeObject, type Managed } from '../../api/kind.ts';
import { type ProviderConfigUsage, ProviderConfigUsageKind } from '../../api/provider-config-usage.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import type { KubeClient } from '../../runtime/kube/client.ts';
import { isAlreadyExists } from '../../runtime/kube/errors.ts';
import { controllerReference } from '../objects/secrets.ts';

const CONFIG_LABEL = 'crossplane.io/provider-config';
const CONFIG_KIND_LABEL = 'crossplane.io/provider-config-kind';

export interface UsageCache {
  get(key: string): KubeObject | undefined;
  put(object: KubeObject): void;
  list(): KubeObject[];
}

export class Usages {
  readonly #client: KubeClient;
  readonly #cache: UsageCache;
  readonly #pending = new Map<string, ProviderConfigUsage>();
  readonly #failed = new Set<string>();
  #isWriting = false;

  constructor(client: KubeClient, cache: UsageCache) {
    this.#client = client;
    this.#cache = cache;
  }

  /**
   * Sees to it that there is a usage. A new one is written behind what the resource itself waits for: until it is there,
   * the provider's own view of its resources holds the configuration. Throws what the API says from the second try on.
   *
   * @param part What of the resource uses it, when that is not the resource as such: `source` of a copy.
   */
  async track(resource: Managed, definition: KindDefinition, config: ProviderConfig, part?: 'source'): Promise<void> {
    const usage = usageOf(resource, definition, config, part);
    const { namespace, name } = usage.metadata;
    if (resource.metadata.deletionTimestamp !== undefined) return;
    const existing = this.#cache.get(`${namespace}/${name}`) as ProviderConfigUsage | undefined;
    if (existing !== undefined) {
      if (isDeepStrictEqual(existing.providerConfigRef, usage.providerConfigRef)) return;
      // The source of a CopySchedule may be changed: the one before is held no longer.
      await this.#client.delete(ProviderConfigUsageKind, { namespace, name }, { uid: existing.metadata.uid });
      await this.#create(usage);
      return;
    }
    if (this.#failed.delete(name)) {
      await this.#create(usage);
      return;
    }
    this.#pending.set(name, usage);
    if (!this.#isWriting) void this.#write();
  }

  /** One after the other, and after all else, so that many new resources at once do not wait for their own bookkeeping. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    for (const [name, usage] of this.#pending) {
      // Said when the resource is looked at again.
      await this.#create(usage, true).catch(() => undefined);
      this.#pending.delete(name);
    }
    this.#isWriting = false;
  }

  async #create(usage: ProviderConfigUsage, patient = false): Promise<void> {
    try {
      this.#cache.put(await this.#client.create(ProviderConfigUsageKind, usage, { patient }));
    } catch (error) {
      if (!isAlreadyExists(error)) {
        this.#failed.add(usage.metadata.name);
        throw error;
      }
    }
  }

  /** How many resources use a configuration. */
  count(config: ProviderConfig): number {
    return this.#cache
      .list()
      .filter((usage) => usage.metadata.labels?.[CONFIG_LABEL] === config.metadata.name)
      .filter((usage) => usage.metadata.labels?.[CONFIG_KIND_LABEL] === config.kind)
      .filter(
        (usage) => config.kind === 'ClusterProviderConfig' || usage.metadata.namespace === config.metadata.namespace,
      ).length;
  }
}

function usageOf(
  resource: Managed,
  definition: KindDefinition,
  config: ProviderConfig,
  part: 'source' | undefined,
): ProviderConfigUsage {
  return {
    apiVersion: apiVersion(ProviderConfigUsageKind),
    kind: 'ProviderConfigUsage',
    metadata: {
      namespace: resource.metadata.namespace ?? '',
      name: [resource.metadata.uid ?? '', ...(part === undefined ? [] : [part])].join('-'),
      labels: { [CONFIG_LABEL]: config.metadata.name, [CONFIG_KIND_LABEL]: config.kind },
      ownerReferences: [controllerReference(resource, definition)],
    },
    providerConfigRef: { kind: config.kind, name: config.metadata.name },
    resourceRef: { apiVersion: resource.apiVersion, kind: resource.kind, name: resource.metadata.name },
  };
}
