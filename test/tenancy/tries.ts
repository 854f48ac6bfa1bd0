/**
 * Every way in which one namespace of a shared server could reach what is another's, or raise its own rights, and what
 * refuses it. test/e2e/isolation.test.ts tries them all; fields.test.ts sees to it that no field of a kind is missing.
 *
 * Names: `iso_a…` is namespace a's. `iso_b…` is b's own. The platform has role `iso_dba` and database `iso_platform`, and
 * in b's database what begins with `platform`. Namespace b has resources that claim the platform's two as well.
 */

export interface Try {
  kind: string;
  /** The fields of the kind that this is about; `metadata` for the name on the server. */
  fields: readonly string[];
  forProvider?: Record<string, unknown>;
  initProvider?: Record<string, unknown>;
  externalName?: string;
  /** With annotations that say that the object was made by this resource. */
  isForged?: boolean;
  /** Reason of Synced=False. */
  reason: string;
}

type Fields = Record<string, unknown>;

const database = 'iso_b';
const role = 'iso_b_app';
const SCHEMA = { database, schema: 'b_app' };

/** As forProvider, and as initProvider over what the kind needs. */
const both = (kind: string, field: string, value: unknown, reason: string, needed: Fields = {}): Try[] => [
  { kind, fields: [field], forProvider: { ...needed, [field]: value }, reason },
  { kind, fields: [field], forProvider: needed, initProvider: { [field]: value }, reason },
];

/** A reference or a selector finds what is in the same namespace only. */
const referring = (kind: string, field: string, name: string, needed: Fields = {}): Try[] => [
  {
    kind,
    fields: [`${field}Ref`],
    forProvider: { ...needed, [`${field}Ref`]: { name } },
    reason: 'ReferenceNotFound',
  },
  {
    kind,
    fields: [`${field}Selector`],
    forProvider: { ...needed, [`${field}Selector`]: { matchLabels: { team: 'a' } } },
    reason: 'ReferenceNotFound',
  },
];

const withSetting = (kind: string, field: string, name: string): Try[] =>
  both(kind, field, [{ name, value: 'on' }], 'SettingNotAllowed').map((tried) => ({
    ...tried,
    fields: [`${field}[].name`, `${field}[].value`],
  }));

/** What only a superuser may set, what a module may turn out to keep for superusers, and what only looks like a setting. */
const SETTINGS = [
  'log_statement',
  'session_preload_libraries',
  'session_replication_role',
  'lo_compat_privileges',
  'shared_preload_libraries',
  'plperl.on_plperl_init',
  'app.tenant',
  'role',
  'session_authorization',
];

const databases: Try[] = [
  ...both('Database', 'owner', 'iso_a_owner', 'NotYours'),
  ...both('Database', 'owner', 'iso_dba', 'NotYours'),
  ...both('Database', 'owner', 'pg_read_all_data', 'NotYours'),
  ...referring('Database', 'owner', 'a-owner'),
  ...both('Database', 'template', 'iso_a', 'NotYours'),
  ...both('Database', 'template', 'iso_platform', 'NotYours'),
  ...both('Database', 'template', 'postgres', 'NotYours'),
  ...both('Database', 'tablespace', 'iso_space', 'PrivilegeNotAllowed'),
  ...both('Database', 'adopt', true, 'AdoptionNotAllowed'),
  ...SETTINGS.flatMap((name) => withSetting('Database', 'settings', name)),
  { kind: 'Database', fields: ['initSQL'], forProvider: { initSQL: 'SELECT 1' }, reason: 'InvalidSpec' },
  { kind: 'Database', fields: ['metadata'], externalName: 'iso_a', reason: 'AlreadyManaged' },
  { kind: 'Database', fields: ['metadata'], externalName: 'postgres', reason: 'ReservedName' },
  { kind: 'Database', fields: ['metadata'], externalName: 'iso_legacy', reason: 'AlreadyExists' },
  {
    kind: 'Database',
    fields: ['metadata', 'owner', 'dropPolicy'],
    externalName: 'iso_orphan',
    isForged: true,
    forProvider: { owner: 'iso_b_owner', dropPolicy: 'Always' },
    reason: 'NotYours',
  },
];

