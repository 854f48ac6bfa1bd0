/** The claim: what an application team asks for. One schema gives its type, its run-time check and the XRDs. */
import { z } from 'zod';
import { settings } from '../provider/api/common.ts';
import { ENGINES } from '../provider/api/engines.ts';
import { duration } from '../provider/api/text.ts';
import { backup, source } from './claim-backup.ts';
import { byName, objectName, passwordRotation, serverRef, sessions, sqlName } from './claim-fields.ts';
import { MAX_ROLES, role } from './claim-role.ts';

export { type ClaimBackup, type ClaimSource } from './claim-backup.ts';
export { serverRef } from './claim-fields.ts';
export { ACCESS, type Access, type ClaimRole, MAX_ROLES } from './claim-role.ts';

/** Most schemas of one claim: what a group may do in all of them is one Grant, of at most 64 parts. */
export const MAX_SCHEMAS = 20;
/** Most extensions of one claim. */
const MAX_EXTENSIONS = 32;

/** What the platform may also give, as a default for all claims or for those of a class. */
export const defaultable = {
  database: z
    .object({
      encoding: z.string().min(1).max(64).optional().describe('Character encoding or character set, e.g. UTF8.'),
      collation: z.string().min(1).max(128).optional().describe('Collation, e.g. C or utf8mb4_0900_ai_ci.'),
      localeProvider: z
        .enum(['libc', 'icu', 'builtin'])
        .optional()
        .describe('PostgreSQL ≥15 (builtin ≥17): who compares text.'),
      locale: z.string().min(1).max(128).optional().describe('PostgreSQL: locale of the icu or builtin provider.'),
      connectionLimit: sessions('PostgreSQL: sessions at a time.'),
      settings: settings('PostgreSQL and CockroachDB: settings of new sessions in the database.'),
      initSQL: z
        .string()
        .min(1)
        .max(65_536)
        .optional()
        .describe(
          'SQL that runs once in the new database: as its owner, or on MySQL and MariaDB with all rights in it and none elsewhere.',
        ),
    })
    .optional()
    .describe('How the database is made.'),
  schemas: z
    .array(z.object({ name: sqlName('Name of the schema.') }))
    .max(MAX_SCHEMAS)
    .meta(byName)
    .optional()
    .describe(
      'PostgreSQL and CockroachDB: schemas of the database, beside public. The roles get their rights in these; without any, in public. List public too to keep it.',
    ),
  extensions: z
    .array(
      z.object({
        name: sqlName('Name of the extension.'),
        version: z.string().min(1).max(64).optional().describe('Version; the one that the server offers by default.'),
        schema: sqlName('Schema that receives its objects.').optional(),
        cascade: z.boolean().optional().describe('Whether extensions that this one needs are installed too.'),
      }),
    )
    .max(MAX_EXTENSIONS)
    .meta(byName)
    .optional()
    .describe('PostgreSQL: extensions of the database.'),
  roles: z.array(role).max(MAX_ROLES).meta(byName).optional().describe('Logins of the application.'),
  passwordRotation: passwordRotation.describe('When the generated passwords of all roles are replaced.'),
  backup: backup.describe('Backups of the database, made by a BackupSchedule.'),
  expiresAfter: duration
    .optional()
    .describe(
      'How long after its creation it ends, e.g. 72h: logins and privileges go, and the database by its dropPolicy, as if the claim were deleted. The claim stays, and a later time brings everything back that was kept.',
    ),
  dropPolicy: z
    .enum(['WhenEmpty', 'Always', 'Never'])
    .optional()
    .describe(
      'What deletion of the claim does to the database and its schemas: WhenEmpty (the default) drops them only when they hold nothing, Always drops them with all they hold, Never leaves them.',
    ),
  deletionPolicy: z
    .enum(['Delete', 'Orphan'])
    .optional()
    .describe(
      'What deletion of the claim does to the server: Delete (the default) removes roles and privileges, and the database by dropPolicy; Orphan leaves everything as it is.',
    ),
};

const fields = {
  engine: z
    .enum(ENGINES)
    .optional()
    .describe('Engine of the server; that of the class, or else postgres, when not given. Cannot be changed.'),
  serverRef: serverRef.optional().describe('The server, by the configuration that names it. Cannot be changed.'),
  class: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe('Kind of server, as the platform calls it; instead of serverRef. Cannot be changed.'),
  databaseName: sqlName(
    'Name of the database; the name of the claim, with _ for -, when not given. Cannot be changed.',
  ).optional(),
  ...defaultable,
  source,
  suspended: z
    .boolean()
    .optional()
    .describe(
      'Whether nobody may log in any more. Data, privileges and passwords stay as they are; sessions that are open stay open, and backups go on.',
    ),
  adopt: z
    .boolean()
    .default(false)
    .describe('Whether a database, schema or role that exists already under such a name may be taken over.'),
  connectionRole: z
    .string()
    .min(1)
    .max(40)
    .optional()
    .describe(
      'Role whose credentials the connection Secret holds; when not given, the first with access readWrite, or else the first owner, or else the first.',
    ),
};

const writeConnectionSecretToRef = z
  .object({ name: objectName('Name of the Secret.') })
  .optional()
  .describe('Secret in this namespace that receives the credentials of connectionRole.');

/** The spec of a claim of the v1 XRD, whose writeConnectionSecretToRef is Crossplane's own. */
export const claimSpecV1 = z.object(fields);
/** The spec of a namespaced composite of the v2 XRD. */
export const claimSpecV2 = z.object({ ...fields, writeConnectionSecretToRef });

export type ClaimSpec = z.output<typeof claimSpecV2>;

/** Rules on the whole spec that the API server answers for. */
export const claimRules = [
  ...(['engine', 'serverRef', 'class', 'databaseName'] as const).map((field) => ({
    rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: `${field} cannot be changed: it would be another database; make another claim`,
  })),
  {
    rule: 'has(self.source) == has(oldSelf.source) && (!has(self.source) || self.source == oldSelf.source)',
    message: 'source cannot be changed: data is brought once, into a new database; make another claim',
  },
  { rule: '!(has(self.serverRef) && has(self.class))', message: 'either serverRef or class can be given' },
  {
    rule: '!has(self.connectionRole) || (has(self.roles) && self.roles.exists(x, x.name == self.connectionRole))',
    message: 'connectionRole must be the name of one of the roles',
  },
  {
    rule: "!has(self.engine) || !(self.engine == 'mysql' || self.engine == 'mariadb') || !(has(self.schemas) || has(self.extensions))",
    message: 'schemas and extensions are not known to mysql and mariadb',
  },
];
