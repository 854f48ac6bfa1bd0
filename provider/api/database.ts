import { z } from 'zod';
import { adopt, defineManaged, dropPolicy, referable, settings, sqlName } from './common.ts';
import type { Managed } from './kind.ts';
import { timestamp } from './text.ts';

const forProvider = z.object({
  ...referable(
    'owner',
    'Role',
    'Role that owns the database. PostgreSQL and CockroachDB; by default the administrator.',
  ),
  encoding: z
    .string()
    .min(1)
    .optional()
    .describe('PostgreSQL: character encoding, e.g. UTF8. Cannot be changed later.'),
  collation: z
    .string()
    .min(1)
    .optional()
    .describe('PostgreSQL: LC_COLLATE; MySQL and MariaDB: collation, e.g. utf8mb4_0900_ai_ci.'),
  characterClassification: z
    .string()
    .min(1)
    .optional()
    .describe('PostgreSQL: LC_CTYPE; by default the same as collation.'),
  localeProvider: z
    .enum(['libc', 'icu', 'builtin'])
    .optional()
    .describe('PostgreSQL ≥15 (builtin ≥17): who compares text.'),
  locale: z.string().min(1).optional().describe('PostgreSQL: locale of the icu or builtin provider.'),
  icuRules: z.string().min(1).optional().describe('PostgreSQL ≥16: additional collation rules of the icu provider.'),
  template: sqlName(
    'PostgreSQL: database that is copied; template0 when encoding or a locale is given, else template1.',
  ).optional(),
  tablespace: sqlName('PostgreSQL: default tablespace.').optional(),
  strategy: z.enum(['WAL_LOG', 'FILE_COPY']).optional().describe('PostgreSQL ≥15: how the template is copied.'),
  characterSet: z.string().min(1).optional().describe('MySQL and MariaDB: character set; utf8mb4 when not given.'),
  comment: z.string().optional().describe('MariaDB: comment of the database.'),
  allowConnections: z.boolean().optional().describe('PostgreSQL: whether anybody may connect.'),
  connectionLimit: z
    .int()
    .min(-1)
    .max(2_147_483_647)
    .optional()
    .describe('PostgreSQL: sessions at a time; -1 means no limit.'),
  isTemplate: z.boolean().optional().describe('PostgreSQL: whether roles with CREATEDB may copy it.'),
  settings: settings('PostgreSQL: settings of new sessions in this database (ALTER DATABASE … SET).'),
  initSQL: z
    .string()
    .max(65536)
    .optional()
    .describe(
      'SQL that runs once, inside the new database: as its owner, or on MySQL and MariaDB as a login that may do anything in it and nothing elsewhere. The outcome is recorded; it never runs again.',
    ),
  adopt,
  dropPolicy,
  expiresAt: timestamp
    .optional()
    .describe(
      'When it ends (RFC 3339): the database is then dropped by dropPolicy, as if this resource were deleted, and not made again. A later time brings it back.',
    ),
});

const atProvider = z.object({
  owner: z.string().optional().describe('Role that owns the database.'),
  encoding: z.string().optional().describe('Character encoding or character set.'),
  collation: z.string().optional().describe('Collation.'),
  initSQL: z.enum(['Succeeded', 'Failed']).optional().describe('Outcome of initSQL.'),
  expiresAt: timestamp.optional().describe('The end that was judged to have come.'),
  expired: z
    .enum(['Dropping', 'Dropped', 'Kept'])
    .optional()
    .describe('What became of the database at its end; Kept by dropPolicy.'),
});

export const DatabaseKind = defineManaged({
  group: 'sql',
  kind: 'Database',
  plural: 'databases',
  description: 'Database is one database on a server. Its name on the server is the external name.',
  forProvider,
  atProvider,
  references: [{ field: 'owner', kind: 'Role' }],
  immutable: ['template', 'strategy', 'encoding', 'localeProvider', 'locale', 'icuRules', 'characterClassification'],
});

export type DatabaseParameters = z.infer<typeof forProvider>;
export type DatabaseObservation = z.infer<typeof atProvider>;
export type Database = Managed<DatabaseParameters, DatabaseObservation>;
