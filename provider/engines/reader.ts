/**
 * Answers many reads with few statements.
 *
 * Reads of one kind and database that are asked while an earlier batch is under way, or in the same turn of the event
 * loop, go into one batch: one statement. A read that may be as old as the beginning of a poll sweep (`at(notBefore)`)
 * is answered from what was read after that moment; the first such read of a sweep takes with it every query that was
 * asked lately, so that the whole sweep of thousands of resources is one statement per kind and database.
 *
 * A read is never answered by a batch that began before the moment that the caller names, nor by one that began before
 * a change of ours that concerns it: what was written is always seen. What decides about a drop is never answered by a
 * batch that began before it was asked.
 */
import type { Secret } from '../common/secret.ts';
import type { ReadKind, Reads } from '../resources/model/reads.ts';
import type { ServerInfo } from '../resources/model/server.ts';
import type { Reader } from '../resources/planner.ts';
import { type Answers, askSeparately } from './bisect.ts';
import type { Engine } from './engine.ts';
import { SweepRhythm } from './sweep-rhythm.ts';
import type { WriteLog, Writing } from './write-log.ts';

export interface BatchingOptions {
  /** The poll interval: queries that were asked within two and a half of it belong to the next sweep. */
  sweepMs?: number;
  now?: () => number;
}

/**
 * How long a read waits for others to go with it, in ms, when the last batch of its group was answered within `CROWD_MS`.
 * Resources that are made by the hundred come one by one from the API server, more slowly than the server answers. What an
 * answer costs hardly depends on the size of the batch, so a server is asked in at most a ninth of the time.
 */
const GATHER_MS = { least: 8, most: 50, perAnswer: 8 };
const CROWD_MS = 50;
/** Queries in one statement; more make another. */
const BATCH_LIMIT = 5_000;
/** How many poll intervals a query is remembered for. */
const LATELY = 2.5;
/** What decides whether something is dropped is read when it is asked, however old an answer the caller would take. */
const NEVER_KNOWN: ReadonlySet<ReadKind> = new Set(['databaseContents', 'schemaContents', 'roleDependencies']);

interface Waiter {
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

interface Start {
  at: number;
  /** Of the write log. */
  position: number;
}

/** Everything about one kind in one database. */
interface Group {
  kind: ReadKind;
  /** Not sent yet, by the query's key. */
  pending: Map<string, { query: unknown; waiters: Waiter[] }>;
  /** Whether the next batch takes along what was asked lately. */
  sweep: boolean;
  isScheduled: boolean;
  running: { start: Start; waiters: Map<string, Waiter[]> } | undefined;
  /** The last result of each query. */
  results: Map<string, { result: unknown; start: Start }>;
  /** When each query was last asked. */
  asked: Map<string, { query: unknown; at: number }>;
  sweptAt: number;
  /** When the last batch was answered, and how long that took. */
  answeredAt: number;
  tookMs: number;
  usedAt: number;
}

/** Reads of one engine for all who ask; see above. */
export class BatchingReader {
  readonly #engine: Engine;
  readonly #writes: WriteLog | undefined;
  readonly #sweepMs: number;
  readonly #now: () => number;
  readonly #rhythm: SweepRhythm;
  readonly #groups = new Map<string, Group>();
  #server: ServerInfo | undefined;

  constructor(engine: Engine & Partial<Writing>, options: BatchingOptions = {}) {
    this.#engine = engine;
    this.#writes = engine.writes;
    this.#sweepMs = options.sweepMs ?? 60_000;
    this.#rhythm = new SweepRhythm(this.#sweepMs);
    this.#now = options.now ?? Date.now;
  }

  /** Logs in and learns what the server is; needed before the first read. */
  async prepare(): Promise<void> {
    this.#server = await this.#engine.info();
  }

  /** As of the latest batch: a server may be upgraded under us. */
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

  async #read<K extends ReadKind>(kind: K, query: Reads[K]['query'], asOf: number): Promise<Reads[K]['result']> {
    const group = this.#group(kind, query);
    const key = JSON.stringify(query);
    const now = this.#now();
    const notBefore = NEVER_KNOWN.has(kind) ? now : asOf;
    group.asked.set(key, { query, at: now });
    group.usedAt = now;
    // What seems to come from later was read before somebody set the clock back: nobody knows how old it is.
    const isRecent = (start: Start): boolean =>
      start.at > notBefore && start.at <= now && this.#writes?.touched(query, start.position) !== true;
    // Older than now is good enough: perhaps a poll, whose first read speaks for all that will be polled in this sweep.
    const isSweep = notBefore < now && this.#rhythm.fits(notBefore, key);
    const known = group.results.get(key);
    if (known !== undefined && isRecent(known.start)) return known.result as Reads[K]['result'];
    return (await new Promise<unknown>((resolve, reject) => {
      const waiter = { resolve, reject };
      const { running } = group;
      const joined = running !== undefined && isRecent(running.start) ? running.waiters.get(key) : undefined;
      if (joined !== undefined) {
        joined.push(waiter);
        return;
      }
      const isDue = group.sweptAt <= notBefore && now - group.sweptAt > this.#sweepMs / 2;
      if (isSweep && (isDue || group.sweptAt > now)) group.sweep = true;
      const pending = group.pending.get(key);
      if (pending === undefined) group.pending.set(key, { query, waiters: [waiter] });
      else pending.waiters.push(waiter);
      this.#schedule(group);
    })) as Reads[K]['result'];
  }

