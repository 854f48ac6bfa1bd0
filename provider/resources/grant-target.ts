/** What the fields of a Grant name: one kind of object on the server, or the membership in a group. */
import type { GrantParameters } from '../api/grant.ts';
import { invalidSpec } from '../common/errors.ts';
import type { Grantee, ObjectTarget, ObjectType } from './model/objects.ts';
import type { ServerInfo } from './model/server.ts';
import { type ObjectPrivileges, objectPrivileges, type PrivilegeTable } from './privilege-set.ts';

export interface GrantSubject {
  type: ObjectType;
  targets: ObjectTarget[];
  /** The row of the privilege table that the words of the Grant are looked up in. */
  privileges: ObjectPrivileges;
}

/** Fields that list objects by name, and the type of those objects. */
const LISTS = {
  tables: 'table',
  sequences: 'sequence',
  types: 'type',
  languages: 'language',
  foreignDataWrappers: 'foreignDataWrapper',
  foreignServers: 'foreignServer',
  tablespaces: 'tablespace',
  parameters: 'parameter',
  largeObjects: 'largeObject',
} as const satisfies Partial<Record<keyof GrantParameters, ObjectType>>;
type ListField = keyof typeof LISTS;
const SINGLE = ['routines', 'system', 'databasePattern', 'proxyOf'] as const;
type Field = ListField | (typeof SINGLE)[number];

/** The objects that a Grant is on. Throws InvalidSpec when its fields name no object of this server. */
export function grantSubject(spec: GrantParameters, table: PrivilegeTable, server: ServerInfo): GrantSubject {
  const lists = (Object.keys(LISTS) as ListField[]).filter((field) => spec[field] !== undefined);
  const chosen: Field[] = [...lists, ...SINGLE.filter((name) => spec[name])];
  if (chosen.length > 1) throw invalidSpec(`forProvider takes one of ${chosen.join(', ')}: use one Grant for each`);
  if (spec.columns !== undefined && spec.tables?.length !== 1)
    throw invalidSpec('columns: needs exactly one table in tables');
  refuseForeign(spec, table);
  if (spec.databasePattern !== undefined && server.databaseWildcards === false)
    throw invalidSpec(
      'databasePattern: with partial_revokes, the server takes _ and % for themselves; name each database in database',
    );
  if (spec.databasePattern === '*')
    throw invalidSpec('databasePattern: * is a database of that name; % is every database');
  const [field] = chosen;
  const type = typeOf(field, spec);
  if (table.ownerless === true && isEverything(spec, field)) return whole(spec, type, table, server);
  const object = objectPrivileges(table.objects, spec.columns === undefined ? type : 'column', server);
  const within = place(spec, field ?? type, object, type);
  return { type, targets: unique(targetsOf(spec, field, type, within)), privileges: object };
}

/** Fields that say nothing on a server of that kind. */
function refuseForeign(spec: GrantParameters, { ownerless, product }: PrivilegeTable): void {
  if (ownerless !== true) {
    const typed = spec.routines?.find(({ type }) => type !== undefined);
    if (typed !== undefined) throw invalidSpec(`routines: on ${product} a routine is chosen by args, not by type`);
    return;
  }
  if (spec.grantor !== undefined) throw invalidSpec(`grantor: ${product} does not keep who granted`);
  if (spec.routines?.some(({ args }) => args !== undefined))
    throw invalidSpec(`routines: on ${product} a routine is chosen by type, not by args`);
  if (spec.proxyOf !== undefined && spec.withOption === true)
    throw invalidSpec(
      `withOption: with the option to pass on a proxy, ${product} gives that to pass on privileges of the whole server; grant it by hand`,
    );
  if (spec.columns !== undefined && spec.withOption === true)
    throw invalidSpec(
      `withOption: on ${product} the option is of the table and all that is held on it; give it with a Grant of the table`,
    );
}

/** Without owners, privileges on all objects of a database, those to come included, are privileges on the database. */
function whole(spec: GrantParameters, type: ObjectType, table: PrivilegeTable, server: ServerInfo): GrantSubject {
  const privileges = objectPrivileges(table.objects, type, server);
  const { database } = place(spec, type === 'table' ? 'tables' : 'routines', privileges, type);
  return { type: 'database', targets: [{ type: 'database', database: database! }], privileges };
}

const isEverything = (spec: GrantParameters, field: Field | undefined): boolean =>
  (field === 'tables' && spec.columns === undefined && spec.tables?.includes('*') === true) ||
  (field === 'routines' && spec.routines?.some(({ name }) => name === '*') === true);

function typeOf(field: Field | undefined, spec: GrantParameters): ObjectType {
  if (field === 'routines') return 'routine';
  if (field === 'system') return 'global';
  if (field === 'databasePattern') return 'databasePattern';
  if (field === 'proxyOf') return 'proxy';
  if (field !== undefined) return LISTS[field];
  if (spec.schema !== undefined) return 'schema';
  if (spec.database !== undefined) return 'database';
  throw invalidSpec('forProvider names nothing to grant on: give a database, a schema, objects in it, or memberOf');
}

