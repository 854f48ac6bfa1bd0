import { z } from 'zod';
import { defineManaged, requiresReference } from './common.ts';
import { copyFields, ownIdentityOnly } from './copy-fields.ts';
import type { Managed } from './kind.ts';
import { differentDatabases, mode } from './restore-fields.ts';
import { runColumns, runStatus } from './run.ts';

const forProvider = z.object({ ...copyFields, mode });

const atProvider = z.object({
  ...runStatus,
  size: z.int().optional().describe('Size of what was copied, in bytes.'),
  rows: z.int().optional().describe('Rows of all tables, when they were counted.'),
  replacedDatabase: z.string().optional().describe('Name under which the replaced database is kept.'),
});

export const CopyKind = defineManaged({
  group: 'backup',
  kind: 'Copy',
  plural: 'copies',
  description:
    'Copy copies one database into another, on the same server or to another of its engine, once. After it succeeded it never runs again.',
  forProvider,
  atProvider,
  references: [
    { field: 'sourceDatabase', kind: 'Database' },
    { field: 'targetDatabase', kind: 'Database' },
  ],
  immutable: ['sourceDatabase', 'targetDatabase'],
  rules: [
    requiresReference('sourceDatabase'),
    requiresReference('targetDatabase'),
    differentDatabases,
    ...ownIdentityOnly,
  ],
  columns: runColumns,
});

export type CopyParameters = z.infer<typeof forProvider>;
export type CopyObservation = z.infer<typeof atProvider>;
export type Copy = Managed<CopyParameters, CopyObservation>;
