/**
 * Reconciles ProviderConfigs and ClusterProviderConfigs: logs in and says what is there, counts users, and holds a
 * configuration that is still used.
 */
import { isDeepStrictEqual } from 'node:util';
import type { KindDefinition, KubeObject } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import { ResourceError } from '../../common/errors.ts';
import type { KubeClient } from '../../runtime/kube/client.ts';
import { type NewCondition, setConditions } from '../../runtime/managed/conditions.ts';
import { IN_USE_FINALIZER } from '../objects/finalizers.ts';
import type { Recorder } from '../objects/kube-store.ts';
import type { SecretHold } from './secret-hold.ts';
import type { ServerPool } from './servers.ts';
import type { Usages } from './usages.ts';

export interface ProviderConfigControllerOptions {
  definition: KindDefinition;
  client: KubeClient;
  cache: { get(key: string): KubeObject | undefined; put(object: KubeObject): void };
  servers: ServerPool;
  usages: Usages;
  /** How many managed resources name the configuration: usages alone would not do, as they go first with a namespace. */
  resources: (config: ProviderConfig) => number;
  secrets: SecretHold;
  recorder: Recorder;
  pollMs: number;
  now: () => Date;
}

export class ProviderConfigController {
  readonly #options: ProviderConfigControllerOptions;

  constructor(options: ProviderConfigControllerOptions) {
    this.#options = options;
  }

  /** ms until the next look, or undefined when the configuration is gone. */
  async reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const stored = this.#options.cache.get(key) as ProviderConfig | undefined;
    if (stored === undefined) return undefined;
    const config = structuredClone(stored);
    const users = Math.max(this.#options.usages.count(config), this.#options.resources(config));
    await this.#options.secrets.hold(config, users > 0);
    if (config.metadata.deletionTimestamp !== undefined) return await this.#delete(config, users);
    const current = config.metadata.finalizers?.includes(IN_USE_FINALIZER)
      ? config
      : await this.#finalizers(config, [...(config.metadata.finalizers ?? []), IN_USE_FINALIZER]);
    const { condition, version, flavour } = await this.#check(current, signal);
    const before = structuredClone(current.status);
    const status = (current.status ??= {});
    this.#set(current, condition);
    status.users = users;
    if (version !== undefined) status.version = version;
    if (flavour !== undefined) status.flavour = flavour;
    if (current.metadata.generation !== undefined) status.observedGeneration = current.metadata.generation;
    if (!isDeepStrictEqual(before, status)) {
      const was = before?.conditions?.find((c) => c.type === 'Available');
      if (condition.status === 'False' && was?.message !== condition.message)
        this.#options.recorder.record(current, 'Warning', condition.reason, condition.message ?? '');
      await this.#writeStatus(current);
    }
    return this.#options.pollMs;
  }

  async #check(
    config: ProviderConfig,
    signal: AbortSignal,
  ): Promise<{ condition: NewCondition; version?: string; flavour?: string }> {
    try {
      const connection = await this.#options.servers.open(config);
      // A read, not the remembered answer: the server may have gone away since.
      const reader = await connection.reader(this.#options.now().getTime());
      await reader.read('role', { name: reader.server.admin.name });
      signal.throwIfAborted();
      const { product } = reader.server;
      const flavour = product.replace(/\s+[\d.].*$/, '');
      const version = /[\d.]+\S*/.exec(product)?.[0] ?? '';
      return {
        condition: { type: 'Available', status: 'True', reason: 'LoggedIn', message: `Logged in to ${product}` },
        version,
        flavour,
      };
    } catch (error) {
      const reason = error instanceof ResourceError ? error.reason : 'CannotConnect';
      const message = error instanceof Error ? error.message : String(error);
      return { condition: { type: 'Available', status: 'False', reason, message } };
    }
  }

  async #delete(config: ProviderConfig, users: number): Promise<number | undefined> {
    if (users > 0) {
      const before = structuredClone(config.status);
      (config.status ??= {}).users = users;
      this.#set(config, {
        type: 'Terminating',
        status: 'True',
        reason: 'InUse',
        message: 'Blocking deletion while usages still exist',
      });
      if (!isDeepStrictEqual(before, config.status)) {
        this.#options.recorder.record(
          config,
          'Warning',
          'UsageAccounting',
          'Blocking deletion while usages still exist',
        );
        await this.#writeStatus(config);
      }
      return this.#options.pollMs;
    }
    await this.#finalizers(
      config,
      (config.metadata.finalizers ?? []).filter((f) => f !== IN_USE_FINALIZER),
    );
    this.#options.servers.forget(config);
    return undefined;
  }

  async #finalizers(config: ProviderConfig, finalizers: string[]): Promise<ProviderConfig> {
    const patch = { metadata: { resourceVersion: config.metadata.resourceVersion, finalizers } };
    const updated = await this.#options.client.mergePatch<ProviderConfig>(
      this.#options.definition,
      refOf(config),
      patch,
    );
    this.#options.cache.put(updated);
    return structuredClone(updated);
  }

  async #writeStatus(config: ProviderConfig): Promise<void> {
    this.#options.cache.put(
      await this.#options.client.update(this.#options.definition, config, { subresource: 'status' }),
    );
  }

  #set(config: ProviderConfig, condition: NewCondition): void {
    setConditions(config as never, this.#options.now(), condition);
  }
}

const refOf = (config: ProviderConfig) => ({ namespace: config.metadata.namespace, name: config.metadata.name });
