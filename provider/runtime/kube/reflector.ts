/**
 * Keeps a cache of the objects of one kind equal to the API server's, for as long as its signal lives.
 *
 *   LISTING   pages of 500; a list whose continue token expired starts over        → WATCHING
 *   WATCHING  from the last resourceVersion seen, in an event or a bookmark
 *     ends after timeoutSeconds, as it should                                      → WATCHING
 *     and the list is older than relistMs                                          → LISTING
 *     410, as a status or as an ERROR event                                        → LISTING
 *   any failure: wait, 1 s doubling to 30 s, or as Retry-After says                → where it was
 *
 * Nothing ends it but the signal. A handler that throws is logged and stops nobody.
 */
import type { KubeObject } from '../../api/kind.ts';
import { type Clock, realClock, sleep } from '../clock.ts';
import type { Log } from '../log.ts';
import { Backoff, type BackoffOptions } from './backoff.ts';
import type { KubeClient, Selection } from './client.ts';
import { isExpired, isKubeError, KubeError } from './errors.ts';
import { type Resource, apiVersionOf } from './resource.ts';
import { type Handlers, type Indexer, type ReadStore, Store, toVersion } from './store.ts';

export interface ReflectorOptions<T extends KubeObject> extends Selection {
  log: Log;
  /** Indexes for `store.byIndex`, by name. */
  indexers?: Record<string, Indexer<T>> | undefined;
  /** Drops what is not wanted in memory; managedFields and last-applied are dropped anyway. */
  trim?: ((object: T) => T) | undefined;
  clock?: Clock;
  backoff?: BackoffOptions;
  /** After this many ms the cache is listed anew, should a watch have missed something. By default never. */
  relistMs?: number | undefined;
  /** @defaultValue 500 */
  pageSize?: number;
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** How long after its announced end a watch may take to end before it counts as dead. */
const GRACE_MS = 30_000;
/** A watch that ends sooner than this without a single event is a failure, as in client-go. */
const SHORTEST_WATCH_MS = 1_000;

export class Reflector<T extends KubeObject = KubeObject> {
  readonly resource: Resource;
  /** Resolves when the first list is in the cache; rejects when the reflector is stopped before. */
  readonly synced: Promise<void>;
  readonly #client: KubeClient;
  readonly #options: ReflectorOptions<T>;
  readonly #store: Store<T>;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #settle: { resolve: () => void; reject: (reason: unknown) => void };
  #resourceVersion: string | undefined;
  #isSynced = false;
  #listedAt = 0;
  /** Answers of 410 in a row, without an event in between. */
  #expiries = 0;
  #isAway = false;

