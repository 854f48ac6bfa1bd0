import { z } from 'zod';
import { backupFields, backupKind } from './backup-fields.ts';
import { defineManaged, identitySecretRef } from './common.ts';
import type { Managed } from './kind.ts';
import { nativeSchedule } from './native-fields.ts';
import { storedBackup } from './run.ts';
import { scheduleColumns, scheduleFields, scheduleStatus } from './schedule.ts';
import { cron, timestamp } from './text.ts';

const keep = (what: string) => z.int().min(1).max(10_000).optional().describe(what);

const forProvider = z.object({
  ...scheduleFields,
  ...backupFields,
  cockroachdb: nativeSchedule,
  retention: z
    .object({
      keepLast: keep('How many of the newest backups are kept.'),
      keepHourly: keep('For how many hours the newest backup of each is kept.'),
      keepDaily: keep('For how many days the newest backup of each is kept.'),
      keepWeekly: keep('For how many weeks the newest backup of each is kept.'),
      keepMonthly: keep('For how many months the newest backup of each is kept.'),
      keepYearly: keep('For how many years the newest backup of each is kept.'),
    })
    .meta({
      'x-kubernetes-validations': [
        {
          rule: 'has(self.keepLast) || has(self.keepHourly) || has(self.keepDaily) || has(self.keepWeekly) || has(self.keepMonthly) || has(self.keepYearly)',
          message:
            'at least one of keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly and keepYearly is required',
        },
      ],
    })
    .optional()
    .describe(
      'Which backups of this schedule are kept; a backup is kept when any of the rules keeps it. Everything is kept when not given. The last good backup is never deleted.',
    ),
  verify: z
    .object({
      schedule: cron.describe('When the newest backup is restored for a test, in timeZone.'),
      identitySecretRef,
    })
    .optional()
    .describe(
      'Restores the newest backup into a throw-away database on the same server, compares row counts with the manifest when it has them, and marks the backup as verified.',
    ),
});

const atProvider = z.object({
  ...scheduleStatus,
  command: z.string().optional().describe('CockroachDB: the statement that the server runs, without secrets.'),
  lastBackup: z.object(storedBackup).optional().describe('The last backup that succeeded.'),
  lastVerifyTime: timestamp.optional().describe('When a test restore last succeeded.'),
  lastVerifiedKey: z.string().optional().describe('Key of the backup that it restored.'),
  lastVerifyFailureTime: timestamp.optional().describe('When a test restore last failed.'),
  lastVerifyFailureMessage: z.string().optional().describe('Why it failed.'),
});

export const BackupScheduleKind = defineManaged({
  ...backupKind,
  kind: 'BackupSchedule',
  plural: 'backupschedules',
  description:
    'BackupSchedule dumps one database into a storage at the times of a cron expression, and prunes old backups.',
  forProvider,
  atProvider,
  immutable: ['database'],
  rules: [
    ...backupKind.rules,
    {
      rule: '!has(self.forProvider.verify) || !has(self.forProvider.encryption) || has(self.forProvider.verify.identitySecretRef)',
      message: 'forProvider.verify.identitySecretRef is required when backups are encrypted',
    },
  ],
  columns: scheduleColumns,
});

export type BackupScheduleParameters = z.infer<typeof forProvider>;
export type BackupScheduleObservation = z.infer<typeof atProvider>;
export type BackupSchedule = Managed<BackupScheduleParameters, BackupScheduleObservation>;
