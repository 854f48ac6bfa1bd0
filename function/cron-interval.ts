/** How often a cron expression runs, without a clock. */
import { type Cron, nextTime, parseCron } from '../provider/common/cron.ts';
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
  const found = known.get(schedule);
  if (found !== undefined) return found;
  let cron: Cron;
  try {
    cron = parseCron(schedule);
  } catch (error) {
    throw new ClaimError(path, `${JSON.stringify(schedule)} is not a cron expression: ${(error as Error).message}`);
  }
  let shortest = Number.POSITIVE_INFINITY;
  let before = nextTime(cron, 'Etc/UTC', START);
  for (let run = 1; run < RUNS && before !== undefined; run += 1) {
    const time = nextTime(cron, 'Etc/UTC', before);
    if (time !== undefined) shortest = Math.min(shortest, time.getTime() - before.getTime());
    before = time;
  }
  if (known.size >= KNOWN) known.delete(known.keys().next().value ?? '');
  known.set(schedule, shortest);
  return shortest;
}