const schemas: Try[] = [
  ...both('Schema', 'database', 'iso_a', 'NotYours', { owner: 'iso_b_owner' }).slice(0, 1),
  { kind: 'Schema', fields: ['database'], forProvider: { database: 'iso_platform' }, reason: 'NotYours' },
  {
    kind: 'Schema',
    fields: ['metadata'],
    forProvider: { database: 'iso_a' },
    externalName: 'a_app',
    reason: 'AlreadyManaged',
  },
  ...referring('Schema', 'database', 'a-db'),
  ...both('Schema', 'owner', 'iso_a_owner', 'NotYours', { database }),
  ...both('Schema', 'owner', 'iso_dba', 'NotYours', { database }),
  ...referring('Schema', 'owner', 'a-owner', { database }),
  {
    kind: 'Schema',
    fields: ['adopt', 'metadata', 'revokePublicOnSchema'],
    forProvider: { database, adopt: true, owner: 'iso_b_owner', revokePublicOnSchema: true },
    externalName: 'platform',
    reason: 'NotYours',
  },
  {
    kind: 'Schema',
    fields: ['metadata'],
    forProvider: { database },
    externalName: 'pg_catalog',
    reason: 'ReservedName',
  },
];

/** Two resources for one extension would refuse each other: each try has one of its own. */
const own = (extension: string): Fields => ({ database, extension });

const extensions: Try[] = [
  { kind: 'Extension', fields: ['database'], forProvider: { ...own('hstore'), database: 'iso_a' }, reason: 'NotYours' },
  ...referring('Extension', 'database', 'a-db', { extension: 'hstore' }),
  { kind: 'Extension', fields: ['extension'], forProvider: own('dblink'), reason: 'ExtensionNotAllowed' },
  {
    kind: 'Extension',
    fields: ['cascade'],
    forProvider: { ...own('cube'), cascade: true },
    reason: 'ExtensionNotAllowed',
  },
  {
    kind: 'Extension',
    fields: ['cascade'],
    forProvider: own('seg'),
    initProvider: { cascade: true },
    reason: 'ExtensionNotAllowed',
  },
  { kind: 'Extension', fields: ['schema'], forProvider: { ...own('isn'), schema: 'pg_catalog' }, reason: 'NotYours' },
  { kind: 'Extension', fields: ['schema'], forProvider: { ...own('ltree'), schema: 'platform' }, reason: 'NotYours' },
  {
    kind: 'Extension',
    fields: ['schema'],
    forProvider: own('intarray'),
    initProvider: { schema: 'platform' },
    reason: 'NotYours',
  },
  ...referring('Extension', 'schema', 'a-schema', own('tcn')),
];

const ATTRIBUTES = ['superUser', 'createDb', 'createRole', 'replication', 'bypassRls'];

const roles: Try[] = [
  ...ATTRIBUTES.flatMap((attribute) =>
    both('Role', 'privileges', { [attribute]: true }, 'AttributeNotAllowed').map((tried) => ({
      ...tried,
      fields: [`privileges.${attribute}`],
    })),
  ),
  ...SETTINGS.filter((name) => name !== 'role').flatMap((name) => withSetting('Role', 'configurationParameters', name)),
  ...['iso_a_owner', 'iso_dba'].flatMap((value) =>
    both('Role', 'configurationParameters', [{ name: 'role', value }], 'NotYours').map((tried) => ({
      ...tried,
      fields: ['configurationParameters[].value'],
    })),
  ),
  ...['iso_a_owner', 'iso_a_app', 'iso_dba', 'postgres', 'pg_read_all_data', 'pg_execute_server_program'].flatMap(
    (of) =>
      both('Role', 'memberOf', [{ role: of }], 'NotYours').map((tried) => ({ ...tried, fields: ['memberOf[].role'] })),
  ),
  {
    kind: 'Role',
    fields: ['memberOf[].roleRef'],
    forProvider: { memberOf: [{ roleRef: { name: 'a-owner' } }] },
    reason: 'ReferenceNotFound',
  },
  {
    kind: 'Role',
    fields: ['memberOf[].roleSelector'],
    forProvider: { memberOf: [{ roleSelector: { matchLabels: { team: 'a' } } }] },
    reason: 'ReferenceNotFound',
  },
  ...both('Role', 'connectionDatabase', 'iso_a', 'NotYours'),
  ...referring('Role', 'connectionDatabase', 'a-db'),
  ...both('Role', 'onDelete', { reassignOwnedTo: 'iso_a_owner' }, 'NotYours').map((tried) => ({
    ...tried,
    fields: ['onDelete.reassignOwnedTo'],
  })),
  ...both('Role', 'onDelete', { reassignOwnedToAdmin: true }, 'NotYours').map((tried) => ({
    ...tried,
    fields: ['onDelete.reassignOwnedToAdmin'],
  })),
  ...both('Role', 'adopt', true, 'AdoptionNotAllowed'),
  { kind: 'Role', fields: ['metadata'], externalName: 'iso_a_app', reason: 'AlreadyManaged' },
  { kind: 'Role', fields: ['metadata'], externalName: 'postgres', reason: 'ReservedName' },
  { kind: 'Role', fields: ['metadata'], externalName: 'iso_legacy', reason: 'NotYours' },
  { kind: 'Role', fields: ['metadata'], externalName: 'iso_orphan', isForged: true, reason: 'NotYours' },
];

