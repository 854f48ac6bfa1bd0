/** Which read answers a kind. Everything is asked wherever a session is open: the catalogs belong to the whole server. */
import { ResourceError } from '../../../common/errors.ts';
import type { ReadKind, Reads } from '../../../resources/model/reads.ts';
import type { MysqlInfo } from '../info.ts';
import type { Session } from '../session.ts';
import { readDatabaseContents } from './contents.ts';
import { readDatabases } from './databases.ts';
import { readDefined } from './definers.ts';
import { readGrants } from './grants.ts';
import { readMemberships } from './memberships.ts';
import { readNamesakes } from './namesakes.ts';
import { type OnAccount, readRoles } from './roles.ts';

export async function dispatchRead<K extends ReadKind>(
  kind: K,
  queries: readonly Reads[K]['query'][],
  info: MysqlInfo,
  session: Session,
  onAccount: OnAccount,
): Promise<Reads[K]['result'][]> {
  if (queries.length === 0) return [];
  const reads: { [R in ReadKind]: (asked: readonly Reads[R]['query'][]) => Promise<Reads[R]['result'][]> } = {
    database: async (asked) => await readDatabases(session, asked, info),
    databaseContents: async (asked) => await readDatabaseContents(session, asked, info),
    role: async (asked) => await readRoles(session, asked, info, onAccount),
    // Nothing belongs to an account, and its privileges go with it.
    roleDependencies: async (asked) => await readDefined(session, asked, info),
    namesakes: async (asked) => await readNamesakes(session, asked, info),
    grant: async (asked) => await readGrants(session, asked, info),
    membership: async (asked) => await readMemberships(session, asked, info),
    // Roles and databases have no settings here.
    setting: async (asked) => await Promise.resolve(asked.map(() => ({ anybodyMaySet: false }))),
    schema: unknown('Schema', info),
    schemaContents: unknown('Schema', info),
    extension: unknown('Extension', info),
    defaultPrivileges: unknown('DefaultPrivileges', info),
  };
  return await reads[kind](queries);
}

const unknown =
  (what: string, { product }: MysqlInfo): (() => Promise<never>) =>
  async () =>
    await Promise.reject(
      new ResourceError('NotSupported', `${product} has nothing that a ${what} could be`, { retryable: false }),
    );
