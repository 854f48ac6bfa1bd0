/**
 * The statement that reads every privilege that a batch of grants asks for, of one database. Its one parameter is JSON:
 * see GrantsParameter.
 */
import type { ObjectType } from '../../../resources/model/objects.ts';

export interface GrantsParameter {
  /** What to read, for whom: roles by name, null is PUBLIC. The place is the schema, where the type lives in one. */
  wanted: { type: ObjectType; place: string; name: string; roles: (string | null)[] }[];
  /** Roles that specs chose as grantor. */
  grantors: string[];
  /** Whose existence is asked for. */
  databases: string[];
  schemas: string[];
  columns: { schema: string; name: string; column: string }[];
}

/** Where the objects of a type are in the catalogs, and how their NULL acl is to be read. */
export interface Source {
  type: ObjectType;
  /** Rows of the catalog as o; n is the schema's row where the type lives in one. */
  from: string;
  schema?: true;
  name: string;
  owner: string;
  acl: string;
  /** The letter of acldefault(). */
  letter: string;
  where?: string;
  /** What `*` leaves out. */
  star?: string;
  args?: string;
  since?: number;
}

const ARGUMENTS = `(
  SELECT coalesce(jsonb_agg(
    CASE WHEN tn.nspname = 'pg_catalog' THEN format_type(t.oid, NULL)
         WHEN t.typelem <> 0 AND t.typcategory = 'A' THEN quote_ident(en.nspname) || '.' || quote_ident(e.typname) || '[]'
         ELSE quote_ident(tn.nspname) || '.' || quote_ident(t.typname) END ORDER BY a.place), '[]')
  FROM unnest(o.proargtypes::oid[]) WITH ORDINALITY AS a(type, place)
  JOIN pg_type t ON t.oid = a.type
  JOIN pg_namespace tn ON tn.oid = t.typnamespace
  LEFT JOIN pg_type e ON e.oid = t.typelem
  LEFT JOIN pg_namespace en ON en.oid = e.typnamespace)`;

export const SOURCES: readonly Source[] = [
  { type: 'database', from: 'pg_database o', name: 'o.datname', owner: 'o.datdba', acl: 'o.datacl', letter: 'd' },
  { type: 'schema', from: 'pg_namespace o', name: 'o.nspname', owner: 'o.nspowner', acl: 'o.nspacl', letter: 'n' },
  {
    type: 'table',
    from: 'pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace',
    schema: true,
    name: 'o.relname',
    owner: 'o.relowner',
    acl: 'o.relacl',
    letter: 'r',
    where: `o.relkind IN ('r', 'v', 'm', 'p', 'f')`,
  },
  {
    type: 'sequence',
    from: 'pg_class o JOIN pg_namespace n ON n.oid = o.relnamespace',
    schema: true,
    name: 'o.relname',
    owner: 'o.relowner',
    acl: 'o.relacl',
    letter: 's',
    where: `o.relkind = 'S'`,
  },
  {
    type: 'routine',
    from: 'pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace',
    schema: true,
    name: 'o.proname',
    owner: 'o.proowner',
    acl: 'o.proacl',
    letter: 'f',
    args: ARGUMENTS,
  },
  {
    type: 'type',
    from: 'pg_type o JOIN pg_namespace n ON n.oid = o.typnamespace',
    schema: true,
    name: 'o.typname',
    owner: 'o.typowner',
    acl: 'o.typacl',
    letter: 'T',
    // Types of arrays and multiranges have no privileges of their own.
    where: `NOT (o.typelem <> 0 AND o.typcategory = 'A') AND o.typtype <> 'm'`,
    star: `o.typrelid = 0 OR EXISTS (SELECT FROM pg_class c WHERE c.oid = o.typrelid AND c.relkind = 'c')`,
  },
  {
    type: 'language',
    from: 'pg_language o',
    name: 'o.lanname',
    owner: 'o.lanowner',
    acl: 'o.lanacl',
    letter: 'l',
    star: 'o.lanpltrusted',
  },
  {
    type: 'foreignDataWrapper',
    from: 'pg_foreign_data_wrapper o',
    name: 'o.fdwname',
    owner: 'o.fdwowner',
    acl: 'o.fdwacl',
    letter: 'F',
  },
  {
    type: 'foreignServer',
    from: 'pg_foreign_server o',
    name: 'o.srvname',
    owner: 'o.srvowner',
    acl: 'o.srvacl',
    letter: 'S',
  },
  {
    type: 'tablespace',
    from: 'pg_tablespace o',
    name: 'o.spcname',
    owner: 'o.spcowner',
    acl: 'o.spcacl',
    letter: 't',
  },
  {
    type: 'largeObject',
    from: 'pg_largeobject_metadata o',
    name: 'o.oid::text',
    owner: 'o.lomowner',
    acl: 'o.lomacl',
    letter: 'L',
  },
  {
    type: 'parameter',
    // A parameter has a row of its own only once it was granted; its owner is the superuser of initdb.
    from: `(SELECT s.name, 10::oid AS owner, p.paracl FROM
        (SELECT lower(name) FROM pg_settings UNION SELECT parname FROM pg_parameter_acl
         UNION SELECT name FROM wanted WHERE type = 'parameter' AND name LIKE '%.%') s(name)
        LEFT JOIN pg_parameter_acl p ON p.parname = s.name) o`,
    name: 'o.name',
    owner: 'o.owner',
    acl: 'o.paracl',
    letter: 'p',
    since: 150_000,
  },
];

