/** What a database or a schema holds, for dropPolicy WhenEmpty. */
import type { Contents } from '../../../resources/model/databases.ts';
import type { Reads } from '../../../resources/model/reads.ts';
import type { Session } from '../session.ts';

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
UNION ALL SELECT '', 'foreign server', count(*)::int FROM pg_foreign_server f
  WHERE NOT EXISTS (SELECT FROM extension_member e WHERE e.classid = 'pg_foreign_server'::regclass AND e.objid = f.oid) HAVING count(*) > 0
UNION ALL SELECT '', 'publication', count(*)::int FROM pg_publication HAVING count(*) > 0
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
