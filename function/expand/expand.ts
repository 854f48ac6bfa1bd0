/** A claim as managed resources, engine by engine. */
import { ClaimError } from '../errors.ts';
import type { World } from '../world.ts';
import { type Composed, ComposedSet } from './composed.ts';
import { expandDatabase } from './database.ts';
import { expandDefaultPrivileges } from './default-privileges.ts';
import { expandExtensions } from './extension.ts';
import { expandDatabaseGrant, expandGrants } from './grant.ts';
import { expandLogin, expandOwnerGroup } from './role.ts';
import { expandSchemas } from './schema.ts';

function refuse(world: World, field: 'schemas' | 'extensions'): void {
  if ((world.spec[field] ?? []).length > 0) throw new ClaimError(`spec.${field}`, `are not known to ${world.engine}`);
}

function expandWithSchemas(world: World, composed: ComposedSet): void {
  expandOwnerGroup(world, composed);
  expandDatabase(world, composed);
  expandSchemas(world, composed);
  expandExtensions(world, composed);
  for (const login of world.logins) expandLogin(world, login, composed);
  expandGrants(world, composed);
  expandDefaultPrivileges(world, composed);
}

function expandWithoutSchemas(world: World, composed: ComposedSet): void {
  refuse(world, 'schemas');
  refuse(world, 'extensions');
  expandDatabase(world, composed);
  for (const login of world.logins) {
    expandLogin(world, login, composed);
    expandDatabaseGrant(world, login, composed);
  }
}

const EXPAND = {
  postgres: expandWithSchemas,
  cockroachdb: (world: World, composed: ComposedSet): void => {
    refuse(world, 'extensions');
    expandWithSchemas(world, composed);
  },
  mysql: expandWithoutSchemas,
  mariadb: expandWithoutSchemas,
} as const;

/** @throws ClaimError naming the field that the engine cannot honour. */
export function expand(world: World): ReadonlyMap<string, Composed> {
  const composed = new ComposedSet(world);
  EXPAND[world.engine](world, composed);
  return composed.resources;
}
