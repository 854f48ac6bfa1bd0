import { z } from 'zod';
import { defineManaged } from './common.ts';
import { copyFields, copyKind } from './copy-fields.ts';
import type { Managed } from './kind.ts';
import { mode } from './restore-fields.ts';
import { runColumns, runStatus } from './run.ts';

const forProvider = z.object({ ...copyFields, mode });

const atProvider = z.object({
  ...runStatus,
  size: z.int().optional().describe('Size of what was copied, in bytes.'),
  rows: z.int().optional().describe('Rows of all tables, when they were counted.'),
  replacedDatabase: z.string().optional().describe('Name under which the replaced database is kept.'),
});

export const CopyKind = defineManaged({
  ...copyKind,
  kind: 'Copy',
  plural: 'copies',
  description:
    'Copy copies one database into another, on the same server or to another of its engine, once. After it succeeded it never runs again.',
  forProvider,
  atProvider,
  columns: runColumns,
});

export type CopyParameters = z.infer<typeof forProvider>;
export type CopyObservation = z.infer<typeof atProvider>;
export type Copy = Managed<CopyParameters, CopyObservation>;
