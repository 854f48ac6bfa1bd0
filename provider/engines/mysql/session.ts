/** One session: statements with a deadline of our own, so that a network that swallows packets holds nobody for ever. */
import type { Connection, QueryError } from 'mysql2';
import type { PooledSession } from '../session-pool.ts';
import type { Sql } from './sql.ts';

/** Texts, and numbers that JavaScript holds exactly: dates, JSON and larger numbers come as texts. */
export type Row = Record<string, string | number | null>;

/** What a borrower may do with a session. */
export interface Session {
  /** One statement that gives rows. */
  query(statement: Sql): Promise<Row[]>;
  /** One statement that changes something. `timeoutMs` replaces the usual limit for what takes as long as the data is large. */
  execute(statement: Sql, timeoutMs?: number): Promise<void>;
}

/** Longer than any statement of ours takes on a healthy server. */
const STATEMENT_TIMEOUT_MS = 60_000;
/** For DROP DATABASE, which removes files. */
export const UNLIMITED_MS = 60 * 60_000;
/** How long a server may take to say goodbye. */
const GOODBYE_MS = 2_000;

export class ConnectionSession implements Session, PooledSession {
  /** A session is at home in no database: every name is said in full. */
  readonly database = '';
  readonly connection: Connection;
  readonly #listeners: (() => void)[] = [];
  #isLost = false;

  constructor(connection: Connection) {
    this.connection = connection;
    const lost = (): void => {
      this.#isLost = true;
      for (const listener of this.#listeners.splice(0)) listener();
    };
    (connection as unknown as { stream: NodeJS.EventEmitter }).stream.once('close', lost);
    connection.on('error', lost);
  }

  /** Whether it can be used again. */
  get isSound(): boolean {
    return !this.#isLost;
  }

  onEnd(listener: () => void): void {
    this.#listeners.push(listener);
  }

  async query(statement: Sql): Promise<Row[]> {
    const rows = await this.#send(statement.text, STATEMENT_TIMEOUT_MS);
    return Array.isArray(rows) ? (rows as Row[]) : [];
  }

  async execute(statement: Sql, timeoutMs = STATEMENT_TIMEOUT_MS): Promise<void> {
    await this.#send(statement.text, timeoutMs);
  }

  /** Ends the session whatever it is doing. */
  async destroy(): Promise<void> {
    this.#isLost = true;
    await endConnection(this.connection, 0);
  }

  async end(): Promise<void> {
    await endConnection(this.connection, this.#isLost ? 0 : GOODBYE_MS);
  }

  async #send(text: string, timeoutMs: number): Promise<unknown> {
    try {
      return await sendText(this.connection, text, timeoutMs);
    } catch (error) {
      // What the server did not say itself leaves the conversation in an unknown state.
      if (!hasServerCode(error) || (error as { fatal?: boolean }).fatal === true) this.#isLost = true;
      throw error;
    }
  }
}

const hasServerCode = (error: unknown): boolean =>
  error instanceof Error && typeof (error as { errno?: unknown }).errno === 'number' && 'sqlState' in error;

/** The driver's own deadline would leave the statement running on a session that looks usable. */
export async function sendText(connection: Connection, text: string, timeoutMs: number): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const timer = setTimeout(() => {
    connection.destroy();
    reject(Object.assign(new Error('no answer to a statement'), { code: 'STATEMENT_UNANSWERED' }));
  }, timeoutMs);
  // One that is destroyed while it waits is told so by nobody.
  const closed = (): void => {
    reject(Object.assign(new Error('the connection was closed'), { code: 'PROTOCOL_CONNECTION_LOST' }));
  };
  const { stream } = connection as unknown as { stream: NodeJS.EventEmitter };
  stream.once('close', closed);
  connection.query(text, (error: QueryError | null, rows: unknown) => {
    if (error === null) resolve(rows);
    else reject(withoutStatement(error));
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    stream.removeListener('close', closed);
  }
}

/** The driver hangs the whole statement on an error, and the server quotes it: neither may reach a log. */
function withoutStatement(error: QueryError): Error {
  const { code, errno, fatal, sqlState } = error as QueryError & { sqlState?: string };
  const message = error.message.replace(/ near '[^]*$/, '');
  const given = Object.entries({ code, errno, fatal, sqlState }).filter(([, value]) => value !== undefined);
  return Object.assign(new Error(message), Object.fromEntries(given));
}

/** Says goodbye, but does not wait long for an answer. */
export async function endConnection(connection: Connection, patienceMs = GOODBYE_MS): Promise<void> {
  if (patienceMs === 0) {
    connection.destroy();
    return;
  }
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      connection.destroy();
      resolve();
    }, patienceMs);
    connection.end(() => {
      clearTimeout(timer);
      connection.destroy();
      resolve();
    });
  });
}
