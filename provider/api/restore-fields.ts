/** What restores and copies have in common: what happens to the target. */
import { z } from 'zod';
import { identitySecretRef, referable, requiresReference } from './common.ts';
import type { CelRule } from './kind.ts';
import { ownServerOnly, ownStorageOnly, runFields } from './run.ts';
import { storage } from './storage.ts';
import { timestamp } from './text.ts';

const MODES = ['FailIfNotEmpty', 'Replace'] as const;
const modeText =
  'FailIfNotEmpty: the target must be empty. Replace: the data is loaded into a database beside the target, which then takes its place by renaming.';

/** A run that is asked for once is careful by default. */
export const mode = z.enum(MODES).default('FailIfNotEmpty').describe(`What happens to data in the target. ${modeText}`);

/** A schedule fills its target again and again: what happens to the data before has to be said. */
export const scheduledMode = z
  .enum(MODES)
  .describe(`What happens to data in the target, which after the first run is not empty. ${modeText}`);

export const targetFields = {
  ...referable('targetDatabase', 'Database', 'Database that receives the data. What is loaded belongs to its owner.'),
  openSessions: z
    .enum(['Terminate', 'Wait', 'Refuse'])
    .default('Terminate')
    .describe(
      'When others are logged in to the target at the moment it is replaced: Terminate (the default) ends their sessions, Wait waits for them until the deadline, Refuse fails and leaves the target as it was.',
    ),
  keepReplaced: z
    .boolean()
    .default(false)
    .describe('Replace: whether the database that was replaced is kept, renamed, instead of dropped.'),
  ...runFields,
};

const sourceFields = {
  verifiedOnly: z.boolean().default(false).describe('Takes only a backup that a test restore has proved good.'),
  maxAge: z.int().min(1).optional().describe('Fails when the newest backup is older than this, in seconds.'),
};

/** The newest backup at the time of each run. */
export const latestSource = z
  .object({ storage, ...sourceFields })
  .describe('Which backup is restored: the newest of the source database.');

export const source = z
  .object({
    storage: storage.optional().describe('Where the backup is; with backupRef it is known.'),
    ...sourceFields,
    backupRef: z
      .object({ name: z.string().min(1).max(253).describe('Name of the Backup.') })
      .optional()
      .describe('A Backup in this namespace; the restore waits until it has succeeded.'),
    key: z.string().min(1).max(1024).optional().describe('Exact key of the file below the prefix of the storage.'),
    before: timestamp.optional().describe('Takes the newest backup that was finished before this time.'),
  })
  .meta({
    'x-kubernetes-validations': [
      {
        rule: '!(has(self.backupRef) && has(self.key))',
        message:
          'only one of backupRef and key can be given; with neither, the newest backup of the source database is taken',
      },
      {
        rule: '!(has(self.backupRef) || has(self.key)) || !has(self.before)',
        message: 'before chooses among backups: it cannot be used with backupRef or key',
      },
      {
        rule: 'has(self.backupRef) != has(self.storage)',
        message: 'storage is required, except with backupRef, which knows its own',
      },
    ],
  })
  .describe('Which backup is restored: an exact one, or the newest of the source database.');

export const restoreFields = {
  ...referable(
    'sourceDatabase',
    'Database',
    'Database that the backup was taken of, by its name on the server; the target when not given.',
  ),
  identitySecretRef,
  ...targetFields,
};

/** Both by value: by reference the provider compares what they resolve to. */
export const differentDatabases: CelRule = {
  rule: '!has(self.forProvider.sourceDatabase) || !has(self.forProvider.targetDatabase) || has(self.forProvider.sourceProviderConfigRef) || self.forProvider.sourceDatabase != self.forProvider.targetDatabase',
  message: 'forProvider.targetDatabase must be another database than sourceDatabase',
};

/** What Restore and RestoreSchedule are beside their fields. */
export const restoreKind = {
  group: 'backup' as const,
  references: [
    { field: 'sourceDatabase', kind: 'Database' },
    { field: 'targetDatabase', kind: 'Database' },
  ],
  rules: [
    requiresReference('targetDatabase'),
    ownServerOnly('serviceAccountName'),
    ...ownStorageOnly('source.storage'),
  ],
};
