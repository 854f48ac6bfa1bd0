/** The order of the files of a project: one that takes minutes is not the last that everybody waits for. */
import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const LONG: ReadonlySet<string> = new Set(['killed.test.ts', 'names-fuzz.test.ts', 'import.test.ts']);

export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): number => (LONG.has(basename(moduleId)) ? 1 : 0);
    return (await super.sort(files)).toSorted((a, b) => isLong(b) - isLong(a));
  }
}