function place(
  spec: GrantParameters,
  field: string,
  object: ObjectPrivileges,
  type: ObjectType,
): Pick<ObjectTarget, 'database' | 'schema'> {
  const { database, schema } = spec;
  if (type === 'database') return { database: database! };
  if (object.within === 'server') {
    if (database !== undefined || schema !== undefined)
      throw invalidSpec(`${field}: belong to the server; remove ${database === undefined ? 'schema' : 'database'}`);
    return {};
  }
  if (database === undefined) throw invalidSpec(`${field}: needs the database that holds it`);
  if (object.within === 'schema' || type === 'schema') {
    if (schema === undefined) throw invalidSpec(`${field}: needs the schema that holds it`);
    return { database, schema };
  }
  if (schema !== undefined) throw invalidSpec(`${field}: belong to the database on this server; remove schema`);
  return { database };
}

function targetsOf(
  spec: GrantParameters,
  field: Field | undefined,
  type: ObjectType,
  within: Pick<ObjectTarget, 'database' | 'schema'>,
): ObjectTarget[] {
  if (field === 'routines')
    return (spec.routines ?? []).map(({ name, args, type: routineType }) => ({
      type,
      ...within,
      name,
      ...(args === undefined ? {} : { args }),
      ...(routineType === undefined ? {} : { routineType }),
    }));
  if (field === 'databasePattern' || field === 'proxyOf') return [{ type, name: spec[field]! }];
  if (field === undefined || field === 'system') return [{ type, ...within }];
  const columns = spec.columns === undefined ? {} : { columns: [...new Set(spec.columns)] };
  if (spec.columns !== undefined && spec.tables?.[0] === '*')
    throw invalidSpec('columns: needs one named table, not *');
  return (spec[field] ?? []).map((name) => ({ type, ...within, name, ...columns }));
}

const unique = (targets: ObjectTarget[]): ObjectTarget[] => [
  ...new Map(targets.map((target) => [JSON.stringify(target), target])).values(),
];

/** The role of a spec as the grantee that the model knows. */
export function granteeOf(role: string, table: PrivilegeTable): Grantee {
  if (role === 'PUBLIC') {
    if (table.public) return { public: true };
    throw invalidSpec(`role: ${table.product} has no PUBLIC; grant to a role that everybody has by mandatory_roles`);
  }
  // No role can have that name, so nobody else can be meant.
  if (role === 'public' && table.public) throw invalidSpec('role: write PUBLIC, in capitals, for everybody');
  const at = table.hosts ? role.lastIndexOf('@') : -1;
  return at < 0 ? { name: role } : { name: role.slice(0, at), host: role.slice(at + 1) };
}

export const granteeWords = (grantee: Grantee): string =>
  grantee.public === true
    ? 'PUBLIC'
    : quoted(grantee.host === undefined ? grantee.name : `${grantee.name}@${grantee.host}`);

/** The object itself: rights on columns are told apart where they are compared. */
export function withoutColumns(target: ObjectTarget): ObjectTarget {
  const object = { ...target };
  delete object.columns;
  return object;
}

/** Tells objects of one server apart; columns are not part of it. */
export const objectKey = ({ type, database, schema, name, args, routineType }: ObjectTarget): string =>
  JSON.stringify([type, database ?? null, schema ?? null, name ?? null, args ?? routineType ?? null]);

const WORDS: Record<ObjectType, string> = {
  database: 'database',
  databasePattern: 'databases like',
  schema: 'schema',
  table: 'table',
  sequence: 'sequence',
  routine: 'routine',
  type: 'type',
  language: 'language',
  foreignDataWrapper: 'foreign-data wrapper',
  foreignServer: 'foreign server',
  tablespace: 'tablespace',
  parameter: 'parameter',
  largeObject: 'large object',
  global: 'server',
  proxy: 'account',
};

const quoted = (name: string): string => `"${name}"`;

/** One object in words, e.g. `table "app"."items" of database "orders"`. */
export function targetWords(target: ObjectTarget): string {
  const { type, database, schema, name } = target;
  if (type === 'global') return 'the server';
  const word = target.routineType ?? WORDS[type];
  if (type === 'database') return `database ${quoted(database ?? name ?? '')}`;
  const of = database === undefined ? '' : ` of database ${quoted(database)}`;
  if (type === 'schema') return `schema ${quoted(schema ?? '')}${of}`;
  if (name === '*') return `all ${word}s${schema === undefined ? '' : ` in schema ${quoted(schema)}`}${of}`;
  const path = [schema, name].filter((part) => part !== undefined).map(quoted);
  const args = target.args === undefined ? '' : `(${target.args.join(', ')})`;
  const columns = target.columns === undefined ? '' : ` (${target.columns.map(quoted).join(', ')})`;
  return `${word} ${path.join('.')}${args}${columns}${of}`;
}
