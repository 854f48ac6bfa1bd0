/** Types of the arguments of routines: one type has several names, and a list of them is text. */
import { ResourceError } from '../../common/errors.ts';
import { ident, join, keyword, type Sql, sql } from '../postgres/sql.ts';

/** Types whose names are several words. */
const PHRASES = [
  'double precision',
  'character varying',
  'bit varying',
  'timestamp with time zone',
  'timestamp without time zone',
  'time with time zone',
  'time without time zone',
];

/** Names of one type, the shortest last. */
const SAME: readonly (readonly string[])[] = [
  ['int', 'int64', 'integer', 'bigint', 'int8'],
  ['smallint', 'int2'],
  ['string', 'text'],
  ['character varying', 'varchar'],
  ['character', 'bpchar', 'char'],
  ['boolean', 'bool'],
  ['double precision', 'float', 'float8'],
  ['real', 'float4'],
  ['dec', 'numeric', 'decimal'],
  ['blob', 'bytea', 'bytes'],
  ['timestamp without time zone', 'timestamp'],
  ['timestamp with time zone', 'timestamptz'],
  ['time without time zone', 'time'],
  ['time with time zone', 'timetz'],
  ['bit varying', 'varbit'],
  ['json', 'jsonb'],
];

const PLAIN = new Map(SAME.flatMap((names) => names.map((name) => [name, names.at(-1)!])));

/** A name, quoted or not, or several with dots between them. */
const PATH = /^(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)(?:\.(?:"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*))*$/u;

/** Parts between commas, but for those in parentheses or quotes. */
export function splitArguments(text: string): string[] {
  const parts = text.match(/(?:"(?:[^"]|"")*"|\([^()]*\)|[^,"()])+/g) ?? [];
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** `a INT8`, `INT8`, `bigint` and `INOUT a INTEGER` are one type: `int8`. */
export function plainType(argument: string): string {
  const bare = argument.replace(/^(?:IN|OUT|INOUT|VARIADIC)\s+/i, '').trim();
  const array = /((?:\s*\[\d*\])*)$/.exec(bare)?.[1] ?? '';
  const element = bare.slice(0, bare.length - array.length).replace(/\s*\([^()]*\)/, '');
  // The first word may be the argument's name.
  const rest = /^(?:"(?:[^"]|"")*"|\S+)\s+(.+)$/s.exec(element)?.[1];
  const type = isType(element) || rest === undefined ? element : rest;
  return `${PLAIN.get(fold(type)) ?? fold(type)}${array === '' ? '' : '[]'}`;
}

const isType = (text: string): boolean => PLAIN.has(fold(text)) || PATH.test(text);

/** Small letters but for what is quoted. */
const fold = (text: string): string =>
  text.replaceAll(/"(?:[^"]|"")*"|[^"]+/g, (part) => (part.startsWith('"') ? part : part.toLowerCase()));

/** Throws InvalidSpec for what is no name of a type. */
export function typeSql(argument: string): Sql {
  const plain = plainType(argument);
  const isArray = plain.endsWith('[]');
  const element = isArray ? plain.slice(0, -2) : plain;
  const known = [...PHRASES, ...PLAIN.values()];
  const suffix = isArray ? sql`[]` : sql``;
  if (known.includes(element)) return sql`${keyword(element, known)}${suffix}`;
  if (!PATH.test(element))
    throw new ResourceError('InvalidSpec', `routines: ${JSON.stringify(argument)} is not the name of a type`, {
      retryable: false,
    });
  const names = [...element.matchAll(/"((?:[^"]|"")+)"|([^."]+)/g)].map(
    ([, quoted, word]) => quoted?.replaceAll('""', '"') ?? word ?? '',
  );
  return sql`${join(names.map(ident), '.')}${suffix}`;
}
