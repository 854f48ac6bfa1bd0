/**
 * The cached objects of one kind, by "namespace/name", with indexes.
 *
 * Each change, whether it came by list, by watch or was our own write, passes through here once and is told to the
 * handlers once. Two rules keep the cache from going back in time: for one uid a smaller resourceVersion never replaces
 * a greater one, and what was deleted comes back only with a greater resourceVersion than that of its deletion (as
 * an object does that left a label selector and enters it again).
 *
 * Objects handed out are the cached ones: clone before changing.
 */
import type { KubeObject } from '../../api/kind.ts';
import { keyOf } from './resource.ts';

/** The keys under which an object is found in an index. */
export type Indexer<T extends KubeObject> = (object: T) => readonly string[];

export interface Handlers<T extends KubeObject> {
  onAdd?(object: T): void;
  onUpdate?(old: T, object: T): void;
  onDelete?(object: T): void;
}

/** What a user of the cache needs. */
export interface ReadStore<T extends KubeObject = KubeObject> {
  /** By "namespace/name", or "name" for cluster-scoped kinds. */
  get(key: string): T | undefined;
  list(): T[];
  /** @throws TypeError when there is no such index. */
  byIndex(index: string, value: string): T[];
  /**
   * Records the answer to our own write, so that the next read is not older than it. Handlers hear of it now, and not
   * again when the watch brings it. The object must match the cache's selectors.
   */
  put(object: T): void;
  readonly size: number;
}

/** How many deleted uids are remembered: far more than can be deleted between a write's answer and its watch event. */
const TOMBSTONES = 4096;

