import type { Database } from '../../provider/api/database.ts';
import { ClaimError } from '../errors.ts';
import { hasGroups, type World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

const LOCALE = ['localeProvider', 'locale'] as const;

/** Fields of `spec.database` that an engine has nothing for. */
const UNKNOWN = {
  postgres: [],
  cockroachdb: ['encoding', 'collation', 'connectionLimit', ...LOCALE],
  mysql: ['connectionLimit', 'settings', ...LOCALE],
  mariadb: ['connectionLimit', 'settings', ...LOCALE],
} as const;

/** The database itself. Where the engine has owners, the group owns it, so that logins can come and go. */
export function expandDatabase(world: World, composed: ComposedSet): void {
  const { database = {}, adopt, dropPolicy } = world.spec;
  for (const field of UNKNOWN[world.engine]) {
    if (database[field] !== undefined)
      throw new ClaimError(`spec.database.${field}`, `is not known to ${world.engine}`);
  }
  const common = { adopt, dropPolicy: dropPolicy ?? 'WhenEmpty', expiresAt: world.expiresAt };
  const wanted: Wanted<Database> = hasGroups(world.engine)
    ? {
        owner: world.groups.owner,
        encoding: database.encoding,
        collation: database.collation,
        localeProvider: database.localeProvider,
        locale: database.locale,
        connectionLimit: world.connectionLimit,
        settings: database.settings,
        initSQL: database.initSQL,
        ...common,
      }
    : {
        characterSet: database.encoding,
        collation: database.collation,
        initSQL: database.initSQL,
        ...common,
      };
  composed.add('database', 'Database', wanted, { externalName: world.database });
}
