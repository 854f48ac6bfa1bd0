/**
 * Runs one reconcile function over the keys of a queue, many at once. What goes wrong with one key stays with it: it is
 * logged, counted and tried again later, and the others go on.
 *
 * A reconcile that outlives its deadline is aborted by its signal. One that does not heed the signal keeps its worker and
 * its key, since a second worker on the same key would do harm; its group's limit confines the damage.
 */
import { type Clock, realClock } from '../clock.ts';
import type { Log } from '../log.ts';
import { KeyBackoff, type KeyBackoffOptions, type TokenBucket } from '../rate.ts';
import type { AddOptions, Priority, Trigger } from './item.ts';
import { type WorkItem, WorkQueue } from './work-queue.ts';

/** Why a key is reconciled now, and for how long. */
export interface ReconcileContext {
  /** Aborts at the deadline, and when the controller is stopped and does not want to wait longer. */
  signal: AbortSignal;
  trigger: Trigger;
  priority: Priority;
  /** How many attempts in a row have failed before this one. */
  failures: number;
}

/** When the key is looked at next. */
export interface ReconcileResult {
  /** Look again after this many ms, as a poll. Without it: only when something changes. */
  requeueAfterMs?: number | undefined;
  /** For the look after `requeueAfterMs`. @defaultValue low */
  priority?: Priority | undefined;
  /** The attempt failed and has been reported: try again with backoff, but do not count or log it as an error. */
  retry?: boolean | undefined;
}

/** What it throws is logged, counted and tried again with backoff. */
export type Reconcile = (key: string, context: ReconcileContext) => Promise<ReconcileResult | undefined | void>;

/** How a reconcile ended, under controller-runtime's names. */
export type Outcome = 'success' | 'requeue' | 'requeue_after' | 'error';

/** Receives what a controller does; see metrics.ts. */
export interface ControllerObserver {
  reconciled(controller: string, outcome: Outcome, seconds: number): void;
  activeWorkers(controller: string, change: 1 | -1): void;
  added(controller: string): void;
  retried(controller: string): void;
  waited(controller: string, seconds: number): void;
}

export interface ControllerOptions {
  name: string;
  reconcile: Reconcile;
  log: Log;
  /** Reconciles at once: most of them wait, for the API server or for others of their batch of reads. @defaultValue 128 */
  workers?: number | undefined;
  /** What keys share, e.g. the database server; each group may hold at most `groupLimit` workers. */
  group?: ((key: string) => string | undefined) | undefined;
  /** @defaultValue 64 */
  groupLimit?: number | undefined;
  /** @defaultValue 90 000 */
  timeoutMs?: number | undefined;
  /** Whether an error only says that what was acted on is out of date: tried again soon, and nobody is told. */
  isConflict: (error: unknown) => boolean;
  backoff?: KeyBackoffOptions | undefined;
  /** Limits polls and retries, over all controllers that share it. */
  bucket?: TokenBucket | undefined;
  observer?: ControllerObserver | undefined;
  clock?: Clock | undefined;
}

/** After this long an aborted reconcile that still runs is reported. */
const HEEDLESS_MS = 10_000;

export class Controller {
  readonly name: string;
  /** Reconciles at once, at most. */
  readonly workers: number;
  readonly queue: WorkQueue;
  readonly #options: ControllerOptions;
  readonly #clock: Clock;
  /** A conflict is over as soon as the watch brings the newer version: much shorter waits than for failures. */
  readonly #conflicts = new KeyBackoff({ baseMs: 100, maxMs: 10_000 });
  readonly #running = new Set<AbortController>();
  #loops: Promise<void>[] = [];

  constructor(options: ControllerOptions) {
    this.name = options.name;
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.workers = options.workers ?? 128;
    this.queue = new WorkQueue({
      clock: this.#clock,
      backoff: options.backoff,
      bucket: options.bucket,
      group: options.group,
      groupLimit: options.groupLimit ?? 64,
    });
  }

