/** Which event looks at what again. */
import type { KubeObject, Managed } from '../api/kind.ts';
import type { Reflector } from '../runtime/kube/reflector.ts';
import { keyOf } from '../runtime/kube/resource.ts';
import type { ReadStore } from '../runtime/kube/store.ts';
import { conditionOf } from '../runtime/managed/conditions.ts';
import { becameUsable, gotName, needsReconcile } from './objects/changes.ts';
import { claimOf, granteeOf } from './objects/identity.ts';
import { claimKey, configRefsOf } from './objects/indexes.ts';
import type { Secrets } from './objects/secrets.ts';
import type { Served, ServedKinds } from './served.ts';

/** How long users of a configuration are collected before they are counted: one write instead of one per user. */
const COUNT_DELAY_MS = 2_000;

export class Wiring {
  readonly #kinds: ServedKinds;
  readonly #secrets: Secrets;

  constructor(kinds: ServedKinds, secrets: Secrets) {
    this.#kinds = kinds;
    this.#secrets = secrets;
  }

  connect(served: Served): void {
    if (served.definition.managed) this.#managed(served);
    else if (served.definition.kind === 'ProviderConfigUsage') this.#usages(served);
    else this.#configs(served);
  }

  #managed({ reflector, controller }: Served): void {
    reflector.subscribe({
      onAdd: (object) => {
        // What was there and well before this process began can wait for what was not.
        const isSettled = conditionOf(object as Managed, 'Ready')?.status === 'True';
        controller?.enqueue(keyOf(object.metadata), { priority: isSettled ? 'low' : 'high' });
      },
      onUpdate: (old, object) => {
        if (needsReconcile(old, object)) controller?.enqueue(keyOf(object.metadata));
        if (becameUsable(old, object)) this.#wakeWaiting(object);
        else if (gotName(old, object)) this.#wakeReferring(object);
      },
      onDelete: (object) => {
        for (const { kind, name } of configRefsOf(object as Managed))
          this.#recount(kind, name, object.metadata.namespace);
        this.#wakeRivals(object);
        this.#wakeWaiting(object);
        this.#wakeOthersOfRole(object as Managed);
      },
    });
  }

  /** Resources of the namespace that name this one's object, or refer to it, may have waited for it. */
  #wakeWaiting(object: KubeObject): void {
    const claim = claimOf(object as Managed);
    if (claim !== undefined) this.#wake(object, (store) => store.byIndex('needs', claimKey(claim)));
    this.#wakeReferring(object);
  }

  #wakeReferring(object: KubeObject): void {
    const { namespace = '', name } = object.metadata;
    this.#wake(object, (store) => [
      ...store.byIndex('refers', `${namespace}/${name}`),
      ...store.byIndex('refers', `${namespace}/*`),
    ]);
  }

  /** Those that are not in sync, in the namespace of `object`. */
  #wake({ metadata }: KubeObject, find: (store: ReadStore) => KubeObject[]): void {
    for (const { reflector, controller } of this.#kinds.managed())
      for (const other of find(reflector.store))
        if (
          other.metadata.namespace === metadata.namespace &&
          conditionOf(other as Managed, 'Synced')?.status !== 'True'
        )
          controller?.enqueue(keyOf(other.metadata));
  }

  /** The next claimant of an object may take it once the first is gone. */
  #wakeRivals(object: KubeObject): void {
    const claim = claimOf(object as Managed);
    const served = claim === undefined ? undefined : this.#kinds.get(claim.kind);
    if (claim === undefined || served === undefined) return;
    for (const rival of served.reflector.store.byIndex('claim', claimKey(claim)))
      served.controller?.enqueue(keyOf(rival.metadata));
  }

  /** What gave the role something may have waited for this one to go, or lost to it what both gave. */
  #wakeOthersOfRole(object: Managed): void {
    const role = granteeOf(object);
    const served = this.#kinds.get(object.kind);
    if (role === undefined || served === undefined) return;
    for (const other of served.reflector.store.byIndex('needs', claimKey(role)))
      if (other.metadata.namespace === object.metadata.namespace && other.metadata.deletionTimestamp === undefined)
        served.controller?.enqueue(keyOf(other.metadata));
  }

  #configs({ reflector, controller }: Served): void {
    reflector.subscribe({
      onAdd: (object) => {
        controller?.enqueue(keyOf(object.metadata));
        this.#kinds.enqueueUsers(object);
      },
      onUpdate: (old, object) => {
        if (!needsReconcile(old, object)) return;
        controller?.enqueue(keyOf(object.metadata));
        this.#kinds.enqueueUsers(object);
      },
      onDelete: (object) => {
        this.#kinds.enqueueUsers(object);
      },
    });
  }

  #usages({ reflector }: Served): void {
    const count = (usage: KubeObject): void => {
      const ref = usage['providerConfigRef'] as { kind: string; name: string } | undefined;
      if (ref !== undefined) this.#recount(ref.kind, ref.name, usage.metadata.namespace);
    };
    reflector.subscribe({ onAdd: count, onDelete: count });
  }

  #recount(kind: string, name: string, namespace: string | undefined): void {
    const key = kind === 'ProviderConfig' ? `${namespace ?? ''}/${name}` : name;
    this.#kinds.get(kind)?.controller?.enqueueAfter(key, COUNT_DELAY_MS, { trigger: 'event' });
  }

  /** An edit of a Secret reaches every resource and configuration that names it at once. */
  secrets(metadata: Reflector): void {
    const look = (object: KubeObject): void => {
      const key = keyOf(object.metadata);
      if (this.#secrets.isOwnWrite(key, object.metadata.resourceVersion)) return;
      for (const { reflector, controller } of this.#kinds.managed())
        for (const resource of reflector.store.byIndex('secret', key)) controller?.enqueue(keyOf(resource.metadata));
      for (const kind of ['ProviderConfig', 'ClusterProviderConfig']) {
        const served = this.#kinds.get(kind);
        for (const config of served?.reflector.store.byIndex('secret', key) ?? []) {
          served?.controller?.enqueue(keyOf(config.metadata));
          this.#kinds.enqueueUsers(config);
        }
      }
    };
    metadata.subscribe({
      onAdd: look,
      onUpdate: (_old, object) => {
        look(object);
      },
      onDelete: (object) => {
        this.#secrets.forget(keyOf(object.metadata));
        look(object);
      },
    });
  }
}
