import { z } from 'zod';
import { defineManaged, isNamed, referable, sqlName } from './common.ts';
import type { Managed } from './kind.ts';
import { matching, privilege } from './text.ts';

const names = (what: string) => z.array(sqlName('One name, or * for all.')).min(1).optional().describe(what);

const routine = z.object({
  name: sqlName('Name of the function, procedure or aggregate, or * for all.'),
  args: z
    .array(z.string())
    .optional()
    .describe('Types of the arguments, to choose one of several routines of that name.'),
  type: z
    .enum(['function', 'procedure'])
    .optional()
    .describe('MySQL and MariaDB: which of the two, where a function and a procedure have one name.'),
});

const objectsOfSchema = {
  tables: names(
    'Tables, views, materialized views, partitioned and foreign tables of the schema; * is all of them, those to come included.',
  ),
  columns: z.array(sqlName('Name of a column.')).min(1).optional().describe('Columns of the one table in tables.'),
  sequences: names('Sequences of the schema; * is all of them.'),
  routines: z.array(routine).min(1).optional().describe('Functions, procedures and aggregates of the schema.'),
  types: names('Types and domains of the schema.'),
};

const part = z.object({
  privileges: z.array(privilege).max(128).describe('Privileges to grant on these objects, e.g. SELECT.'),
  schema: sqlName(
    'Schema that is granted on, or that holds the objects; by default that of the Grant. Without any, the privileges are on the database.',
  ).optional(),
  ...objectsOfSchema,
});

const forProvider = z.object({
  privileges: z
    .array(privilege)
    .max(128)
    .optional()
    .describe(
      'Privileges to grant, e.g. SELECT; ALL means every privilege that the server has for that object; [] with exclusive takes everything away.',
    ),
  withOption: z.boolean().optional().describe('WITH GRANT OPTION: whether the grantee may pass the privileges on.'),
  ...referable('role', 'Role', 'Role that receives the privileges; PUBLIC means everybody.'),
  ...referable('database', 'Database', 'Database that is granted on, or that holds what is granted on.'),
  ...referable('schema', 'Schema', 'Schema that is granted on, or that holds what is granted on.'),
  ...objectsOfSchema,
  languages: names('Procedural languages of the database.'),
  foreignDataWrappers: names('Foreign-data wrappers of the database.'),
  foreignServers: names('Foreign servers of the database.'),
  tablespaces: names('Tablespaces of the server.'),
  parameters: names('PostgreSQL ≥15: configuration parameters of the server.'),
  largeObjects: z
    .array(matching(/^[0-9]+$/, 'must be the oid of a large object', 10))
    .min(1)
    .max(256)
    .optional()
    .describe('Large objects of the database, by oid.'),
  also: z
    .array(part)
    .min(1)
    .max(64)
    .optional()
    .describe(
      'More for the same role in the same database, so that one Grant can say all that a role may do there. Each entry is about objects that no other part of the Grant is about; withOption, grantor and exclusive hold for all.',
    ),
  ...referable('memberOf', 'Role', 'Group that the role becomes a member of.'),
  withInherit: z
    .boolean()
    .optional()
    .describe(
      'With memberOf: on PostgreSQL ≥16, WITH INHERIT: whether the rights of the group apply without SET ROLE. On MySQL and MariaDB: whether the group is a default role, as it is when not given; MariaDB has one, so there it is the first.',
    ),
  withSet: z
    .boolean()
    .optional()
    .describe('With memberOf on PostgreSQL ≥16, WITH SET: whether SET ROLE to the group is allowed.'),
  system: z.boolean().optional().describe('MySQL and MariaDB: on *.*; CockroachDB: system privileges.'),
  databasePattern: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'MySQL and MariaDB: every database whose name matches, those to come included. As in GRANT, _ is any character, % any characters, and a backslash makes the next one plain; in database they are always plain.',
    ),
  ...referable('proxyOf', 'Role', 'MySQL and MariaDB: account that the role may act as (GRANT PROXY), e.g. app@%.'),
  ...referable('grantor', 'Role', 'Role whose rights are used; by default the owner of the object.'),
  exclusive: z
    .boolean()
    .optional()
    .describe(
      'Also removes what others granted to this role on these objects. By default only what this resource granted is ever revoked.',
    ),
});

const atProvider = z.object({
  granted: z.array(z.string()).optional().describe('What this resource granted, in words; the first 20.'),
  objects: z.int().optional().describe('How many objects the grant covers.'),
});

