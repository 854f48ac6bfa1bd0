/**
 * Which key is worked on next. Client-go's semantics, for one process:
 *
 *   - a key is in the queue at most once, however often it is added; the requests merge (item.ts);
 *   - a key is with at most one worker; added meanwhile, it is queued once more when the worker is done;
 *   - a key is never lost: after an add there is a get that begins later, or the queue was shut down;
 *   - `addAfter`: the earliest time wins; an add, or a key that is already queued, makes the delay pointless and
 *     drops it, since a reconcile that runs sooner decides anew when it wants to run again;
 *   - high before low, but one in 16 to low; low keys leave no faster than the token bucket allows; high ones never
 *     wait for it, yet take from it;
 *   - keys of a group that has its limit of workers wait aside and hold up nobody else.
 */
import type { Clock } from '../clock.ts';
import { KeyBackoff, type KeyBackoffOptions, type TokenBucket } from '../rate.ts';
import { Delays } from './delays.ts';
import { type AddOptions, merge, type Request, requestOf, type Trigger, type Priority } from './item.ts';
import { Ready } from './ready.ts';

export interface WorkItem {
  key: string;
  priority: Priority;
  trigger: Trigger;
  /** ms the key was ready before a worker took it. */
  waitedMs: number;
}

export interface WorkQueueOptions {
  clock: Clock;
  backoff?: KeyBackoffOptions | undefined;
  /** Limits low-priority work; may be shared between queues. None when left out. */
  bucket?: TokenBucket | undefined;
  group?: ((key: string) => string | undefined) | undefined;
  /** @defaultValue no limit */
  groupLimit?: number | undefined;
}

interface Working {
  group: string | undefined;
  /** Added while a worker has it. */
  again: Request | undefined;
}

export class WorkQueue {
  readonly #clock: Clock;
  readonly #bucket: TokenBucket | undefined;
  readonly #backoff: KeyBackoff;
  readonly #ready: Ready;
  readonly #delays: Delays;
  readonly #working = new Map<string, Working>();
  readonly #waiters: ((item: WorkItem | undefined) => void)[] = [];
  readonly #idle: (() => void)[] = [];
  #cancelRefill: (() => void) | undefined;
  #state: 'open' | 'draining' | 'closed' = 'open';

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock;
    this.#bucket = options.bucket;
    this.#backoff = new KeyBackoff(options.backoff);
    this.#ready = new Ready({ of: inGroup(options.group), limit: options.groupLimit ?? Infinity });
    this.#delays = new Delays(options.clock, (key, request) => {
      this.#enqueue(key, request);
    });
  }

  /** Keys that are ready and wait for a worker. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Keys that are due later. */
  get delayed(): number {
    return this.#delays.size;
  }

  /** Keys that are with a worker. */
  get working(): number {
    return this.#working.size;
  }

  add(key: string, options?: AddOptions): void {
    this.#enqueue(key, requestOf(options));
  }

  /** @param ms at most 24 h are waited; 0 or less = add */
  addAfter(key: string, ms: number, options?: AddOptions): void {
    const request = requestOf(options);
    if (this.#state !== 'open') return;
    const working = this.#working.get(key);
    if (ms <= 0) this.#enqueue(key, request);
    else if (working?.again !== undefined) working.again = merge(working.again, request);
    else if (this.#ready.has(key)) this.#ready.add(key, request, this.#clock.monotonic());
    else this.#delays.add(key, ms, request);
  }

  /** Adds the key after a wait that doubles each time, until it is forgotten. Returns the wait in ms. */
  addRateLimited(key: string, options: AddOptions = { trigger: 'retry' }): number {
    const wait = this.#backoff.next(key);
    this.addAfter(key, wait, options);
    return wait;
  }

  /** The key's failures in a row are over. */
  forget(key: string): void {
    this.#backoff.forget(key);
  }

  failures(key: string): number {
    return this.#backoff.failures(key);
  }

  /** The next key, when there is one; undefined = the queue is shut down. Each key must be given back by `done`. */
  async get(): Promise<WorkItem | undefined> {
    const item = this.#take();
    if (item !== undefined) return item;
    if (this.#isOver()) return undefined;
    return await new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  done(key: string): void {
    const working = this.#working.get(key);
    if (working === undefined) throw new Error(`${key} is with no worker`);
    this.#working.delete(key);
    this.#ready.release(working.group);
    if (working.again !== undefined && this.#state !== 'closed')
      this.#ready.add(key, working.again, this.#clock.monotonic());
    this.#dispatch();
  }

  /**
   * Takes no more adds and drops what is due later. Workers get undefined at once, or with `finishQueued` when all
   * that is ready has been handed out. Resolves when no worker has a key any more.
   */
  async shutdown(options: { finishQueued?: boolean } = {}): Promise<void> {
    if (this.#state !== 'closed') this.#state = options.finishQueued ? 'draining' : 'closed';
    this.#delays.clear();
    if (this.#state === 'closed') this.#ready.clear();
    this.#dispatch();
    if (this.#isIdle()) return;
    await new Promise<void>((resolve) => {
      this.#idle.push(resolve);
    });
  }

  #enqueue(key: string, request: Request): void {
    if (this.#state !== 'open') return;
    const delayed = this.#delays.cancel(key);
    const merged = delayed === undefined ? request : merge(request, delayed);
    const working = this.#working.get(key);
    if (working !== undefined) {
      working.again = working.again === undefined ? merged : merge(working.again, merged);
      return;
    }
    this.#ready.add(key, merged, this.#clock.monotonic());
    this.#dispatch();
  }

  #take(): WorkItem | undefined {
    const taken = this.#ready.take(() => this.#bucket?.tryTake() ?? true);
    if (taken === undefined) {
      this.#awaitToken();
      return undefined;
    }
    const { key, request, addedAt, group } = taken;
    if (request.priority === 'high') this.#bucket?.take();
    this.#working.set(key, { group, again: undefined });
    return { key, ...request, waitedMs: this.#clock.monotonic() - addedAt };
  }

  #dispatch(): void {
    while (this.#waiters.length > 0) {
      const item = this.#take();
      if (item === undefined) break;
      this.#waiters.shift()?.(item);
    }
    if (this.#isOver()) this.#cancelRefill?.();
    if (this.#isOver()) for (const waiter of this.#waiters.splice(0)) waiter(undefined);
    if (this.#state !== 'open' && this.#isIdle()) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Low keys that only lack a token are handed out when there is one again. */
  #awaitToken(): void {
    if (this.#bucket === undefined || this.#cancelRefill !== undefined || !this.#ready.hasLow()) return;
    this.#cancelRefill = this.#clock.timer(Math.max(1, this.#bucket.waitMs()), () => {
      this.#cancelRefill = undefined;
      this.#dispatch();
    });
  }

  #isOver(): boolean {
    return (
      this.#state === 'closed' || (this.#state === 'draining' && this.#ready.size === 0 && this.#working.size === 0)
    );
  }

  #isIdle(): boolean {
    return this.#working.size === 0 && (this.#state === 'closed' || this.#ready.size === 0);
  }
}

/** A key of which nobody can tell the group is in none: at the head of the queue it would hold up everybody. */
const inGroup =
  (group: WorkQueueOptions['group']) =>
  (key: string): string | undefined => {
    try {
      return group?.(key);
    } catch {
      return undefined;
    }
  };
