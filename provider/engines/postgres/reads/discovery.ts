/** Everything that people have made on a server: roles, databases, and inside them who may do what. */
import { ResourceError } from '../../../common/errors.ts';
import type { Discovery, FoundDefault, FoundRight } from '../../../resources/model/discovery.ts';
import type { Grantee, ObjectTarget, ObjectType } from '../../../resources/model/objects.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Session } from '../session.ts';
import { LETTERS } from './default-privileges.ts';
import { SOURCES, type Source } from './grants-sql.ts';

/** `database` undefined: the one that is logged in to anyway. */
export type Ask = <T>(database: string | undefined, work: (session: Session) => Promise<T>) => Promise<T>;

/** Below it are the objects of initdb. */
const FIRST_OF_USERS = 16_384;
const SERVERS_ROLE = '^(pg_|rds|cloudsql|alloydb|azure|xdatabase_run_)';

const ROLES = `SELECT rolname AS name FROM pg_roles
  WHERE oid >= ${FIRST_OF_USERS} AND rolname !~ '${SERVERS_ROLE}' AND rolname <> current_user ORDER BY 1`;
const DATABASES = `SELECT datname AS name FROM pg_database
  WHERE oid >= ${FIRST_OF_USERS} AND datname !~ '^(rdsadmin|cloudsqladmin|alloydbadmin|azure_)' AND datallowconn AND datconnlimit <> -2 ORDER BY 1`;
const PEOPLES_SCHEMA = "!~ '^pg_' AND n.nspname <> 'information_schema'";
const ofExtension = (catalog: string): string =>
  `EXISTS (SELECT FROM pg_depend d WHERE d.classid = '${catalog}'::regclass AND d.objid = o.oid AND d.deptype = 'e')`;
const SCHEMAS = `SELECT n.nspname AS name FROM pg_namespace n, LATERAL (SELECT n.oid) o(oid)
  WHERE n.nspname ${PEOPLES_SCHEMA} AND NOT ${ofExtension('pg_namespace')} ORDER BY 1`;
const EXTENSIONS = `SELECT extname AS name, nspname AS schema FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
  WHERE extname <> 'plpgsql' ORDER BY 1`;

/** Of one database, and no reason to say nothing about the others; one that does not exist was dropped meanwhile. */
const CLOSED: ReadonlySet<string> = new Set(['PermissionDenied', 'NotReady', 'DoesNotExist']);

export async function discover(info: ServerInfo, ask: Ask): Promise<Discovery> {
  const names = async (query: string): Promise<string[]> =>
    await ask(undefined, async (session) => (await session.query(query, [])).map((row) => row['name'] as string));
  const [roles, databases] = [await names(ROLES), await names(DATABASES)];
  const known = new Set(roles);
  const found: Discovery = { roles: roles.map((name) => ({ name })), databases: [], rights: [] };
  const unread: NonNullable<Discovery['unread']> = [];
  for (const name of databases)
    try {
      found.databases.push({ name, ...(await ask(name, async (session) => await inside(session, name, info, known))) });
    } catch (error) {
      if (!(error instanceof ResourceError) || !CLOSED.has(error.reason)) throw error;
      if (error.reason !== 'DoesNotExist') unread.push({ name, why: error.message });
    }
  if (unread.length > 0) found.unread = unread;
  found.rights = await ask(undefined, async (session) => {
    const rows = await session.query(rightsSql(shared(info.versionNumber), false), []);
    return rows.flatMap((row) => rightOf(row, undefined, known));
  });
  return found;
}

async function inside(
  session: Session,
  database: string,
  info: ServerInfo,
  roles: ReadonlySet<string>,
): Promise<Omit<Discovery['databases'][number], 'name'>> {
  const schemas = (await session.query(SCHEMAS, [])).map((row) => row['name'] as string);
  const extensions = (await session.query(EXTENSIONS, [])).map((row) => ({
    name: row['name'] as string,
    schema: row['schema'] as string,
  }));
  const rights = await session.query(rightsSql(local(), true), []);
  const defaults = await session.query(defaultsSql(info.major), []);
  return {
    schemas,
    extensions,
    rights: rights.flatMap((row) => rightOf(row, database, roles)),
    defaults: defaults.flatMap((row) => defaultOf(row, roles)),
  };
}

