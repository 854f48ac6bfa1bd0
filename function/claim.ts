/** The claim: what an application team asks for. One schema gives its type, its run-time check and the XRDs. */
import { z } from 'zod';
import { dropPolicy, secretKeyRef, settings } from '../provider/api/common.ts';
import { matching } from '../provider/api/text.ts';
import { ClaimError, refusalOf } from './errors.ts';
import { strict } from './strict.ts';

export const ENGINES = ['postgres', 'mysql', 'mariadb', 'cockroachdb'] as const;
export type EngineName = (typeof ENGINES)[number];

export const ACCESS = ['owner', 'readWrite', 'readOnly'] as const;
export type Access = (typeof ACCESS)[number];

/** Most roles of one claim. */
export const MAX_ROLES = 32;

/** What a list is told apart by: the API server then refuses a second entry of the same name. */
const byName = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] } as const;

const label = (maxLength: number) =>
  matching(
    /^[a-z]([a-z0-9-]*[a-z0-9])?$/,
    'must be lower-case letters, digits and -, beginning with a letter and not ending with -',
    maxLength,
  );

const sqlName = (what: string) => z.string().min(1).max(63).describe(what);

export const serverRef = z
  .object({
    kind: z
      .enum(['ProviderConfig', 'ClusterProviderConfig'])
      .default('ClusterProviderConfig')
      .describe('ClusterProviderConfig (a server that the platform shares) or ProviderConfig (of this namespace).'),
    name: z.string().min(1).max(253).describe('Name of the configuration.'),
  })
  .describe('The server, by the configuration that names it.');

const role = z.object({
  name: label(40).describe('Name of the role in this claim; its Secret is <name of the claim>-<name>.'),
  access: z
    .enum(ACCESS)
    .describe(
      'owner may make and change tables; readWrite may read and change rows and call routines; readOnly may read rows.',
    ),
  username: sqlName('Name on the server; <databaseName>_<name> when not given.').optional(),
  connectionLimit: z.int().min(-1).max(2_147_483_647).optional().describe('Sessions at a time; -1 means no limit.'),
  memberOf: z
    .array(sqlName('Name on the server of a group role.'))
    .max(16)
    .meta({ 'x-kubernetes-list-type': 'set' })
    .optional()
    .describe('PostgreSQL and CockroachDB: other group roles that it joins, by their names on the server.'),
  passwordSecretRef: secretKeyRef('Secret with the password; when not given, one is generated.').optional(),
});

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
  database: z
    .object({
      encoding: z.string().min(1).max(64).optional().describe('Character encoding or character set, e.g. UTF8.'),
      collation: z.string().min(1).max(128).optional().describe('Collation, e.g. C or utf8mb4_0900_ai_ci.'),
      connectionLimit: z.int().min(-1).max(2_147_483_647).optional().describe('PostgreSQL: sessions at a time.'),
      settings: settings('PostgreSQL and CockroachDB: settings of new sessions in the database.'),
    })
    .optional()
    .describe('How the database is made.'),
  schemas: z
    .array(z.object({ name: sqlName('Name of the schema.') }))
    .max(32)
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
      }),
    )
    .max(32)
    .meta(byName)
    .optional()
    .describe('PostgreSQL: extensions of the database.'),
  roles: z.array(role).max(MAX_ROLES).meta(byName).optional().describe('Logins of the application.'),
  dropPolicy: dropPolicy.describe(
    'What deletion of the claim does to the database and its schemas: WhenEmpty (the default) drops them only when they hold nothing, Always drops them with all they hold, Never leaves them.',
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
  .object({ name: z.string().min(1).max(253).describe('Name of the Secret.') })
  .optional()
  .describe('Secret in this namespace that receives the credentials of connectionRole.');

/** The spec of a claim of the v1 XRD, whose writeConnectionSecretToRef is Crossplane's own. */
export const claimSpecV1 = z.object(fields);
/** The spec of a namespaced composite of the v2 XRD. */
export const claimSpecV2 = z.object({ ...fields, writeConnectionSecretToRef });

export type ClaimSpec = z.output<typeof claimSpecV2>;
export type ClaimRole = z.output<typeof role>;

/** Rules on the whole spec that the API server answers for. */
export const claimRules = [
  ...(['engine', 'serverRef', 'class', 'databaseName'] as const).map((field) => ({
    rule: `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: `${field} cannot be changed: it would be another database; make another claim`,
  })),
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

/** What Crossplane itself keeps in the spec of a composite. */
const MACHINERY = new Set([
  'crossplane',
  'claimRef',
  'compositionRef',
  'compositionSelector',
  'compositionRevisionRef',
  'compositionRevisionSelector',
  'compositionUpdatePolicy',
  'compositeDeletePolicy',
  'publishConnectionDetailsTo',
  'environmentConfigRefs',
  'resourceRef',
  'resourceRefs',
]);

const strictClaim = strict(claimSpecV2);

/**
 * @param legacy Whether writeConnectionSecretToRef is Crossplane's own.
 * @throws ClaimError with the path of the first wrong field. The API server refuses most of it earlier; it is checked
 *   again here because tools call the function without one.
 */
export function parseClaim(spec: Record<string, unknown>, legacy: boolean): ClaimSpec {
  const own = Object.fromEntries(
    Object.entries(spec).filter(([key]) => !MACHINERY.has(key) && !(legacy && key === 'writeConnectionSecretToRef')),
  );
  const result = strictClaim.safeParse(own);
  if (!result.success) throw refusalOf('spec', own, result.error);
  for (const list of ['roles', 'schemas', 'extensions'] as const) onlyOnce(list, result.data[list] ?? []);
  return result.data;
}

function onlyOnce(list: string, entries: readonly { name: string }[]): void {
  const seen = new Set<string>();
  for (const [index, { name }] of entries.entries()) {
    if (seen.has(name)) throw new ClaimError(`spec.${list}[${index}].name`, `${JSON.stringify(name)} is given twice`);
    seen.add(name);
  }
}
