import { z } from 'zod';
import { defineManaged, referable, requiresReference } from './common.ts';
import type { Managed } from './kind.ts';
import { privilege } from './text.ts';

const forProvider = z.object({
  ...referable('database', 'Database', 'Database in which the privileges apply.'),
  ...referable('targetRole', 'Role', 'Role that creates the objects (FOR ROLE).'),
  ...referable('role', 'Role', 'Role that receives the privileges; PUBLIC means everybody.'),
  ...referable('schema', 'Schema', 'Schema in which the privileges apply; when not given, in the whole database.'),
  objectType: z
    .enum(['table', 'sequence', 'function', 'type', 'schema', 'largeObject'])
    .describe('Objects that the privileges are for. largeObject needs PostgreSQL ≥18.'),
  privileges: z
    .array(privilege)
    .max(32)
    .describe(
      'Privileges that new objects get; ALL means every privilege; [] for PUBLIC takes away what the server gives by default.',
    ),
  withOption: z.boolean().optional().describe('WITH GRANT OPTION.'),
});

const atProvider = z.object({ granted: z.array(z.string()).optional().describe('What new objects get, in words.') });

export const DefaultPrivilegesKind = defineManaged({
  group: 'sql',
  kind: 'DefaultPrivileges',
  plural: 'defaultprivileges',
  description: 'DefaultPrivileges gives a role privileges on objects that another role will create.',
  forProvider,
  atProvider,
  references: [
    { field: 'database', kind: 'Database' },
    { field: 'targetRole', kind: 'Role' },
    { field: 'role', kind: 'Role' },
    { field: 'schema', kind: 'Schema' },
  ],
  immutable: ['database', 'targetRole', 'role', 'schema', 'objectType'],
  rules: [
    requiresReference('database'),
    requiresReference('targetRole'),
    requiresReference('role'),
    {
      rule: "self.forProvider.privileges.size() > 0 || (has(self.forProvider.role) && self.forProvider.role == 'PUBLIC')",
      message: 'forProvider.privileges can be empty for role PUBLIC only',
    },
    {
      rule: "self.forProvider.objectType != 'schema' || !(has(self.forProvider.schema) || has(self.forProvider.schemaRef) || has(self.forProvider.schemaSelector))",
      message: 'objectType schema cannot be combined with a schema: schemas are not inside a schema',
    },
  ],
});

export type DefaultPrivilegesParameters = z.infer<typeof forProvider>;
export type DefaultPrivileges = Managed<DefaultPrivilegesParameters, z.infer<typeof atProvider>>;
