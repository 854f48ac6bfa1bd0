/** What a database or a schema holds, for dropPolicy WhenEmpty; and what keeps a role from being dropped. */
import type { Contents, Reads, RoleDependencies } from '../../../resources/model.ts';
import type { Session } from '../session-pool.ts';

/** Things that people make, by schema; what belongs to an extension or to the system does not count. */
const CONTENTS = `
WITH extension_member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
things AS (
  SELECT relnamespace AS namespace, CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view'
      WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE 'composite type' END AS what,
    'pg_class'::regclass AS class, oid FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
  UNION ALL SELECT pronamespace, 'routine', 'pg_proc'::regclass, oid FROM pg_proc
  UNION ALL SELECT typnamespace, 'type', 'pg_type'::regclass, oid FROM pg_type WHERE typtype IN ('d', 'e', 'r')
)
SELECT n.nspname AS schema, t.what, count(*)::int AS count
FROM things t JOIN pg_namespace n ON n.oid = t.namespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM extension_member e WHERE e.classid = t.class AND e.objid = t.oid)
GROUP BY 1, 2
UNION ALL SELECT '', 'large object', count(*)::int FROM pg_largeobject_metadata HAVING count(*) > 0
ORDER BY 2, 1`;

interface Row {
  schema: string;
  what: string;
  count: number;
}

function summarise(rows: readonly Row[]): Contents {
  const counts = new Map<string, number>();
  for (const { what, count } of rows) counts.set(what, (counts.get(what) ?? 0) + count);
  const parts = [...counts].map(([what, count]) => `${count} ${what}${count === 1 ? '' : 's'}`);
  return { empty: parts.length === 0, summary: parts.join(', ') };
}

export async function readDatabaseContents(session: Session): Promise<Contents> {
  return summarise((await session.query(CONTENTS, [])) as unknown as Row[]);
}

export async function readSchemaContents(
  session: Session,
  queries: readonly Reads['schemaContents']['query'][],
): Promise<Contents[]> {
  const rows = (await session.query(CONTENTS, [])) as unknown as Row[];
  return queries.map(({ name }) => summarise(rows.filter((row) => row.schema === name)));
}

/** Databases in which a role owns or is granted something; '' stands for what belongs to no database. */
const DEPENDENCIES = `
SELECT r.rolname, coalesce(d.datname, '') AS database, s.deptype = 'o' AS owns, count(*)::int AS count,
  (array_agg(DISTINCT CASE WHEN s.classid = 'pg_database'::regclass
    THEN 'database ' || quote_ident((SELECT x.datname FROM pg_database x WHERE x.oid = s.objid))
    WHEN s.classid = 'pg_tablespace'::regclass
    THEN 'tablespace ' || quote_ident((SELECT x.spcname FROM pg_tablespace x WHERE x.oid = s.objid))
    WHEN s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    THEN pg_describe_object(s.classid, s.objid, s.objsubid) END))[1:10] AS objects
FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid LEFT JOIN pg_database d ON d.oid = s.dbid
WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype IN ('o', 'a', 'r', 'i') AND r.rolname = ANY($1)
GROUP BY 1, 2, 3 ORDER BY 1, 2`;

export async function readRoleDependencies(
  session: Session,
  queries: readonly Reads['roleDependencies']['query'][],
): Promise<RoleDependencies[]> {
  const rows = await session.query(DEPENDENCIES, [queries.map(({ name }) => name)]);
  return queries.map(({ name }) => {
    const own = rows.filter((row) => row['rolname'] === name);
    const databases = [...new Set(own.map((row) => row['database'] as string))];
    return {
      databases: databases
        .map((database) => database || session.database)
        .filter((database, i, all) => all.indexOf(database) === i),
      owned: own
        .filter((row) => row['owns'] === true)
        .map((row) => ({
          database: row['database'] as string,
          objects: ((row['objects'] ?? []) as (string | null)[]).filter((object) => object !== null),
          count: row['count'] as number,
        })),
    };
  });
}
