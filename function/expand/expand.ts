/** A claim as managed resources, engine by engine. */
import { ClaimError } from '../errors.ts';
import { hasGroups, type World } from '../world.ts';
import { expandBackup, expandSource } from './backup.ts';
import { type Composed, ComposedSet } from './composed.ts';
import { expandDatabase } from './database.ts';
import { expandDefaultPrivileges } from './default-privileges.ts';
import { expandExtensions } from './extension.ts';
import {
  expandCustomGrants,
  expandDatabaseGrant,
  expandGroupGrants,
  expandPublicGrant,
  type GroupAccess,
} from './grant.ts';
import { expandAccessGroup, expandLogin, expandOwnerGroup } from './role.ts';
import { expandSchemas } from './schema.ts';

/** Groups by the keys of their resources. Roles cannot be called so: their keys have names of their own. */
const GROUPS: readonly { key: string; access: GroupAccess }[] = [
  { key: 'group-writers', access: 'readWrite' },
  { key: 'group-readers', access: 'readOnly' },
];

function refuse(world: World, field: 'schemas' | 'extensions'): void {
  if ((world.spec[field] ?? []).length > 0) throw new ClaimError(`spec.${field}`, `are not known to ${world.engine}`);
}

/** What there has to be before data comes, and while it comes. Nobody else can log in then. */
function expandGround(world: World, composed: ComposedSet): void {
  if (hasGroups(world.engine)) expandOwnerGroup(world, composed);
  expandDatabase(world, composed);
  if (hasGroups(world.engine)) expandPublicGrant(world, composed);
  if (world.spec.source !== undefined) expandSource(world, world.spec.source, composed);
}

function expandWithSchemas(world: World, composed: ComposedSet): void {
  expandSchemas(world, composed);
  expandExtensions(world, composed);
  const groups = GROUPS.filter(({ access }) => world.logins.some((login) => login.access === access));
  for (const group of groups) expandAccessGroup(world, group, composed);
  for (const login of world.logins) expandLogin(world, login, composed);
  expandGroupGrants(world, groups, composed);
  for (const login of world.logins) expandCustomGrants(world, login, composed);
  expandDefaultPrivileges(world, groups, composed);
}

function expandWithoutSchemas(world: World, composed: ComposedSet): void {
  refuse(world, 'schemas');
  refuse(world, 'extensions');
  for (const login of world.logins) {
    expandLogin(world, login, composed);
    expandDatabaseGrant(world, login, composed);
    expandCustomGrants(world, login, composed);
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

export interface Expansion {
  resources: ReadonlyMap<string, Composed>;
  /** Keys of what there has to be first. */
  ground: ReadonlySet<string>;
}

/** @throws ClaimError naming the field that the engine cannot honour. */
export function expand(world: World): Expansion {
  const composed = new ComposedSet(world);
  expandGround(world, composed);
  const ground = new Set(composed.resources.keys());
  EXPAND[world.engine](world, composed);
  if (world.spec.backup !== undefined) expandBackup(world, world.spec.backup, composed);
  return { resources: composed.resources, ground };
}
