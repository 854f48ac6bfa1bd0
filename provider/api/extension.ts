import { z } from 'zod';
import { adopt, defineManaged, referable, requiresReference, sqlName } from './common.ts';
import type { Managed } from './kind.ts';

const forProvider = z.object({
  ...referable('database', 'Database', 'Database that gets the extension.'),
  extension: sqlName('Name of the extension, e.g. pgcrypto.'),
  version: z
    .string()
    .min(1)
    .optional()
    .describe('Version to install or to update to; by default the one the server offers.'),
  ...referable('schema', 'Schema', 'Schema that receives the objects of the extension.'),
  cascade: z.boolean().optional().describe('Whether extensions that this one needs are installed too.'),
  adopt,
});

const atProvider = z.object({
  version: z.string().optional().describe('Installed version.'),
  schema: z.string().optional().describe('Schema of the extension.'),
});

export const ExtensionKind = defineManaged({
  group: 'sql',
  kind: 'Extension',
  plural: 'extensions',
  description: 'Extension is a PostgreSQL extension in one database.',
  forProvider,
  atProvider,
  references: [
    { field: 'database', kind: 'Database' },
    { field: 'schema', kind: 'Schema' },
  ],
  immutable: ['database', 'extension'],
  rules: [requiresReference('database')],
});

export type ExtensionParameters = z.infer<typeof forProvider>;
export type Extension = Managed<ExtensionParameters, z.infer<typeof atProvider>>;
