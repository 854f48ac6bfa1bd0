import { expect, test } from 'vitest';
import { nextTime, parseCron, previousTime } from './cron.ts';

/** What github.com/robfig/cron/v3 v3.0.1, the library of the CronJob controller, says of the same. */
test.each([
  ['30 2 * * *', 'Etc/UTC', '2026-03-28T12:00:00Z', '2026-03-29T02:30:00Z'],
  // A time that the clock leaves out does not come, and one that it shows twice comes twice.
  ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T00:30:00Z'],
  ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00Z'],
  ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'],
  ['30 2 * * *', 'Europe/Berlin', '2026-10-25T01:30:00Z', '2026-10-26T01:30:00Z'],
  ['30 2 29 3 *', 'Europe/Berlin', '2026-03-01T00:00:00Z', '2027-03-29T00:30:00Z'],
  ['0 0 * * *', 'Africa/Cairo', '2026-04-23T12:00:00Z', '2026-04-24T21:00:00Z'],
  ['*/30 * * * *', 'America/New_York', '2026-03-08T06:30:00Z', '2026-03-08T07:00:00Z'],
  ['0 3 * * *', 'Asia/Kathmandu', '2026-03-28T00:00:00Z', '2026-03-28T21:15:00Z'],
  ['15 3 * * *', 'Pacific/Chatham', '2026-09-26T12:00:00Z', '2026-09-27T13:30:00Z'],
  ['5/15 * * * *', 'Etc/UTC', '2026-01-01T00:21:00Z', '2026-01-01T00:35:00Z'],
  ['0 0 ? * MON-Fri', 'Etc/UTC', '2026-01-02T12:00:00Z', '2026-01-05T00:00:00Z'],
  ['0 0 */2 * 1', 'Etc/UTC', '2026-01-03T12:00:00Z', '2026-01-05T00:00:00Z'],
  ['0 0 1 * 1', 'Etc/UTC', '2026-01-01T12:00:00Z', '2026-01-05T00:00:00Z'],
  ['0 0 29 2 *', 'Etc/UTC', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
  ['@weekly', 'Etc/UTC', '2026-01-01T00:00:00Z', '2026-01-04T00:00:00Z'],
  ['@midnight', 'Etc/UTC', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
  ['0 0 30 2 *', 'Europe/Berlin', '2026-01-01T00:00:00Z', undefined],
])('%s in %s after %s is at %s', (expression, timeZone, after, expected) => {
  const cron = parseCron(expression);
  const next = nextTime(cron, timeZone, new Date(after));
  expect(next?.toISOString().replace('.000', '')).toBe(expected);
  if (next === undefined) return;
  expect(previousTime(cron, timeZone, next, new Date(after))).toEqual(next);
  expect(previousTime(cron, timeZone, new Date(next.getTime() - 1), new Date(after))).toBeUndefined();
});

test.each([
  ['61 * * * *', 'minute "61" is not from 0 to 59'],
  ['0 0 * * 7', 'day of week "7" is not from 0 to 6'],
  ['0 0 L * *', 'day of month "L" is not from 1 to 31'],
  ['0 0 * * 5-1', 'day of week "5-1" begins after its end'],
  ['*/0 * * * *', 'minute "0" is not a number from 1 on'],
  ['1-2-3 * * * *', 'minute "1-2-3" is no range'],
  ['0 0 3 * * *', 'it has 6 fields instead of five'],
  ['@fortnightly', 'it has 1 fields instead of five'],
])('%s is refused, as Kubernetes refuses it: %s', (expression, message) => {
  expect(() => parseCron(expression)).toThrow(message);
});

test('a time zone that there is not is refused', () => {
  expect(() => nextTime(parseCron('@daily'), 'Mars/Olympus', new Date())).toThrow(RangeError);
});
