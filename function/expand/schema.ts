import type { Schema } from '../../provider/api/schema.ts';
import { ClaimError } from '../errors.ts';
import type { World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

const SERVER_OWN = /^(pg_|information_schema$|crdb_internal$)/;

/**
 * Schemas of the group. Every new database has `public` already, which therefore is adopted and never dropped; a copy
 * has those of its source.
 */
export function expandSchemas(world: World, composed: ComposedSet): void {
  const { schemas = [], adopt, source, dropPolicy } = world.spec;
  for (const [index, { name }] of schemas.entries()) {
    const path = `spec.schemas[${index}].name`;
    if (SERVER_OWN.test(name)) throw new ClaimError(path, `${JSON.stringify(name)} belongs to the server itself`);
    if (Buffer.byteLength(name) > 63) throw new ClaimError(path, `${JSON.stringify(name)} has more than 63 bytes`);
    const isPublic = name === 'public';
    const wanted: Wanted<Schema> = {
      database: world.database,
      owner: world.groups.owner,
      adopt: isPublic || adopt || source !== undefined,
      dropPolicy: isPublic ? 'Never' : (dropPolicy ?? 'WhenEmpty'),
    };
    composed.add(`schema-${name}`, 'Schema', wanted, { externalName: name });
  }
}
