/**
 * The queue against a model of what it promises, through random histories of adds, delays, takes, completions, changes
 * of group and time.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { merge, type Request, requestOf, type Trigger } from './item.ts';
import { type WorkItem, WorkQueue } from './work-queue.ts';

const LIMIT = 2;

/** For each key: what is owed to it. */
class Model {
  readonly ready = new Map<string, Request>();
  readonly working = new Map<string, { group: string; again: Request | undefined }>();
  readonly delayed = new Map<string, { at: number; request: Request }>();
  readonly groups = new Map<string, string>();
  now = 0;

  groupOf(key: string): string {
    return this.groups.get(key) ?? key.charAt(0);
  }

  /** Keys that may be handed out. */
  eligible(): string[] {
    return [...this.ready.keys()].filter((key) => {
      const group = this.groupOf(key);
      return [...this.working.values()].filter((it) => it.group === group).length < LIMIT;
    });
  }

  add(key: string, request: Request): void {
    const delayed = this.delayed.get(key)?.request;
    this.delayed.delete(key);
    const wanted = delayed === undefined ? request : merge(request, delayed);
    const working = this.working.get(key);
    if (working !== undefined) working.again = working.again === undefined ? wanted : merge(working.again, wanted);
    else this.ready.set(key, merge(this.ready.get(key) ?? wanted, wanted));
  }

  addAfter(key: string, ms: number, request: Request): void {
    if (ms <= 0 || this.ready.has(key) || this.working.get(key)?.again !== undefined) return this.add(key, request);
    const known = this.delayed.get(key);
    const at = Math.min(known?.at ?? Infinity, this.now + ms);
    this.delayed.set(key, { at, request: known === undefined ? request : merge(known.request, request) });
  }

  advance(ms: number): void {
    this.now += ms;
    for (const [key, { at, request }] of this.delayed) {
      if (at > this.now) continue;
      this.delayed.delete(key);
      this.add(key, request);
    }
  }
}

interface Real {
  queue: WorkQueue;
  clock: ManualClock;
  model: Model;
}

const check = ({ queue }: Real, model: Model): void => {
  expect({ depth: queue.depth, working: queue.working, delayed: queue.delayed }).toEqual({
    depth: model.ready.size,
    working: model.working.size,
    delayed: model.delayed.size,
  });
};

type Command = fc.AsyncCommand<Model, Real>;
const step = (text: string, run: (model: Model, real: Real) => Promise<void> | void): Command => ({
  check: () => true,
  run: async (model, real) => {
    await run(model, real);
    check(real, model);
  },
  toString: () => text,
});

const addStep = (key: string, trigger: Trigger): Command =>
  step(`add ${key} ${trigger}`, (model, { queue }) => {
    model.add(key, requestOf({ trigger }));
    queue.add(key, { trigger });
  });

const addAfterStep = (key: string, ms: number, trigger: Trigger): Command =>
  step(`addAfter ${key} ${ms} ${trigger}`, (model, { queue }) => {
    model.addAfter(key, ms, requestOf({ trigger }));
    queue.addAfter(key, ms, { trigger });
  });

const advanceStep = (ms: number): Command =>
  step(`advance ${ms}`, (model, { clock }) => {
    model.advance(ms);
    clock.advance(ms);
  });

const moveStep = (key: string, group: string): Command =>
  step(`move ${key} to ${group}`, (model, { queue }) => {
    // The change that moves a key is a change of its object.
    model.groups.set(key, group);
    model.add(key, requestOf());
    queue.add(key);
  });

const getStep = (): Command => ({
  // A get that waits is tested by hand: here each take is complete before the next step.
  check: (model) => model.eligible().length > 0,
  run: async (model, real) => {
    let item: WorkItem | undefined;
    await Promise.race([
      real.queue.get().then((it) => {
        item = it;
      }),
      new Promise((resolve) => setImmediate(resolve)),
    ]);
    expect(item, 'there was a key to hand out, and it was withheld').toBeDefined();
    const { key, trigger, priority } = item as unknown as WorkItem;
    expect(model.working.has(key), `two workers on ${key}`).toBe(false);
    expect(model.eligible(), `${key} was not to be handed out`).toContain(key);
    const request = model.ready.get(key);
    expect({ trigger, priority }).toEqual(request);
    model.ready.delete(key);
    model.working.set(key, { group: model.groupOf(key), again: undefined });
    check(real, model);
  },
  toString: () => 'get',
});

const doneStep = (pick: number): Command => ({
  check: (model) => model.working.size > 0,
  run: (model, real) => {
    const key = [...model.working.keys()][pick % model.working.size] ?? '';
    const again = model.working.get(key)?.again;
    model.working.delete(key);
    if (again !== undefined) model.ready.set(key, again);
    real.queue.done(key);
    check(real, model);
    return Promise.resolve();
  },
  toString: () => `done ${pick}`,
});

/** From any state, workers that take and finish get to the end: no key is lost. */
async function drain(model: Model, real: Real): Promise<void> {
  model.advance(100_000);
  real.clock.advance(100_000);
  for (let turns = 0; model.ready.size + model.working.size > 0; turns++) {
    expect(turns).toBeLessThan(1_000);
    while (model.eligible().length > 0) await getStep().run(model, real);
    await doneStep(turns).run(model, real);
  }
  expect([real.queue.depth, real.queue.working, real.queue.delayed, real.clock.pending]).toEqual([0, 0, 0, 0]);
}

describe('WorkQueue', () => {
  it('never gives a key to two workers, never loses one, and merges what is asked of it', async () => {
    const key = fc.constantFrom('a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1');
    const trigger = fc.constantFrom<Trigger>('event', 'retry', 'poll');
    const commands = fc.commands(
      [
        fc.tuple(key, trigger).map((it) => addStep(...it)),
        fc.tuple(key, fc.integer({ min: -1, max: 50 }), trigger).map((it) => addAfterStep(...it)),
        fc.integer({ min: 0, max: 40 }).map(advanceStep),
        fc.tuple(key, fc.constantFrom('a', 'b', 'd')).map((it) => moveStep(...it)),
        fc.constant(getStep()),
        fc.constant(getStep()),
        fc.nat(20).map(doneStep),
      ],
      { maxCommands: 120, size: 'max' },
    );
    await fc.assert(
      fc.asyncProperty(commands, async (history) => {
        const model = new Model();
        const clock = new ManualClock();
        const group = (it: string): string => model.groupOf(it);
        const real = { clock, model, queue: new WorkQueue({ clock, group, groupLimit: LIMIT }) };
        await fc.asyncModelRun(() => ({ model, real }), history);
        await drain(model, real);
      }),
      { numRuns: 400 },
    );
  });
});
