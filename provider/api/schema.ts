import { z } from 'zod';
import { adopt, defineManaged, dropPolicy, referable, requiresReference } from './common.ts';
import type { Managed } from './kind.ts';

const forProvider = z.object({
  ...referable('database', 'Database', 'Database that holds the schema.'),
  ...referable('owner', 'Role', 'Role that owns the schema; by default the administrator.'),
  revokePublicOnSchema: z.boolean().optional().describe('Takes from PUBLIC every privilege on this schema.'),
  adopt,
  dropPolicy,
});

const atProvider = z.object({ owner: z.string().optional().describe('Role that owns the schema.') });

export const SchemaKind = defineManaged({
  group: 'sql',
  kind: 'Schema',
  plural: 'schemas',
  description:
    'Schema is a namespace of tables inside a PostgreSQL or CockroachDB database. Its name is the external name.',
  forProvider,
  atProvider,
  references: [
    { field: 'database', kind: 'Database' },
    { field: 'owner', kind: 'Role' },
  ],
  immutable: ['database'],
  rules: [requiresReference('database')],
});

export type SchemaParameters = z.infer<typeof forProvider>;
export type SchemaObservation = z.infer<typeof atProvider>;
export type Schema = Managed<SchemaParameters, SchemaObservation>;
