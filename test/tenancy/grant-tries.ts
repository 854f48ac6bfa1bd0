import { both, database, referring, role, SCHEMA, type Try } from './try.ts';

const SELECT = { privileges: ['SELECT'] };

export const grants: Try[] = [
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

export const defaults: Try[] = [
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
