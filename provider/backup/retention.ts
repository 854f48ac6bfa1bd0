/** Which backups are kept. Pure. */
import type { RetentionRules } from './contract.ts';

export interface KeptBackup {
  key: string;
  time: Date;
}

/** The period of a time, in UTC, by the rule that keeps one backup of each. */
const PERIODS: Record<Exclude<keyof RetentionRules, 'keepLast'>, (time: Date) => string> = {
  keepHourly: (time) => time.toISOString().slice(0, 13),
  keepDaily: (time) => time.toISOString().slice(0, 10),
  keepWeekly: isoWeek,
  keepMonthly: (time) => time.toISOString().slice(0, 7),
  keepYearly: (time) => time.toISOString().slice(0, 4),
};

/** Year and week of ISO 8601: weeks begin on Monday and belong to the year of their Thursday. */
function isoWeek(time: Date): string {
  const thursday = new Date(Date.UTC(time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()));
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (thursday.getUTCDay() || 7));
  const newYear = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const week = Math.floor((thursday.getTime() - newYear) / 86_400_000 / 7) + 1;
  return `${thursday.getUTCFullYear()}-W${String(week).padStart(2, '0')}`;
}

/**
 * The backups that no rule keeps, oldest first. Rules that keep one for each period keep its newest, for the newest periods
 * that have one. The newest backup of all is always kept, and without any rule all are.
 * @param good Good backups only: a broken one must never push a good one out.
 * @param made Key of the one that was made just now, which is kept although another seems newer: clocks differ.
 */
export function expired<T extends KeptBackup>(good: readonly T[], rules: RetentionRules, made?: string): T[] {
  if (Object.values(rules).every((rule) => rule === undefined)) return [];
  const newestFirst = good.toSorted((a, b) => b.time.getTime() - a.time.getTime() || (a.key < b.key ? 1 : -1));
  const kept = new Set<T>(newestFirst.slice(0, Math.max(1, rules.keepLast ?? 0)));
  for (const [rule, period] of Object.entries(PERIODS)) {
    const periods = new Set<string>();
    const limit = rules[rule as keyof typeof PERIODS] ?? 0;
    for (const backup of newestFirst) {
      if (periods.size >= limit) break;
      const name = period(backup.time);
      if (!periods.has(name)) kept.add(backup);
      periods.add(name);
    }
  }
  return newestFirst.filter((backup) => !kept.has(backup) && backup.key !== made).toReversed();
}
