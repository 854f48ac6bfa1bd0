/** Types of arguments as people write them, so that `int` and `integer` choose the same routine. */

/** A type as its parts: `app."My Type"[]` is schema app, name My Type, an array. */
export interface TypeName {
  schema: string | undefined;
  name: string;
  array: boolean;
}

/** The names that the SQL standard or history gave to types of PostgreSQL, by the one that format_type() shows. */
const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  bigint: ['int8'],
  bit: [],
  'bit varying': ['varbit'],
  boolean: ['bool'],
  character: ['char', 'bpchar'],
  'character varying': ['varchar', 'char varying'],
  'double precision': ['float8', 'float'],
  integer: ['int', 'int4'],
  interval: [],
  numeric: ['decimal', 'dec'],
  real: ['float4'],
  smallint: ['int2'],
  'time with time zone': ['timetz'],
  'time without time zone': ['time'],
  'timestamp with time zone': ['timestamptz'],
  'timestamp without time zone': ['timestamp'],
};

/** Types that SQL has words of its own for. */
export const SQL_TYPES: readonly string[] = Object.keys(SPELLINGS);

const CANONICAL = new Map(
  Object.entries(SPELLINGS).flatMap(
    ([name, others]) => [[name, name], ...others.map((o) => [o, name])] as [string, string][],
  ),
);

/** The words that SQL has for a type of its own; undefined for a type that is known by its name. */
export const sqlTypeWords = (type: TypeName): string | undefined =>
  type.schema === undefined && Object.hasOwn(SPELLINGS, type.name) ? type.name : undefined;

/** Reads one type; undefined when it is none. */
export function parseType(text: string): TypeName | undefined {
  let rest = text.trim().replace(/^variadic\s+/i, '');
  const array = /(\s*\[\s*\d*\s*\])+$/.exec(rest);
  if (array !== null) rest = rest.slice(0, array.index);
  // A modifier, as in varchar(20), is no part of a signature; it may stand before "with time zone".
  const plain = rest.includes('"') ? rest : rest.replace(/\s*\([\d\s,]*\)/, '');
  const word = plain.trim().replace(/\s+/g, ' ').toLowerCase();
  const known = CANONICAL.get(word.replace(/^pg_catalog\./, ''));
  if (known !== undefined) return { schema: undefined, name: known, array: array !== null };
  const parts = identifiers(plain.trim());
  const [first, second] = parts ?? [];
  if (parts === undefined || parts.length > 2 || first === undefined) return undefined;
  const schema = second === undefined || first === 'pg_catalog' ? undefined : first;
  return { schema, name: second ?? first, array: array !== null };
}

/** The parts of a dotted name, unquoted; undefined when it is no such name. */
function identifiers(text: string): string[] | undefined {
  const parts: string[] = [];
  const part = /(?:"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*))(\.|$)/uy;
  while (part.lastIndex < text.length) {
    const found = part.exec(text);
    if (found === null) return undefined;
    parts.push(found[1]?.replaceAll('""', '"') ?? found[2]!.toLowerCase());
    if (found[3] === '' && part.lastIndex === text.length) return parts;
  }
  return undefined;
}

/** Whether the arguments that a spec gives are those of a routine. */
export function sameArguments(given: readonly string[], found: readonly string[]): boolean {
  return given.length === found.length && given.every((text, i) => sameType(parseType(text), parseType(found[i]!)));
}

function sameType(given: TypeName | undefined, found: TypeName | undefined): boolean {
  if (given === undefined || found === undefined) return false;
  if (given.name !== found.name || given.array !== found.array) return false;
  return given.schema === undefined || given.schema === found.schema;
}
