import type { Grant } from '../../provider/api/grant.ts';
import type { Access } from '../claim.ts';
import type { Login, World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

type Target = Pick<Wanted<Grant>, 'tables' | 'sequences' | 'routines'>;

/** What an access level may do with what is in a schema; owners need no grants, they own. */
const IN_SCHEMA: Record<Exclude<Access, 'owner'>, readonly { key: string; target: Target; privileges: string[] }[]> = {
  readWrite: [
    { key: 'schema', target: {}, privileges: ['USAGE'] },
    { key: 'tables', target: { tables: ['*'] }, privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
    { key: 'sequences', target: { sequences: ['*'] }, privileges: ['USAGE', 'SELECT', 'UPDATE'] },
    { key: 'routines', target: { routines: [{ name: '*' }] }, privileges: ['EXECUTE'] },
  ],
  readOnly: [
    { key: 'schema', target: {}, privileges: ['USAGE'] },
    { key: 'tables', target: { tables: ['*'] }, privileges: ['SELECT'] },
    { key: 'sequences', target: { sequences: ['*'] }, privileges: ['SELECT'] },
  ],
};

/** The listed schemas, and `public`, which every database has. */
const schemasOf = (world: World): string[] => [
  ...new Set([...(world.spec.schemas ?? []).map(({ name }) => name), 'public']),
];

const add = (composed: ComposedSet, key: string, wanted: Wanted<Grant>): void => composed.add(key, 'Grant', wanted);

/** Grants on engines whose databases have schemas and owners. */
export function expandGrants(world: World, composed: ComposedSet): void {
  const { database, ownerGroup: role } = world;
  // Everybody on the server may connect to a new database, and make temporary tables in it, until this is taken away.
  add(composed, 'grant-public-database', { role: 'PUBLIC', database, privileges: [], exclusive: true });
  const whole = world.engine === 'cockroachdb' ? ['CONNECT', 'CREATE'] : ['CONNECT', 'CREATE', 'TEMPORARY'];
  add(composed, 'grant-owner-database', { role, database, privileges: whole });
  add(composed, 'grant-owner-schema-public', { role, database, schema: 'public', privileges: ['CREATE', 'USAGE'] });
  for (const login of world.logins) {
    add(composed, `grant-${login.name}-database`, { role: login.username, database, privileges: ['CONNECT'] });
    if (login.access === 'owner') continue;
    for (const schema of schemasOf(world)) {
      for (const { key, target, privileges } of IN_SCHEMA[login.access])
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
