import { TRAITS } from '../../provider/api/engines.ts';
import type { Grant, GrantParameters } from '../../provider/api/grant.ts';
import type { Access, ClaimRole } from '../claim.ts';
import { ClaimError } from '../errors.ts';
import type { Login, World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

type Part = NonNullable<GrantParameters['also']>[number];
export type GroupAccess = 'readWrite' | 'readOnly';

/**
 * What an access level may do with what is in a schema; owners need no grants, they own. Routines need none either: the
 * server lets everybody run them, and one that its owner took from everybody should stay taken.
 */
const IN_SCHEMA: Record<GroupAccess, readonly Omit<Part, 'schema'>[]> = {
  readWrite: [
    { privileges: ['USAGE'] },
    { tables: ['*'], privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
    { sequences: ['*'], privileges: ['USAGE', 'SELECT', 'UPDATE'] },
  ],
  readOnly: [
    { privileges: ['USAGE'] },
    { tables: ['*'], privileges: ['SELECT'] },
    { sequences: ['*'], privileges: ['SELECT'] },
  ],
};

/** The listed schemas, in an order of their own; without any, `public`, which every database has. */
const schemasOf = ({ spec: { schemas = [] } }: World): string[] =>
  schemas.length === 0 ? ['public'] : schemas.map(({ name }) => name).toSorted();

const add = (composed: ComposedSet, key: string, wanted: Wanted<Grant>): void => composed.add(key, 'Grant', wanted);

/**
 * What everybody on the server may do with every new database, until it is taken away: connect, make temporary tables,
 * and up to PostgreSQL 14 create in `public`, which there belongs to nobody of this database.
 */
export function expandPublicGrant({ database }: World, composed: ComposedSet): void {
  const also = [{ schema: 'public', privileges: ['USAGE'] }];
  add(composed, 'grant-public', { role: 'PUBLIC', database, privileges: [], also, exclusive: true });
}

/** All that a group may do in the database is one resource: Crossplane counts them. */
export function expandGroupGrants(
  world: World,
  groups: readonly { key: string; access: GroupAccess }[],
  composed: ComposedSet,
): void {
  const { database } = world;
  const schemas = schemasOf(world);
  if (schemas.includes('public'))
    add(composed, 'grant-owner-schema-public', {
      role: world.groups.owner,
      database,
      schema: 'public',
      privileges: ['CREATE', 'USAGE'],
    });
  for (const { key, access } of groups)
    add(composed, `grant-${key}`, {
      role: world.groups[access],
      database,
      privileges: ['CONNECT'],
      also: schemas.flatMap((schema) => IN_SCHEMA[access].map((part) => ({ schema, ...part }))),
    });
}

/** What an access level may do with a whole database of MySQL or MariaDB (ON `database`.*), tables to come included. */
const ON_DATABASE: Record<Exclude<Access, 'none'>, string[]> = {
  owner: ['ALL'],
  readWrite: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'EXECUTE'],
  readOnly: ['SELECT', 'SHOW VIEW'],
};

/** Grants on MySQL and MariaDB, where a database is what elsewhere is a schema, and has no owner. */
export function expandDatabaseGrant({ database }: World, login: Login, composed: ComposedSet): void {
  if (login.access === 'none') return;
  const wanted = { role: login.username, database, privileges: ON_DATABASE[login.access] };
  add(composed, `grant-${login.name}-database`, wanted);
}

type CustomGrant = NonNullable<ClaimRole['grants']>[number];

/** On these engines a schema is a database, and has no sequences. */
function refuseOnMysql(path: string, grant: CustomGrant, engine: string): void {
  for (const field of ['schema', 'sequences'] as const)
    if (grant[field] !== undefined) throw new ClaimError(`${path}.${field}`, `is not known to ${engine}`);
}

function refuseWithoutSchema(path: string, grant: CustomGrant): void {
  for (const field of ['tables', 'sequences', 'routines'] as const)
    if (grant[field] !== undefined && grant.schema === undefined)
      throw new ClaimError(`${path}.schema`, `is required with ${field}`);
}

/** What a role gets beyond its access level. The kind of object is part of the key, as it cannot be changed in a Grant. */
export function expandCustomGrants(world: World, login: Login, composed: ComposedSet): void {
  const { database, engine, spec } = world;
  const { hasSchemas } = TRAITS[engine];
  // Who is in none of the groups has not the right to connect either.
  if (login.access === 'none' && hasSchemas)
    add(composed, `grant-${login.name}-database`, { role: login.username, database, privileges: ['CONNECT'] });
  for (const [index, grant] of (login.grants ?? []).entries()) {
    const path = `spec.roles[${(spec.roles ?? []).findIndex(({ name }) => name === login.name)}].grants[${index}]`;
    if (hasSchemas) refuseWithoutSchema(path, grant);
    else refuseOnMysql(path, grant, engine);
    const { name, privileges, schema, tables, columns, sequences, routines, withOption } = grant;
    add(composed, `grant-${login.name}-custom-${name}-${schema === undefined ? 'in-database' : `in-${schema}`}`, {
      role: login.username,
      database,
      schema,
      tables,
      columns,
      sequences,
      ...(routines === undefined ? {} : { routines: routines.map((routine) => ({ name: routine })) }),
      privileges,
      withOption,
    });
  }
}
