/** Which read answers a kind, and in which database it has to be asked. */
import { ResourceError } from '../../../resources/errors.ts';
import type { ReadKind, Reads } from '../../../resources/model.ts';
import type { ServerInfo } from '../../engine.ts';
import type { Session } from '../../postgres/session.ts';
import { databaseExists, readDatabaseContents, readDatabases, readSchemaContents, readSchemas } from './databases.ts';
import { readDefaultPrivileges } from './default-privileges.ts';
import { readGrants } from './grants.ts';
import { readRoleDependencies } from './role-dependencies.ts';
import { readMemberships, readRoles } from './roles.ts';

type Work<T> = (session: Session) => Promise<T>;

export interface Sessions {
  /** On the database that is logged in to anyway. */
  admin<T>(work: Work<T>): Promise<T>;
  inside<T>(database: string, work: Work<T>): Promise<T>;
}

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
      await byDatabase(
        asked,
        ({ database }) => database,
        sessions,
        readSchemas,
        () => undefined,
      ),
    schemaContents: async (asked) =>
      await byDatabase(
        asked,
        ({ database }) => database,
        sessions,
        readSchemaContents,
        () => EMPTY,
      ),
    databaseContents: async (asked) =>
      await byDatabase(
        asked,
        ({ name }) => name,
        sessions,
        async (s, q) => {
          const contents = await readDatabaseContents(s);
          return q.map(() => contents);
        },
        () => EMPTY,
      ),
    grant: async (asked) =>
      await byDatabase(
        asked,
        databaseOfGrant,
        sessions,
        async (s, q) => await readGrants(s, q, info),
        ({ targets }) => ({
          granteeExists: true,
          missing: missingDatabase(targets[0]?.database ?? ''),
          objects: [],
        }),
      ),
    defaultPrivileges: async (asked) =>
      await byDatabase(
        asked,
        ({ database }) => database,
        sessions,
        async (s, q) => await readDefaultPrivileges(s, q, info),
        ({ database }) => ({ missing: missingDatabase(database), privileges: [], inherited: [] }),
      ),
  };
  return await reads[kind](queries);
}

/** SHOW GRANTS covers the session's database only; what all share is asked wherever a session is open. */
const databaseOfGrant = ({ targets }: Reads['grant']['query']): string | undefined =>
  targets.find(({ type, database }) => database !== undefined && type !== 'database' && type !== 'global')?.database;

async function byDatabase<Q, R>(
  queries: readonly Q[],
  databaseOf: (query: Q) => string | undefined,
  sessions: Sessions,
  read: (session: Session, queries: readonly Q[]) => Promise<R[]>,
  whenGone: (query: Q) => R,
): Promise<R[]> {
  const groups = Map.groupBy(queries.keys(), (index) => databaseOf(queries[index]!));
  const results: R[] = [];
  for (const [database, indexes] of groups) {
    const asked = [...indexes].map((index) => queries[index]!);
    const answers = await answer(database, asked, sessions, read, whenGone);
    [...indexes].forEach((index, i) => {
      results[index] = answers[i]!;
    });
  }
  return results;
}

async function answer<Q, R>(
  database: string | undefined,
  asked: readonly Q[],
  sessions: Sessions,
  read: (session: Session, queries: readonly Q[]) => Promise<R[]>,
  whenGone: (query: Q) => R,
): Promise<R[]> {
  const work = async (session: Session): Promise<R[]> => await read(session, asked);
  if (database === undefined) return await sessions.admin(work);
  try {
    return await sessions.inside(database, work);
  } catch (error) {
    // Only the list of databases may say that one is gone: the same code means other things in places.
    if (!(error instanceof ResourceError) || error.code !== '3D000') throw error;
    if (await sessions.admin(async (session) => await databaseExists(session, database))) throw error;
    return asked.map(whenGone);
  }
}
