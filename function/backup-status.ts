/** What came of the backups, as the BackupSchedule says. */
import { type Condition, type RunFunctionRequest, Status } from '@crossplane-org/function-sdk-typescript';
import { z } from 'zod';
import { BACKUP_KEY } from './expand/backup.ts';
import { type Json, object, observedOf, text } from './observed.ts';
import type { Progress } from './progress.ts';
import type { Stage } from './stages.ts';
import type { World } from './world.ts';

/** Moments, never ages: a status that changes by itself would be written for ever. */
export const backupStatus = z.object({
  lastTime: z.string().optional().describe('When a backup last succeeded (RFC 3339).'),
  lastKey: z.string().optional().describe('Its key in the storage.'),
  lastVerifiedTime: z.string().optional().describe('When a test restore last succeeded (RFC 3339).'),
  lastFailureTime: z.string().optional().describe('When a backup last failed (RFC 3339).'),
  lastFailureMessage: z.string().optional().describe('Why it failed, and what to do.'),
  nextTime: z.string().optional().describe('When the next backup is due (RFC 3339).'),
});

export type BackupStatus = z.output<typeof backupStatus>;

const seenOf = (request: RunFunctionRequest): Json =>
  object(object(observedOf(request, BACKUP_KEY)?.resource['status'])['atProvider']);

export function backupStatusOf(request: RunFunctionRequest, { spec }: World): BackupStatus | undefined {
  if (spec.backup === undefined) return undefined;
  const seen = seenOf(request);
  const fields = {
    lastTime: text(seen['lastSuccessTime']),
    lastKey: text(object(seen['lastBackup'])['key']),
    lastVerifiedTime: text(seen['lastVerifyTime']),
    lastFailureTime: text(seen['lastFailureTime']),
    lastFailureMessage: text(seen['lastFailureMessage']),
    nextTime: text(seen['nextRunTime']),
  };
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return known.length === 0 ? undefined : Object.fromEntries(known);
}

type Words = Pick<Condition, 'status' | 'reason' | 'message'>;

const words = (status: Status, reason: string, message: string): Words => ({ status, reason, message });
const yes = Status.STATUS_CONDITION_TRUE;
const no = Status.STATUS_CONDITION_FALSE;
const unknown = Status.STATUS_CONDITION_UNKNOWN;

const isAfter = (a: unknown, b: unknown): boolean =>
  typeof a === 'string' && (typeof b !== 'string' || Date.parse(a) > Date.parse(b));

/** Whether there is a backup that one can rely on. Unknown where nobody can say, as before the first one. */
export function healthOf(
  request: RunFunctionRequest,
  { spec }: World,
  { stage, all }: { stage: Stage; all: readonly Progress[] },
): Words {
  if (spec.backup === undefined) return words(unknown, 'NotConfigured', 'no backups are asked for');
  if (stage === 'Expired') return words(unknown, 'Expired', 'no more backups are made');
  const own = all.find(({ key }) => key === BACKUP_KEY);
  if (own === undefined) return words(unknown, 'Filling', 'backups begin when the data of the database is there');
  if (own.failure !== undefined) return words(no, 'Failing', `${own.label}: ${own.failure}`);
  const seen = seenOf(request);
  const time = text(seen['lastSuccessTime']);
  if (isAfter(seen['lastFailureTime'], time))
    return words(
      no,
      'LastBackupFailed',
      `the backup of ${text(seen['lastFailureTime'])} failed: ${text(seen['lastFailureMessage']) ?? text(seen['lastFailureReason']) ?? 'the BackupSchedule does not say why'}`,
    );
  if (isAfter(seen['lastVerifyFailureTime'], seen['lastVerifyTime']))
    return words(
      no,
      'LastVerificationFailed',
      `the test restore of ${text(seen['lastVerifyFailureTime'])} failed: ${text(seen['lastVerifyFailureMessage']) ?? 'the BackupSchedule does not say why'}`,
    );
  if (spec.backup.suspend === true) return words(no, 'Suspended', 'backups are suspended');
  if (time === undefined) {
    const next = text(seen['nextRunTime']);
    return words(unknown, 'NoBackupYet', `the first backup is due${next === undefined ? '' : ` at ${next}`}`);
  }
  const key = text(object(seen['lastBackup'])['key']);
  return words(yes, 'Available', `the last backup was made at ${time}${key === undefined ? '' : `: ${key}`}`);
}
