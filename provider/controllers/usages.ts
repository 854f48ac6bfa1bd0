/**
 * ProviderConfigUsages: one per resource and configuration, so that a configuration is not deleted under its users.
 * A resource that is being deleted never gets a new one: in a namespace that is going away that would fail for ever.
 */
import { apiVersion, type KindDefinition, type KubeObject, type Managed } from '../api/kind.ts';
import type { ProviderConfig } from '../api/provider-config.ts';
import { type ProviderConfigUsage, ProviderConfigUsageKind } from '../api/provider-config-usage.ts';
import type { KubeClient } from '../runtime/kube/client.ts';
import { isAlreadyExists } from '../runtime/kube/errors.ts';
import { controllerReference } from './secrets.ts';

export const CONFIG_LABEL = 'crossplane.io/provider-config';
export const CONFIG_KIND_LABEL = 'crossplane.io/provider-config-kind';

export interface UsageCache {
  get(key: string): KubeObject | undefined;
  put(object: KubeObject): void;
  list(): KubeObject[];
}

export class Usages {
  readonly #client: KubeClient;
  readonly #cache: UsageCache;

  constructor(client: KubeClient, cache: UsageCache) {
    this.#client = client;
    this.#cache = cache;
  }

  async track(resource: Managed, definition: KindDefinition, config: ProviderConfig): Promise<void> {
    const namespace = resource.metadata.namespace ?? '';
    const name = resource.metadata.uid ?? '';
    if (resource.metadata.deletionTimestamp !== undefined || this.#cache.get(`${namespace}/${name}`) !== undefined)
      return;
    const usage: ProviderConfigUsage = {
      apiVersion: apiVersion(ProviderConfigUsageKind),
      kind: 'ProviderConfigUsage',
      metadata: {
        namespace,
        name,
        labels: { [CONFIG_LABEL]: config.metadata.name, [CONFIG_KIND_LABEL]: config.kind },
        ownerReferences: [controllerReference(resource, definition)],
      },
      providerConfigRef: { kind: config.kind, name: config.metadata.name },
      resourceRef: { apiVersion: resource.apiVersion, kind: resource.kind, name: resource.metadata.name },
    };
    try {
      this.#cache.put(await this.#client.create(ProviderConfigUsageKind, usage));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
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