const CATALOGS: Partial<Record<ObjectType, string>> = {
  database: 'pg_database',
  schema: 'pg_namespace',
  table: 'pg_class',
  sequence: 'pg_class',
  routine: 'pg_proc',
  type: 'pg_type',
  language: 'pg_language',
  foreignDataWrapper: 'pg_foreign_data_wrapper',
  foreignServer: 'pg_foreign_server',
  tablespace: 'pg_tablespace',
  largeObject: 'pg_largeobject_metadata',
};

const local = (): Source[] => SOURCES.filter(({ type }) => type !== 'tablespace' && type !== 'parameter');
const shared = (versionNumber: number): Source[] => [
  ...SOURCES.filter(({ type }) => type === 'tablespace'),
  ...(versionNumber < 150_000 ? [] : [PARAMETERS]),
];
const PARAMETERS: Source = {
  type: 'parameter',
  from: '(SELECT oid, parname, 10::oid AS owner, paracl FROM pg_parameter_acl) o',
  name: 'o.parname',
  owner: 'o.owner',
  acl: 'o.paracl',
  letter: 'p',
};

function objectsOf({ type, from, schema, name, owner, acl, letter, where, star, args }: Source): string {
  const catalog = CATALOGS[type];
  const conditions = [
    ...(where === undefined ? [] : [where]),
    ...(star === undefined ? [] : [`(${star})`]),
    ...(schema === undefined ? [] : [`n.nspname ${PEOPLES_SCHEMA}`]),
    ...(type === 'schema' ? [`o.nspname !~ '^pg_' AND o.nspname <> 'information_schema'`] : []),
    ...(type === 'database' ? ['o.datname = current_database()'] : []),
    ...(catalog === undefined ? [] : [`NOT ${ofExtension(catalog)}`]),
  ];
  return `SELECT '${type}' AS type, ${schema === undefined ? "''" : 'n.nspname'}::text AS place, ${name}::text AS name,
    ${args ?? 'NULL::jsonb'} AS args, ${type === 'table' ? 'o.oid' : 'NULL::oid'} AS relation, ${owner} AS owner,
    ${acl} AS acl, acldefault('${letter}', ${owner}) AS builtin
  FROM ${from}${conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`}`;
}

/** An object whose ACL is NULL has what the server gives: there is nothing to say about it. */
function rightsSql(sources: readonly Source[], hasColumns: boolean): string {
  const publics = (acl: string): string =>
    `(SELECT coalesce(array_agg(privilege_type ORDER BY privilege_type), '{}') FROM aclexplode(${acl}) WHERE grantee = 0)::text[]`;
  return `WITH object AS MATERIALIZED (${sources.map(objectsOf).join('\n  UNION ALL\n  ')}),
item AS (
  SELECT o.type, o.place, o.name, o.args, NULL::text AS col, a.grantee, a.privilege_type, bool_or(a.is_grantable) AS grantable
  FROM object o, aclexplode(o.acl) a WHERE a.grantee NOT IN (0, o.owner) GROUP BY 1, 2, 3, 4, 5, 6, 7
  ${
    hasColumns
      ? `UNION ALL
  SELECT o.type, o.place, o.name, o.args, t.attname::text, a.grantee, a.privilege_type, bool_or(a.is_grantable)
  FROM object o JOIN pg_attribute t ON t.attrelid = o.relation AND t.attnum > 0 AND NOT t.attisdropped, aclexplode(t.attacl) a
  WHERE a.grantee <> o.owner GROUP BY 1, 2, 3, 4, 5, 6, 7`
      : ''
  })
