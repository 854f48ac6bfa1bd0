/** The order of the files of a project: one that takes minutes is not the last that everybody waits for. */
import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Those that take minutes, the longest first. */
const LONG: readonly string[] = [
  'cockroachdb.test.ts',
  'claims.test.ts',
  // Waits for a minute to begin.
  'backup-schedule.test.ts',
  'killed.test.ts',
  'scenarios-postgres.test.ts',
  'cockroachdb-claim.test.ts',
  'backup-faults.test.ts',
  'backup-isolation.test.ts',
  'names-fuzz.test.ts',
  'import.test.ts',
];

export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number =>
      LONG.includes(basename(moduleId)) ? LONG.indexOf(basename(moduleId)) : LONG.length;
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
