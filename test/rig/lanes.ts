/** Which projects of a whole run are tested beside which others, and by how many workers. */

/** What two cores bear, as a small build machine has them: workers wait for answers of servers much of the time. */
const WORKERS = 3;

/** Of a project that waits, and of one that is tested beside another. */
const WORKERS_OF = { waiting: 4, beside: 2 };

/** Tells vitest.config.ts how many test files of a project may run at one time. */
export const WORKERS_VARIABLE = 'XDB_TEST_WORKERS';

export function workersOf(value: string | undefined): number {
  const number = Number(value ?? WORKERS);
  if (!Number.isInteger(number) || number < 1)
    throw new Error(`${WORKERS_VARIABLE} is ${value}: give a whole number from 1`);
  return number;
}

/**
 * Runs the projects that wait one after another, and the others one after another beside them; when no more of those that
 * wait are left, the others from both ends. Each has fewer workers for as long as another is at work, so that the machine
 * has no more to do than the tests can bear.
 *
 * @returns What `run` gave, in the order of `projects`.
 */
export async function inLanes<P extends { waits?: boolean }, R>(
  projects: readonly P[],
  run: (project: P, workers: number, isBeside: boolean) => Promise<R>,
): Promise<R[]> {
  const results = new Map<P, R>();
  const waiting = projects.filter(({ waits }) => waits === true);
  const working = projects.filter(({ waits }) => waits !== true);
  const isBeside = waiting.length > 0;
  let busy = 0;
  const work = async (project: P, workers?: number): Promise<void> => {
    busy += 1;
    results.set(project, await run(project, workers ?? (busy > 1 ? WORKERS_OF.beside : WORKERS), isBeside));
    busy -= 1;
  };
  const first = async (): Promise<void> => {
    for (const project of waiting) await work(project, WORKERS_OF.waiting);
    for (let last = working.pop(); last !== undefined; last = working.pop()) await work(last);
  };
  const second = async (): Promise<void> => {
    for (let next = working.shift(); next !== undefined; next = working.shift()) await work(next);
  };
  await Promise.all(isBeside ? [first(), second()] : [second()]);
  return projects.map((project) => results.get(project)!);
}
