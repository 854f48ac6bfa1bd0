/**
 * Cron expressions as the CronJob controller of Kubernetes reads them (github.com/robfig/cron/v3, ParseStandard), so that
 * what is said of a schedule is what happens. Libraries for Node make up for a time that the clock leaves out in spring,
 * and leave out the second of two in autumn; the controller does neither. They take `7` for Sunday, and not `5/15`.
 */

export interface Cron {
  minutes: readonly number[];
  hours: readonly number[];
  days: ReadonlySet<number>;
  months: ReadonlySet<number>;
  weekdays: ReadonlySet<number>;
  /** Day of month and day of week must both fit, as one of them says nothing; otherwise either will do. */
  needsBoth: boolean;
}

interface Bounds {
  name: string;
  min: number;
  max: number;
  names?: readonly string[];
}

const MINUTE: Bounds = { name: 'minute', min: 0, max: 59 };
const HOUR: Bounds = { name: 'hour', min: 0, max: 23 };
const DAY: Bounds = { name: 'day of month', min: 1, max: 31 };
const MONTH: Bounds = {
  name: 'month',
  min: 1,
  max: 12,
  names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
};
const WEEKDAY: Bounds = {
  name: 'day of week',
  min: 0,
  max: 6,
  names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
};

const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Throws Error that says which field is wrong, and how. */
export function parseCron(expression: string): Cron {
  const fields = (MACROS[expression] ?? expression).trim().split(/\s+/);
  const [minute = '', hour = '', day = '', month = '', weekday = ''] = fields;
  if (fields.length !== 5) throw new Error(`it has ${fields.length} fields instead of five`);
  const [days, weekdays] = [valuesOf(day, DAY), valuesOf(weekday, WEEKDAY)];
  return {
    minutes: valuesOf(minute, MINUTE).values,
    hours: valuesOf(hour, HOUR).values,
    days: new Set(days.values),
    months: new Set(valuesOf(month, MONTH).values),
    weekdays: new Set(weekdays.values),
    needsBoth: days.isAny || weekdays.isAny,
  };
}

/** @returns the values in order, and whether the field says that any will do. */
function valuesOf(field: string, bounds: Bounds): { values: number[]; isAny: boolean } {
  const values = new Set<number>();
  let isAny = false;
  for (const part of field.split(',').filter((text) => text !== '')) {
    const [range = '', stepText, ...more] = part.split('/');
    const [low = '', high, ...rest] = range.split('-');
    if (more.length > 0 || rest.length > 0) throw new Error(`${bounds.name} ${JSON.stringify(part)} is no range`);
    const step = stepText === undefined ? 1 : numberOf(stepText, { ...bounds, min: 1, max: Number.MAX_SAFE_INTEGER });
    const isWhole = low === '*' || low === '?';
    const from = isWhole ? bounds.min : numberOf(low, bounds);
    // "5/15" is "from 5 on, every 15".
    const isOpen = isWhole || (high === undefined && stepText !== undefined);
    const to = isOpen ? bounds.max : high === undefined ? from : numberOf(high, bounds);
    if (from > to) throw new Error(`${bounds.name} ${JSON.stringify(part)} begins after its end`);
    for (let value = from; value <= to; value += step) values.add(value);
    isAny ||= isWhole && step === 1;
  }
  return { values: [...values].toSorted((a, b) => a - b), isAny };
}

function numberOf(text: string, { name, min, max, names }: Bounds): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  const value = named >= 0 ? named + min : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new Error(
      `${name} ${JSON.stringify(text)} is not ${max > 1000 ? 'a number from 1 on' : `from ${min} to ${max}`}`,
    );
  return value;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** The controller looks no further ahead. */
const HORIZON_DAYS = 5 * 366;

/** The first time after `after`; undefined when there is none within five years. Throws RangeError for an unknown zone. */
export function nextTime(cron: Cron, timeZone: string, after: Date): Date | undefined {
  const zone = new Zone(timeZone);
  const start = zone.dayOf(after.getTime());
  for (let day = start; day <= start + HORIZON_DAYS * DAY_MS; day += DAY_MS) {
    if (!isDay(cron, day)) continue;
    const times = zone.offsetsOf(day).flatMap((offset) => {
      for (const hour of cron.hours)
        for (const minute of cron.minutes) {
          const time = day + (hour * 60 + minute) * MINUTE_MS - offset;
          if (time > after.getTime() && zone.offsetAt(time) === offset) return [time];
        }
      return [];
    });
    if (times.length > 0) return new Date(Math.min(...times));
  }
  return undefined;
}

/** The last time that is not after `latest`, but after `since`; no more than five years before. */
export function previousTime(cron: Cron, timeZone: string, latest: Date, since: Date): Date | undefined {
  const zone = new Zone(timeZone);
  const start = zone.dayOf(latest.getTime());
  const end = Math.max(start - HORIZON_DAYS * DAY_MS, zone.dayOf(since.getTime()));
  for (let day = start; day >= end; day -= DAY_MS) {
    if (!isDay(cron, day)) continue;
    const times = zone.offsetsOf(day).flatMap((offset) => {
      for (const hour of cron.hours.toReversed())
        for (const minute of cron.minutes.toReversed()) {
          const time = day + (hour * 60 + minute) * MINUTE_MS - offset;
          if (time <= latest.getTime() && zone.offsetAt(time) === offset) return [time];
        }
      return [];
    });
    const last = Math.max(...times);
    if (times.length > 0) return last > since.getTime() ? new Date(last) : undefined;
  }
  return undefined;
}

/** @param day Midnight of the day as if its zone were UTC. */
function isDay({ days, months, weekdays, needsBoth }: Cron, day: number): boolean {
  const date = new Date(day);
  if (!months.has(date.getUTCMonth() + 1)) return false;
  const [isDate, isWeekday] = [days.has(date.getUTCDate()), weekdays.has(date.getUTCDay())];
  return needsBoth ? isDate && isWeekday : isDate || isWeekday;
}

class Zone {
  readonly #format: Intl.DateTimeFormat;

  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  /** What a clock there shows, as if it were UTC, less the time: in ms. */
  offsetAt(time: number): number {
    const parts: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(time)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(time / 1000) * 1000;
  }

  dayOf(time: number): number {
    return Math.floor((time + this.offsetAt(time)) / DAY_MS) * DAY_MS;
  }

  /** Those that a clock there may have on that day: two when it is changed around then. */
  offsetsOf(day: number): number[] {
    return [...new Set([this.offsetAt(day - DAY_MS), this.offsetAt(day + 2 * DAY_MS)])];
  }
}
