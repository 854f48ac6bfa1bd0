/** One session: statements with a deadline of our own, so that a network that swallows packets holds nobody for ever. */
import type { Client } from 'pg';
import type { PooledSession } from '../session-pool.ts';

/** What a borrower may do with a session. */
export interface Session {
  readonly database: string;
  /** One statement with parameters. */
  query(text: string, params: readonly unknown[]): Promise<Record<string, unknown>[]>;
  /**
   * Several statements in one round trip, without parameters; a transaction that fails is rolled back. `timeoutMs`
   * replaces the usual limit for statements that take as long as the data is large.
   */
  execute(text: string, timeoutMs?: number): Promise<void>;
  /** Puts something of the session back as it was. Never throws: a session that cannot be put back is not used again. */
  restore(text: string): Promise<void>;
}

/** Longer than any DDL of ours takes on a healthy server. */
export const STATEMENT_TIMEOUT_MS = 60_000;
/** For CREATE and DROP DATABASE, which copy and remove files. */
export const UNLIMITED_MS = 60 * 60_000;
/** The server ends a statement by itself; only if we do not hear of it is the session given up. */
const GRACE_MS = 15_000;
/** How long a server may take to say goodbye. */
const GOODBYE_MS = 2_000;

export class ClientSession implements Session, PooledSession {
  readonly database: string;
  readonly client: Client;
  readonly #limitMs: number;
  #isLost = false;

  /** `limitMs`: the statement_timeout that the session was opened with. */
  constructor(client: Client, database: string, limitMs = STATEMENT_TIMEOUT_MS) {
    this.client = client;
    this.database = database;
    this.#limitMs = limitMs;
    client.once('end', () => {
      this.#isLost = true;
    });
  }

  /** Whether it can be used again: alive, and in no transaction. */
  get isSound(): boolean {
    return !this.#isLost && this.client.getTransactionStatus() === 'I';
  }

  onEnd(listener: () => void): void {
    this.client.once('end', listener);
  }

  async query(text: string, params: readonly unknown[]): Promise<Record<string, unknown>[]> {
    return (await this.#send(text, [...params])).rows;
  }

  async execute(text: string, timeoutMs?: number): Promise<void> {
    const isLimited = timeoutMs !== undefined;
    try {
      if (isLimited) await this.#send(`SET statement_timeout TO ${timeoutMs}`);
      await this.#send(text, undefined, timeoutMs);
    } catch (error) {
      // The driver tells of an error before it knows whether a transaction is open.
      await this.#settle('ROLLBACK', ...(isLimited ? [this.#usualLimit] : []));
      throw error;
    }
    if (isLimited) await this.#settle(this.#usualLimit);
  }

  async restore(text: string): Promise<void> {
    await this.#settle(text);
  }

  get #usualLimit(): string {
    return `SET statement_timeout TO ${this.#limitMs}`;
  }

  /** Ends the session whatever it is doing. */
  async destroy(): Promise<void> {
    this.#isLost = true;
    await endClient(this.client, 0);
  }

  async end(): Promise<void> {
    await endClient(this.client, this.#isLost ? 0 : GOODBYE_MS);
  }

  async #send(
    text: string,
    values?: unknown[],
    timeoutMs = this.#limitMs,
  ): Promise<{ rows: Record<string, unknown>[] }> {
    // The types do not know that a single query may have a timeout.
    const config = { text, ...(values === undefined ? {} : { values }), query_timeout: timeoutMs + GRACE_MS };
    try {
      return await this.client.query<Record<string, unknown>>(config);
    } catch (error) {
      // What the server did not say itself leaves the conversation in an unknown state.
      if (!(error instanceof Error) || (error as { severity?: unknown }).severity !== 'ERROR') this.#isLost = true;
      throw error;
    }
  }

  /** A failure makes the session unsound, and what went wrong before is the better thing to tell. */
  async #settle(...statements: string[]): Promise<void> {
    if (this.#isLost) return;
    await this.#send(statements.join('; ')).catch(() => {
      this.#isLost = true;
    });
  }
}

/** Says goodbye, but does not wait long for an answer. */
export async function endClient(client: Client, patienceMs = GOODBYE_MS): Promise<void> {
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection;
  const timer = setTimeout(() => {
    stream.destroy();
  }, patienceMs);
  try {
    if (patienceMs === 0) stream.destroy();
    await client.end();
  } catch {
    // It was dead already.
  } finally {
    clearTimeout(timer);
  }
}
