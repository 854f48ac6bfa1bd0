import { z } from 'zod';
import { defineManaged, requiresReference } from './common.ts';
import type { Managed } from './kind.ts';
import { mode, restoreFields, source } from './restore-fields.ts';
import { nativeRestore } from './native-fields.ts';
import { ownServerOnly, ownStorageOnly, runColumns, runStatus, storedBackup } from './run.ts';

const forProvider = z.object({ source, ...restoreFields, mode, cockroachdb: nativeRestore });

const atProvider = z.object({
  ...runStatus,
  restored: z.object(storedBackup).optional().describe('The backup that was restored.'),
  replacedDatabase: z.string().optional().describe('Name under which the replaced database is kept.'),
});

export const RestoreKind = defineManaged({
  group: 'backup',
  kind: 'Restore',
  plural: 'restores',
  description: 'Restore loads one backup into a database, once. After it succeeded it never runs again.',
  forProvider,
  atProvider,
  references: [
    { field: 'sourceDatabase', kind: 'Database' },
    { field: 'targetDatabase', kind: 'Database' },
  ],
  immutable: ['sourceDatabase', 'targetDatabase'],
  rules: [
    requiresReference('targetDatabase'),
    ownServerOnly('serviceAccountName'),
    ...ownStorageOnly('source.storage'),
  ],
  columns: [
    ...runColumns,
    { name: 'TARGET', type: 'string', jsonPath: '.spec.forProvider.targetDatabase', priority: 1 },
    { name: 'RESTORED', type: 'string', jsonPath: '.status.atProvider.restored.key', priority: 1 },
  ],
});

export type RestoreParameters = z.infer<typeof forProvider>;
export type RestoreObservation = z.infer<typeof atProvider>;
export type Restore = Managed<RestoreParameters, RestoreObservation>;
