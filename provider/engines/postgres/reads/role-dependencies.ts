/** What keeps a role from being dropped: all it owns or is granted, in every database and in what they share. */
import type { Reads } from '../../../resources/model/reads.ts';
import type { RoleDependencies } from '../../../resources/model/roles.ts';
import type { Session } from '../session.ts';

/** Objects that are named; the rest is counted. */
const NAMED = 10;

/** Entries that the catalog calls owned and that hold nothing: DROP OWNED takes them like privileges. */
const IS_OWNED = `s.deptype = 'o' AND s.classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)`;

/** By database; NULL stands for what belongs to none. Only what is shared can be named from anywhere. */
const DEPENDENCIES = `
SELECT r.rolname AS role, d.datname AS database, ${IS_OWNED} AS owns, count(*)::int AS count,
  (array_agg(pg_describe_object(s.classid, s.objid, 0) ORDER BY 1) FILTER (WHERE s.dbid = 0))[1:${NAMED}] AS objects,
  array_agg(o.datname::text ORDER BY o.datname) FILTER (WHERE ${IS_OWNED} AND o.datname IS NOT NULL) AS owned_databases
FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid LEFT JOIN pg_database d ON d.oid = s.dbid
  LEFT JOIN pg_database o ON s.classid = 'pg_database'::regclass AND o.oid = s.objid
WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype IN ('o', 'a', 'r', 'i') AND r.rolname = ANY($1)
GROUP BY 1, 2, 3 ORDER BY 1, 2 NULLS FIRST`;

const OWNED = `
SELECT r.rolname AS role, (array_agg(what ORDER BY what))[1:${NAMED}] AS objects
FROM (SELECT s.refobjid, pg_describe_object(s.classid, s.objid, s.objsubid) AS what FROM pg_shdepend s
  WHERE s.refclassid = 'pg_authid'::regclass AND ${IS_OWNED}
    AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())) s
JOIN pg_roles r ON r.oid = s.refobjid WHERE r.rolname = ANY($1) GROUP BY 1`;

type Inside = <T>(database: string, work: (session: Session) => Promise<T>) => Promise<T>;

export async function readRoleDependencies(
  session: Session,
  queries: readonly Reads['roleDependencies']['query'][],
): Promise<RoleDependencies[]> {
  const rows = await session.query(DEPENDENCIES, [queries.map(({ name }) => name)]);
  return queries.map(({ name }) => {
    const own = rows.filter((row) => row['role'] === name);
    // What is shared is given up from any database: from the one that is logged in to anyway.
    const databases = own.map((row) => (row['database'] ?? session.database) as string);
    return {
      databases: [...new Set(databases)],
      ownedDatabases: own.flatMap((row) => (row['owned_databases'] ?? []) as string[]),
      owned: own
        .filter((row) => row['owns'] === true)
        .map((row) => ({
          database: (row['database'] ?? '') as string,
          objects: (row['objects'] ?? []) as string[],
          count: row['count'] as number,
        })),
    };
  });
}

/** Puts names to what is owned inside databases. One that cannot be entered keeps its count. */
export async function nameOwned(
  queries: readonly Reads['roleDependencies']['query'][],
  results: readonly RoleDependencies[],
  inside: Inside,
): Promise<RoleDependencies[]> {
  const databases = new Set(results.flatMap(({ owned }) => owned.map(({ database }) => database)));
  databases.delete('');
  const names = new Map<string, string[]>();
  for (const database of databases) {
    const roles = queries.filter((_, i) => results[i]?.owned.some((entry) => entry.database === database));
    const rows = await inside(
      database,
      async (session) => await session.query(OWNED, [roles.map(({ name }) => name)]),
    ).catch(() => []);
    for (const row of rows) names.set(keyOf(database, row['role'] as string), row['objects'] as string[]);
  }
  return results.map((result, i) => ({
    ...result,
    owned: result.owned.map((entry) => ({
      ...entry,
      objects: names.get(keyOf(entry.database, queries[i]?.name ?? '')) ?? entry.objects,
    })),
  }));
}

const keyOf = (database: string, role: string): string => JSON.stringify([database, role]);
