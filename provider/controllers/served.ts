/** The kinds that are served, each with its cache and its queue, and who uses which configuration. */
import type { KindDefinition, KubeObject, Managed } from '../api/kind.ts';
import type { ProviderConfig } from '../api/provider-config.ts';
import type { Reflector } from '../runtime/kube/reflector.ts';
import { keyOf } from '../runtime/kube/resource.ts';
import type { ReadStore } from '../runtime/kube/store.ts';
import type { Controller } from '../runtime/queue/controller.ts';
import { configKeyOf, secretKeyOf } from './objects/indexes.ts';
import type { SecretName } from './objects/secret-names.ts';

/** One kind that is served. */
export interface Served {
  definition: KindDefinition;
  reflector: Reflector;
  /** Undefined while the cache fills, and for a kind that nothing reconciles. */
  controller: Controller | undefined;
}

export class ServedKinds {
  readonly #served = new Map<string, Served>();

  add(served: Served): void {
    this.#served.set(served.definition.kind, served);
  }

  get(kind: string): Served | undefined {
    return this.#served.get(kind);
  }

  all(): Served[] {
    return [...this.#served.values()];
  }

  managed(): Served[] {
    return this.all().filter(({ definition }) => definition.managed);
  }

  store(kind: string): ReadStore | undefined {
    return this.#served.get(kind)?.reflector.store;
  }

  resource(kind: string, namespace: string, name: string): Managed | undefined {
    return this.store(kind)?.get(`${namespace}/${name}`) as Managed | undefined;
  }

  resources(kind: string, namespace: string): Managed[] {
    return (this.store(kind)?.byIndex('namespace', namespace) ?? []) as Managed[];
  }

  configOf(resource: Managed): ProviderConfig | undefined {
    const { kind, name } = resource.spec.providerConfigRef;
    const key = kind === 'ProviderConfig' ? `${resource.metadata.namespace ?? ''}/${name}` : name;
    return this.store(kind)?.get(key) as ProviderConfig | undefined;
  }

  /** Every managed resource that names the configuration. */
  usersOf(config: KubeObject): KubeObject[] {
    const key = configKeyOf(config);
    return this.managed().flatMap(({ reflector }) => reflector.store.byIndex('config', key));
  }

  /** Looks at everything that uses a configuration again. */
  enqueueUsers(config: KubeObject): void {
    const key = configKeyOf(config);
    for (const { reflector, controller } of this.managed())
      for (const resource of reflector.store.byIndex('config', key)) controller?.enqueue(keyOf(resource.metadata));
  }

  /** Whether another configuration that is in use reads the Secret. */
  isSecretNeeded(secret: SecretName, except: KubeObject): boolean {
    return ['ProviderConfig', 'ClusterProviderConfig']
      .flatMap((kind) => this.store(kind)?.byIndex('secret', secretKeyOf(secret)) ?? [])
      .some((config) => config.metadata.uid !== except.metadata.uid && this.usersOf(config).length > 0);
  }
}
