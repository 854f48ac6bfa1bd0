import type { DefaultPrivileges, DefaultPrivilegesParameters } from '../../provider/api/default-privileges.ts';
import { TRAITS } from '../../provider/api/engines.ts';
import type { World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';
import type { GroupAccess } from './grant.ts';

type ObjectType = DefaultPrivilegesParameters['objectType'];

const ON_NEW: Record<GroupAccess, readonly { objectType: ObjectType; privileges: string[] }[]> = {
  readWrite: [
    { objectType: 'table', privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] },
    { objectType: 'sequence', privileges: ['USAGE', 'SELECT', 'UPDATE'] },
  ],
  readOnly: [
    { objectType: 'table', privileges: ['SELECT'] },
    { objectType: 'sequence', privileges: ['SELECT'] },
  ],
};

/**
 * What the groups may do, at once, with objects that an owner will make. Without a schema, so that schemas to come count
 * too.
 */
export function expandDefaultPrivileges(
  world: World,
  groups: readonly { key: string; access: GroupAccess }[],
  composed: ComposedSet,
): void {
  const { database } = world;
  const creators = [{ key: 'owner', name: world.groups.owner }];
  // Elsewhere an owner login acts as the group from the start.
  if (!TRAITS[world.engine].beginsAsGroup) {
    for (const { name, username, access } of world.logins)
      if (access === 'owner') creators.push({ key: `login-${name}`, name: username });
    expandForOwners(world, composed);
  }
  for (const { key, access } of groups)
    for (const creator of creators)
      for (const { objectType, privileges } of ON_NEW[access]) {
        const wanted: Wanted<DefaultPrivileges> = {
          database,
          targetRole: creator.name,
          role: world.groups[access],
          objectType,
          privileges,
        };
        composed.add(`defaults-${key}-${objectType}-by-${creator.key}`, 'DefaultPrivileges', wanted);
      }
}

/** An owner login that does not act as the group from the start: so the group gets what each of them makes. */
function expandForOwners(world: World, composed: ComposedSet): void {
  for (const { name, username, access } of world.logins) {
    if (access !== 'owner') continue;
    for (const objectType of ['table', 'sequence', 'function'] as const) {
      const wanted: Wanted<DefaultPrivileges> = {
        database: world.database,
        targetRole: username,
        role: world.groups.owner,
        objectType,
        privileges: ['ALL'],
      };
      composed.add(`defaults-owner-${objectType}-by-login-${name}`, 'DefaultPrivileges', wanted);
    }
  }
}
