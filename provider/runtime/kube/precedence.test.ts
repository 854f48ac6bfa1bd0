import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../clock.ts';
import { Precedence } from './precedence.ts';

let clock: ManualClock;
let precedence: Precedence;
let done: string[];

beforeEach(() => {
  clock = new ManualClock();
  precedence = new Precedence({ clock, quietMs: 100, patienceMs: 1_000 });
  done = [];
});

/** A call that is under way until it is ended. */
function urgent(name: string): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  void precedence.urgent(async () => {
    await promise;
    done.push(name);
  });
  return resolve;
}

const patient = (name: string, signal?: AbortSignal): Promise<void> =>
  precedence.patient(async () => {
    await Promise.resolve();
    done.push(name);
  }, signal);

test('what can wait goes at once when nothing else is under way', async () => {
  void patient('event');
  await clock.advanceAsync(0);
  expect(done).toEqual(['event']);
});

test('what can wait goes when all that is urgent has been over for a while', async () => {
  const first = urgent('first');
  void patient('event');
  await clock.advanceAsync(50);
  const second = urgent('second');
  first();
  await clock.advanceAsync(150);
  expect(done).toEqual(['first']);
  second();
  await clock.advanceAsync(99);
  expect(done).toEqual(['first', 'second']);
  await clock.advanceAsync(1);
  expect(done).toEqual(['first', 'second', 'event']);
});

test('what is urgent never waits', async () => {
  urgent('first')();
  urgent('second')();
  await clock.advanceAsync(0);
  expect(done).toEqual(['first', 'second']);
});

test('under a load that does not end, what can wait is held back once, and then goes along until it is quiet', async () => {
  const end = urgent('load');
  void patient('event');
  await clock.advanceAsync(999);
  expect(done).toEqual([]);
  await clock.advanceAsync(1);
  expect(done).toEqual(['event']);
  void patient('next');
  await clock.advanceAsync(0);
  expect(done).toEqual(['event', 'next']);
  end();
  await clock.advanceAsync(100);
  urgent('another load');
  void patient('last');
  await clock.advanceAsync(500);
  expect(done).not.toContain('last');
});

test('who gives up waits no longer, and others still get their turn', async () => {
  const end = urgent('load');
  const giveUp = new AbortController();
  const given = patient('given up', giveUp.signal);
  void patient('event');
  giveUp.abort(new Error('enough'));
  await expect(given).rejects.toThrow('enough');
  end();
  await clock.advanceAsync(100);
  expect(done).toEqual(['load', 'event']);
  expect(clock.pending).toBe(0);
});