/** Types of object that the statement would look at; a query for another is answered without rows. */
export const readable = (type: ObjectType, versionNumber: number): boolean =>
  SOURCES.some((source) => source.type === type && (source.since ?? 0) <= versionNumber);

function objects(source: Source): string {
  const { type, from, schema, name, owner, acl, letter, where, star, args } = source;
  const place = schema === undefined ? "''" : 'n.nspname';
  const named = `(${place}, ${name}) IN (SELECT place, name FROM wanted WHERE type = '${type}')`;
  const all = `${place} IN (SELECT place FROM wanted WHERE type = '${type}' AND name = '*')${star === undefined ? '' : ` AND (${star})`}`;
  return `SELECT '${type}' AS type, ${place}::text AS place, ${name}::text AS name,
    ${args ?? 'NULL::jsonb'} AS args, ${type === 'table' ? 'o.oid' : 'NULL::oid'} AS relation, ${owner} AS owner,
    coalesce(${acl}, acldefault('${letter}', ${owner})) AS acl
  FROM ${from}
  WHERE (${named} OR (${all}))${where === undefined ? '' : ` AND ${where}`}`;
}

/** How the administrator may act as role r. */
export function reachColumns(versionNumber: number): string {
  const set = versionNumber >= 160_000 ? 'SET' : 'MEMBER';
  const mayJoin =
    versionNumber >= 160_000
      ? `pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION')`
      : `(me.rolcreaterole OR pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION'))`;
  return `pg_has_role(me.oid, r.oid, 'USAGE') AS inherit,
    pg_has_role(me.oid, r.oid, '${set}') AS set,
    (NOT r.rolsuper AND r.rolname !~ '${RESERVED}' AND NOT ${endsPasswordLogin('r.oid')} AND ${mayJoin}) AS borrow`;
}

/** Roles of the server or of the cloud's operators, which an administrator must never become a member of. */
const RESERVED = '^(pg_|rds|cloudsql|alloydb|azure)';

/** Members of these log in with tokens of the cloud only. */
export const endsPasswordLogin = (role: string): string =>
  `EXISTS (SELECT FROM pg_roles iam WHERE iam.rolname IN ('rds_iam', 'rds_ad', 'cloudsqliamuser', 'cloudsqliamserviceaccount', 'cloudsqliamgroup', 'alloydbiamuser', 'azure_ad_user')
      AND pg_has_role(${role}, iam.oid, 'MEMBER') AND NOT (SELECT rolsuper FROM pg_roles s WHERE s.oid = ${role}))`;

const NO_OBJECT = `SELECT NULL::text AS type, NULL::text AS place, NULL::text AS name, NULL::jsonb AS args,
  NULL::oid AS relation, NULL::oid AS owner, NULL::aclitem[] AS acl WHERE false`;

/** One right as JSON text: column, privilege, grantable, grantor's oid, and whether the grantor acts as the owner. */
const RIGHT = `concat('[', coalesce(to_json(i.col)::text, 'null'), ',"', i.privilege_type, '",', i.is_grantable::text, ',"', i.grantor, '",',
      (i.grantor <> i.owner AND pg_has_role(i.grantor, i.owner, 'USAGE'))::text, ']')`;

