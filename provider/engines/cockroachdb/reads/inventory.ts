/** Everything in one database that privileges can be on, with its owner: only the kinds that are asked for. */
import type { ObjectTarget, ObjectType, RoutineType } from '../../../resources/model/objects.ts';
import type { Session } from '../../postgres/session.ts';
import { ident, sql } from '../../postgres/sql.ts';
import { plainType, splitArguments } from '../types.ts';

export interface InventoryObject {
  type: ObjectType;
  /** '' for a schema. */
  schema: string;
  name: string;
  owner: string;
  /** Of a table: `table`, `view` or `materialized view`. */
  relation?: string;
  /** Of a routine. */
  routineType?: RoutineType;
  /** Of a routine: the types of its arguments, each by its plain name. */
  args?: string[];
}

/** The type of a multi-region database's regions is the database's own: it comes, changes and goes with it. */
export const TYPES = `SELECT schema, name, owner FROM [SHOW TYPES] WHERE name <> 'crdb_internal_region'`;

const ROUTINES = `SELECT n.nspname AS schema, p.proname AS name, r.rolname AS owner,
    pg_get_function_identity_arguments(p.oid) AS args,
    CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END AS kind
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'crdb_internal', 'pg_extension')`;

export async function readInventory(
  session: Session,
  targets: readonly Pick<ObjectTarget, 'type'>[],
): Promise<InventoryObject[]> {
  const has = (...types: ObjectType[]): boolean => targets.some(({ type }) => types.includes(type));
  const objects: InventoryObject[] = [];
  for (const row of await session.query('SELECT schema_name, owner FROM [SHOW SCHEMAS]', []))
    objects.push({ type: 'schema', schema: '', name: row['schema_name'] as string, owner: row['owner'] as string });
  if (has('table', 'sequence')) {
    const from = sql`SELECT schema_name, table_name, type, owner FROM [SHOW TABLES FROM ${ident(session.database)}]`;
    for (const row of await session.query(from.text, []))
      objects.push({
        type: row['type'] === 'sequence' ? 'sequence' : 'table',
        schema: row['schema_name'] as string,
        name: row['table_name'] as string,
        owner: row['owner'] as string,
        relation: row['type'] as string,
      });
  }
  if (has('type'))
    for (const row of await session.query(TYPES, []))
      objects.push({
        type: 'type',
        schema: row['schema'] as string,
        name: row['name'] as string,
        owner: row['owner'] as string,
      });
  if (has('routine'))
    for (const row of await session.query(ROUTINES, []))
      objects.push({
        type: 'routine',
        schema: row['schema'] as string,
        name: row['name'] as string,
        owner: row['owner'] as string,
        routineType: row['kind'] as RoutineType,
        args: argumentTypes(row['args']),
      });
  return objects;
}

const argumentTypes = (text: unknown): string[] =>
  typeof text === 'string' ? splitArguments(text).map(plainType) : [];
