/** When a schedule is due, in its own time zone, as the CronJob controller sees it. */
import { type Cron, nextTime, parseCron, previousTime } from '../../common/cron.ts';
import { invalidSpec } from '../../common/errors.ts';
import { timestamp } from '../../common/timestamp.ts';

/** The CronJob controller looks every ten seconds; what has not begun after this long was missed. */
const GRACE_MS = 90_000;

export interface Timing {
  schedule: string;
  timeZone: string;
}

/** Throws ResourceError for a schedule or a time zone that means nothing. */
function reading<T>({ schedule, timeZone }: Timing, read: (cron: Cron) => T): T {
  try {
    return read(parseCron(schedule));
  } catch (error) {
    throw invalidSpec(
      `forProvider.schedule ${JSON.stringify(schedule)} in time zone ${JSON.stringify(timeZone)}: ${(error as Error).message}`,
    );
  }
}

/** Undefined for a time that never comes, e.g. the 30th of February. */
export function nextRun(timing: Timing, now: Date): string | undefined {
  const next = reading(timing, (cron) => nextTime(cron, timing.timeZone, now));
  return next === undefined ? undefined : timestamp(next);
}

/** The time at which a run was due last and has not begun, although it should have by now. */
export function missedRun(
  timing: Timing,
  {
    lastScheduleTime,
    since,
    startingDeadlineSeconds = 0,
  }: { lastScheduleTime: string | undefined; since: string; startingDeadlineSeconds?: number | undefined },
  now: Date,
): string | undefined {
  const latest = new Date(now.getTime() - GRACE_MS - startingDeadlineSeconds * 1000);
  const from = new Date(Math.max(Date.parse(since), Date.parse(lastScheduleTime ?? since)));
  const due = reading(timing, (cron) => previousTime(cron, timing.timeZone, latest, from));
  return due === undefined ? undefined : timestamp(due);
}