const SELECT = { privileges: ['SELECT'] };

const grants: Try[] = [
  ...['iso_a_app', 'iso_dba', 'postgres'].map(
    (grantee): Try => ({
      kind: 'Grant',
      fields: ['role'],
      forProvider: { role: grantee, database, privileges: ['CONNECT'] },
      reason: 'NotYours',
    }),
  ),
  ...referring('Grant', 'role', 'a-app', { database, privileges: ['CONNECT'] }),
  ...['iso_a', 'iso_platform', 'postgres'].flatMap((of) =>
    [role, 'PUBLIC'].map(
      (grantee): Try => ({
        kind: 'Grant',
        fields: ['database'],
        forProvider: { role: grantee, database: of, privileges: ['CONNECT'], exclusive: true },
        reason: 'NotYours',
      }),
    ),
  ),
  ...referring('Grant', 'database', 'a-db', { role, privileges: ['CONNECT'] }),
  ...['iso_a_owner', 'iso_dba', 'postgres', 'pg_monitor'].map(
    (group): Try => ({
      kind: 'Grant',
      fields: ['memberOf'],
      forProvider: { role, memberOf: group },
      reason: 'NotYours',
    }),
  ),
  { kind: 'Grant', fields: ['role'], forProvider: { role: 'iso_a_app', memberOf: 'iso_b_owner' }, reason: 'NotYours' },
  ...referring('Grant', 'memberOf', 'a-owner', { role }),
  ...both('Grant', 'grantor', 'iso_a_owner', 'NotYours', { role, database, privileges: ['CONNECT'] }),
  ...referring('Grant', 'grantor', 'a-owner', { role, database, privileges: ['CONNECT'] }),
  ...referring('Grant', 'schema', 'a-schema', { role, database, privileges: ['USAGE'] }),
  ...['pg_catalog', 'information_schema', 'platform'].map(
    (schema): Try => ({
      kind: 'Grant',
      fields: ['schema'],
      forProvider: { role, database, schema, privileges: ['CREATE'] },
      reason: 'NotYours',
    }),
  ),
  {
    kind: 'Grant',
    fields: ['schema', 'tables', 'columns'],
    forProvider: { role, database, schema: 'pg_catalog', tables: ['pg_authid'], columns: ['rolpassword'], ...SELECT },
    reason: 'NotYours',
  },
  ...(
    [
      ['tables', ['platform_table'], 'SELECT'],
      ['sequences', ['platform_sequence'], 'USAGE'],
      ['routines', [{ name: 'platform_function' }], 'EXECUTE'],
      ['types', ['platform_type'], 'USAGE'],
    ] as const
  ).flatMap(([field, value, privilege]): Try[] => [
    {
      kind: 'Grant',
      fields: field === 'routines' ? ['routines[].name', 'routines[].args', 'routines[].type'] : [field],
      forProvider: { ...SCHEMA, role, [field]: value, privileges: [privilege] },
      reason: 'NotYours',
    },
    {
      kind: 'Grant',
      fields:
        field === 'routines'
          ? ['also[].routines[].name', 'also[].routines[].args', 'also[].routines[].type']
          : [`also[].${field}`],
      forProvider: {
        database,
        role,
        privileges: ['CONNECT'],
        also: [{ schema: 'b_app', [field]: value, privileges: [privilege] }],
      },
      reason: 'NotYours',
    },
  ]),
  {
    kind: 'Grant',
    fields: ['also[].schema', 'also[].privileges', 'also[].columns'],
    forProvider: {
      database,
      role,
      privileges: ['CONNECT'],
      also: [{ schema: 'pg_catalog', tables: ['pg_authid'], columns: ['rolpassword'], ...SELECT }],
    },
    reason: 'NotYours',
  },
  ...(
    [
      ['languages', ['plpgsql'], 'USAGE', { database }],
      ['foreignDataWrappers', ['platform_wrapper'], 'USAGE', { database }],
      ['tablespaces', ['iso_space'], 'CREATE', {}],
      ['parameters', ['log_statement'], 'SET', {}],
      ['system', true, 'CREATE', {}],
    ] as const
  ).map(
    ([field, value, privilege, needed]): Try => ({
      kind: 'Grant',
      fields: [field, 'privileges'],
      forProvider: { ...needed, role, [field]: value, privileges: [privilege] },
      reason: 'PrivilegeNotAllowed',
    }),
  ),
  { kind: 'Grant', fields: ['proxyOf'], forProvider: { role, proxyOf: 'iso_a_app' }, reason: 'NotYours' },
  ...referring('Grant', 'proxyOf', 'a-app', { role }),
  {
    kind: 'Grant',
    fields: ['databasePattern'],
    forProvider: { role, databasePattern: 'iso%', privileges: ['CONNECT'] },
    reason: 'PrivilegeNotAllowed',
  },
  {
    kind: 'Grant',
    fields: ['foreignServers'],
    forProvider: { database, role, foreignServers: ['platform_server'], privileges: ['USAGE'] },
    reason: 'NotYours',
  },
  {
    kind: 'Grant',
    fields: ['largeObjects'],
    forProvider: { database, role, largeObjects: ['4242'], ...SELECT },
    reason: 'NotYours',
  },
];