  constructor(client: KubeClient, resource: Resource, options: ReflectorOptions<T>) {
    this.resource = resource;
    this.#client = client;
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#backoff = new Backoff(options.backoff);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#settle = { resolve, reject };
    // Nobody needs to wait for it.
    promise.catch(() => undefined);
    this.#store = new Store<T>({
      ...(options.indexers === undefined ? {} : { indexers: options.indexers }),
      trim: (object) => this.#trim(object),
      onHandlerError: (error, object) => {
        options.log.error(
          { err: error, kind: resource.kind, object: object.metadata.name },
          'an event handler or an index failed',
        );
      },
    });
  }

  get store(): ReadStore<T> {
    return this.#store;
  }

  /** False until the first list is in, and after five failures in a row (about half a minute). */
  get healthy(): boolean {
    return this.#isSynced && this.#backoff.failures < 5;
  }

  get isSynced(): boolean {
    return this.#isSynced;
  }

  /** Handlers run synchronously and must be quick: enqueue, no more. Objects are the cache's own: do not change them. */
  subscribe(handlers: Handlers<T>): void {
    this.#store.subscribe(handlers);
  }

  /** Runs until the signal aborts, then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted)
      try {
        if (this.#resourceVersion === undefined || this.#relistsIn() <= 0) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) break;
        await this.#recover(error, signal);
      }
    this.#settle.reject(signal.reason);
  }

  async #list(signal: AbortSignal): Promise<void> {
    // A consistent list is never older than this, unless the server's history began anew.
    const floor = this.#store.newestVersion();
    const objects: T[] = [];
    let next: string | undefined;
    let listVersion: string | undefined;
    do {
      const page = await this.#client.list<T>(this.resource, {
        ...this.#selection(),
        limit: this.#options.pageSize ?? 500,
        continue: next,
        signal,
      });
      objects.push(...page.items);
      listVersion = page.metadata.resourceVersion;
      next = page.metadata.continue || undefined;
    } while (next !== undefined);
    if (listVersion === undefined)
      throw new KubeError({
        status: 200,
        reason: 'InvalidResponse',
        message: `list ${this.resource.plural}: no resourceVersion`,
      });
    this.#store.replace(objects, listVersion, toVersion(listVersion) < floor);
    this.#resourceVersion = listVersion;
    this.#listedAt = this.#clock.monotonic();
    this.#isSynced = true;
    this.#settle.resolve();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const timeoutSeconds = Math.ceil(Math.min(300 + Math.random() * 300, Math.max(1, this.#relistsIn() / 1000)));
    const started = this.#clock.monotonic();
    let events = 0;
    const life = new AbortController();
    const onAbort = (): void => {
      life.abort(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const cancel = this.#clock.timer(timeoutSeconds * 1000 + GRACE_MS, () => {
      life.abort(
        new KubeError({ status: 0, reason: 'Timeout', message: `watch ${this.resource.plural}: did not end` }),
      );
    });
    try {
      const watch = this.#client.watch<T>(this.resource, {
        ...this.#selection(),
        resourceVersion: this.#resourceVersion ?? '0',
        timeoutSeconds,
        signal: life.signal,
      });
      for await (const { type, object } of watch) {
        if (events++ === 0) this.#recovered();
        if (type === 'DELETED') this.#store.remove(object);
        else if (type !== 'BOOKMARK') this.#store.set(object);
        this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
      }
    } finally {
      cancel();
      signal.removeEventListener('abort', onAbort);
    }
    const lasted = this.#clock.monotonic() - started;
    if (events === 0 && lasted < SHORTEST_WATCH_MS)
      throw new KubeError({
        status: 200,
        reason: 'WatchTooShort',
        message: `watch ${this.resource.plural}: ended at once`,
      });
    this.#recovered();
  }

  #relistsIn(): number {
    return this.#listedAt + (this.#options.relistMs ?? Number.POSITIVE_INFINITY) - this.#clock.monotonic();
  }

  #recovered(): void {
    this.#backoff.reset();
    this.#expiries = 0;
    if (this.#isAway) this.#options.log.info({ kind: this.resource.kind }, 'the API server answers again');
    this.#isAway = false;
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const expired = isExpired(error);
    if (expired) this.#resourceVersion = undefined;
    // The first relist goes out at once; a server that says 410 again and again is not asked in a tight loop.
    const isNews = expired && ++this.#expiries === 1;
    const wait = isNews ? 0 : Math.max(this.#backoff.next(), retryAfterMs(error));
    const { failures } = this.#backoff;
    const fields = { kind: this.resource.kind, failures, waitMs: Math.round(wait) };
    const message = error instanceof Error ? error.message : String(error);
    // A watch cut now and then is normal; a server that stays away is not, and is said once in a while.
    if (failures === 3 || (failures > 0 && failures % 20 === 0)) {
      this.#isAway = true;
      this.#options.log.warn(fields, message);
    } else this.#options.log.debug(fields, message);
    await sleep(wait, signal, this.#clock).catch(() => undefined);
  }

  #selection(): Selection {
    const { namespace, labelSelector, fieldSelector, metadataOnly } = this.#options;
    return { namespace, labelSelector, fieldSelector, metadataOnly };
  }

  #trim(object: T): T {
    let kept = object;
    if (this.#options.metadataOnly)
      // Whatever the server sent, or put() was given: only metadata is kept.
      kept = {
        apiVersion: apiVersionOf(this.resource),
        kind: this.resource.kind,
        metadata: { ...object.metadata },
      } as T;
    const { managedFields: _, ...metadata } = kept.metadata as T['metadata'] & { managedFields?: unknown };
    if (metadata.annotations?.[LAST_APPLIED] !== undefined) {
      const { [LAST_APPLIED]: __, ...annotations } = metadata.annotations;
      metadata.annotations = annotations;
    }
    kept = { ...kept, metadata };
    return this.#options.trim?.(kept) ?? kept;
  }
}

const retryAfterMs = (error: unknown): number => (isKubeError(error) ? (error.retryAfterSeconds ?? 0) * 1000 : 0);
