import { describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { TokenBucket } from '../rate.ts';
import { type WorkItem, WorkQueue, type WorkQueueOptions } from './work-queue.ts';

function setup(options: Partial<WorkQueueOptions> = {}) {
  const clock = new ManualClock();
  return { clock, queue: new WorkQueue({ clock, ...options }) };
}

const waiting = new WeakMap<WorkQueue, Promise<WorkItem | undefined>>();

/** The keys that can be had now. */
async function keysOf(queue: WorkQueue): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const get = waiting.get(queue) ?? queue.get();
    waiting.set(queue, get);
    const item = await Promise.race([get, new Promise<'none'>((resolve) => setImmediate(resolve, 'none'))]);
    if (item === 'none') return keys;
    waiting.delete(queue);
    if (item === undefined) return keys;
    keys.push(item.key);
  }
}

describe('WorkQueue', () => {
  it('hands out each key once, in order, however often it was added', async () => {
    const { queue } = setup();
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(await keysOf(queue)).toEqual(['a', 'b', 'c']);
  });

  it('gives a key that was added while it was worked on once more, and not before', async () => {
    const { queue } = setup();
    queue.add('a');
    await queue.get();
    queue.add('a');
    queue.add('a');
    expect(queue.depth).toBe(0);
    queue.done('a');
    expect(await keysOf(queue)).toEqual(['a']);
    queue.done('a');
    expect(queue.depth).toBe(0);
  });

  it('serves changes before routine, keeps routine going, and lets a change overtake its own poll', async () => {
    const { queue } = setup();
    queue.add('poll', { trigger: 'poll' });
    queue.add('both', { trigger: 'poll' });
    queue.add('change');
    queue.add('both');
    const items = [await queue.get(), await queue.get(), await queue.get()];
    expect(items.map((it) => [it?.key, it?.priority, it?.trigger])).toEqual([
      ['change', 'high', 'event'],
      ['both', 'high', 'event'],
      ['poll', 'low', 'poll'],
    ]);
    queue.add('routine', { trigger: 'poll' });
    for (let i = 0; i < 40; i++) queue.add(`change ${i}`);
    expect((await keysOf(queue)).indexOf('routine')).toBeLessThan(16);
  });

  it('wakes a worker that waits', async () => {
    const { queue } = setup();
    const waiting = queue.get();
    queue.add('a');
    expect(await waiting).toMatchObject({ key: 'a' });
  });

  it('delays, the earliest time winning, and no delay outliving an add', async () => {
    const { queue, clock } = setup();
    queue.addAfter('a', 500);
    queue.addAfter('a', 200);
    queue.addAfter('a', 900);
    clock.advance(199);
    expect(queue.depth).toBe(0);
    clock.advance(1);
    expect(await keysOf(queue)).toEqual(['a']);
    queue.done('a');
    clock.advance(1_000);
    expect(await keysOf(queue)).toEqual([]);
    queue.addAfter('b', 100);
    queue.add('b');
    expect(await keysOf(queue)).toEqual(['b']);
    queue.done('b');
    clock.advance(1_000);
    expect(await keysOf(queue)).toEqual([]);
  });

  it('waits 24 h at most, though timers overflow after 25 days', () => {
    const { queue, clock } = setup();
    queue.addAfter('a', 2 ** 40);
    clock.advance(24 * 3_600_000 - 1);
    expect(queue.depth).toBe(0);
    clock.advance(1);
    expect(queue.depth).toBe(1);
  });

  it('uses one timer for any number of delays, and none when there is none', () => {
    const { queue, clock } = setup();
    for (let i = 1; i <= 1000; i++) queue.addAfter(`k${i}`, 1000 - i);
    expect(clock.pending).toBe(1);
    clock.advance(1000);
    expect(queue.depth).toBe(1000);
    expect(clock.pending).toBe(0);
  });

  it('doubles the wait of a failing key from 1 s to 60 s, until it is forgotten', () => {
    const { queue } = setup();
    const waits = Array.from({ length: 8 }, () => queue.addRateLimited('a'));
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    expect(queue.failures('a')).toBe(8);
    queue.forget('a');
    expect(queue.addRateLimited('a')).toBe(1_000);
    expect(queue.addRateLimited('b')).toBe(1_000);
  });

  it('lets routine out no faster than the bucket fills, while changes never wait for it', async () => {
    const clock = new ManualClock();
    const bucket = new TokenBucket({ rate: 10, burst: 5, clock });
    const queue = new WorkQueue({ clock, bucket });
    const out: string[] = [];
    const work = async (): Promise<void> => {
      for (let item = await queue.get(); item !== undefined; item = await queue.get()) {
        out.push(item.key);
        queue.done(item.key);
      }
    };
    const worker = work();
    for (let i = 0; i < 25; i++) queue.add(`poll ${i}`, { trigger: 'poll' });
    await clock.advanceAsync(0);
    expect(out).toHaveLength(5);
    await clock.advanceAsync(1_000);
    expect(out).toHaveLength(15);
    queue.add('change');
    await clock.advanceAsync(0);
    expect(out).toContain('change');
    await clock.advanceAsync(5_000);
    expect(out).toHaveLength(26);
    await queue.shutdown();
    await worker;
    expect(clock.pending).toBe(0);
  });

  it('lets a full group wait without holding up the others, changes first when it has room again', async () => {
    const { queue } = setup({ group: (key) => key.split('/')[0], groupLimit: 2 });
    for (const key of ['dead/1', 'dead/2', 'dead/3', 'dead/4', 'well/1']) queue.add(key, { trigger: 'poll' });
    expect(await keysOf(queue)).toEqual(['dead/1', 'dead/2', 'well/1']);
    expect(queue.depth).toBe(2);
    queue.add('dead/4');
    queue.done('dead/1');
    expect(await keysOf(queue)).toEqual(['dead/4']);
    queue.done('dead/2');
    expect(await keysOf(queue)).toEqual(['dead/3']);
  });

  it('is not held up by a key whose group cannot be told', async () => {
    const group = (key: string): string => {
      if (key === 'odd') throw new TypeError('no such object');
      return key;
    };
    const { queue } = setup({ group, groupLimit: 1 });
    for (const key of ['odd', 'a', 'b']) queue.add(key);
    expect(await keysOf(queue)).toEqual(['odd', 'a', 'b']);
    queue.done('odd');
    queue.add('odd');
    expect(await keysOf(queue)).toEqual(['odd']);
  });

  it('forgets nobody in a full group when the one whose turn it is moves to another group', async () => {
    const groups: Record<string, string> = { a: 'x', b: 'x', c: 'x' };
    const { queue } = setup({ group: (key) => groups[key], groupLimit: 1 });
    for (const key of ['a', 'b', 'c']) queue.add(key);
    expect(await keysOf(queue)).toEqual(['a']);
    groups['b'] = 'y';
    queue.done('a');
    expect((await keysOf(queue)).toSorted()).toEqual(['b', 'c']);
  });

  it('shuts down at once, dropping what waits, when all keys have come back', async () => {
    const { queue, clock } = setup();
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 1_000);
    await queue.get();
    let over = false;
    const down = queue.shutdown().then(() => {
      over = true;
    });
    expect(await queue.get()).toBeUndefined();
    queue.add('d');
    queue.add('a');
    await clock.advanceAsync(2_000);
    expect(over).toBe(false);
    queue.done('a');
    await down;
    expect([queue.depth, queue.delayed, queue.working, clock.pending]).toEqual([0, 0, 0, 0]);
  });

  it('hands out what is ready before it ends, when told to finish', async () => {
    const { queue } = setup();
    queue.add('a');
    queue.add('b');
    const first = await queue.get();
    queue.add('a');
    const down = queue.shutdown({ finishQueued: true });
    queue.add('too late');
    expect(first?.key).toBe('a');
    queue.done('a');
    expect(await keysOf(queue)).toEqual(['b', 'a']);
    queue.done('b');
    queue.done('a');
    await down;
    expect(await waiting.get(queue)).toBeUndefined();
    expect(await queue.get()).toBeUndefined();
  });

  it('refuses a key back that no worker has', () => {
    expect(() => {
      setup().queue.done('a');
    }).toThrow('a is with no worker');
  });

  it('takes no longer per key when it is long', async () => {
    const { queue } = setup();
    const count = 50_000;
    for (let i = 0; i < count; i++) queue.add(`k${i}`, { trigger: 'poll' });
    for (let i = 0; i < count; i++) {
      const item = await queue.get();
      expect(item?.key === `k${i}`).toBe(true);
      queue.done(`k${i}`);
    }
  });
});
