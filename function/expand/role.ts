import type { Role } from '../../provider/api/role.ts';
import type { Login, World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

/** The group that owns the database and everything in it: nobody logs in as it, so it outlives every login. */
export function expandOwnerGroup(world: World, composed: ComposedSet): void {
  const wanted: Wanted<Role> = {
    privileges: { login: false },
    // A database that is kept when the claim goes would otherwise keep the group too.
    onDelete: { reassignOwnedToAdmin: true, revokeGrants: true },
    adopt: world.spec.adopt,
  };
  composed.add('role-owner', 'Role', wanted, { externalName: world.ownerGroup });
}

/** A login. On engines with owners, what an owner login makes belongs to the group from the start. */
export function expandLogin(world: World, login: Login, composed: ComposedSet): void {
  const hasGroup = world.engine === 'postgres' || world.engine === 'cockroachdb';
  const isOwner = hasGroup && login.access === 'owner';
  const groups = [...new Set([...(isOwner ? [world.ownerGroup] : []), ...(login.memberOf ?? [])])];
  const wanted: Wanted<Role> = {
    ...(hasGroup ? { privileges: { login: true } } : {}),
    connectionLimit: hasGroup ? login.connectionLimit : undefined,
    resourceOptions:
      hasGroup || login.connectionLimit === undefined || login.connectionLimit < 0
        ? undefined
        : { maxUserConnections: login.connectionLimit },
    passwordSecretRef: login.passwordSecretRef,
    connectionDatabase: world.database,
    ...(groups.length === 0 ? {} : { memberOf: groups.map((role) => ({ role })) }),
    ...(isOwner
      ? {
          // CockroachDB refuses a default for `role`; there, default privileges give the group what an owner makes.
          ...(world.engine === 'postgres'
            ? { configurationParameters: [{ name: 'role', value: world.ownerGroup }] }
            : {}),
          onDelete: { reassignOwnedToAdmin: true, revokeGrants: true },
        }
      : {}),
    adopt: world.spec.adopt,
  };
  composed.add(`role-login-${login.name}`, 'Role', wanted, {
    externalName: login.username,
    secretName: login.secretName,
  });
}
