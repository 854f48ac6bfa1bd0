import { describe, expect, it } from 'vitest';
import { ManualClock, realClock, sleep } from './clock.ts';

describe('ManualClock', () => {
  it('fires timers in order as time passes, also those that timers set', () => {
    const clock = new ManualClock();
    const fired: string[] = [];
    clock.timer(20, () => fired.push(`b@${clock.monotonic()}`));
    clock.timer(10, () => {
      fired.push(`a@${clock.monotonic()}`);
      clock.timer(5, () => fired.push(`c@${clock.monotonic()}`));
    });
    const cancel = clock.timer(15, () => fired.push('never'));
    cancel();
    clock.advance(20);
    expect(fired).toEqual(['a@10', 'c@15', 'b@20']);
    expect(clock.pending).toBe(0);
  });
});

describe('sleep', () => {
  it('ends at once when it is aborted, and leaves no listener behind', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const sleeping = sleep(1_000, stop.signal, clock);
    stop.abort(new Error('enough'));
    await expect(sleeping).rejects.toThrow('enough');
    expect(clock.pending).toBe(0);
    await expect(sleep(1, stop.signal, clock)).rejects.toThrow('enough');
    await sleep(0, new AbortController().signal);
  });
});

describe('realClock', () => {
  it('does not fire at once for a delay that Node cannot hold', async () => {
    let fired = false;
    const cancel = realClock.timer(2 ** 40, () => {
      fired = true;
    });
    await sleep(20);
    expect(fired).toBe(false);
    cancel();
  });
});
