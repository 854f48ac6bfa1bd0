import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ResourceError } from '../common/errors.ts';
import type { ReadKind } from '../resources/model/reads.ts';
import type { ServerInfo } from '../resources/model/server.ts';
import type { Engine } from './engine.ts';
import { BatchingReader } from './reader.ts';
import { WriteLog } from './write-log.ts';

/** A server with a version that every write raises; reads answer with the version they saw. */
class FakeServer {
  version = 0;
  batches: { kind: ReadKind; size: number }[] = [];
  failure: Error | undefined;
  clock = 1_000;
  /** A query that makes every batch that it is in fail. */
  poison: string | undefined;
  readonly writes = new WriteLog();
  /** Turns that a read takes. */
  latency = 1;

  readonly engine: Engine = {
    info: async () =>
      await Promise.resolve({
        engine: 'postgres',
        product: 'Fake 1',
        versionNumber: 1,
        major: 1,
        admin: {},
      } as unknown as ServerInfo),
    read: async (kind, queries) => {
      this.batches.push({ kind, size: queries.length });
      const { version } = this;
      for (let i = 0; i < this.latency; i += 1) await new Promise((resolve) => setImmediate(resolve));
      if (this.failure) throw this.failure;
      if (this.poison !== undefined && JSON.stringify(queries).includes(this.poison))
        throw new ResourceError('InvalidSpec', 'invalid byte sequence', { code: '22021' });
      return queries.map((query) => ({ query, version })) as never;
    },
    compile: () => [],
    run: async () => await Promise.resolve(),
    checkPassword: async () => await Promise.resolve('unknown'),
    close: async () => await Promise.resolve(),
  };

  write(role: string): void {
    this.version += 1;
    this.writes.record([{ kind: 'dropRole', name: role }]);
  }

  reader(): BatchingReader {
    return new BatchingReader(Object.assign(this.engine, { writes: this.writes }), {
      sweepMs: 60_000,
      now: () => this.clock,
    });
  }
}

const name = (i: number) => ({ name: `role-${i}` });
const versionOf = (result: unknown): number => (result as { version: number }).version;

