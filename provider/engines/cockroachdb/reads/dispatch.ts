/** Which read answers a kind, and in which database it has to be asked. */
import { ResourceError } from '../../../common/errors.ts';
import type { ReadKind, Reads } from '../../../resources/model/reads.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { byDatabase, type Sessions as SessionsOf } from '../../by-database.ts';
import type { Session } from '../../postgres/session.ts';
import { databaseExists, readDatabaseContents, readDatabases, readSchemaContents, readSchemas } from './databases.ts';
import { readDefaultPrivileges } from './default-privileges.ts';
import { readGrants } from './grants.ts';
import { readRoleDependencies } from './role-dependencies.ts';
import { readMemberships, readRoles } from './roles.ts';

export type Sessions = SessionsOf<Session>;

const EMPTY = { empty: true, summary: '' };
const missingDatabase = (name: string): string[] => [`database ${JSON.stringify(name)}`];

export async function dispatchRead<K extends ReadKind>(
  kind: K,
  queries: readonly Reads[K]['query'][],
  info: ServerInfo,
  sessions: Sessions,
): Promise<Reads[K]['result'][]> {
  const reads: { [R in ReadKind]: (asked: readonly Reads[R]['query'][]) => Promise<Reads[R]['result'][]> } = {
    database: async (asked) => await sessions.admin(async (s) => await readDatabases(s, asked)),
    role: async (asked) => await sessions.admin(async (s) => await readRoles(s, asked)),
    membership: async (asked) => await sessions.admin(async (s) => await readMemberships(s, asked, info)),
    namesakes: async (asked) => await Promise.resolve(asked.map(() => [])),
    roleDependencies: async (asked) => await readRoleDependencies(sessions, asked),
    // Which of its settings are anybody's is written nowhere: on a shared server the platform's list decides.
    setting: async (asked) => await Promise.resolve(asked.map(() => ({ anybodyMaySet: false }))),
    extension: async () => {
      throw await Promise.resolve(
        new ResourceError('NotSupported', `${info.product} has no extensions: remove this Extension`, {
          retryable: false,
        }),
      );
    },
    schema: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: ({ database }) => database,
        read: readSchemas,
        whenGone: () => undefined,
        isGone: GONE,
      }),
    schemaContents: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: ({ database }) => database,
        read: readSchemaContents,
        whenGone: () => EMPTY,
        isGone: GONE,
      }),
    databaseContents: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: ({ name }) => name,
        read: async (s, q) => {
          const contents = await readDatabaseContents(s);
          return q.map(() => contents);
        },
        whenGone: () => EMPTY,
        isGone: GONE,
      }),
    grant: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: databaseOfGrant,
        read: async (s, q) => await readGrants(s, q, info),
        whenGone: ({ targets }) => ({
          granteeExists: true,
          missing: missingDatabase(targets[0]?.database ?? ''),
          objects: [],
        }),
        isGone: GONE,
      }),
    defaultPrivileges: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: ({ database }) => database,
        read: async (s, q) => await readDefaultPrivileges(s, q, info),
        whenGone: ({ database }) => ({ missing: missingDatabase(database), privileges: [], inherited: [] }),
        isGone: GONE,
      }),
  };
  return await reads[kind](queries);
}

/** SHOW GRANTS covers the session's database only; what all share is asked wherever a session is open. */
const databaseOfGrant = ({ targets }: Reads['grant']['query']): string | undefined =>
  targets.find(({ type, database }) => database !== undefined && type !== 'database' && type !== 'global')?.database;

const GONE = {
  '3D000': async (admin: Session, database: string): Promise<boolean> => !(await databaseExists(admin, database)),
};