SELECT type, place, name, args, col, CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END AS role, grantable,
  false AS exclusive, array_agg(privilege_type ORDER BY privilege_type)::text[] AS privileges
FROM item GROUP BY 1, 2, 3, 4, 5, 6, 7
UNION ALL
SELECT type, place, name, args, NULL, NULL, false, true, ${publics('acl')} FROM object
WHERE acl IS NOT NULL AND ${publics('acl')} <> ${publics('builtin')}`;
}

/** A role that is the server's own, or not ours to speak of, is passed over. */
function granteeOf(role: unknown, roles: ReadonlySet<string>): Grantee | undefined {
  if (role === null) return { public: true };
  return roles.has(role as string) ? { name: role as string } : undefined;
}

function rightOf(
  row: Record<string, unknown>,
  database: string | undefined,
  roles: ReadonlySet<string>,
): FoundRight | [] {
  const to = granteeOf(row['role'], roles);
  if (to === undefined) return [];
  const [type, place, name] = [row['type'] as ObjectType, row['place'] as string, row['name'] as string];
  const args = row['args'] as string[] | null;
  const within = database === undefined ? {} : { database };
  const on: ObjectTarget =
    type === 'database'
      ? { type, ...within }
      : type === 'schema'
        ? { type, ...within, schema: name }
        : {
            type,
            ...within,
            ...(place === '' ? {} : { schema: place }),
            name,
            ...(args === null ? {} : { args }),
            ...(row['col'] === null ? {} : { columns: [row['col'] as string] }),
          };
  return {
    on,
    to,
    privileges: row['privileges'] as string[],
    withOption: row['grantable'] === true,
    exclusive: row['exclusive'] === true,
  };
}

/** The layer of the whole database holds what the server gives as well, of which only the difference counts. */
function defaultsSql(major: number): string {
  const types = Object.entries(LETTERS).filter(([type]) => type !== 'largeObject' || major >= 18);
  const names = types.map(([type, [catalog, builtin]]) => `('${type}', '${catalog}', '${builtin}')`).join(', ');
  return `WITH rule AS (
  SELECT t.name AS type, d.defaclrole AS creator, n.nspname AS schema, d.defaclacl AS acl,
    CASE WHEN d.defaclnamespace = 0 THEN acldefault(t.builtin::"char", d.defaclrole) END AS builtin
  FROM pg_default_acl d JOIN (VALUES ${names}) t(name, letter, builtin) ON t.letter::"char" = d.defaclobjtype
  LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace)
SELECT r.type, pg_get_userbyid(r.creator) AS creator, r.schema, CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END AS role,
  a.is_grantable AS grantable, array_agg(DISTINCT a.privilege_type ORDER BY a.privilege_type)::text[] AS privileges
FROM rule r, aclexplode(r.acl) a
WHERE a.grantee <> r.creator AND NOT (a.grantee = 0 AND EXISTS (SELECT FROM aclexplode(r.builtin) b WHERE b.grantee = 0 AND b.privilege_type = a.privilege_type))
GROUP BY 1, 2, 3, 4, 5
UNION ALL
SELECT r.type, pg_get_userbyid(r.creator), r.schema, NULL, false, '{}' FROM rule r
WHERE EXISTS (SELECT FROM aclexplode(r.builtin) b WHERE b.grantee = 0
  AND NOT EXISTS (SELECT FROM aclexplode(r.acl) a WHERE a.grantee = 0 AND a.privilege_type = b.privilege_type))`;
}

function defaultOf(row: Record<string, unknown>, roles: ReadonlySet<string>): FoundDefault | [] {
  const grantee = granteeOf(row['role'], roles);
  if (grantee === undefined) return [];
  const schema = row['schema'] as string | null;
  return {
    creator: row['creator'] as string,
    grantee,
    objectType: row['type'] as string,
    ...(schema === null ? {} : { schema }),
    privileges: row['privileges'] as string[],
    withOption: row['grantable'] === true,
  };
}