/** What everybody who was asked for holds, packed: who holds the same on an object is told once. */
export function grantsSql(versionNumber: number, types: ReadonlySet<ObjectType>): string {
  const sources = SOURCES.filter(({ type, since }) => types.has(type) && (since ?? 0) <= versionNumber);
  const set = versionNumber >= 160_000 ? 'SET' : 'MEMBER';
  return `WITH input AS (SELECT $1::jsonb AS j),
wanted AS MATERIALIZED (SELECT type, place, name, roles
  FROM input, jsonb_to_recordset(j->'wanted') AS w(type text, place text, name text, roles jsonb)),
me AS (SELECT oid, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user),
chosen AS MATERIALIZED (SELECT oid, rolname FROM pg_roles WHERE rolname IN (SELECT jsonb_array_elements_text(j->'grantors') FROM input)),
-- Who may grant for us: by a right of our own, or because a spec chose it.
actor AS MATERIALIZED (SELECT r.oid FROM pg_roles r, me WHERE r.oid IN (SELECT oid FROM chosen)
  OR (NOT me.rolsuper AND (pg_has_role(me.oid, r.oid, 'USAGE') OR pg_has_role(me.oid, r.oid, '${set}')))),
wish AS MATERIALIZED (SELECT w.type, w.place, w.name, CASE WHEN e.role IS NULL THEN 0::oid ELSE r.oid END AS grantee, r.rolname
  FROM wanted w, jsonb_array_elements_text(w.roles) e(role) LEFT JOIN pg_roles r ON r.rolname = e.role
  WHERE e.role IS NULL OR r.oid IS NOT NULL),
object AS MATERIALIZED (SELECT row_number() OVER () AS n, o.* FROM (
  ${sources.map(objects).join('\n  UNION ALL\n  ') || NO_OBJECT}) o),
pair AS MATERIALIZED (SELECT o.n, w.grantee FROM object o JOIN wish w USING (type, place, name)),
star AS MATERIALIZED (SELECT type, place, grantee FROM wish WHERE name = '*'),
entry AS MATERIALIZED (
  -- Item by item: aclexplode() unpacks the whole list anew for each row that it gives.
  SELECT o.n, o.type, o.place, o.owner, NULL::text AS col, a.* FROM object o, unnest(o.acl) x(item), aclexplode(ARRAY[x.item]) a
  UNION ALL
  SELECT o.n, o.type, o.place, o.owner, t.attname::text, a.* FROM object o
    JOIN pg_attribute t ON t.attrelid = o.relation AND t.attnum > 0 AND NOT t.attisdropped AND t.attacl IS NOT NULL,
    unnest(t.attacl) x(item), aclexplode(ARRAY[x.item]) a),
item AS MATERIALIZED (SELECT e.* FROM entry e WHERE (e.n, e.grantee) IN (SELECT n, grantee FROM pair)
  OR (e.type, e.place, e.grantee) IN (SELECT type, place, grantee FROM star)
  OR (e.is_grantable AND e.grantee IN (SELECT oid FROM actor))),
held AS MATERIALIZED (SELECT n, grantee, '[' || string_agg(${RIGHT}, ',' ORDER BY i.col, i.privilege_type, i.grantor) || ']' AS rights
  FROM item i GROUP BY n, grantee),
packed AS MATERIALIZED (SELECT n, json_agg(json_build_array(grantees, rights::json)) AS acl FROM (
  SELECT n, rights, array_agg(grantee::text) AS grantees FROM held GROUP BY n, rights) h GROUP BY n),
involved AS MATERIALIZED (
  SELECT owner AS oid FROM object UNION SELECT grantor FROM item UNION SELECT oid FROM chosen
  UNION SELECT grantee FROM item WHERE is_grantable AND grantee IN (SELECT oid FROM actor)),
dba AS (SELECT datdba AS oid FROM pg_database WHERE datname = current_database())
SELECT 'object' AS kind, json_build_object('type', o.type, 'place', o.place, 'name', o.name, 'args', o.args,
  'owner', o.owner::text, 'acl', coalesce(p.acl, '[]'),
  'owners', (SELECT coalesce(json_agg(rolname), '[]') FROM chosen WHERE pg_has_role(chosen.oid, o.owner, 'USAGE'))) AS body
FROM object o LEFT JOIN packed p USING (n)
UNION ALL
SELECT 'role', json_build_object('oid', i.oid::text, 'name', x.rolname, 'inherit', inherit, 'set', set, 'borrow', borrow,
  'as', CASE WHEN r.oid <> x.oid THEN r.rolname END)
FROM involved i JOIN pg_roles x ON x.oid = i.oid
  JOIN pg_roles r ON r.oid = CASE WHEN x.rolname = 'pg_database_owner' THEN (SELECT oid FROM dba) ELSE x.oid END,
  me, LATERAL (SELECT ${reachColumns(versionNumber)}) AS reach
UNION ALL
SELECT 'grantee', json_build_array(w.grantee::text, w.rolname) FROM (SELECT DISTINCT grantee, rolname FROM wish WHERE grantee <> 0) w
UNION ALL
SELECT 'grantor', to_json(rolname) FROM chosen
UNION ALL
SELECT 'schema', to_json(nspname) FROM pg_namespace WHERE nspname IN (SELECT jsonb_array_elements_text(j->'schemas') FROM input)
UNION ALL
SELECT 'database', to_json(datname) FROM pg_database WHERE datname IN (SELECT jsonb_array_elements_text(j->'databases') FROM input)
UNION ALL
SELECT 'current', to_json(current_database())
UNION ALL
SELECT 'column', json_build_array(c.schema, c.name, a.attname)
FROM input, jsonb_to_recordset(j->'columns') AS c(schema text, name text, "column" text)
  JOIN object o ON o.type = 'table' AND o.place = c.schema AND o.name = c.name
  JOIN pg_attribute a ON a.attrelid = o.relation AND a.attname = c."column" AND a.attnum > 0 AND NOT a.attisdropped`;
}
