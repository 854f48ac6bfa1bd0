import { z } from 'zod';
import { backupFields, backupKind } from './backup-fields.ts';
import { defineManaged } from './common.ts';
import type { Managed } from './kind.ts';
import { nativeBackup } from './native-fields.ts';
import { runColumns, runStatus, storedBackup } from './run.ts';
import { matching } from './text.ts';

const forProvider = z.object({
  ...backupFields,
  cockroachdb: nativeBackup,
  fileName: matching(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be letters, digits and . _ - only, without a slash', 200)
    .optional()
    .describe(
      'Name of the file, without ending, below <prefix>/<namespace>/<name>/<database>/; the time in UTC when not given.',
    ),
});

const atProvider = z.object({ ...runStatus, ...storedBackup });

export const BackupKind = defineManaged({
  ...backupKind,
  kind: 'Backup',
  plural: 'backups',
  description: 'Backup dumps one database into a storage, once. After it succeeded it never runs again.',
  forProvider,
  atProvider,
  immutable: ['database', 'fileName'],
  columns: [
    ...runColumns,
    { name: 'SIZE', type: 'integer', jsonPath: '.status.atProvider.storedSize', priority: 1 },
    { name: 'KEY', type: 'string', jsonPath: '.status.atProvider.key', priority: 1 },
  ],
});

export type BackupParameters = z.infer<typeof forProvider>;
export type BackupObservation = z.infer<typeof atProvider>;
export type Backup = Managed<BackupParameters, BackupObservation>;
