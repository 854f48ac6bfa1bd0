import type { Database } from '../../provider/api/database.ts';
import { ClaimError } from '../errors.ts';
import type { World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

/** Fields of `spec.database` that an engine has nothing for. */
const UNKNOWN = {
  postgres: [],
  cockroachdb: ['encoding', 'collation', 'connectionLimit'],
  mysql: ['connectionLimit', 'settings'],
  mariadb: ['connectionLimit', 'settings'],
} as const;

/** The database itself. Where the engine has owners, the group owns it, so that logins can come and go. */
export function expandDatabase(world: World, composed: ComposedSet): void {
  const { database = {}, adopt, dropPolicy } = world.spec;
  for (const field of UNKNOWN[world.engine]) {
    if (database[field] !== undefined)
      throw new ClaimError(`spec.database.${field}`, `is not known to ${world.engine}`);
  }
  const common = { adopt, dropPolicy };
  const wanted: Wanted<Database> =
    world.engine === 'mysql' || world.engine === 'mariadb'
      ? { characterSet: database.encoding, collation: database.collation, ...common }
      : {
          owner: world.ownerGroup,
          encoding: database.encoding,
          collation: database.collation,
          connectionLimit: world.connectionLimit,
          settings: database.settings,
          ...common,
        };
  composed.add('database', 'Database', wanted, { externalName: world.database });
}
