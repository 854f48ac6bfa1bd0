/** Databases, schemas and what they hold. */
import type { Contents, DatabaseObserved, SchemaObserved, Setting } from '../../../resources/model/databases.ts';
import type { Reads } from '../../../resources/model/reads.ts';
import { readMark } from '../../postgres/mark.ts';
import type { Session } from '../../postgres/session.ts';
import { scriptLoginOf } from '../names.ts';
import { settingsOf } from '../rows.ts';
import { TYPES } from './inventory.ts';
import { existingRoles } from './roles.ts';

const DATABASES = `SELECT database_name, owner, comment FROM [SHOW DATABASES WITH COMMENT]
  WHERE database_name = ANY($1::text[])`;

const SETTINGS = `SELECT d.datname AS name, s.setconfig AS settings
  FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  WHERE s.setrole = 0 AND d.datname = ANY($1::text[])`;

/** What every database of CockroachDB is, and what a spec may therefore say. */
const FIXED = {
  encoding: 'UTF8',
  collation: 'C.UTF-8',
  allowConnections: true,
  connectionLimit: -1,
  isTemplate: false,
};

export async function readDatabases(
  session: Session,
  queries: readonly Reads['database']['query'][],
): Promise<(DatabaseObserved | undefined)[]> {
  const names = queries.map(({ name }) => name);
  const rows = await session.query(DATABASES, [names]);
  const settings = new Map<string, Setting[]>();
  if (rows.length > 0)
    for (const row of await session.query(SETTINGS, [names]))
      settings.set(row['name'] as string, settingsOf(row['settings']));
  const logins = rows.length === 0 ? new Set<string>() : await existingRoles(session, names.map(scriptLoginOf));
  const byName = new Map(rows.map((row) => [row['database_name'] as string, row]));
  return names.map((name) => {
    const row = byName.get(name);
    if (row === undefined) return undefined;
    const comment = row['comment'] as string | null;
    const mark = readMark(comment);
    return {
      name,
      owner: row['owner'] as string,
      ...FIXED,
      settings: settings.get(name) ?? [],
      ...(logins.has(scriptLoginOf(name)) ? { scriptLogin: scriptLoginOf(name) } : {}),
      ...(comment === null ? {} : { comment }),
      ...(mark === undefined ? {} : { mark }),
    };
  });
}

export async function databaseExists(session: Session, name: string): Promise<boolean> {
  const rows = await session.query('SELECT database_name FROM [SHOW DATABASES] WHERE database_name = $1', [name]);
  return rows.length > 0;
}

const SCHEMAS = 'SELECT schema_name, owner FROM [SHOW SCHEMAS] WHERE schema_name = ANY($1::text[])';
const SCHEMA_COMMENTS = `SELECT nspname, obj_description(oid, 'pg_namespace') AS comment
  FROM pg_catalog.pg_namespace WHERE nspname = ANY($1::text[])`;
/** What reaches public by nothing but itself. */
const PUBLIC_ON_SCHEMAS = `SELECT schema_name, privilege_type FROM [SHOW GRANTS FOR public]
  WHERE grantee = 'public' AND object_type = 'schema' AND schema_name = ANY($1::text[]) ORDER BY 1, 2`;

export async function readSchemas(
  session: Session,
  queries: readonly Reads['schema']['query'][],
): Promise<(SchemaObserved | undefined)[]> {
  const names = queries.map(({ name }) => name);
  const rows = await session.query(SCHEMAS, [names]);
  if (rows.length === 0) return queries.map(() => undefined);
  const comments = new Map(
    (await session.query(SCHEMA_COMMENTS, [names])).map((row) => [row['nspname'], row['comment'] as string | null]),
  );
  const open = await session.query(PUBLIC_ON_SCHEMAS, [names]);
  const byName = new Map(rows.map((row) => [row['schema_name'] as string, row]));
  return queries.map(({ database, name }) => {
    const row = byName.get(name);
    if (row === undefined) return undefined;
    const mark = readMark(comments.get(name));
    return {
      database,
      name,
      owner: row['owner'] as string,
      publicPrivileges: open
        .filter((grant) => grant['schema_name'] === name)
        .map((grant) => grant['privilege_type'] as string),
      ...(mark === undefined ? {} : { mark }),
    };
  });
}

interface Thing {
  schema: string;
  what: string;
}

const TABLES = 'SELECT schema_name AS schema, type AS what FROM [SHOW TABLES]';
const TYPES_IN = `SELECT schema, 'type' AS what FROM (${TYPES}) AS types`;
const ROUTINES = `SELECT n.nspname AS schema, 'routine' AS what FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'crdb_internal', 'pg_extension')`;

async function things(session: Session): Promise<Thing[]> {
  const all: Record<string, unknown>[] = [];
  for (const query of [
    TABLES.replace('SHOW TABLES', `SHOW TABLES FROM ${quoted(session.database)}`),
    TYPES_IN,
    ROUTINES,
  ])
    all.push(...(await session.query(query, [])));
  return all as unknown as Thing[];
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function summarise(found: readonly Thing[]): Contents {
  const counts = new Map<string, number>();
  for (const { what } of found) counts.set(what, (counts.get(what) ?? 0) + 1);
  const parts = [...counts].map(([what, count]) => `${count} ${what}${count === 1 ? '' : 's'}`);
  return { empty: parts.length === 0, summary: parts.toSorted().join(', ') };
}

export const readDatabaseContents = async (session: Session): Promise<Contents> => summarise(await things(session));

export async function readSchemaContents(
  session: Session,
  queries: readonly Reads['schemaContents']['query'][],
): Promise<Contents[]> {
  const found = await things(session);
  return queries.map(({ name }) => summarise(found.filter(({ schema }) => schema === name)));
}
