/** The backups of a claim, and where the data of a new database comes from. */
import { z } from 'zod';
import { backupFields } from '../provider/api/backup-fields.ts';
import { BackupScheduleKind } from '../provider/api/backup-schedule.ts';
import { identitySecretRef } from '../provider/api/common.ts';
import { nativeRestore, nativeSchedule } from '../provider/api/native-fields.ts';
import { cron, timeZone, timestamp } from '../provider/api/text.ts';
import { objectName, serverRef, sqlName } from './claim-fields.ts';

const { retention, verify } = BackupScheduleKind.forProvider.shape;

const storage = z
  .string()
  .min(1)
  .max(63)
  .optional()
  .describe('Name of an entry in storages of the configuration of the server.');

/** Everything may come from the platform, so nothing is required and nothing has a default here. */
export const backup = z
  .object({
    schedule: cron.optional().describe('When: five fields of cron, or @hourly, @daily, @weekly, @monthly, @yearly.'),
    timeZone: timeZone.optional().describe('Time zone of schedule; Etc/UTC when not given.'),
    storage,
    retention,
    verify,
    compression: z.enum(['zstd', 'gzip', 'none']).optional().describe('How files are compressed; zstd by default.'),
    encryption: backupFields.encryption,
    countRows: z.boolean().optional().describe('Whether the rows of every table are counted and recorded.'),
    filePolicy: z
      .enum(['Keep', 'Delete'])
      .optional()
      .describe('What becomes of the files when the claim is deleted: Keep (by default) or Delete.'),
    suspend: z.boolean().optional().describe('Whether no new backup is started.'),
    cockroachdb: nativeSchedule,
  })
  .optional();

export type ClaimBackup = NonNullable<z.output<typeof backup>>;

const from = {
  name: objectName('Name of the XDatabase, in this namespace.').optional(),
  database: sqlName('Name of the database on its server, instead of name.').optional(),
};

const one = (...fields: string[]): { rule: string; message: string } => ({
  rule: `[${fields.map((field) => `has(self.${field})`).join(', ')}].filter(x, x).size() == 1`,
  message: `exactly one of ${fields.slice(0, -1).join(', ')} and ${fields.at(-1)} is required`,
});

const copyFrom = z
  .object({
    ...from,
    serverRef: serverRef
      .optional()
      .describe('Server of the source, when it is another; it must be of the same engine.'),
    transformSQL: z
      .string()
      .min(1)
      .max(65_536)
      .optional()
      .describe('SQL that runs in the copy before anybody may log in, e.g. to make persons anonymous.'),
  })
  .meta({ 'x-kubernetes-validations': [one('name', 'database')] })
  .optional()
  .describe('Another database of this namespace, which is only read.');

const restoreFrom = z
  .object({
    ...from,
    backupRef: z
      .object({ name: objectName('Name of the Backup.') })
      .optional()
      .describe('A Backup in this namespace, instead of name and database.'),
    storage,
    before: timestamp.optional().describe('Takes the newest backup that was finished before this time.'),
    verifiedOnly: z.boolean().optional().describe('Takes only a backup that a test restore has proved good.'),
    identitySecretRef,
    cockroachdb: nativeRestore,
  })
  .meta({
    'x-kubernetes-validations': [
      one('name', 'database', 'backupRef'),
      {
        rule: '!has(self.backupRef) || !(has(self.storage) || has(self.before))',
        message: 'storage and before choose among backups: they cannot be used with backupRef',
      },
    ],
  })
  .optional()
  .describe('The newest backup of a database of this namespace, or an exact one.');

export const source = z
  .object({ copyFrom, restoreFrom })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: 'has(self.copyFrom) != has(self.restoreFrom)',
        message: 'exactly one of copyFrom and restoreFrom is required',
      },
    ],
  })
  .optional()
  .describe(
    'Where the data of the new database comes from, once, e.g. of a preview. Nobody may log in before it is there. Cannot be changed.',
  );

export type ClaimSource = NonNullable<z.output<typeof source>>;