const object = (self: string) =>
  `[has(${self}.tables), has(${self}.sequences), has(${self}.routines), has(${self}.types), has(${self}.languages), has(${self}.foreignDataWrappers), has(${self}.foreignServers), has(${self}.tablespaces), has(${self}.parameters), has(${self}.largeObjects), ${isNamed('memberOf')}, has(${self}.system) && ${self}.system, has(${self}.databasePattern), ${isNamed('proxyOf')}]`;

export const GrantKind = defineManaged({
  group: 'sql',
  kind: 'Grant',
  plural: 'grants',
  description:
    'Grant gives one role privileges on objects of a database or server, and takes back exactly what it gave.',
  forProvider,
  atProvider,
  references: [
    { field: 'role', kind: 'Role' },
    { field: 'database', kind: 'Database' },
    { field: 'schema', kind: 'Schema' },
    { field: 'memberOf', kind: 'Role' },
    { field: 'proxyOf', kind: 'Role' },
    { field: 'grantor', kind: 'Role' },
  ],
  immutable: ['role', 'database', 'schema', 'memberOf', 'proxyOf'],
  rules: [
    {
      rule: isNamed('role'),
      message: 'forProvider.role, roleRef or roleSelector is required (role: PUBLIC means everybody)',
    },
    {
      rule: `${object('self.forProvider')}.filter(x, x).size() <= 1`,
      message:
        'forProvider takes one of tables, sequences, routines, types, languages, foreignDataWrappers, foreignServers, tablespaces, parameters, largeObjects, memberOf, system, databasePattern and proxyOf: put the others under also, or use one Grant for each',
    },
    {
      rule: `(${isNamed('memberOf')} || ${isNamed('proxyOf')}) != has(self.forProvider.privileges)`,
      message: 'forProvider takes either privileges or memberOf or proxyOf',
    },
    {
      rule: `${isNamed('memberOf')} || ${isNamed('proxyOf')} || has(self.forProvider.databasePattern) || has(self.forProvider.tablespaces) || has(self.forProvider.parameters) || (has(self.forProvider.system) && self.forProvider.system) ? true : ${isNamed('database')}`,
      message:
        'forProvider.database, databaseRef or databaseSelector is required, except with memberOf, proxyOf, databasePattern, tablespaces, parameters and system',
    },
    {
      rule: `!(${isNamed('memberOf')} || ${isNamed('proxyOf')}) || !(${isNamed('database')} || ${isNamed('schema')})`,
      message: 'forProvider.memberOf and proxyOf are about two roles: they cannot be combined with database and schema',
    },
    {
      rule: `!has(self.forProvider.role) || self.forProvider.role != 'PUBLIC' || !(${isNamed('memberOf')} || (has(self.forProvider.withOption) && self.forProvider.withOption))`,
      message: 'role PUBLIC cannot be a member of a role, and cannot be given withOption',
    },
    {
      rule: `!has(self.forProvider.databasePattern) || !(${isNamed('database')} || ${isNamed('schema')})`,
      message: 'forProvider.databasePattern is about all databases that match: it cannot be combined with database',
    },
    {
      rule: `!${isNamed('proxyOf')} || !has(self.forProvider.withOption) || !self.forProvider.withOption`,
      message: 'forProvider.proxyOf cannot be given withOption, which would be an option on the whole server',
    },
    {
      rule: `!has(self.forProvider.also) || ${isNamed('database')}`,
      message: 'forProvider.also is about the database of the Grant: give database, databaseRef or databaseSelector',
    },
    {
      rule: '!has(self.forProvider.also) || self.forProvider.also.all(x, [has(x.tables), has(x.sequences), has(x.routines), has(x.types)].filter(y, y).size() <= 1)',
      message: 'each entry of forProvider.also takes one of tables, sequences, routines and types',
    },
    {
      rule: '!has(self.forProvider.also) || self.forProvider.also.all(x, !has(x.columns) || (has(x.tables) && x.tables.size() == 1))',
      message: 'columns in forProvider.also need exactly one table in tables',
    },
    {
      rule: '!has(self.forProvider.columns) || (has(self.forProvider.tables) && self.forProvider.tables.size() == 1)',
      message: 'forProvider.columns needs exactly one table in tables',
    },
  ],
});

export type GrantParameters = z.infer<typeof forProvider>;
export type GrantObservation = z.infer<typeof atProvider>;
export type Grant = Managed<GrantParameters, GrantObservation>;
