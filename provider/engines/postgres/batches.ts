/** Which steps share a transaction, where it runs, and which other transactions have to wait for it. */
import type { Step } from '../../resources/model/steps.ts';
import { databaseOf, runsAlone } from './compile/steps.ts';

export interface Batch {
  database: string;
  /** Outside a transaction, by itself. */
  alone: boolean;
  steps: Step[];
}

/**
 * Consecutive steps of one database are one transaction, and what all databases share goes along with them: the shared
 * catalogs can be changed from anywhere.
 */
export function batches(steps: readonly Step[], adminDatabase: string): Batch[] {
  const all: (Omit<Batch, 'database'> & { database: string | undefined })[] = [];
  for (const step of steps) {
    const database = databaseOf(step);
    const alone = runsAlone(step);
    const last = all.at(-1);
    const fits =
      last !== undefined &&
      (last.database === undefined || database === undefined || last.database === database) &&
      !alone &&
      !last.alone;
    if (fits) {
      last.steps.push(step);
      last.database ??= database;
    } else all.push({ database, alone, steps: [step] });
  }
  return all.map(({ database, ...batch }) => ({ database: database ?? adminDatabase, ...batch }));
}

/**
 * What a batch changes, coarsely. Two transactions that change one row of a catalog fail with "tuple concurrently
 * updated", so those that have a key in common run one after the other.
 */
export function keysOf({ steps, database }: Batch): Set<string> {
  const keys = new Set<string>();
  for (const step of steps)
    if (databaseOf(step) === undefined) for (const name of namesIn(step)) keys.add(`shared ${name}`);
    else keys.add(`in ${database}`);
  return keys;
}

const NAMES = ['name', 'owner', 'role', 'memberOf'] as const;

function* namesIn(step: Step): Iterable<string> {
  const fields = step as Partial<Record<(typeof NAMES)[number], string>>;
  for (const field of NAMES) if (typeof fields[field] === 'string') yield fields[field];
  if (step.kind !== 'grant' && step.kind !== 'revoke' && step.kind !== 'mark') return;
  // Of a privilege only the object's row is changed, whoever gets it.
  yield step.on.name ?? ('database' in step.on ? step.on.database : undefined) ?? '';
  if (step.on.database !== undefined) yield step.on.database;
}
