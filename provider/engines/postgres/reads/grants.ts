/** What grantees hold, read from the catalogs: one statement for all grants of a batch in one database. */
import type { AuthorityAcl, AuthorityObserved, AuthorityQuery } from '../../../resources/grant-authority.ts';
import { targetWords, withoutColumns } from '../../../resources/grant-target.ts';
import type { ObjectTarget } from '../../../resources/model/objects.ts';
import type { GrantObserved, GrantQuery } from '../../../resources/model/privileges.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { sameArguments } from './grants-routine.ts';
import type { ReadSession } from './grants-session.ts';
import { type FoundObject, GrantsSnapshot, nameOf, placeOf, PUBLIC_OID } from './grants-snapshot.ts';
import { type GrantsParameter, grantsSql, readable } from './grants-sql.ts';

export { readDefaultPrivileges } from './default-privileges.ts';
export { readMemberships } from './grants-membership.ts';

/**
 * Answers the queries, in their order. The session's database is the one that the queries name; one that does not
 * exist is told as missing, so a session of any other database can answer for it.
 */
export async function readGrants(
  session: ReadSession,
  queries: readonly GrantQuery[],
  info: ServerInfo,
): Promise<GrantObserved[]> {
  const types = new Set(queries.flatMap(({ targets }) => targets.map(({ type }) => type)));
  const parameter = JSON.stringify(parameterOf(queries));
  const rows = await session.query(grantsSql(info.versionNumber, types), [parameter]);
  const snapshot = new GrantsSnapshot(rows, info);
  return queries.map((query) => answer(query, snapshot, info));
}

function parameterOf(queries: readonly AuthorityQuery[]): GrantsParameter {
  const wanted = new Map<
    string,
    { type: ObjectTarget['type']; place: string; name: string; roles: Set<string | null> }
  >();
  for (const { grantee, targets } of queries)
    for (const target of targets) {
      const object = { type: target.type, place: placeOf(target), name: nameOf(target) };
      const key = JSON.stringify(object);
      const known = wanted.get(key) ?? { ...object, roles: new Set() };
      wanted.set(key, known);
      known.roles.add(grantee.public === true ? null : grantee.name);
    }
  const targets = queries.flatMap((query) => query.targets);
  return {
    wanted: [...wanted.values()].map(({ roles, ...object }) => ({ ...object, roles: [...roles] })),
    grantors: distinct(queries.map(({ grantor }) => grantor)),
    databases: distinct(targets.map(({ database }) => database)),
    schemas: distinct(targets.map(({ schema }) => schema)),
    columns: targets.flatMap(({ schema = '', name = '', columns = [] }) =>
      columns.map((column) => ({ schema, name, column })),
    ),
  };
}

const distinct = (names: readonly (string | undefined)[]): string[] => [
  ...new Set(names.filter((name) => name !== undefined)),
];

function answer(query: AuthorityQuery, snapshot: GrantsSnapshot, info: ServerInfo): AuthorityObserved {
  const { grantee, grantor } = query;
  const oid = grantee.public === true ? PUBLIC_OID : snapshot.grantees.get(grantee.name);
  const missing = new Set<string>();
  if (grantor !== undefined && !snapshot.grantors.has(grantor)) missing.add(`role "${grantor}"`);
  const objects = new Map<FoundObject, AuthorityAcl>();
  for (const target of query.targets)
    for (const found of find(target, snapshot, info, missing))
      if (!objects.has(found)) objects.set(found, found.aclOf(target.database, oid));
  return {
    granteeExists: oid !== undefined,
    missing: [...missing],
    objects: [...objects.values()],
    reach: snapshot.reach,
  };
}

function find(
  target: ObjectTarget,
  snapshot: GrantsSnapshot,
  info: ServerInfo,
  missing: Set<string>,
): readonly FoundObject[] {
  const { type, database, schema, args, columns } = target;
  const absent = (words: string): FoundObject[] => {
    missing.add(words);
    return [];
  };
  if (database !== undefined && !snapshot.databases.has(database))
    return absent(targetWords({ type: 'database', database }));
  if (database !== undefined && type !== 'database' && database !== snapshot.current)
    throw new Error(`grants in database ${database} were asked of a session in ${snapshot.current}`);
  if (schema !== undefined && !snapshot.schemas.has(schema))
    return absent(targetWords({ type: 'schema', schema, ...(database === undefined ? {} : { database }) }));
  const all = snapshot.find(target);
  const found = args === undefined ? all : all.filter((object) => sameArguments(args, object.args ?? []));
  if (target.name !== '*' && (found.length === 0 || !readable(type, info.versionNumber)))
    return absent(targetWords(target));
  for (const column of columns ?? [])
    if (!snapshot.hasColumn(target, column))
      missing.add(`column "${column}" of ${targetWords(withoutColumns(target))}`);
  return found;
}
