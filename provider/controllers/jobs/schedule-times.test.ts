import { expect, test } from 'vitest';
import { missedRun, nextRun } from './schedule-times.ts';

const at = (text: string): Date => new Date(text);

test.each([
  ['30 2 * * *', 'Etc/UTC', '2026-03-28T12:00:00Z', '2026-03-29T02:30:00Z'],
  // In the night in which 02:30 does not exist in Amsterdam, the clock jumps to 03:00.
  ['30 4 * * *', 'Europe/Amsterdam', '2026-03-28T12:00:00Z', '2026-03-29T02:30:00Z'],
  ['30 4 * * *', 'Europe/Amsterdam', '2026-03-27T12:00:00Z', '2026-03-28T03:30:00Z'],
  ['@hourly', 'Etc/UTC', '2026-03-28T12:00:01Z', '2026-03-28T13:00:00Z'],
  ['@weekly', 'Etc/UTC', '2026-03-28T12:00:01Z', '2026-03-29T00:00:00Z'],
  // Day of month or day of week, as cron and Kubernetes have it.
  ['0 0 1 * 1', 'Etc/UTC', '2026-03-28T12:00:01Z', '2026-03-30T00:00:00Z'],
])('%s in %s after %s is at %s', (schedule, timeZone, now, next) => {
  expect(nextRun({ schedule, timeZone }, at(now))).toBe(next);
});

test('a time that never comes has no next run', () => {
  expect(nextRun({ schedule: '0 0 30 2 *', timeZone: 'Etc/UTC' }, at('2026-01-01T00:00:00Z'))).toBeUndefined();
});

test('a schedule that cannot be read says so', () => {
  expect(() => nextRun({ schedule: '61 * * * *', timeZone: 'Etc/UTC' }, at('2026-01-01T00:00:00Z'))).toThrow(
    /forProvider.schedule/,
  );
  expect(() => nextRun({ schedule: '1 * * * *', timeZone: 'Mars/Olympus' }, at('2026-01-01T00:00:00Z'))).toThrow(
    /forProvider.schedule/,
  );
});

const hourly = { schedule: '0 * * * *', timeZone: 'Etc/UTC' };
const since = '2026-01-01T00:00:00Z';

test('a run that began is not missed, nor one that may still begin', () => {
  const now = at('2026-01-01T05:00:30Z');
  expect(missedRun(hourly, { lastScheduleTime: '2026-01-01T04:00:00Z', since }, now)).toBeUndefined();
  const later = at('2026-01-01T05:10:00Z');
  expect(missedRun(hourly, { lastScheduleTime: '2026-01-01T05:00:00Z', since }, later)).toBeUndefined();
  expect(
    missedRun(hourly, { lastScheduleTime: '2026-01-01T04:00:00Z', since, startingDeadlineSeconds: 900 }, later),
  ).toBeUndefined();
});

test('a run that did not begin in time is missed', () => {
  const now = at('2026-01-01T05:02:00Z');
  expect(missedRun(hourly, { lastScheduleTime: '2026-01-01T04:00:00Z', since }, now)).toBe('2026-01-01T05:00:00Z');
  expect(missedRun(hourly, { lastScheduleTime: undefined, since }, now)).toBe('2026-01-01T05:00:00Z');
});

test('of a day without anybody who begins runs the last one is told, and those that the clock left out are not', () => {
  const lastScheduleTime = '2026-01-01T00:00:00Z';
  expect(missedRun(hourly, { lastScheduleTime, since }, at('2026-01-02T00:30:00Z'))).toBe('2026-01-02T00:00:00Z');
  const nightly = { schedule: '30 2 * * *', timeZone: 'Europe/Berlin' };
  const spring = { lastScheduleTime: '2026-03-28T01:30:00Z', since };
  expect(missedRun(nightly, spring, at('2026-03-29T12:00:00Z'))).toBeUndefined();
});

test('what was due before the schedule existed is not missed', () => {
  expect(
    missedRun(hourly, { lastScheduleTime: undefined, since: '2026-01-01T05:00:30Z' }, at('2026-01-01T05:10:00Z')),
  ).toBeUndefined();
});
