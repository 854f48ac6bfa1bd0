import type { DefaultPrivileges, DefaultPrivilegesParameters } from '../../provider/api/default-privileges.ts';
import type { Access } from '../claim.ts';
import type { World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

type ObjectType = DefaultPrivilegesParameters['objectType'];

const ON_NEW: Record<Exclude<Access, 'owner'>, readonly { objectType: ObjectType; privileges: string[] }[]> = {
  readWrite: [
    { objectType: 'table', privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
    { objectType: 'sequence', privileges: ['USAGE', 'SELECT', 'UPDATE'] },
  ],
  readOnly: [{ objectType: 'table', privileges: ['SELECT'] }],
};

/**
 * What logins may do, at once, with objects that an owner will make. Without a schema, so that schemas to come count too.
 */
export function expandDefaultPrivileges(world: World, composed: ComposedSet): void {
  const { database } = world;
  const creators = [{ key: 'owner', name: world.ownerGroup }];
  // Elsewhere an owner login acts as the group from the start.
  if (world.engine === 'cockroachdb')
    creators.push(
      ...world.logins
        .filter(({ access }) => access === 'owner')
        .map(({ name, username }) => ({ key: `login-${name}`, name: username })),
    );
  if (world.engine === 'cockroachdb') expandForGroup(world, composed);
  for (const login of world.logins) {
    if (login.access === 'owner') continue;
    for (const creator of creators) {
      for (const { objectType, privileges } of ON_NEW[login.access]) {
        const wanted: Wanted<DefaultPrivileges> = {
          database,
          targetRole: creator.name,
          role: login.username,
          objectType,
          privileges,
        };
        composed.add(`defaults-${login.name}-${objectType}-by-${creator.key}`, 'DefaultPrivileges', wanted);
      }
    }
  }
}

/** On CockroachDB an owner login cannot act as the group from the start, so the group gets what each of them makes. */
function expandForGroup(world: World, composed: ComposedSet): void {
  for (const { name, username, access } of world.logins) {
    if (access !== 'owner') continue;
    for (const objectType of ['table', 'sequence', 'function'] as const) {
      const wanted: Wanted<DefaultPrivileges> = {
        database: world.database,
        targetRole: username,
        role: world.ownerGroup,
        objectType,
        privileges: ['ALL'],
      };
      composed.add(`defaults-owner-${objectType}-by-login-${name}`, 'DefaultPrivileges', wanted);
    }
  }
}
