/** Which objects in its databases a tenant may grant on: those of its own roles, not what the platform put there. */
import { ResourceError } from '../common/errors.ts';
import { targetWords } from './grant-target.ts';
import type { ObjectTarget, ObjectType } from './model/objects.ts';
import type { AclObserved } from './model/privileges.ts';
import type { PlanContext } from './planner.ts';
import { ownRole } from './tenant-own.ts';
import { notYours, type Tenant } from './tenant.ts';

/** Told apart by their owner. Of databases and schemas the mark counts, and what belongs to the server has lists. */
const BY_OWNER: ReadonlySet<ObjectType> = new Set([
  'table',
  'sequence',
  'routine',
  'type',
  'foreignServer',
  'largeObject',
]);

const SERVERS_SCHEMA = /^(pg_.*|information_schema)$/;

/**
 * Without the objects that are not the tenant's: `*` passes over them, as an extension has its own in many a schema.
 * Throws NotYours for one that is named.
 */
export async function ownObjects<O extends AclObserved>(
  objects: readonly O[],
  targets: readonly ObjectTarget[],
  context: PlanContext,
  tenant: Tenant,
): Promise<O[]> {
  const owners = [...new Set(objects.filter(({ target }) => BY_OWNER.has(target.type)).map(({ owner }) => owner))];
  const isOwn = ownRole(context, tenant);
  const own = new Set<string>();
  // Where objects have no owner, they are of the database, which is looked at by itself.
  for (const name of owners) if (name === '' || (await isOwn({ name }))) own.add(name);
  const kept: O[] = [];
  for (const object of objects) {
    const { target, owner } = object;
    if (!BY_OWNER.has(target.type) || own.has(owner)) kept.push(object);
    else if (targets.some((wanted) => wanted.name === target.name && wanted.schema === target.schema))
      throw notYours(
        `${targetWords(target)} belongs to ${JSON.stringify(owner)}, which is no role of this namespace, so it is not this namespace's to grant`,
      );
  }
  return kept;
}

/** Throws for a schema of the server, where a grant would reach the passwords and files of all. */
export function refuseServersSchema(schema: unknown, path: string): void {
  if (typeof schema === 'string' && SERVERS_SCHEMA.test(schema))
    throw new ResourceError(
      'NotYours',
      `${path}: schema ${JSON.stringify(schema)} is the server's own, and the ClusterProviderConfig isolates namespaces`,
      { retryable: false },
    );
}
