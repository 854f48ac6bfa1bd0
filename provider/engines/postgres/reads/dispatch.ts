/** Which read answers a kind, and in which database it has to be asked. */
import type { ReadKind, Reads } from '../../../resources/model.ts';
import { ResourceError } from '../../../resources/errors.ts';
import type { ServerInfo } from '../../engine.ts';
import type { Session } from '../session.ts';
import { readDatabaseContents, readSchemaContents } from './contents.ts';
import { readDatabases } from './databases.ts';
import { readDefaultPrivileges, readGrants, readMemberships } from './grants.ts';
import { nameOwned, readRoleDependencies } from './role-dependencies.ts';
import { type OnVerifier, readRoles } from './roles.ts';
import { readExtensions, readSchemas } from './schemas.ts';
import { readSettings } from './settings.ts';

type Work<T> = (session: Session) => Promise<T>;

export interface Sessions {
  /** On the database that is logged in to anyway. */
  admin<T>(work: Work<T>): Promise<T>;
  inside<T>(database: string, work: Work<T>): Promise<T>;
}

export async function dispatchRead<K extends ReadKind>(
  kind: K,
  queries: readonly Reads[K]['query'][],
  info: ServerInfo,
  sessions: Sessions,
  onVerifier: OnVerifier,
): Promise<Reads[K]['result'][]> {
  const reads: { [R in ReadKind]: (asked: readonly Reads[R]['query'][]) => Promise<Reads[R]['result'][]> } = {
    database: async (asked) => await sessions.admin(async (s) => await readDatabases(s, asked, info)),
    role: async (asked) => await sessions.admin(async (s) => await readRoles(s, asked, info, onVerifier)),
    membership: async (asked) => await sessions.admin(async (s) => await readMemberships(s, asked, info)),
    roleDependencies: async (asked) => {
      const found = await sessions.admin(async (s) => await readRoleDependencies(s, asked));
      return await nameOwned(asked, found, sessions.inside.bind(sessions));
    },
    setting: async (asked) => await sessions.admin(async (s) => await readSettings(s, asked)),
    schema: async (asked) =>
      await byDatabase(
        asked,
        ({ database }) => database,
        sessions,
        readSchemas,
        () => undefined,
      ),
    extension: async (asked) =>
      await byDatabase(
        asked,
        ({ database }) => database,
        sessions,
        readExtensions,
        () => ({ installed: false, available: [] }),
      ),
    schemaContents: async (asked) =>
      await byDatabase(
        asked,
        ({ database }) => database,
        sessions,
        readSchemaContents,
        () => ({ empty: true, summary: '' }),
      ),
    databaseContents: async (asked) =>
      await byDatabase(
        asked,
        ({ name }) => name,
        sessions,
        async (s, q) =>
          q.length === 0
            ? []
            : (Array.from({ length: q.length }).fill(
                await readDatabaseContents(s),
              ) as Reads['databaseContents']['result'][]),
        () => ({ empty: true, summary: '' }),
        isBroken,
      ),
    grant: async (asked) =>
      await byDatabase(
        asked,
        databaseOfGrant,
        sessions,
        async (s, q) => await readGrants(s, q, info),
        ({ targets }) => ({
          granteeExists: true,
          missing: [`database ${JSON.stringify(targets[0]?.database ?? '')}`],
          objects: [],
        }),
      ),
    defaultPrivileges: async (asked) =>
      await byDatabase(
        asked,
        ({ database }) => database,
        sessions,
        async (s, q) => await readDefaultPrivileges(s, q, info),
        ({ database }) => ({
          missing: [`database ${JSON.stringify(database)}`],
          privileges: [],
          inherited: [],
        }),
      ),
  };
  return await reads[kind](queries);
}

/** Privileges on what all databases share are asked wherever a session is open. */
const databaseOfGrant = ({ targets }: Reads['grant']['query']): string | undefined =>
  targets.find(
    (target) =>
      target.database !== undefined && !['database', 'tablespace', 'parameter', 'global'].includes(target.type),
  )?.database;

async function byDatabase<Q, R>(
  queries: readonly Q[],
  databaseOf: (query: Q) => string | undefined,
  sessions: Sessions,
  read: (session: Session, queries: readonly Q[]) => Promise<R[]>,
  whenGone: (query: Q) => R,
  isAsGone?: (admin: Session, database: string) => Promise<boolean>,
): Promise<R[]> {
  const groups = Map.groupBy(queries.keys(), (index) => databaseOf(queries[index]!));
  const results: R[] = [];
  for (const [database, indexes] of groups) {
    const asked = [...indexes].map((index) => queries[index]!);
    const answers = await answer(database, asked, sessions, read, whenGone, isAsGone);
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
  isAsGone: ((admin: Session, database: string) => Promise<boolean>) | undefined,
): Promise<R[]> {
  const work = async (session: Session): Promise<R[]> => await read(session, asked);
  if (database === undefined) return await sessions.admin(work);
  try {
    return await sessions.inside(database, work);
  } catch (error) {
    // Only the catalog may say that a database is gone: the same code means "not allowed to connect" in places.
    if (!(error instanceof ResourceError)) throw error;
    const says = error.code === '3D000' ? isMissing : error.code === '55000' ? isAsGone : undefined;
    if (says === undefined || !(await sessions.admin(async (session) => await says(session, database)))) throw error;
    return asked.map(whenGone);
  }
}

async function isMissing(session: Session, database: string): Promise<boolean> {
  return (await session.query('SELECT FROM pg_database WHERE datname = $1', [database])).length === 0;
}

/** A DROP DATABASE that was cut off leaves a database that nobody can enter, whose files are gone in part. */
async function isBroken(session: Session, database: string): Promise<boolean> {
  const found = 'SELECT FROM pg_database WHERE datname = $1 AND datconnlimit = -2';
  return (await session.query(found, [database])).length > 0;
}
