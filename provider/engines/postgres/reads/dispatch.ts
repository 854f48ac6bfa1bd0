/** Which read answers a kind, and in which database it has to be asked. */
import type { ReadKind, Reads } from '../../../resources/model/reads.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { byDatabase, type Sessions as SessionsOf } from '../../by-database.ts';
import type { Session } from '../session.ts';
import { readDatabaseContents, readSchemaContents } from './contents.ts';
import { readDatabases } from './databases.ts';
import { readDefaultPrivileges, readGrants, readMemberships } from './grants.ts';
import { nameOwned, readRoleDependencies } from './role-dependencies.ts';
import { type OnVerifier, readRoles } from './roles.ts';
import { readExtensions, readSchemas } from './schemas.ts';
import { readSettings } from './settings.ts';

export type Sessions = SessionsOf<Session>;

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
    namesakes: async (asked) => await Promise.resolve(asked.map(() => [])),
    roleDependencies: async (asked) => {
      const found = await sessions.admin(async (s) => await readRoleDependencies(s, asked));
      return await nameOwned(asked, found, sessions.inside.bind(sessions));
    },
    setting: async (asked) => await sessions.admin(async (s) => await readSettings(s, asked)),
    schema: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: ({ database }) => database,
        read: readSchemas,
        whenGone: () => undefined,
        isGone: GONE,
      }),
    extension: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: ({ database }) => database,
        read: readExtensions,
        whenGone: () => ({ installed: false, available: [] }),
        isGone: GONE,
      }),
    schemaContents: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: ({ database }) => database,
        read: readSchemaContents,
        whenGone: () => ({ empty: true, summary: '' }),
        isGone: GONE,
      }),
    databaseContents: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: ({ name }) => name,
        read: async (s, q) =>
          q.length === 0
            ? []
            : (Array.from({ length: q.length }).fill(
                await readDatabaseContents(s),
              ) as Reads['databaseContents']['result'][]),
        whenGone: () => ({ empty: true, summary: '' }),
        isGone: { ...GONE, '55000': isBroken },
      }),
    grant: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: databaseOfGrant,
        read: async (s, q) => await readGrants(s, q, info),
        whenGone: ({ targets }) => ({
          granteeExists: true,
          missing: [`database ${JSON.stringify(targets[0]?.database ?? '')}`],
          objects: [],
        }),
        isGone: GONE,
      }),
    defaultPrivileges: async (asked) =>
      await byDatabase(asked, sessions, {
        databaseOf: ({ database }) => database,
        read: async (s, q) => await readDefaultPrivileges(s, q, info),
        whenGone: ({ database }) => ({
          missing: [`database ${JSON.stringify(database)}`],
          privileges: [],
          inherited: [],
        }),
        isGone: GONE,
      }),
  };
  return await reads[kind](queries);
}

/** Privileges on what all databases share are asked wherever a session is open. */
const databaseOfGrant = ({ targets }: Reads['grant']['query']): string | undefined =>
  targets.find(
    (target) =>
      target.database !== undefined && !['database', 'tablespace', 'parameter', 'global'].includes(target.type),
  )?.database;

async function isMissing(session: Session, database: string): Promise<boolean> {
  return (await session.query('SELECT FROM pg_database WHERE datname = $1', [database])).length === 0;
}

/** A DROP DATABASE that was cut off leaves a database that nobody can enter, whose files are gone in part. */
async function isBroken(session: Session, database: string): Promise<boolean> {
  const found = 'SELECT FROM pg_database WHERE datname = $1 AND datconnlimit = -2';
  return (await session.query(found, [database])).length > 0;
}

const GONE = { '3D000': isMissing };
