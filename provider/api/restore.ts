import { z } from 'zod';
import { defineManaged } from './common.ts';
import type { Managed } from './kind.ts';
import { mode, restoreFields, restoreKind, source } from './restore-fields.ts';
import { nativeRestore } from './native-fields.ts';
import { runColumns, runStatus, storedBackup } from './run.ts';

const forProvider = z.object({ source, ...restoreFields, mode, cockroachdb: nativeRestore });

const atProvider = z.object({
  ...runStatus,
  restored: z.object(storedBackup).optional().describe('The backup that was restored.'),
  replacedDatabase: z.string().optional().describe('Name under which the replaced database is kept.'),
});

export const RestoreKind = defineManaged({
  ...restoreKind,
  kind: 'Restore',
  plural: 'restores',
  description: 'Restore loads one backup into a database, once. After it succeeded it never runs again.',
  forProvider,
  atProvider,
  immutable: ['sourceDatabase', 'targetDatabase'],
  columns: [
    ...runColumns,
    { name: 'TARGET', type: 'string', jsonPath: '.spec.forProvider.targetDatabase', priority: 1 },
    { name: 'RESTORED', type: 'string', jsonPath: '.status.atProvider.restored.key', priority: 1 },
  ],
});

export type RestoreParameters = z.infer<typeof forProvider>;
export type RestoreObservation = z.infer<typeof atProvider>;
export type Restore = Managed<RestoreParameters, RestoreObservation>;
