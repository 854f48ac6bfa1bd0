/**
 * The sessions of one engine, and what holds for them on every server: a read outlives a dead session, an error says what
 * was tried, and what the server is and its administrator may do is asked again when it may have changed.
 */
import { ResourceError } from '../common/errors.ts';
import { type PooledSession, SessionPool } from './session-pool.ts';

/** What differs from server to server. */
export interface ServerSessionsOptions<S extends PooledSession, I> {
  /** The most sessions at one time, over all databases of the server. */
  limit: number;
  /** Throws ResourceError. */
  open: (database: string) => Promise<S>;
  /** The database in which the server is asked about itself. */
  home: string;
  readInfo: (session: S) => Promise<I>;
  /** Whether the error says nothing of what was asked, as that of a dead session: a read is asked again. */
  isLost: (error: unknown) => boolean;
  /** Gives the error its reason and remedy; `tried` says in a few words what was done. */
  explain: (error: unknown, tried: string) => ResourceError;
}

/** Longer than a poll of a minute, so that sessions survive from one to the next. */
const IDLE_MS = 150_000;
/** What the server has loaded and what the administrator may do may change while the sessions stay. */
const INFO_MS = 5 * 60_000;

export class ServerSessions<S extends PooledSession, I> {
  readonly pool: SessionPool<S>;
  readonly #options: ServerSessionsOptions<S, I>;
  #info: { answer: Promise<I>; at: number } | undefined;

  constructor(options: ServerSessionsOptions<S, I>) {
    this.#options = options;
    this.pool = new SessionPool({
      limit: options.limit,
      idleMs: IDLE_MS,
      open: options.open,
      onLost: () => {
        this.#info = undefined;
      },
    });
  }

  /** Asked once for all that want to know it within five minutes. */
  async info(signal?: AbortSignal): Promise<I> {
    if (this.#info === undefined || performance.now() - this.#info.at > INFO_MS)
      this.#info = {
        answer: this.read(this.#options.home, this.#options.readInfo, 'login', signal),
        at: performance.now(),
      };
    const asked = this.#info;
    try {
      return await asked.answer;
    } catch (error) {
      if (this.#info === asked) this.#info = undefined;
      throw error;
    }
  }

  /** Work that only reads: met by a dead session, it is done again on another one. */
  async read<T>(database: string, work: (session: S) => Promise<T>, tried = 'read', signal?: AbortSignal): Promise<T> {
    for (let attempt = 0; ; attempt += 1)
      try {
        return await this.pool.use(database, work, signal);
      } catch (error) {
        // After a restart every session of the pool may be dead.
        if (signal?.aborted === true || !this.#options.isLost(error) || attempt > this.#options.limit)
          throw this.explained(error, tried, signal);
      }
  }

  /** Work that changes something: never repeated, as what a lost session did is not known. */
  async once<T>(database: string, work: (session: S) => Promise<T>, tried: string, signal?: AbortSignal): Promise<T> {
    try {
      return await this.pool.use(database, work, signal);
    } catch (error) {
      throw this.explained(error, tried, signal);
    }
  }

  /** A ResourceError that says what was tried; the reason of the signal when the caller has given up. */
  explained(error: unknown, tried: string, signal?: AbortSignal): unknown {
    if (signal?.aborted === true) return signal.reason;
    const explained = this.#options.explain(error, tried);
    // What the administrator may do has changed, perhaps.
    if (explained.reason === 'PermissionDenied') this.#info = undefined;
    return explained;
  }
}
