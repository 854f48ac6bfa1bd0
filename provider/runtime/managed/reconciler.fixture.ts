/** A reconciler over a store and an external system in memory, which counts its writes. */
import type { Managed } from '../../api/kind.ts';
import { LocalStore } from '../../local/store.ts';
import { conditionOf } from './conditions.ts';
import type { ExternalClient, Observation } from './external.ts';
import type { ReconcileOutcome, ReferenceResolver } from './options.ts';
import { ManagedReconciler } from './reconciler.ts';

/** An external system that holds one value per resource. */
class External implements ExternalClient {
  value: string | undefined;
  desired = 'a';
  name = 'orders';
  calls: string[] = [];
  fail: Partial<Record<'connect' | 'observe' | 'create' | 'update' | 'delete', Error>> = {};
  unready: Observation['unready'];
  creates: true | undefined;
  onCreate: () => void = () => {};

  #enter(call: 'observe' | 'create' | 'update' | 'delete'): void {
    this.calls.push(call);
    const failure = this.fail[call];
    if (failure !== undefined) throw failure;
  }

  observe(): Promise<Observation> {
    return this.#answer(() => {
      this.#enter('observe');
      return {
        exists: this.value !== undefined,
        name: this.name,
        differences: this.value !== undefined && this.value !== this.desired ? [`${this.value} → ${this.desired}`] : [],
        unchangeable: [],
        ...(this.creates === undefined ? {} : { creates: this.creates }),
        ...(this.unready === undefined ? {} : { unready: this.unready }),
        atProvider: { value: this.value ?? '' },
        connectionDetails: {},
        appliedBefore: JSON.stringify({ value: this.desired }),
        appliedAfter: JSON.stringify({ value: this.desired }),
        notes: [],
      };
    });
  }
  create(): Promise<void> {
    return this.#answer(() => {
      this.onCreate();
      this.#enter('create');
      this.value = this.desired;
    });
  }
  update(): Promise<void> {
    return this.#answer(() => {
      this.#enter('update');
      this.value = this.desired;
    });
  }
  delete(): Promise<void> {
    return this.#answer(() => {
      this.#enter('delete');
      this.value = undefined;
    });
  }
  async #answer<T>(work: () => T): Promise<T> {
    await Promise.resolve();
    return work();
  }
}

export const resource = (change: (r: Managed) => void = () => {}): Managed => {
  const made: Managed = {
    apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
    kind: 'Database',
    metadata: { namespace: 'team-a', name: 'orders' },
    spec: { forProvider: {}, providerConfigRef: { kind: 'ProviderConfig', name: 'default' } },
  };
  change(made);
  return made;
};

export class World {
  readonly store = new LocalStore();
  readonly external = new External();
  references: ReferenceResolver = { resolve: async () => await Promise.resolve({}) };
  /** How often the reconciler wrote to the API server. */
  writes = 0;
  now = new Date('2026-01-01T00:00:00.123Z');

  /** One pass over the resource, by a reconciler that remembers nothing of the passes before. */
  async reconcile(): Promise<ReconcileOutcome> {
    const inner = this.store.ofKind('Database');
    const counted =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        this.writes += 1;
        return await call(...args);
      };
    const reconciler = new ManagedReconciler({
      store: {
        ...inner,
        patchMetadata: counted(inner.patchMetadata.bind(inner)),
        patchForProvider: counted(inner.patchForProvider.bind(inner)),
        updateStatus: counted(inner.updateStatus.bind(inner)),
      },
      connector: {
        connect: async () => {
          if (this.external.fail.connect) throw this.external.fail.connect;
          return await Promise.resolve(this.external);
        },
        pollAfter: () => 60_000,
      },
      references: this.references,
      metrics: { firstReconcile: () => {}, firstReady: () => {}, deleted: () => {}, drift: () => {} },
      now: () => this.now,
    });
    this.external.calls = [];
    return await reconciler.reconcile('team-a', 'orders', new AbortController().signal, 0);
  }

  readonly current = (): Managed => this.store.get('Database', 'team-a', 'orders')!;
  readonly ready = () => conditionOf(this.current(), 'Ready');
  readonly synced = () => conditionOf(this.current(), 'Synced');
  readonly reasons = () => this.store.events.map((event) => event.reason);
}
