/** The ON clause of GRANT and REVOKE. */
import type { ObjectTarget, ObjectType } from '../../../resources/model/objects.ts';
import { parseType, SQL_TYPES, sqlTypeWords } from '../reads/grants-routine.ts';
import { ident, join, keyword, oid, qualified, type Sql, sql } from '../sql.ts';

const WORDS: Readonly<Partial<Record<ObjectType, Sql>>> = {
  database: sql`DATABASE`,
  schema: sql`SCHEMA`,
  table: sql`TABLE`,
  sequence: sql`SEQUENCE`,
  routine: sql`ROUTINE`,
  type: sql`TYPE`,
  language: sql`LANGUAGE`,
  foreignDataWrapper: sql`FOREIGN DATA WRAPPER`,
  foreignServer: sql`FOREIGN SERVER`,
  tablespace: sql`TABLESPACE`,
  parameter: sql`PARAMETER`,
  largeObject: sql`LARGE OBJECT`,
};

const ALL: Readonly<Partial<Record<ObjectType, Sql>>> = {
  table: sql`ALL TABLES`,
  sequence: sql`ALL SEQUENCES`,
  routine: sql`ALL ROUTINES`,
};

/** Objects of one type, e.g. `TABLE "app"."a", "app"."b"`. */
export function objectClause(targets: readonly ObjectTarget[]): Sql {
  const type = targets[0]?.type ?? 'global';
  const all = targets.filter(({ name }) => name === '*');
  const words = all.length > 0 ? ALL[type] : WORDS[type];
  if (words === undefined || (all.length > 0 && all.length < targets.length))
    throw new Error(`privileges on ${type} cannot be granted in one statement`);
  if (all.length > 0) return sql`${words} IN SCHEMA ${join(all.map(({ schema }) => ident(schema ?? '')))}`;
  return sql`${words} ${join(targets.map(nameOf))}`;
}

function nameOf(target: ObjectTarget): Sql {
  const { type, database, schema, name, args } = target;
  if (type === 'database') return ident(database ?? '');
  if (type === 'schema') return ident(schema ?? '');
  if (type === 'largeObject') return oid(name ?? '');
  // A parameter of an extension is a path: "plpgsql.extra_errors" is two names.
  if (type === 'parameter') return qualified(...(name ?? '').split('.'));
  const full = schema === undefined ? ident(name ?? '') : qualified(schema, name ?? '');
  return args === undefined ? full : sql`${full}(${join(args.map(argument))})`;
}

/** Types are read apart and written anew, so that no text of theirs gets into the statement as it came. */
function argument(text: string): Sql {
  const type = parseType(text);
  if (type === undefined) throw new Error(`${JSON.stringify(text)} is no type`);
  const words = sqlTypeWords(type);
  const base = words === undefined ? qualified(type.schema ?? 'pg_catalog', type.name) : keyword(words, SQL_TYPES);
  return type.array ? sql`${base}[]` : base;
}
