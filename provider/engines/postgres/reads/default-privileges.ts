/** Default privileges in both layers: one statement for a batch in one database. */
import type { DefaultsAuthority } from '../../../resources/default-privileges.ts';
import type { Reach } from '../../../resources/grant-authority.ts';
import type {
  DefaultPrivilegesObserved,
  DefaultPrivilegesQuery,
  Privilege,
} from '../../../resources/model/privileges.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { ReadSession } from './grants-session.ts';
import { reachColumns } from './grants-sql.ts';

/** Letters of pg_default_acl and of acldefault() for each type. */
export const LETTERS: Readonly<Record<string, readonly [catalog: string, builtin: string]>> = {
  table: ['r', 'r'],
  sequence: ['S', 's'],
  function: ['f', 'f'],
  type: ['T', 'T'],
  schema: ['n', 'n'],
  largeObject: ['L', 'L'],
};

interface Row {
  databaseExists: boolean;
  current: string;
  creator: boolean;
  grantee: boolean;
  schema: boolean;
  global: Privilege[];
  layer: Privilege[];
  reach: Reach | null;
}

/** Answers in the order of the queries; a database that does not exist is told as missing. */
export async function readDefaultPrivileges(
  session: ReadSession,
  queries: readonly DefaultPrivilegesQuery[],
  info: ServerInfo,
): Promise<DefaultPrivilegesObserved[]> {
  const parameter = queries.map(({ database, creator, grantee, objectType, schema }) => ({
    database,
    creator,
    role: grantee.public === true ? null : grantee.name,
    schema: schema ?? null,
    letter: LETTERS[objectType]?.[0] ?? '',
    builtin: LETTERS[objectType]?.[1] ?? '',
  }));
  const rows = await session.query(defaultsSql(info.versionNumber), [JSON.stringify(parameter)]);
  const answers = new Map(rows.map((row) => [Number(row['place']), row['body'] as Row]));
  return queries.map((query, i) => answer(query, answers.get(i + 1)!));
}

function answer(query: DefaultPrivilegesQuery, row: Row): DefaultsAuthority {
  const { database, creator, grantee, schema } = query;
  if (!row.databaseExists) return { missing: [`database "${database}"`], privileges: [], inherited: [] };
  if (row.current !== database)
    throw new Error(`default privileges in database ${database} were asked of a session in ${row.current}`);
  const missing = [
    ...(row.creator ? [] : [`role "${creator}"`]),
    ...(row.grantee || grantee.public === true ? [] : [`role "${grantee.name}"`]),
    ...(row.schema || schema === undefined ? [] : [`schema "${schema}" of database "${database}"`]),
  ];
  return {
    missing,
    privileges: schema === undefined ? row.global : row.layer,
    inherited: row.global,
    ...(row.reach === null ? {} : { reach: row.reach }),
  };
}

function defaultsSql(versionNumber: number): string {
  const items = (acl: string) => `(SELECT coalesce(jsonb_agg(jsonb_build_object('privilege', a.privilege_type,
    'grantable', a.is_grantable, 'grantor', pg_get_userbyid(a.grantor))), '[]')
    FROM aclexplode(${acl}) a WHERE a.grantee = CASE WHEN q.role IS NULL THEN 0 ELSE g.oid END)`;
  // acldefault() refuses letters it does not know, as that of large objects before 18 in pg_default_acl.
  return `WITH query AS MATERIALIZED (
  SELECT place, q->>'database' AS database, q->>'creator' AS creator, q->>'role' AS role, q->>'schema' AS schema,
    (q->>'letter')::"char" AS letter, (q->>'builtin')::"char" AS builtin
  FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS x(q, place)),
me AS (SELECT oid, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user)
SELECT q.place::int AS place, jsonb_build_object('current', current_database(),
  'databaseExists', EXISTS (SELECT FROM pg_database d WHERE d.datname = q.database),
  'creator', c.oid IS NOT NULL, 'grantee', g.oid IS NOT NULL, 'schema', n.oid IS NOT NULL,
  'global', CASE WHEN c.oid IS NULL THEN '[]' ELSE ${items('coalesce(all_of.defaclacl, acldefault(q.builtin, c.oid))')} END,
  'layer', CASE WHEN layer.defaclacl IS NULL THEN '[]' ELSE ${items('layer.defaclacl')} END,
  'reach', (SELECT to_jsonb(reach) FROM (SELECT r.*, me.oid AS me_oid FROM pg_roles r, me WHERE r.oid = c.oid) r, me,
    LATERAL (SELECT ${reachColumns(versionNumber)}) AS reach)) AS body
FROM query q
  LEFT JOIN pg_roles c ON c.rolname = q.creator
  LEFT JOIN pg_roles g ON g.rolname = q.role
  LEFT JOIN pg_namespace n ON n.nspname = q.schema
  LEFT JOIN pg_default_acl all_of ON all_of.defaclrole = c.oid AND all_of.defaclnamespace = 0 AND all_of.defaclobjtype = q.letter
  LEFT JOIN pg_default_acl layer ON layer.defaclrole = c.oid AND layer.defaclnamespace = n.oid AND layer.defaclobjtype = q.letter`;
}
