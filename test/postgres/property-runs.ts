/** How many cases a property is tried with. */
import { type PostgresMajor, usualMajors } from '../rig/majors.ts';

const asked = process.env['XDB_PROPERTY_RUNS'];
const isCi = process.env['CI'] === 'true';

/**
 * 100 on the majors of every run and 40 on the others; where CI=true, 500 on the newest. XDB_PROPERTY_RUNS overrules.
 *
 * @param share for properties whose cases are large: how many of a hundred are tried
 */
export function propertyRuns(major: PostgresMajor, share = 100): number {
  const isUsual = usualMajors.some((usual) => usual === major);
  const usual = isCi && major === usualMajors.at(-1) ? 500 : 100;
  return Math.ceil((Number(asked ?? (isUsual ? usual : 40)) * share) / 100);
}