const RULE = { objectType: 'table', privileges: ['SELECT'] };

const defaults: Try[] = [
  ...(
    [
      ['database', { database: 'iso_a', targetRole: 'iso_b_owner', role }],
      ['database', { database: 'iso_platform', targetRole: 'iso_b_owner', role }],
      ['targetRole', { database, targetRole: 'iso_a_owner', role }],
      ['targetRole', { database, targetRole: 'iso_dba', role }],
      ['targetRole', { database, targetRole: 'postgres', role: 'PUBLIC' }],
      ['role', { database, targetRole: 'iso_b_owner', role: 'iso_a_app' }],
      ['schema', { database, targetRole: 'iso_b_owner', role, schema: 'pg_catalog' }],
    ] as const
  ).map(
    ([field, fields]): Try => ({
      kind: 'DefaultPrivileges',
      fields: [field],
      forProvider: { ...RULE, ...fields },
      reason: 'NotYours',
    }),
  ),
  ...referring('DefaultPrivileges', 'database', 'a-db', { ...RULE, targetRole: 'iso_b_owner', role }),
  ...referring('DefaultPrivileges', 'targetRole', 'a-owner', { ...RULE, database, role }),
  ...referring('DefaultPrivileges', 'role', 'a-app', { ...RULE, database, targetRole: 'iso_b_owner' }),
  ...referring('DefaultPrivileges', 'schema', 'a-schema', { ...RULE, database, targetRole: 'iso_b_owner', role }),
];

export const tries: readonly Try[] = [...databases, ...schemas, ...extensions, ...roles, ...grants, ...defaults];

/** Fields that name nothing of others and raise nothing, and why. */
export const harmless: Readonly<Record<string, readonly [why: string, ...fields: string[]]>> = {
  Database: [
    "what a new database is like, and how many may use it: it is its namespace's own",
    'encoding',
    'collation',
    'characterClassification',
    'localeProvider',
    'locale',
    'icuRules',
    'strategy',
    'characterSet',
    'comment',
    'allowConnections',
    'connectionLimit',
    'isTemplate',
    'expiresAt',
  ],
  Schema: ['what becomes of its own schema', 'dropPolicy'],
  Extension: [
    'a version that the server offers; an extension of its own database that is on the list',
    'version',
    'adopt',
  ],
  Role: [
    'how its own login is, and Secrets of the same namespace; the rest is of other engines',
    'privileges.login',
    'privileges.inherit',
    'connectionLimit',
    'memberOf[].admin',
    'memberOf[].inherit',
    'memberOf[].set',
    'validUntil',
    'host',
    'require.type',
    'require.subject',
    'require.issuer',
    'require.cipher',
    'resourceOptions.maxQueriesPerHour',
    'resourceOptions.maxUpdatesPerHour',
    'resourceOptions.maxConnectionsPerHour',
    'resourceOptions.maxUserConnections',
    'authenticationPlugin.name',
    'authenticationPlugin.authString',
    'accountLocked',
    'passwordSecretRef.name',
    'passwordSecretRef.key',
    'passwordRotation.every',
    'passwordRotation.trigger',
    'passwordRotation.overlap',
    'passwordLifetimeDays',
    'onDelete.dropOwned',
    'onDelete.keepIfOwner',
    'onDelete.revokeGrants',
  ],
  Grant: ['how its own rights are given', 'withOption', 'withInherit', 'withSet', 'exclusive'],
  DefaultPrivileges: ['what new objects of its own roles give', 'objectType', 'privileges', 'withOption'],
};
