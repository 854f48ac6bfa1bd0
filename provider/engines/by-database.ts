/** Reads of servers where a session sees one database: each query is asked in its own. */
import { ResourceError } from '../common/errors.ts';

type Work<Session, T> = (session: Session) => Promise<T>;

/** How work gets a session of a server. */
export interface Sessions<Session> {
  /** On the database that is logged in to anyway. */
  admin<T>(work: Work<Session, T>): Promise<T>;
  inside<T>(database: string, work: Work<Session, T>): Promise<T>;
}

/** What one kind of read needs to be asked database by database. */
export interface ByDatabase<Session, Query, Result> {
  /** undefined = wherever a session is open. */
  databaseOf: (query: Query) => string | undefined;
  read: (session: Session, queries: readonly Query[]) => Promise<Result[]>;
  /** The answer when there is no such database. */
  whenGone: (query: Query) => Result;
  /**
   * By the server's code: what the list of databases has to say before an error means that the database is gone. The code
   * alone means other things in places.
   */
  isGone: Readonly<Record<string, (admin: Session, database: string) => Promise<boolean>>>;
}

/** Results in the order of the queries. */
export async function byDatabase<Session, Query, Result>(
  queries: readonly Query[],
  sessions: Sessions<Session>,
  how: ByDatabase<Session, Query, Result>,
): Promise<Result[]> {
  const groups = Map.groupBy(queries.keys(), (index) => how.databaseOf(queries[index]!));
  const results: Result[] = [];
  for (const [database, indexes] of groups) {
    const asked = [...indexes].map((index) => queries[index]!);
    const answers = await answer(database, asked, sessions, how);
    [...indexes].forEach((index, i) => {
      results[index] = answers[i]!;
    });
  }
  return results;
}

async function answer<Session, Query, Result>(
  database: string | undefined,
  asked: readonly Query[],
  sessions: Sessions<Session>,
  { read, whenGone, isGone }: ByDatabase<Session, Query, Result>,
): Promise<Result[]> {
  const work = async (session: Session): Promise<Result[]> => await read(session, asked);
  if (database === undefined) return await sessions.admin(work);
  try {
    return await sessions.inside(database, work);
  } catch (error) {
    if (!(error instanceof ResourceError)) throw error;
    const says = Object.hasOwn(isGone, error.code ?? '') ? isGone[error.code ?? ''] : undefined;
    if (says === undefined || !(await sessions.admin(async (session) => await says(session, database)))) throw error;
    return asked.map(whenGone);
  }
}
