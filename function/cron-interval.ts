/** How often a cron expression runs, without a clock. */
import { Cron } from 'croner';
import { ClaimError } from './errors.ts';

/** Any moment will do; this one begins a leap year, so that the 29th of February counts. */
const START = new Date('2024-01-01T00:00:00Z');
/** Enough to see a whole day of every quarter of an hour. */
const RUNS = 100;

const known = new Map<string, number>();
const KNOWN = 256;

/**
 * The shortest time between two runs, in milliseconds; infinity for a schedule that never runs twice.
 * @throws ClaimError when the expression is none.
 */
export function shortestInterval(path: string, schedule: string): number {
  const before = known.get(schedule);
  if (before !== undefined) return before;
  let times: number[];
  try {
    times = new Cron(schedule, { timezone: 'Etc/UTC', paused: true, mode: '5-part' })
      .nextRuns(RUNS, START)
      .map((run) => run.getTime());
  } catch {
    throw new ClaimError(path, `${JSON.stringify(schedule)} is not a cron expression`);
  }
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  const shortest = Math.min(...gaps, Number.POSITIVE_INFINITY);
  if (known.size >= KNOWN) known.delete(known.keys().next().value ?? '');
  known.set(schedule, shortest);
  return shortest;
}
