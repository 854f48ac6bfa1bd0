/** How many cases a property is tried with. */
import { type PostgresMajor, usualMajors } from '../rig/majors.ts';

/** 100, and 500 where CI=true on the majors of every run; XDB_PROPERTY_RUNS overrules. */
export function propertyRuns(major: PostgresMajor): number {
  const isThorough = process.env['CI'] === 'true' && usualMajors.some((usual) => usual === major);
  return Number(process.env['XDB_PROPERTY_RUNS'] ?? (isThorough ? 500 : 100));
}
