/** Results with the columns that each version's documentation shows: shapes.json names the page of each. */
import golden from './shapes.json' with { type: 'json' };
import { type Result, TYPE } from './wire.ts';

type TypeName = keyof typeof TYPE;

interface Variant {
  /** The first version that has these columns, as a number: 250200 is v25.2. */
  from: number;
  columns: Record<string, string>;
}

export type ShapeName = keyof typeof golden;

/** Rows by column name, of one shape. */
export interface Shown {
  shape: ShapeName;
  rows: Record<string, unknown>[];
  /** For SHOW of a variable, whose column is named after it. */
  rename?: string;
}

function columnsOf({ shape, rename }: Shown, version: number): [name: string, type: TypeName][] {
  const variants: Variant[] = golden[shape].variants;
  const variant = variants.findLast(({ from }) => from <= version);
  if (variant === undefined) throw new Error(`simulator: ${shape} is not in this version`);
  return Object.entries(variant.columns).map(([name, type]) => [rename ?? name, type as TypeName]);
}

export function resultOf(shown: Shown, version: number, tag?: string): Result {
  const columns = columnsOf(shown, version);
  return {
    columns: columns.map(([name, type]) => ({ name, type: TYPE[type] })),
    rows: shown.rows.map((row) => columns.map(([name, type]) => textOf(row[name], type))),
    tag: tag ?? `SHOW ${shown.rows.length}`,
  };
}

function textOf(value: unknown, type: TypeName): string | null {
  if (value === undefined || value === null) return null;
  if (type === 'bool') return value === true ? 't' : 'f';
  if (type === 'textArray') return `{${(value as string[]).map((item) => element(item)).join(',')}}`;
  if (type === 'timestamptz') return (value as Date).toISOString().replace('T', ' ').replace('Z', '+00');
  if (type === 'json') return JSON.stringify(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

const element = (item: string): string =>
  /^[A-Za-z0-9_]+$/.test(item) ? item : `"${item.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

const SQL_TYPES: Record<TypeName, string> = {
  bool: 'bool',
  int8: 'int8',
  text: 'text',
  json: 'jsonb',
  textArray: 'text[]',
  timestamptz: 'timestamptz',
  float8: 'float8',
};

/** The rows as a query that PostgreSQL can read from, for `SELECT … FROM [SHOW …]`. */
export function queryOf(shown: Shown, version: number): string {
  const columns = columnsOf(shown, version);
  const rows = shown.rows.map((row) => Object.fromEntries(columns.map(([name]) => [name, row[name] ?? null])));
  const list = columns.map(([name, type]) => `"${name}" ${SQL_TYPES[type]}`).join(', ');
  const json = JSON.stringify(rows).replaceAll("'", "''");
  return `(SELECT * FROM jsonb_to_recordset('${json}'::jsonb) AS shown(${list}))`;
}
