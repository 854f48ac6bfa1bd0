/** What the status says of a backup and of a run. */
import type { RunResult } from '../../backup/contract.ts';
import { defined } from '../../resources/creation.ts';
import type { Outcome } from './outcome.ts';

/** One stored backup, as `storedBackup` of the API has it. */
export function storedBackup(result: RunResult | undefined): Record<string, unknown> {
  const backup = result?.backup;
  if (backup === undefined) return {};
  const { key, engine, serverVersion, size, storedSize, sha256, rows } = backup;
  return defined({ key, engine, serverVersion, size, storedSize, sha256, rows });
}

/** What a run that happens once says at its end. */
export function finalStatus(
  kind: string,
  jobName: string,
  outcome: Outcome,
  replacedDatabase: string | undefined,
): Record<string, unknown> {
  const { ok, startTime, completionTime, result } = outcome;
  const common = defined({ phase: ok ? 'Succeeded' : 'Failed', jobName, startTime, completionTime });
  if (!ok) return { ...common, failureReason: outcome.reason, failureMessage: outcome.message };
  if (kind === 'Backup') return { ...common, ...storedBackup(result) };
  if (kind === 'Restore') {
    const restored = storedBackup(result);
    return { ...common, ...(Object.keys(restored).length === 0 ? {} : { restored }), ...defined({ replacedDatabase }) };
  }
  return { ...common, ...defined({ size: result?.loaded?.size, rows: result?.loaded?.rows, replacedDatabase }) };
}
