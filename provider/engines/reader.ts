/**
 * Answers many reads with few statements.
 *
 * Reads of one kind and database that are asked while an earlier batch is under way, or in the same turn of the event
 * loop, go into one batch: one statement. A read that may be as old as the beginning of a poll sweep (`at(notBefore)`)
 * is answered from the last batch that began after that moment; the first such read of a sweep takes with it every
 * query that was asked lately, so that the whole sweep of thousands of resources is one statement per kind and database.
 *
 * A read is never answered by a batch that began before the moment that the caller names, so what a caller wrote is
 * always seen.
 */
import type { ReadKind, Reads } from '../resources/model.ts';
import type { Reader } from '../resources/planner.ts';
import type { Secret } from '../resources/secret.ts';
import type { Engine, ServerInfo } from './engine.ts';

export interface BatchingOptions {
  /** The poll interval: queries that were asked within two and a half of it belong to the next sweep. */
  sweepMs?: number;
  now?: () => number;
}

/** Queries in one statement; more make another. */
const BATCH_LIMIT = 5_000;

interface Waiter {
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

interface Batch {
  startedAt: number;
  results: Map<string, unknown>;
}

/** Everything about one kind in one database. */
interface Group {
  kind: ReadKind;
  /** Not sent yet, by the query's key. */
  pending: Map<string, { query: unknown; waiters: Waiter[] }>;
  /** Whether the next batch takes along what was asked lately. */
  sweep: boolean;
  isScheduled: boolean;
  isRunning: boolean;
  running: { startedAt: number; waiters: Map<string, Waiter[]> } | undefined;
  last: Batch | undefined;
  /** When each query was last asked. */
  asked: Map<string, { query: unknown; at: number }>;
}

export class BatchingReader {
  readonly #engine: Engine;
  readonly #sweepMs: number;
  readonly #now: () => number;
  readonly #groups = new Map<string, Group>();
  #server: ServerInfo | undefined;

  constructor(engine: Engine, options: BatchingOptions = {}) {
    this.#engine = engine;
    this.#sweepMs = options.sweepMs ?? 60_000;
    this.#now = options.now ?? Date.now;
  }

  /** Logs in and learns what the server is; needed before the first read. */
  async prepare(): Promise<void> {
    this.#server = await this.#engine.info();
  }

  get server(): ServerInfo {
    if (this.#server === undefined) throw new Error('prepare() has not been called');
    return this.#server;
  }

  /** Reads that may be answered by any batch that began after `notBefore` (ms since the epoch). */
  at(notBefore: number): Reader {
    // oxlint-disable-next-line typescript/no-this-alias -- the view has a `this` of its own
    const self = this;
    return {
      get server() {
        return self.server;
      },
      read: async (kind, query) => await self.#read(kind, query, notBefore),
      checkPassword: async (name, host, password) => await self.checkPassword(name, host, password),
    };
  }

  /** A read that is not older than this call. */
  async read<K extends ReadKind>(kind: K, query: Reads[K]['query']): Promise<Reads[K]['result']> {
    return await this.#read(kind, query, this.#now());
  }

  async checkPassword(
    name: string,
    host: string | undefined,
    password: Secret,
  ): Promise<'match' | 'mismatch' | 'unknown'> {
    return await this.#engine.checkPassword(name, host, password);
  }

  async #read<K extends ReadKind>(kind: K, query: Reads[K]['query'], notBefore: number): Promise<Reads[K]['result']> {
    const group = this.#group(kind, query);
    const key = JSON.stringify(query);
    const now = this.#now();
    group.asked.set(key, { query, at: now });
    if (group.last !== undefined && group.last.startedAt > notBefore && group.last.results.has(key))
      return group.last.results.get(key) as Reads[K]['result'];
    return (await new Promise<unknown>((resolve, reject) => {
      const waiter = { resolve, reject };
      const running = group.running;
      const joined = running !== undefined && running.startedAt > notBefore ? running.waiters.get(key) : undefined;
      if (joined !== undefined) {
        joined.push(waiter);
        return;
      }
      // Older than now is good enough: a poll. Its first read speaks for all that will be polled in this sweep.
      if (notBefore < now) group.sweep = true;
      const pending = group.pending.get(key);
      if (pending === undefined) group.pending.set(key, { query, waiters: [waiter] });
      else pending.waiters.push(waiter);
      this.#schedule(group);
    })) as Reads[K]['result'];
  }

  #group(kind: ReadKind, query: unknown): Group {
    const name = `${kind} ${databaseOf(kind, query)}`;
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = {
        kind,
        pending: new Map(),
        sweep: false,
        isScheduled: false,
        isRunning: false,
        running: undefined,
        last: undefined,
        asked: new Map(),
      };
      this.#groups.set(name, group);
    }
    return group;
  }

  #schedule(group: Group): void {
    if (group.isScheduled || group.isRunning) return;
    group.isScheduled = true;
    setImmediate(() => {
      group.isScheduled = false;
      void this.#flush(group);
    });
  }

  async #flush(group: Group): Promise<void> {
    if (group.pending.size === 0) return;
    group.isRunning = true;
    const startedAt = this.#now();
    const queries = new Map<string, unknown>();
    const waiters = new Map<string, Waiter[]>();
    for (const [key, { query, waiters: own }] of group.pending) {
      queries.set(key, query);
      waiters.set(key, own);
    }
    group.pending.clear();
    if (group.sweep) this.#takeAlong(group, queries, waiters, startedAt);
    group.sweep = false;
    group.running = { startedAt, waiters };
    try {
      const results = await this.#ask(group.kind, queries);
      group.last = { startedAt, results };
      for (const [key, own] of waiters) for (const { resolve } of own) resolve(results.get(key));
    } catch (error) {
      for (const own of waiters.values()) for (const { reject } of own) reject(error);
    } finally {
      group.isRunning = false;
      group.running = undefined;
      if (group.pending.size > 0) this.#schedule(group);
    }
  }

  #takeAlong(group: Group, queries: Map<string, unknown>, waiters: Map<string, Waiter[]>, now: number): void {
    for (const [key, { query, at }] of group.asked) {
      if (now - at > this.#sweepMs * 2.5) {
        group.asked.delete(key);
        continue;
      }
      if (!queries.has(key)) {
        queries.set(key, query);
        waiters.set(key, []);
      }
    }
  }

  async #ask(kind: ReadKind, queries: Map<string, unknown>): Promise<Map<string, unknown>> {
    const entries = [...queries];
    const results = new Map<string, unknown>();
    for (let start = 0; start < entries.length; start += BATCH_LIMIT) {
      const slice = entries.slice(start, start + BATCH_LIMIT);
      const answers = await this.#engine.read(kind, slice.map(([, query]) => query) as never);
      slice.forEach(([key], i) => results.set(key, answers[i]));
    }
    return results;
  }
}

/** The database that a query is asked in, as far as the query itself says. */
function databaseOf(kind: ReadKind, query: unknown): string {
  const { database, targets } = query as { database?: string; targets?: { database?: string }[] };
  // Contents are read database by database anyway, and on deletion only.
  if (kind === 'databaseContents') return (query as { name: string }).name;
  return database ?? targets?.[0]?.database ?? '';
}
