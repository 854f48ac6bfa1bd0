/**
 * Sessions on one server: at most `limit` at a time over all its databases. A session for another database replaces
 * the one that has been idle longest; callers wait in order.
 */
import { ResourceError } from '../common/errors.ts';

/** What the pool has to know of a session. */
export interface PooledSession {
  readonly database: string;
  /** Whether it can be used again. */
  readonly isSound: boolean;
  /** Called once, when the session has ended for whatever reason. */
  onEnd(listener: () => void): void;
  /** Ends it whatever it is doing. */
  destroy(): Promise<void>;
  end(): Promise<void>;
}

export interface PoolOptions<S extends PooledSession> {
  /** The most sessions at one time. */
  limit: number;
  /** Throws ResourceError. */
  open: (database: string) => Promise<S>;
  /** Idle sessions are closed after this long, in ms. */
  idleMs: number;
  /** A session ended that was not ours to end: the server was restarted, or failed over. */
  onLost?: () => void;
}

/** After a failed login the others that wait are told so at once, instead of each trying by itself. */
const FAIL_FAST_MS = 500;
/** How long the pool makes do with fewer sessions after the server had none left. */
const MODEST_MS = 30_000;

interface Held<S> {
  session: S;
  idleSince: number;
}

export class SessionPool<S extends PooledSession> {
  readonly #options: PoolOptions<S>;
  readonly #idle: Held<S>[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #failures = new Map<string, { error: ResourceError; until: number }>();
  #open = 0;
  #isClosed = false;
  #modest: { limit: number; until: number } | undefined;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: PoolOptions<S>) {
    this.#options = options;
  }

  /** Sessions that are open or being opened. */
  get size(): number {
    return this.#open;
  }

  /** Runs `work` with a session, which is not used again when its state is unknown afterwards. */
  async use<T>(database: string, work: (session: S) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const session = await this.#acquire(database, signal);
    const abort = (): void => {
      void session.destroy();
    };
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const result = await work(session);
      return result;
    } finally {
      signal?.removeEventListener('abort', abort);
      await this.#release(session);
    }
  }

  /** Runs `work` within the limit, without a session of the pool: for one that it opens itself. */
  async reserve<T>(work: () => Promise<T>): Promise<T> {
    await this.#slot(undefined);
    try {
      return await work();
    } finally {
      this.#freeSlot();
    }
  }

  /** Closes every idle session of a database, as DROP DATABASE needs. */
  async evict(database: string): Promise<void> {
    for (const held of this.#idle.filter(({ session }) => session.database === database)) await this.#discard(held);
  }

  /** Idle sessions end now, those in use when their work is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweeper);
    for (const wake of this.#waiting.splice(0)) wake();
    await Promise.all(this.#idle.map(async (held) => await this.#discard(held)));
  }

  async #acquire(database: string, signal: AbortSignal | undefined): Promise<S> {
    for (;;) {
      const held = await this.#slot(database, signal);
      if (held !== undefined) return held.session;
      try {
        return await this.#login(database);
      } catch (error) {
        this.#freeSlot();
        if (!(error instanceof ResourceError) || error.reason !== 'TooManyConnections' || this.#open === 0) throw error;
        // The server has no room for another: make do with those that we have.
        this.#modest = { limit: this.#open, until: performance.now() + MODEST_MS };
      }
    }
  }

  async #login(database: string): Promise<S> {
    for (const place of [ANYWHERE, database]) {
      const failure = this.#failures.get(place);
      if (failure !== undefined && failure.until > performance.now()) throw failure.error;
      this.#failures.delete(place);
    }
    try {
      const session = await this.#options.open(database);
      session.onEnd(() => {
        this.#ended(session);
      });
      return session;
    } catch (error) {
      const place = error instanceof ResourceError ? placeOf(error, database) : undefined;
      if (place !== undefined)
        this.#failures.set(place, { error: error as ResourceError, until: performance.now() + FAIL_FAST_MS });
      throw error;
    }
  }

  /** Waits for room; gives an idle session of that database when there is one. */
  async #slot(database: string | undefined, signal?: AbortSignal): Promise<Held<S> | undefined> {
    for (let isFirst = true; ; isFirst = false) {
      signal?.throwIfAborted();
      if (this.#isClosed)
        throw new ResourceError(
          'Disconnected',
          'the connection to the server is being replaced, as its configuration changed',
        );
      const index = this.#idle.findLastIndex(({ session }) => session.database === database);
      if (index >= 0) return this.#idle.splice(index, 1)[0];
      if (this.#open < this.#limit()) {
        this.#open += 1;
        return undefined;
      }
      const oldest = this.#idle.shift();
      if (oldest !== undefined) {
        // Its slot becomes ours; the server may see one session more for a moment unless we wait for the end.
        await oldest.session.end();
        return undefined;
      }
      await this.#turn(isFirst, signal);
    }
  }

  #limit(): number {
    if (this.#modest !== undefined && this.#modest.until <= performance.now()) this.#modest = undefined;
    return Math.max(1, Math.min(this.#options.limit, this.#modest?.limit ?? Number.POSITIVE_INFINITY));
  }

  async #turn(isFirst: boolean, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    // Who was woken in vain keeps its place.
    if (isFirst) this.#waiting.push(resolve);
    else this.#waiting.unshift(resolve);
    const abort = (): void => {
      const index = this.#waiting.indexOf(resolve);
      // Woken already: the room that it was told of belongs to the next.
      if (index < 0) this.#waiting.shift()?.();
      else this.#waiting.splice(index, 1);
      resolve();
    };
    signal?.addEventListener('abort', abort, { once: true });
    await promise;
    signal?.removeEventListener('abort', abort);
  }

  async #release(session: S): Promise<void> {
    if (!session.isSound || this.#isClosed) {
      await session.end();
      this.#freeSlot();
      return;
    }
    this.#idle.push({ session, idleSince: performance.now() });
    this.#sweeper ??= setInterval(() => {
      this.#sweep();
    }, this.#options.idleMs / 4).unref();
    this.#waiting.shift()?.();
  }

  #freeSlot(): void {
    this.#open -= 1;
    this.#waiting.shift()?.();
  }

  #sweep(): void {
    const limit = performance.now() - this.#options.idleMs;
    for (const held of this.#idle.filter((candidate) => candidate.idleSince < limit)) void this.#discard(held);
  }

  /** An idle session that the server ended leaves at once, so that nobody is given a dead one. */
  #ended(session: S): void {
    const index = this.#idle.findIndex((held) => held.session === session);
    if (index < 0) return;
    this.#idle.splice(index, 1);
    this.#freeSlot();
    this.#options.onLost?.();
  }

  async #discard(held: Held<S>): Promise<void> {
    const index = this.#idle.indexOf(held);
    if (index < 0) return;
    this.#idle.splice(index, 1);
    await held.session.end();
    this.#freeSlot();
  }
}

const ANYWHERE = '';

/** Which logins a failure speaks for: a refused one for its database, no conversation at all for every one. */
function placeOf({ reason }: ResourceError, database: string): string | undefined {
  if (reason === 'AuthenticationFailed') return database;
  return ['Unreachable', 'ServerUnavailable', 'TlsRefused', 'CertificateUntrusted'].includes(reason)
    ? ANYWHERE
    : undefined;
}
