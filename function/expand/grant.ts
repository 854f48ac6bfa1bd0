import type { Grant } from '../../provider/api/grant.ts';
import type { Access } from '../claim.ts';
import type { Login, World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

type Target = Pick<Wanted<Grant>, 'tables' | 'sequences'>;

/**
 * What an access level may do with what is in a schema; owners need no grants, they own. Routines need none either: the
 * server lets everybody run them, and one that its owner took from everybody should stay taken.
 */
const IN_SCHEMA: Record<Exclude<Access, 'owner'>, readonly { key: string; target: Target; privileges: string[] }[]> = {
  readWrite: [
    { key: 'schema', target: {}, privileges: ['USAGE'] },
    { key: 'tables', target: { tables: ['*'] }, privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
    { key: 'sequences', target: { sequences: ['*'] }, privileges: ['USAGE', 'SELECT', 'UPDATE'] },
  ],
  readOnly: [
    { key: 'schema', target: {}, privileges: ['USAGE'] },
    { key: 'tables', target: { tables: ['*'] }, privileges: ['SELECT'] },
  ],
};

/** The listed schemas; without any, `public`, which every database has. */
const schemasOf = ({ spec: { schemas = [] } }: World): string[] =>
  schemas.length === 0 ? ['public'] : schemas.map(({ name }) => name);

const add = (composed: ComposedSet, key: string, wanted: Wanted<Grant>): void => composed.add(key, 'Grant', wanted);

/** Grants on engines whose databases have schemas and owners. */
export function expandGrants(world: World, composed: ComposedSet): void {
  const { database, ownerGroup: role } = world;
  // Everybody on the server may connect to a new database, and make temporary tables in it, until this is taken away.
  add(composed, 'grant-public-database', { role: 'PUBLIC', database, privileges: [], exclusive: true });
  // Up to PostgreSQL 14 everybody may also create in `public`, which there belongs to nobody of this database.
  add(composed, 'grant-public-schema-public', {
    role: 'PUBLIC',
    database,
    schema: 'public',
    privileges: ['USAGE'],
    exclusive: true,
  });
  if (schemasOf(world).includes('public'))
    add(composed, 'grant-owner-schema-public', { role, database, schema: 'public', privileges: ['CREATE', 'USAGE'] });
  for (const login of world.logins) {
    // An owner login has the rights of the group.
    if (login.access === 'owner') continue;
    add(composed, `grant-${login.name}-database`, { role: login.username, database, privileges: ['CONNECT'] });
    for (const schema of schemasOf(world)) {
      for (const { key, target, privileges } of IN_SCHEMA[login.access]) {
        if (key === 'schema' && schema === 'public') continue; // everybody has USAGE
        add(composed, `grant-${login.name}-${key}-${schema}`, {
          role: login.username,
          database,
          schema,
          ...target,
          privileges,
        });
      }
    }
  }
}

/** What an access level may do with a whole database of MySQL or MariaDB (ON `database`.*), tables to come included. */
const ON_DATABASE: Record<Access, string[]> = {
  owner: ['ALL'],
  readWrite: ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'EXECUTE'],
  readOnly: ['SELECT', 'SHOW VIEW'],
};

/** Grants on MySQL and MariaDB, where a database is what elsewhere is a schema, and has no owner. */
export function expandDatabaseGrant({ database }: World, login: Login, composed: ComposedSet): void {
  const wanted = { role: login.username, database, privileges: ON_DATABASE[login.access] };
  add(composed, `grant-${login.name}-database`, wanted);
}