  /** Reconciles the key as soon as there is a worker. */
  enqueue(key: string, options?: AddOptions): void {
    this.#options.observer?.added(this.name);
    this.queue.add(key, options);
  }

  enqueueAfter(key: string, ms: number, options: AddOptions = { trigger: 'poll' }): void {
    this.#options.observer?.added(this.name);
    this.queue.addAfter(key, ms, options);
  }

  /** Reconciles that run now. */
  get active(): number {
    return this.#running.size;
  }

  start(): void {
    if (this.#loops.length > 0) throw new Error(`${this.name} is already running`);
    this.#loops = Array.from({ length: this.workers }, () => this.#work());
  }

  /**
   * Takes no more keys and waits for what runs; what still runs after `graceMs` is aborted and given a second to end.
   * @returns whether everything ended.
   */
  async stop(graceMs = 25_000): Promise<boolean> {
    const drained = this.queue.shutdown().then(() => true);
    if (await this.#within(drained, graceMs)) return true;
    for (const controller of this.#running) controller.abort(new Error('the provider is stopping'));
    return await this.#within(drained, 1_000);
  }

  /** Aborts everything at once: somebody else may be at work already. */
  abort(reason: Error): void {
    this.queue.shutdown().catch(() => undefined);
    for (const controller of this.#running) controller.abort(reason);
  }

  async #within(drained: Promise<boolean>, ms: number): Promise<boolean> {
    let cancel = (): void => undefined;
    const timeout = new Promise<boolean>((resolve) => {
      cancel = this.#clock.timer(ms, () => {
        resolve(false);
      });
    });
    const result = await Promise.race([drained, timeout]);
    cancel();
    return result;
  }

  async #work(): Promise<void> {
    for (let item = await this.queue.get(); item !== undefined; item = await this.queue.get()) {
      this.#options.observer?.waited(this.name, item.waitedMs / 1000);
      this.#options.observer?.activeWorkers(this.name, 1);
      const started = this.#clock.monotonic();
      const outcome = await this.#attempt(item);
      this.#options.observer?.reconciled(this.name, outcome, (this.#clock.monotonic() - started) / 1000);
      this.#options.observer?.activeWorkers(this.name, -1);
      this.queue.done(item.key);
    }
  }

  async #attempt(item: WorkItem): Promise<Outcome> {
    const { key, trigger, priority } = item;
    const failures = this.queue.failures(key);
    try {
      const result = await this.#run(key, (signal) =>
        this.#options.reconcile(key, { signal, trigger, priority, failures }),
      );
      this.#conflicts.forget(key);
      if (result?.retry) {
        this.#retry(key);
        return 'requeue';
      }
      this.queue.forget(key);
      if (result?.requeueAfterMs === undefined) return 'success';
      this.queue.addAfter(key, result.requeueAfterMs, { trigger: 'poll', priority: result.priority });
      return 'requeue_after';
    } catch (error) {
      if (this.#options.isConflict(error)) {
        this.#options.observer?.retried(this.name);
        this.queue.addAfter(key, this.#conflicts.next(key), { trigger: 'retry', priority });
        return 'requeue';
      }
      const waitMs = this.#retry(key);
      this.#options.log.error(
        { err: error, controller: this.name, key, failures: failures + 1, waitMs },
        'reconcile failed',
      );
      return 'error';
    }
  }

  #retry(key: string): number {
    this.#options.observer?.retried(this.name);
    return this.queue.addRateLimited(key);
  }

  async #run<T>(key: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const timeoutMs = this.#options.timeoutMs ?? 90_000;
    let cancel = this.#clock.timer(timeoutMs, () => {
      controller.abort(new DOMException(`not done after ${timeoutMs / 1000} s`, 'TimeoutError'));
      cancel = this.#clock.timer(HEEDLESS_MS, () => {
        this.#options.log.error({ controller: this.name, key }, 'a reconcile does not heed its deadline');
      });
    });
    this.#running.add(controller);
    try {
      // A reconcile that throws before its first await must not end the worker either.
      return await work(controller.signal);
    } finally {
      cancel();
      this.#running.delete(controller);
    }
  }
}
