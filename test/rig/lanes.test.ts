import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inLanes, workersOf } from './lanes.ts';

interface Work {
  name: string;
  turns: number;
  waits?: boolean;
}

/** Notes what runs when; each takes so many turns of the event loop. */
async function noted(projects: readonly Work[]): Promise<{ lines: string[]; results: string[] }> {
  const lines: string[] = [];
  const running = new Set<string>();
  const results = await inLanes(projects, async ({ name, turns }, workers) => {
    running.add(name);
    lines.push(`${[...running].join('+')} ${workers}`);
    for (let i = 0; i < turns; i += 1) await turn();
    running.delete(name);
    return name;
  });
  return { lines, results };
}

test('projects run one after another, beside one that waits, and then from both ends, each once', async () => {
  const { lines, results } = await noted([
    { name: 'a', turns: 5 },
    { name: 'b', turns: 20 },
    { name: 'c', turns: 5 },
    { name: 'd', turns: 30 },
    { name: 'waits', turns: 12, waits: true },
  ]);
  expect(lines).toEqual(['waits 4', 'waits+a 2', 'waits+b 2', 'b+d 2', 'd+c 2']);
  expect(results).toEqual(['a', 'b', 'c', 'd', 'waits']);
});

test('those that wait come one after another', async () => {
  const { lines } = await noted([
    { name: 'a', turns: 5 },
    { name: 'b', turns: 5 },
    { name: 'waits', turns: 50, waits: true },
    { name: 'waits too', turns: 5, waits: true },
  ]);
  expect(lines).toEqual(['waits 4', 'waits+a 2', 'waits+b 2', 'waits too 4']);
});

test('those that are alone have all workers', async () => {
  const two = [
    { name: 'a', turns: 1 },
    { name: 'b', turns: 1 },
  ];
  expect((await noted(two)).lines).toEqual(['a 3', 'b 3']);
  expect((await noted([{ name: 'waits', turns: 1, waits: true }])).lines).toEqual(['waits 4']);
});

test('a failure of the run itself is not lost', async () => {
  const failing = inLanes([{ waits: true }, {}], async () => await Promise.reject(new Error('no room')));
  await expect(failing).rejects.toThrow('no room');
});

test.each([
  [undefined, 3],
  ['1', 1],
  ['8', 8],
])('XDB_TEST_WORKERS=%s is %i workers', (value, workers) => {
  expect(workersOf(value)).toBe(workers);
});

test.each(['0', '-1', '1.5', 'many', ''])('XDB_TEST_WORKERS=%s is refused', (value) => {
  expect(() => workersOf(value)).toThrow('XDB_TEST_WORKERS');
});