export class Store<T extends KubeObject = KubeObject> implements ReadStore<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexers: Record<string, Indexer<T>>;
  readonly #indexes = new Map<string, Map<string, Set<string>>>();
  /** By uid: the resourceVersion as of which the object is gone. */
  readonly #deleted = new Map<string, bigint>();
  readonly #handlers: Handlers<T>[] = [];
  readonly #onHandlerError: (error: unknown, object: T) => void;
  readonly #trim: (object: T) => T;

  constructor(options: {
    indexers?: Record<string, Indexer<T>>;
    /** Drops what is not to be kept. */
    trim: (object: T) => T;
    onHandlerError: (error: unknown, object: T) => void;
  }) {
    this.#indexers = options.indexers ?? {};
    for (const name of Object.keys(this.#indexers)) this.#indexes.set(name, new Map());
    this.#trim = options.trim;
    this.#onHandlerError = options.onHandlerError;
  }

  /** Handlers that come late are told of everything that is there. */
  subscribe(handlers: Handlers<T>): void {
    this.#handlers.push(handlers);
    for (const object of this.list()) this.#tell(object, () => handlers.onAdd?.(object));
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  byIndex(index: string, value: string): T[] {
    const entries = this.#indexes.get(index);
    if (entries === undefined) throw new TypeError(`there is no index ${index}`);
    return [...(entries.get(value) ?? [])].flatMap((key) => this.#objects.get(key) ?? []);
  }

  get size(): number {
    return this.#objects.size;
  }

  put(object: T): void {
    if (isGone(object)) this.remove(object);
    else this.set(object);
  }

  /** Takes over one object as the server has it. */
  set(untrimmed: T): void {
    const { uid } = untrimmed.metadata;
    if (this.#isBuried(untrimmed)) return;
    const object = this.#trim(untrimmed);
    const key = keyOf(object.metadata);
    const known = this.#objects.get(key);
    if (known === undefined) this.#insert(key, object);
    else if (known.metadata.uid !== uid) {
      if (!isNewer(object, known)) return;
      this.#drop(key, known, versionOf(known));
      this.#insert(key, object);
    } else if (isNewer(object, known)) {
      this.#unindex(key, known);
      this.#objects.set(key, object);
      this.#index(key, object);
      this.#each(object, (handlers) => handlers.onUpdate?.(known, object));
    }
  }

  /** Forgets the object; one of the same name with another uid stays. */
  remove(object: T): void {
    const key = keyOf(object.metadata);
    const known = this.#objects.get(key);
    const version = versionOf(object);
    if (known === undefined || known.metadata.uid !== object.metadata.uid) this.#bury(object.metadata.uid, version);
    else if (versionOf(known) <= version) this.#drop(key, known, version);
  }

  /**
   * Takes over a complete list. Objects that are not in it are gone, unless they are newer than the list.
   * `reset`: the server's history began anew (it was restored from a backup), so nothing known counts.
   */
  replace(objects: T[], listVersion: string, reset: boolean): void {
    if (reset) {
      this.#deleted.clear();
      const keys = new Set(objects.map((object) => keyOf(object.metadata)));
      for (const [key, known] of this.#objects) if (!keys.has(key)) this.#drop(key, known, 0n);
      this.#deleted.clear();
      for (const object of objects) this.#overwrite(object);
      return;
    }
    const version = toVersion(listVersion);
    const uids = new Set(objects.map((object) => object.metadata.uid));
    for (const [key, known] of this.#objects)
      if (!uids.has(known.metadata.uid) && versionOf(known) <= version) this.#drop(key, known, version);
    for (const object of objects) this.set(object);
  }

  /** The greatest resourceVersion in the cache. */
  newestVersion(): bigint {
    let newest = 0n;
    for (const object of this.#objects.values()) {
      const version = versionOf(object);
      if (version > newest) newest = version;
    }
    return newest;
  }

  #overwrite(untrimmed: T): void {
    const object = this.#trim(untrimmed);
    const key = keyOf(object.metadata);
    const known = this.#objects.get(key);
    if (known === undefined || known.metadata.uid !== object.metadata.uid) {
      if (known !== undefined) this.#drop(key, known, versionOf(known));
      this.#insert(key, object);
    } else if (known.metadata.resourceVersion !== object.metadata.resourceVersion) {
      this.#unindex(key, known);
      this.#objects.set(key, object);
      this.#index(key, object);
      this.#each(object, (handlers) => handlers.onUpdate?.(known, object));
    }
  }

  #insert(key: string, object: T): void {
    this.#objects.set(key, object);
    this.#index(key, object);
    this.#each(object, (handlers) => handlers.onAdd?.(object));
  }

  #drop(key: string, known: T, asOf: bigint): void {
    this.#unindex(key, known);
    this.#objects.delete(key);
    this.#bury(known.metadata.uid, asOf);
    this.#each(known, (handlers) => handlers.onDelete?.(known));
  }

  #isBuried(object: T): boolean {
    const { uid } = object.metadata;
    const asOf = uid === undefined ? undefined : this.#deleted.get(uid);
    return asOf !== undefined && versionOf(object) <= asOf;
  }

  #bury(uid: string | undefined, asOf: bigint): void {
    if (uid === undefined) return;
    this.#deleted.delete(uid);
    this.#deleted.set(uid, asOf);
    for (const oldest of this.#deleted.keys()) {
      if (this.#deleted.size <= TOMBSTONES) break;
      this.#deleted.delete(oldest);
    }
  }

  #index(key: string, object: T): void {
    for (const [name, entries] of this.#indexes)
      for (const value of this.#valuesIn(name, object)) {
        const keys = entries.get(value);
        if (keys === undefined) entries.set(value, new Set([key]));
        else keys.add(key);
      }
  }

  #unindex(key: string, object: T): void {
    for (const [name, entries] of this.#indexes)
      for (const value of this.#valuesIn(name, object)) {
        const keys = entries.get(value);
        keys?.delete(key);
        if (keys?.size === 0) entries.delete(value);
      }
  }

  /** An object that an index cannot read, as one that was stored under an older schema, is found in it under nothing. */
  #valuesIn(index: string, object: T): readonly string[] {
    try {
      return this.#indexers[index]?.(object) ?? [];
    } catch (error) {
      this.#onHandlerError(error, object);
      return [];
    }
  }

  #each(object: T, call: (handlers: Handlers<T>) => void): void {
    for (const handlers of this.#handlers)
      this.#tell(object, () => {
        call(handlers);
      });
  }

  #tell(object: T, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#onHandlerError(error, object);
    }
  }
}

/** The server forgets an object that is being deleted when its last finalizer goes; the write's answer still shows it. */
function isGone(object: KubeObject): boolean {
  const metadata = object.metadata as KubeObject['metadata'] & { deletionGracePeriodSeconds?: number };
  return (
    metadata.deletionTimestamp !== undefined &&
    (metadata.finalizers ?? []).length === 0 &&
    !metadata.deletionGracePeriodSeconds
  );
}

const isNewer = (object: KubeObject, known: KubeObject): boolean => versionOf(object) > versionOf(known);

const versionOf = (object: KubeObject): bigint => toVersion(object.metadata.resourceVersion);

/** resourceVersions are comparable decimal numbers; anything else counts as oldest. */
export function toVersion(resourceVersion: string | undefined): bigint {
  return resourceVersion !== undefined && /^\d+$/.test(resourceVersion) ? BigInt(resourceVersion) : 0n;
}
