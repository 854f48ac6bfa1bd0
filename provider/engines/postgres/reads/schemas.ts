/** Schemas and extensions of one database. */
import type { ExtensionObserved, SchemaObserved } from '../../../resources/model/databases.ts';
import type { Reads } from '../../../resources/model/reads.ts';
import { readMark } from '../mark.ts';
import type { Session } from '../session.ts';

const SCHEMAS = `
SELECT n.nspname, pg_get_userbyid(n.nspowner) AS owner, obj_description(n.oid, 'pg_namespace') AS comment,
  ARRAY(SELECT a.privilege_type FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
        WHERE a.grantee = 0 ORDER BY 1)::text[] AS public_privileges
FROM pg_namespace n WHERE n.nspname = ANY($1)`;

export async function readSchemas(
  session: Session,
  queries: readonly Reads['schema']['query'][],
): Promise<(SchemaObserved | undefined)[]> {
  const rows = await session.query(SCHEMAS, [queries.map(({ name }) => name)]);
  const byName = new Map(rows.map((row) => [row['nspname'] as string, row]));
  return queries.map(({ database, name }) => {
    const row = byName.get(name);
    if (row === undefined) return undefined;
    const mark = readMark(row['comment'] as string | null);
    return {
      database,
      name,
      owner: row['owner'] as string,
      publicPrivileges: row['public_privileges'] as string[],
      ...(mark === undefined ? {} : { mark }),
    };
  });
}

const EXTENSIONS = `
SELECT w.name, e.extversion, n.nspname, obj_description(e.oid, 'pg_extension') AS comment,
  ARRAY(SELECT v.version FROM pg_available_extension_versions v WHERE v.name = w.name ORDER BY v.version)::text[] AS available
FROM unnest($1::text[]) AS w(name)
LEFT JOIN pg_extension e ON e.extname = w.name LEFT JOIN pg_namespace n ON n.oid = e.extnamespace`;

export async function readExtensions(
  session: Session,
  queries: readonly Reads['extension']['query'][],
): Promise<Reads['extension']['result'][]> {
  const names = [...new Set(queries.map(({ name }) => name))];
  const rows = await session.query(EXTENSIONS, [names]);
  const byName = new Map(rows.map((row) => [row['name'] as string, row]));
  return queries.map(({ database, name }) => {
    const row = byName.get(name);
    const available = (row?.['available'] ?? []) as string[];
    if (row === undefined || row['extversion'] === null) return { installed: false, available };
    const mark = readMark(row['comment'] as string | null);
    const observed: ExtensionObserved = {
      database,
      name,
      version: row['extversion'] as string,
      schema: row['nspname'] as string,
      available,
    };
    return mark === undefined ? observed : { ...observed, mark };
  });
}
