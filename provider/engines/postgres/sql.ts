/**
 * SQL text can be made in one way only: the `sql` template, whose holes take other `Sql`, and `Sql` comes from `ident`,
 * `literal`, `keyword` and the like. A plain string in a hole does not compile, so no text of a spec reaches the server
 * unquoted.
 *
 * Every piece knows two texts: what is sent, and what people may see, in which secrets are `'***'`.
 */
import { escapeIdentifier } from 'pg';
import { ResourceError } from '../../common/errors.ts';
import type { Secret } from '../../common/secret.ts';

/** NAMEDATALEN - 1: PostgreSQL cuts longer names silently, so that two of them could become one. */
export const MAX_NAME_BYTES = 63;

export class Sql {
  readonly #text: string;
  readonly #display: string;

  private constructor(text: string, display: string) {
    this.#text = text;
    this.#display = display;
  }

  /** For this module only: nothing else may declare a text to be SQL. */
  static trusted(text: string, display: string = text): Sql {
    return new Sql(text, display);
  }

  /** What is sent. */
  get text(): string {
    return this.#text;
  }

  /** What may be shown. */
  get display(): string {
    return this.#display;
  }

  toString(): string {
    return this.#display;
  }
}

export function sql(strings: TemplateStringsArray, ...holes: readonly Sql[]): Sql {
  const text = strings.reduce((all, part, i) => `${all}${holes[i - 1]?.text ?? ''}${part}`);
  const display = strings.reduce((all, part, i) => `${all}${holes[i - 1]?.display ?? ''}${part}`);
  return Sql.trusted(text, display);
}

/** A name as an identifier. Throws ResourceError for what the server would cut or cannot store. */
export function ident(name: string): Sql {
  if (name === '') throw new ResourceError('InvalidSpec', 'a name on the server cannot be empty', { retryable: false });
  refuseNul(name);
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_NAME_BYTES)
    throw new ResourceError(
      'InvalidSpec',
      `the name ${JSON.stringify(name)} has ${bytes} bytes, and PostgreSQL takes at most ${MAX_NAME_BYTES}`,
      { retryable: false },
    );
  return Sql.trusted(escapeIdentifier(name));
}

/** `"schema"."name"`. */
export const qualified = (...names: readonly string[]): Sql => join(names.map(ident), '.');

/** A text as a literal; with backslashes it is an E'' string, which reads the same whatever the server's settings. */
export function literal(value: string): Sql {
  return Sql.trusted(quote(value));
}

/** A literal that is sent but never shown. */
export const secretLiteral = (value: Secret | string): Sql =>
  Sql.trusted(quote(typeof value === 'string' ? value : value.reveal()), "'***'");

/** The place of a secret that is bound, and so is in no text at all. */
export const bound = (position: number): Sql => Sql.trusted(`$${position}`, "'***'");

/** The place of a value that is bound. */
export const parameter = (position: number): Sql => Sql.trusted(`$${position}`);

export function integer(value: number): Sql {
  if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is not an integer`);
  return Sql.trusted(String(value));
}

/** An object identifier, which may be larger than a JavaScript number of 32 bits. */
export function oid(value: string): Sql {
  if (!/^\d{1,10}$/.test(value))
    throw new ResourceError('InvalidSpec', `${JSON.stringify(value)} is not an oid`, { retryable: false });
  return Sql.trusted(value);
}

/** A word of a fixed table: `word` must be one of `allowed`, which the program, never a spec, provides. */
export function keyword(word: string, allowed: readonly string[]): Sql {
  if (!allowed.includes(word))
    throw new ResourceError('InvalidSpec', `${JSON.stringify(word)} is not one of ${allowed.join(', ')}`, {
      retryable: false,
    });
  return Sql.trusted(word);
}

/**
 * Whole SQL that a tenant wrote (initSQL). It may only ever be sent on a login of its own that has no more rights than
 * the tenant: see init-sql.ts.
 */
export const tenantScript = (text: string): Sql => Sql.trusted(text);

export const empty: Sql = Sql.trusted('');

const SEPARATORS = [', ', ' ', '.', '; ', ' AND '] as const;

export function join(parts: readonly Sql[], separator: (typeof SEPARATORS)[number] = ', '): Sql {
  return Sql.trusted(parts.map((part) => part.text).join(separator), parts.map((part) => part.display).join(separator));
}

function quote(value: string): string {
  refuseNul(value);
  const doubled = value.replaceAll("'", "''");
  return doubled.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`;
}

function refuseNul(value: string): void {
  if (value.includes('\0'))
    throw new ResourceError('InvalidSpec', 'PostgreSQL cannot store a NUL character in a name or a text', {
      retryable: false,
    });
}
