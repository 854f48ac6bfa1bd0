/**
 * Sessions on one server: at most `limit` at a time over all its databases. A session for another database replaces
 * the one that has been idle longest; callers wait in order.
 */
import type { Client } from 'pg';

/** What a borrower may do with a session. */
export interface Session {
  readonly database: string;
  /** One statement with parameters. */
  query(text: string, params: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /** Several statements in one round trip, without parameters. */
  execute(text: string): Promise<void>;
}

export interface PoolOptions {
  limit: number;
  open: (database: string) => Promise<Client>;
  /** Idle sessions are closed after this long, in ms. */
  idleMs: number;
}

interface Held {
  client: Client;
  database: string;
  idleSince: number;
}

export class SessionPool {
  readonly #options: PoolOptions;
  readonly #idle: Held[] = [];
  readonly #waiting: (() => void)[] = [];
  #open = 0;
  #closed = false;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** Sessions that are open or being opened. */
  get size(): number {
    return this.#open;
  }

  /** Runs `work` with a session; after a failure the session is not used again, as its state is unknown. */
  async use<T>(database: string, work: (session: Session) => Promise<T>): Promise<T> {
    const held = await this.#acquire(database);
    let isSound = false;
    try {
      const result = await work(sessionOf(held));
      isSound = true;
      return result;
    } finally {
      await this.#release(held, isSound);
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
    const gone = this.#idle.filter((held) => held.database === database);
    for (const held of gone) await this.#discard(held);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    for (const held of this.#idle.splice(0)) await this.#end(held);
  }

  async #acquire(database: string): Promise<Held> {
    const held = await this.#slot(database);
    if (held !== undefined) return held;
    try {
      return { client: await this.#options.open(database), database, idleSince: 0 };
    } catch (error) {
      this.#freeSlot();
      throw error;
    }
  }

  /** Waits for room; gives an idle session of that database when there is one. */
  async #slot(database: string | undefined): Promise<Held | undefined> {
    for (;;) {
      if (this.#closed) throw new Error('the connection pool is closed');
      const index = this.#idle.findLastIndex((held) => held.database === database);
      if (index >= 0) return this.#idle.splice(index, 1)[0];
      if (this.#open < this.#options.limit) {
        this.#open += 1;
        return undefined;
      }
      const oldest = this.#idle.shift();
      if (oldest !== undefined) {
        // Its slot becomes ours; the server may see one session more for a moment unless we wait for the end.
        await this.#end(oldest);
        return undefined;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async #release(held: Held, isSound: boolean): Promise<void> {
    if (!isSound || this.#closed) {
      await this.#end(held);
      this.#freeSlot();
      return;
    }
    held.idleSince = Date.now();
    this.#idle.push(held);
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
    const limit = Date.now() - this.#options.idleMs;
    for (const held of this.#idle.filter((candidate) => candidate.idleSince < limit)) void this.#discard(held);
  }

  async #discard(held: Held): Promise<void> {
    const index = this.#idle.indexOf(held);
    if (index < 0) return;
    this.#idle.splice(index, 1);
    await this.#end(held);
    this.#freeSlot();
  }

  async #end(held: Held): Promise<void> {
    try {
      await held.client.end();
    } catch {
      // It was dead already.
    }
  }
}

const sessionOf = ({ client, database }: Held): Session => ({
  database,
  query: async (text, params) => (await client.query<Record<string, unknown>>(text, [...params])).rows,
  execute: async (text) => {
    await client.query(text);
  },
});