  #group(kind: ReadKind, query: unknown): Group {
    const name = `${kind} ${this.#engine.seesAllDatabases === true ? '' : databaseOf(kind, query)}`;
    let group = this.#groups.get(name);
    if (group === undefined) {
      this.#forgetUnused();
      group = {
        kind,
        pending: new Map(),
        sweep: false,
        isScheduled: false,
        running: undefined,
        results: new Map(),
        asked: new Map(),
        sweptAt: Number.NEGATIVE_INFINITY,
        answeredAt: Number.NEGATIVE_INFINITY,
        tookMs: 0,
        usedAt: 0,
      };
      this.#groups.set(name, group);
    }
    return group;
  }

  /** Databases come and go. */
  #forgetUnused(): void {
    const limit = this.#now() - this.#sweepMs * LATELY;
    for (const [name, group] of this.#groups)
      if (group.usedAt < limit && group.running === undefined && group.pending.size === 0) this.#groups.delete(name);
  }

  #schedule(group: Group): void {
    if (group.isScheduled || group.running !== undefined) return;
    group.isScheduled = true;
    const flush = (): void => {
      group.isScheduled = false;
      void this.#flush(group);
    };
    if (this.#now() - group.answeredAt < CROWD_MS)
      setTimeout(flush, Math.min(GATHER_MS.most, Math.max(GATHER_MS.least, group.tookMs * GATHER_MS.perAnswer)));
    else setImmediate(flush);
  }

  async #flush(group: Group): Promise<void> {
    if (group.pending.size === 0) return;
    const start = { at: this.#now(), position: this.#writes?.position ?? 0 };
    const queries = new Map<string, unknown>();
    const waiters = new Map<string, Waiter[]>();
    for (const [key, { query, waiters: own }] of group.pending) {
      queries.set(key, query);
      waiters.set(key, own);
    }
    group.pending.clear();
    if (group.sweep) this.#takeAlong(group, queries, waiters, start.at);
    group.sweep = false;
    group.running = { start, waiters };
    try {
      const answers = await this.#ask(group.kind, queries);
      for (const [key, own] of waiters) {
        const answer = answers.get(key);
        if (answer !== undefined && 'error' in answer) {
          group.results.delete(key);
          for (const { reject } of own) reject(answer.error);
          continue;
        }
        group.results.set(key, { result: answer?.result, start });
        for (const { resolve } of own) resolve(answer?.result);
      }
    } catch (error) {
      for (const own of waiters.values()) for (const { reject } of own) reject(error);
    } finally {
      group.running = undefined;
      group.answeredAt = this.#now();
      group.tookMs = group.answeredAt - start.at;
      if (group.pending.size > 0) this.#schedule(group);
    }
  }

  #takeAlong(group: Group, queries: Map<string, unknown>, waiters: Map<string, Waiter[]>, now: number): void {
    group.sweptAt = now;
    for (const [key, { query, at }] of group.asked) {
      if (now - at > this.#sweepMs * LATELY) {
        group.asked.delete(key);
        group.results.delete(key);
        continue;
      }
      if (!queries.has(key)) {
        queries.set(key, query);
        waiters.set(key, []);
      }
    }
  }

  async #ask(kind: ReadKind, queries: Map<string, unknown>): Promise<Answers> {
    this.#server = await this.#engine.info();
    const entries = [...queries];
    const answers: Answers = new Map();
    for (let first = 0; first < entries.length; first += BATCH_LIMIT)
      await askSeparately(this.#engine, kind, entries.slice(first, first + BATCH_LIMIT), answers);
    return answers;
  }
}

/** The database that a query is asked in, as far as the query itself says. */
function databaseOf(kind: ReadKind, query: unknown): string {
  const { database, targets } = query as { database?: string; targets?: { database?: string }[] };
  // Contents are read database by database anyway, and on deletion only.
  if (kind === 'databaseContents') return (query as { name: string }).name;
  return database ?? targets?.[0]?.database ?? '';
}