describe('the batching reader', () => {
  test('answers reads of one turn with one batch, each with its own result', async () => {
    const server = new FakeServer();
    const reader = server.reader();
    const results = await Promise.all(Array.from({ length: 100 }, (_, i) => reader.read('role', name(i))));
    expect(server.batches).toEqual([{ kind: 'role', size: 100 }]);
    results.forEach((result, i) => expect((result as unknown as { query: unknown }).query).toEqual(name(i)));
  });

  test('believes no answer that seems to come from later, after the clock was set back', async () => {
    const server = new FakeServer();
    const reader = server.reader();
    expect(versionOf(await reader.read('role', name(1)))).toBe(0);
    server.version = 1;
    server.clock -= 3_600_000;
    expect(versionOf(await reader.read('role', name(1)))).toBe(1);
    server.version = 2;
    server.clock += 1;
    expect(versionOf(await reader.at(server.clock - 1_000).read('role', name(1)))).toBe(1);
    expect(versionOf(await reader.read('role', name(1)))).toBe(2);
  });

  test('asks about all databases together where one statement sees them all', async () => {
    const server = new FakeServer();
    const grantIn = (database: string) => ({
      grantee: { name: 'app' },
      targets: [{ type: 'database' as const, database }],
    });
    const ask = async (reader: BatchingReader) =>
      await Promise.all(['one', 'two', 'three'].map((database) => reader.read('grant', grantIn(database))));
    await ask(server.reader());
    expect(server.batches.map(({ size }) => size)).toEqual([1, 1, 1]);
    server.batches = [];
    Object.assign(server.engine, { seesAllDatabases: true });
    await ask(server.reader());
    expect(server.batches.map(({ size }) => size)).toEqual([3]);
  });

  test('collects what is asked while a batch is under way', async () => {
    const server = new FakeServer();
    server.latency = 5;
    const reader = server.reader();
    const first = reader.read('role', name(0));
    await new Promise((resolve) => setImmediate(resolve));
    const rest = Array.from({ length: 50 }, (_, i) => reader.read('role', name(i)));
    await Promise.all([first, ...rest]);
    expect(server.batches.map((batch) => batch.size)).toEqual([1, 50]);
  });

  test('keeps kinds and databases apart', async () => {
    const server = new FakeServer();
    const reader = server.reader();
    await Promise.all([
      reader.read('schema', { database: 'a', name: 'x' }),
      reader.read('schema', { database: 'b', name: 'x' }),
      reader.read('database', { name: 'a' }),
    ]);
    expect(server.batches).toHaveLength(3);
  });

  test('reads a sweep of a thousand polled resources with one statement', async () => {
    const server = new FakeServer();
    const reader = server.reader();
    for (let i = 0; i < 1000; i += 1) void reader.read('role', name(i));
    await reader.read('role', name(0));
    server.batches = [];
    server.clock += 60_000;
    const sweep = server.clock;
    server.clock += 5;
    // One after the other, as a queue hands them out.
    for (let i = 0; i < 1000; i += 1) await reader.at(sweep).read('role', name(i));
    expect(server.batches).toEqual([{ kind: 'role', size: 1000 }]);
  });

  test('a single read in the middle of a sweep neither repeats nor spoils it', async () => {
    const server = new FakeServer();
    const reader = server.reader();
    const sweep = async (): Promise<void> => {
      const moment = server.clock;
      server.clock += 5;
      for (let i = 0; i < 100; i += 1) {
        if (i === 50) {
          // A reconcile that an edit triggered: its reads come a little after its beginning.
          const own = server.clock;
          server.clock += 2;
          await reader.at(own).read('role', name(10));
        }
        await reader.at(moment).read('role', name(i));
      }
    };
    await sweep();
    for (let i = 0; i < 3; i += 1) {
      server.clock = Math.floor(server.clock / 60_000 + 1) * 60_000 + 1_000;
      server.batches = [];
      await sweep();
      expect(server.batches.map(({ size }) => size)).toEqual([100, 1]);
    }
  });

  test('an answer from before a change of ours is not given after it, and other answers are kept', async () => {
    const server = new FakeServer();
    const reader = server.reader();
    const moment = server.clock;
    server.clock += 1;
    for (let i = 0; i < 3; i += 1) await reader.at(moment).read('role', name(i));
    const { version } = server;
    server.write('role-1');
    server.batches = [];
    expect(versionOf(await reader.at(moment).read('role', name(1)))).toBe(version + 1);
    expect(versionOf(await reader.at(moment).read('role', name(1)))).toBe(version + 1);
    expect(versionOf(await reader.at(moment).read('role', name(0)))).toBe(version);
    expect(server.batches).toEqual([{ kind: 'role', size: 1 }]);
  });

  test.each(['databaseContents', 'schemaContents', 'roleDependencies'] as const)(
    'what decides about a drop (%s) is read when it is asked, also while a batch is under way',
    async (kind) => {
      const server = new FakeServer();
      const reader = server.reader().at(server.clock - 30_000);
      const query = { database: 'orders', name: 'app' };
      const first = reader.read(kind, query);
      await new Promise((resolve) => setImmediate(resolve));
      server.version = 1;
      const second = reader.read(kind, query);
      expect([versionOf(await first), versionOf(await second)]).toEqual([0, 1]);
      server.version = 2;
      expect(versionOf(await reader.read(kind, query))).toBe(2);
    },
  );

  test('a change while a batch is under way is seen by whoever asks after it', async () => {
    const server = new FakeServer();
    server.latency = 5;
    const reader = server.reader();
    const moment = server.clock;
    server.clock += 1;
    const early = reader.at(moment).read('role', name(1));
    await new Promise((resolve) => setImmediate(resolve));
    server.write('role-1');
    expect(versionOf(await reader.at(moment).read('role', name(1)))).toBe(1);
    await early;
  });

  test('one query that the server cannot take fails alone', async () => {
    const server = new FakeServer();
    server.poison = 'role-7"';
    const reader = server.reader();
    const results = await Promise.allSettled(
      Array.from({ length: 64 }, async (_, i) => await reader.read('role', name(i))),
    );
    expect(results.flatMap((result, i) => (result.status === 'rejected' ? [i] : []))).toEqual([7]);
    expect(server.batches.length).toBeLessThanOrEqual(13);
  });

  test('forgets what has not been asked for two sweeps and a half', async () => {
    const server = new FakeServer();
    const reader = server.reader();
    await reader.read('role', name(1));
    server.clock += 200_000;
    await reader.at(server.clock - 1).read('role', name(2));
    expect(server.batches.at(-1)).toEqual({ kind: 'role', size: 1 });
  });

  test('gives a failure to everybody who waits, and starts anew', async () => {
    const server = new FakeServer();
    const reader = server.reader();
    server.failure = new Error('connection lost');
    const results = await Promise.allSettled([reader.read('role', name(1)), reader.read('role', name(2))]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected']);
    server.failure = undefined;
    await expect(reader.read('role', name(1))).resolves.toBeDefined();
  });

  test('never answers with a state older than the caller asked for', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            key: fc.nat(5),
            write: fc.boolean(),
            poll: fc.boolean(),
            tick: fc.integer({ min: 1, max: 3 }),
            latency: fc.integer({ min: 1, max: 4 }),
          }),
          { maxLength: 40 },
        ),
        async (steps) => {
          const server = new FakeServer();
          const reader = server.reader();
          const checks: Promise<void>[] = [];
          const written = new Map<number, number>();
          for (const { key, write, poll, tick, latency } of steps) {
            server.latency = latency;
            if (write) {
              server.write(`role-${key}`);
              written.set(key, server.version);
            }
            const wanted = poll ? (written.get(key) ?? 0) : server.version;
            // A poll accepts what began long ago, but nothing from before a change of ours.
            const moment = server.clock - (poll ? 5 : 0);
            server.clock += tick;
            const read = poll ? reader.at(moment).read('role', name(key)) : reader.read('role', name(key));
            checks.push(read.then((result) => expect(versionOf(result)).toBeGreaterThanOrEqual(wanted)));
            if (tick === 1) await new Promise((resolve) => setImmediate(resolve));
          }
          await Promise.all(checks);
        },
      ),
      { numRuns: 200 },
    );
  });
});
