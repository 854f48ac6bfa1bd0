/** What the status of a schedule says of its runs. Pure: the same runs give the same status. */
import type { NewCondition } from '../../runtime/managed/conditions.ts';
import { defined } from '../../resources/creation.ts';
import type { RunRole } from './names.ts';
import type { Outcome } from './outcome.ts';
import { storedBackup } from './stored.ts';

export interface ScheduleStatus {
  lastSuccessTime?: string;
  lastDuration?: number;
  lastFailureTime?: string;
  lastFailureReason?: string;
  lastFailureMessage?: string;
  lastMissedTime?: string;
  lastVerifyTime?: string;
  lastVerifiedKey?: string;
  lastVerifyFailureTime?: string;
  lastVerifyFailureMessage?: string;
  lastBackup?: Record<string, unknown>;
  lastRestored?: Record<string, unknown>;
  lastSize?: number;
}

const FIELD = {
  run: { success: 'lastSuccessTime', failure: 'lastFailureTime' },
  verify: { success: 'lastVerifyTime', failure: 'lastVerifyFailureTime' },
} as const;

const fieldOf = (role: RunRole, ok: boolean) => FIELD[role === 'verify' ? 'verify' : 'run'][ok ? 'success' : 'failure'];

/** Whether the status has taken an outcome in: from then on its Job is not needed any more. */
export const isRecorded = (status: ScheduleStatus, role: RunRole, { ok, completionTime }: Outcome): boolean =>
  Date.parse(status[fieldOf(role, ok)] ?? '') >= Date.parse(completionTime);

/** The status with an outcome in it; an outcome that is older than what it says changes nothing. */
export function withOutcome(status: ScheduleStatus, kind: string, role: RunRole, outcome: Outcome): ScheduleStatus {
  if (isRecorded(status, role, outcome)) return status;
  const { ok, completionTime, startTime, result, reason, message } = outcome;
  // What an earlier run made is not what this one made, should nobody know what that was.
  const { lastVerifiedKey: _key, ...verified } = status;
  const { lastBackup: _backup, lastRestored: _restored, lastSize: _size, ...others } = status;
  if (role === 'verify')
    return ok
      ? { ...verified, lastVerifyTime: completionTime, ...defined({ lastVerifiedKey: result?.backup?.key }) }
      : { ...status, lastVerifyFailureTime: completionTime, lastVerifyFailureMessage: `${reason}: ${message}` };
  if (!ok)
    return { ...status, lastFailureTime: completionTime, lastFailureReason: reason, lastFailureMessage: message };
  const seconds = Math.round((Date.parse(completionTime) - Date.parse(startTime ?? completionTime)) / 1000);
  return { ...others, lastSuccessTime: completionTime, lastDuration: seconds, ...whatWasDone(kind, outcome) };
}

function whatWasDone(kind: string, { result }: Outcome): Partial<ScheduleStatus> {
  const backup = storedBackup(result);
  if (kind === 'BackupSchedule') return Object.keys(backup).length === 0 ? {} : { lastBackup: backup };
  if (kind === 'RestoreSchedule') return Object.keys(backup).length === 0 ? {} : { lastRestored: backup };
  return defined({ lastSize: result?.loaded?.size });
}

const time = (text: string | undefined): number => (text === undefined ? 0 : Date.parse(text));

/** How the runs went, for everybody who looks at conditions. */
export function conditionsOf(status: ScheduleStatus, hasVerify: boolean): NewCondition[] {
  const { lastSuccessTime, lastFailureTime, lastMissedTime } = status;
  const newest = Math.max(time(lastSuccessTime), time(lastFailureTime), time(lastMissedTime));
  const conditions: NewCondition[] = [lastRun(status, newest)];
  if (!hasVerify) return conditions;
  const isGood = time(status.lastVerifyTime) >= time(status.lastVerifyFailureTime);
  if (status.lastVerifyTime === undefined && status.lastVerifyFailureTime === undefined)
    conditions.push({ type: 'Verified', status: 'Unknown', reason: 'NeverRun' });
  else if (isGood) conditions.push({ type: 'Verified', status: 'True', reason: 'RestoreSucceeded' });
  else
    conditions.push({
      type: 'Verified',
      status: 'False',
      reason: 'RestoreFailed',
      message: status.lastVerifyFailureMessage ?? '',
    });
  return conditions;
}

function lastRun(status: ScheduleStatus, newest: number): NewCondition {
  const type = 'LastRunSucceeded';
  if (newest === 0) return { type, status: 'Unknown', reason: 'NeverRun' };
  if (time(status.lastSuccessTime) === newest) return { type, status: 'True', reason: 'RunSucceeded' };
  if (time(status.lastFailureTime) === newest)
    return {
      type,
      status: 'False',
      reason: status.lastFailureReason ?? 'RunFailed',
      message: status.lastFailureMessage ?? '',
    };
  return { type, status: 'False', reason: 'RunMissed', message: `the run of ${status.lastMissedTime} did not begin` };
}
