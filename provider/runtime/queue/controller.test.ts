import { describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { isConflict, KubeError } from '../kube/errors.ts';
import { createLog } from '../log.ts';
import { Controller, type ControllerOptions, type Outcome, type ReconcileContext } from './controller.ts';

function setup(options: Partial<ControllerOptions> & Pick<ControllerOptions, 'reconcile'>) {
  const clock = new ManualClock();
  const lines: Record<string, unknown>[] = [];
  const outcomes: Outcome[] = [];
  const busy = { now: 0, most: 0 };
  const log = createLog({ stream: { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) } });
  const controller = new Controller({
    name: 'roles',
    log,
    clock,
    isConflict,
    observer: {
      reconciled: (_, outcome) => outcomes.push(outcome),
      activeWorkers: (_, change) => {
        busy.now += change;
        busy.most = Math.max(busy.most, busy.now);
      },
      added: () => undefined,
      retried: () => undefined,
      waited: () => undefined,
    },
    ...options,
  });
  return { controller, clock, lines, outcomes, busy };
}

describe('Controller', () => {
  it('reconciles what is enqueued, and polls after requeueAfterMs', async () => {
    const seen: [string, string, string][] = [];
    const { controller, clock, outcomes } = setup({
      reconcile: (key, { trigger, priority }) => {
        seen.push([key, trigger, priority]);
        return Promise.resolve(seen.length === 1 ? { requeueAfterMs: 60_000 } : undefined);
      },
    });
    controller.start();
    controller.enqueue('app/a');
    await clock.advanceAsync(59_999);
    expect(seen).toEqual([['app/a', 'event', 'high']]);
    await clock.advanceAsync(1);
    expect(seen[1]).toEqual(['app/a', 'poll', 'low']);
    expect(outcomes).toEqual(['requeue_after', 'success']);
    expect(await controller.stop()).toBe(true);
  });

  it('tries a failing key again with doubling waits, and leaves the others alone', async () => {
    const failures: number[] = [];
    let others = 0;
    const { controller, clock, lines, outcomes } = setup({
      reconcile: (key, context) => {
        if (key === 'good') {
          others++;
          return Promise.resolve();
        }
        failures.push(context.failures);
        if (failures.length === 1) throw new Error('at once, not as a rejection');
        return failures.length < 4 ? Promise.reject(new Error('down')) : Promise.resolve();
      },
    });
    controller.start();
    controller.enqueue('bad');
    await clock.advanceAsync(1_000 + 2_000 + 4_000 - 1);
    expect(failures).toEqual([0, 1, 2]);
    controller.enqueue('good');
    await clock.advanceAsync(1);
    expect(failures).toEqual([0, 1, 2, 3]);
    expect(others).toBe(1);
    expect(outcomes.filter((it) => it === 'error')).toHaveLength(3);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatchObject({ level: 'error', controller: 'roles', key: 'bad', failures: 1, waitMs: 1000 });
    controller.enqueue('bad');
    await clock.advanceAsync(0);
    expect(failures.at(-1)).toBe(0);
    await controller.stop();
  });

  it('retries a conflict soon and silently, with the priority it had', async () => {
    const seen: ReconcileContext[] = [];
    const { controller, clock, lines, outcomes } = setup({
      reconcile: (_, context) => {
        seen.push(context);
        if (seen.length > 2) return Promise.resolve();
        throw new KubeError({ status: 409, reason: 'Conflict', message: 'changed' });
      },
    });
    controller.start();
    controller.enqueue('a');
    await clock.advanceAsync(300);
    expect(seen.map((it) => it.priority)).toEqual(['high', 'high', 'high']);
    expect(lines).toEqual([]);
    expect(outcomes).toEqual(['requeue', 'requeue', 'success']);
    await controller.stop();
  });

  it('counts a create that met an existing object as an error, not as a conflict', async () => {
    const { controller, clock, outcomes } = setup({
      reconcile: () => Promise.reject(new KubeError({ status: 409, reason: 'AlreadyExists', message: 'there' })),
    });
    controller.start();
    controller.enqueue('a');
    await clock.advanceAsync(0);
    expect(outcomes).toEqual(['error']);
    await controller.stop();
  });

  it('retries what asks for it, with backoff and without an error', async () => {
    let runs = 0;
    const { controller, clock, lines, outcomes } = setup({
      reconcile: () => Promise.resolve({ retry: ++runs < 3, requeueAfterMs: 60_000 }),
    });
    controller.start();
    controller.enqueue('a');
    await clock.advanceAsync(3_000);
    expect(outcomes).toEqual(['requeue', 'requeue', 'requeue_after']);
    expect(lines).toEqual([]);
    await controller.stop();
  });

  it('aborts a reconcile at its deadline, and never runs its key twice at once meanwhile', async () => {
    const ends: (() => void)[] = [];
    const signals: AbortSignal[] = [];
    const { controller, clock, lines, busy } = setup({
      reconcile: (_, { signal }) => {
        signals.push(signal);
        return new Promise<void>((resolve) => ends.push(resolve));
      },
    });
    controller.start();
    controller.enqueue('a');
    await clock.advanceAsync(89_999);
    expect(signals[0]?.aborted).toBe(false);
    await clock.advanceAsync(1);
    expect(signals[0]?.reason).toMatchObject({ name: 'TimeoutError' });
    controller.enqueue('a');
    await clock.advanceAsync(10_000);
    expect(signals).toHaveLength(1);
    expect(lines).toMatchObject([{ key: 'a', msg: 'a reconcile does not heed its deadline' }]);
    ends[0]?.();
    await clock.advanceAsync(0);
    expect(signals).toHaveLength(2);
    expect(busy.most).toBe(1);
    ends[1]?.();
    await controller.stop();
  });

  it('lets a dead server eat its share of the workers only', async () => {
    const done: string[] = [];
    const { controller, clock, busy } = setup({
      workers: 8,
      groupLimit: 3,
      group: (key) => key.split('/')[0],
      reconcile: async (key, { signal }) => {
        if (key.startsWith('dead'))
          await new Promise((_, reject) => {
            signal.addEventListener('abort', () => {
              reject(signal.reason as Error);
            });
          });
        done.push(key);
      },
    });
    controller.start();
    for (let i = 0; i < 50; i++) controller.enqueue(`dead/${i}`);
    for (let i = 0; i < 50; i++) controller.enqueue(`well/${i}`);
    await clock.advanceAsync(0);
    expect(done).toHaveLength(50);
    expect(busy.now).toBe(3);
    controller.abort(new Error('over'));
    await clock.advanceAsync(0);
    expect(busy.now).toBe(0);
  });

  it('runs as many at once as it has workers', async () => {
    const { controller, clock, busy } = setup({ workers: 5, reconcile: () => new Promise(() => undefined) });
    controller.start();
    for (let i = 0; i < 20; i++) controller.enqueue(`${i}`);
    await clock.advanceAsync(0);
    expect([busy.most, controller.active, controller.queue.depth]).toEqual([5, 5, 15]);
  });

  it('lets what runs finish when it is stopped, begins nothing new, and aborts what takes too long', async () => {
    const ends = new Map<string, () => void>();
    const signals = new Map<string, AbortSignal>();
    const { controller, clock } = setup({
      workers: 2,
      reconcile: (key, { signal }) =>
        new Promise<void>((resolve) => {
          signals.set(key, signal);
          ends.set(key, resolve);
        }),
    });
    controller.start();
    for (const key of ['quick', 'slow', 'never begun']) controller.enqueue(key);
    await clock.advanceAsync(0);
    const stopped = controller.stop();
    ends.get('quick')?.();
    await clock.advanceAsync(24_999);
    expect(signals.get('slow')?.aborted).toBe(false);
    await clock.advanceAsync(1);
    expect(signals.get('slow')?.reason).toMatchObject({ message: 'the provider is stopping' });
    await clock.advanceAsync(1_000);
    expect(await stopped).toBe(false);
    expect(signals.has('never begun')).toBe(false);
  });
});
