import { TRAITS } from '../../provider/api/engines.ts';
import type { Role } from '../../provider/api/role.ts';
import type { Access } from '../claim.ts';
import { hasGroups, type Login, type World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

/**
 * What becomes of a database that is kept when the claim goes. On a server that others share its administrator inherits
 * nothing of a tenant's: there the group stays with what it owns.
 */
const onDelete = ({ server }: World, heir?: string): Wanted<Role>['onDelete'] =>
  server.kind === 'ClusterProviderConfig'
    ? { ...(heir === undefined ? {} : { reassignOwnedTo: heir }), keepIfOwner: true, revokeGrants: true }
    : { reassignOwnedToAdmin: true, revokeGrants: true };

/** The group that owns the database and everything in it: nobody logs in as it, so it outlives every login. */
export function expandOwnerGroup(world: World, composed: ComposedSet): void {
  const wanted: Wanted<Role> = {
    privileges: { login: false },
    onDelete: onDelete(world),
    adopt: world.spec.adopt,
  };
  composed.add('role-owner', 'Role', wanted, { externalName: world.groups.owner });
}

/** A group for those who read, or write: it has the privileges, so that a login is one resource however many schemas. */
export function expandAccessGroup(
  world: World,
  { key, access }: { key: string; access: 'readWrite' | 'readOnly' },
  composed: ComposedSet,
): void {
  const wanted: Wanted<Role> = { privileges: { login: false }, adopt: world.spec.adopt };
  composed.add(`role-${key}`, 'Role', wanted, { externalName: world.groups[access] });
}

const groupOf = ({ groups }: World, access: Access): string[] => (access === 'none' ? [] : [groups[access]]);

/** What only an owner login needs: what it makes belongs to the group from the start. */
const ownerFields = (world: World): Wanted<Role> => ({
  // Elsewhere, default privileges give the group what an owner makes.
  ...(TRAITS[world.engine].beginsAsGroup
    ? { configurationParameters: [{ name: 'role', value: world.groups.owner }] }
    : {}),
  onDelete: onDelete(world, world.groups.owner),
});

function onEngineWithGroups(world: World, login: Login): Wanted<Role> {
  const isOut = world.spec.suspended === true;
  return {
    // Who may not log in has no password to give; it keeps the one that it has.
    privileges: { login: !isOut },
    ...(isOut ? {} : passwordFields(world, login)),
    connectionLimit: login.connectionLimit,
    ...membershipFields([...groupOf(world, login.access), ...(login.memberOf ?? [])]),
    ...(login.access === 'owner' ? ownerFields(world) : {}),
  };
}

const onMysql = (world: World, login: Login): Wanted<Role> => ({
  accountLocked: world.spec.suspended === true,
  ...passwordFields(world, login),
  ...membershipFields(login.memberOf ?? []),
  // A database that is kept may hold views and programs that run with the rights of this login.
  onDelete: { keepIfOwner: true, revokeGrants: true },
  ...(login.connectionLimit === undefined || login.connectionLimit < 0
    ? {}
    : { resourceOptions: { maxUserConnections: login.connectionLimit } }),
});

const membershipFields = (groups: readonly string[]): Wanted<Role> =>
  groups.length === 0 ? {} : { memberOf: [...new Set(groups)].map((role) => ({ role })) };

/** Only a generated password can be rotated. */
const passwordFields = ({ spec }: World, { passwordSecretRef, passwordRotation }: Login): Wanted<Role> =>
  passwordSecretRef === undefined
    ? { passwordRotation: passwordRotation ?? spec.passwordRotation }
    : { passwordSecretRef };

export function expandLogin(world: World, login: Login, composed: ComposedSet): void {
  const wanted: Wanted<Role> = {
    ...(hasGroups(world.engine) ? onEngineWithGroups(world, login) : onMysql(world, login)),
    connectionDatabase: world.database,
    adopt: world.spec.adopt,
  };
  composed.add(`role-login-${login.name}`, 'Role', wanted, {
    externalName: login.username,
    secretName: login.secretName,
  });
}
