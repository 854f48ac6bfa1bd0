import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RetentionRules } from './contract.ts';
import { expired } from './retention.ts';

const at = (...times: string[]) => times.map((time) => ({ key: time, time: new Date(`${time}Z`) }));
const left = (backups: ReturnType<typeof at>, rules: RetentionRules): string[] => {
  const gone = new Set(expired(backups, rules).map(({ key }) => key));
  return backups.map(({ key }) => key).filter((key) => !gone.has(key));
};

const days = at(
  '2026-01-31T22:00',
  '2026-02-28T22:00',
  '2026-03-01T02:00',
  '2026-03-01T22:00',
  '2026-03-02T22:00',
  '2026-03-02T23:30',
);

describe('what is kept', () => {
  test.each<[RetentionRules, string[]]>([
    [{}, days.map(({ key }) => key)],
    [{ keepLast: 2 }, ['2026-03-02T22:00', '2026-03-02T23:30']],
    [{ keepDaily: 2 }, ['2026-03-01T22:00', '2026-03-02T23:30']],
    // Days without a backup do not count.
    [{ keepDaily: 4 }, ['2026-01-31T22:00', '2026-02-28T22:00', '2026-03-01T22:00', '2026-03-02T23:30']],
    [{ keepHourly: 2 }, ['2026-03-02T22:00', '2026-03-02T23:30']],
    // The second of March 2026 is a Monday.
    [{ keepWeekly: 2 }, ['2026-03-01T22:00', '2026-03-02T23:30']],
    [{ keepMonthly: 3 }, ['2026-01-31T22:00', '2026-02-28T22:00', '2026-03-02T23:30']],
    [{ keepYearly: 5 }, ['2026-03-02T23:30']],
    [{ keepLast: 1, keepMonthly: 2 }, ['2026-02-28T22:00', '2026-03-02T23:30']],
  ])('%j', (rules, expected) => {
    expect(left(days, rules)).toEqual(expected);
  });

  test('what was made just now, although another clock says otherwise', () => {
    const gone = expired(days, { keepLast: 1 }, '2026-03-01T02:00').map(({ key }) => key);
    expect(gone).not.toContain('2026-03-01T02:00');
    expect(gone).toHaveLength(days.length - 2);
  });

  test('weeks belong to the year of their Thursday', () => {
    const newYear = at('2026-12-31T10:00', '2027-01-01T10:00', '2027-01-03T10:00', '2027-01-04T10:00');
    expect(left(newYear, { keepWeekly: 9 })).toEqual(['2027-01-03T10:00', '2027-01-04T10:00']);
  });
});

const rules = fc.record(
  {
    keepLast: fc.integer({ min: 1, max: 5 }),
    keepHourly: fc.integer({ min: 1, max: 5 }),
    keepDaily: fc.integer({ min: 1, max: 5 }),
    keepWeekly: fc.integer({ min: 1, max: 5 }),
    keepMonthly: fc.integer({ min: 1, max: 5 }),
    keepYearly: fc.integer({ min: 1, max: 5 }),
  },
  { requiredKeys: [] },
);
const backups = fc
  .uniqueArray(fc.integer({ min: 0, max: 3e9 }), { maxLength: 40 })
  .map((seconds) => seconds.map((second) => ({ key: String(second), time: new Date(second * 1000) })));

test('the newest is kept whatever the rules, and pruning again deletes nothing', () => {
  fc.assert(
    fc.property(backups, rules, (all, given) => {
      const gone = new Set(expired(all, given));
      const kept = all.filter((backup) => !gone.has(backup));
      if (all.length > 0) {
        const newest = all.reduce((a, b) => (a.time > b.time ? a : b));
        expect(kept).toContain(newest);
      }
      expect(expired(kept, given)).toEqual([]);
      expect(kept.length).toBeGreaterThanOrEqual(Math.min(all.length, given.keepLast ?? 1));
    }),
  );
});
