/**
 * SQL text can be made in one way only: the `sql` template, whose holes take other `Sql`, and `Sql` comes from `ident`,
 * `literal`, `account`, `keyword` and the like. A plain string in a hole does not compile, so no text of a spec reaches
 * the server unquoted. The class is this dialect's own, so that no other dialect's quoting fits into it.
 *
 * What is made here reads the same under every sql_mode: identifiers stand in backticks, and in literals quotes are
 * doubled. Sessions turn NO_BACKSLASH_ESCAPES off; were it on against our will, a backslash would come out doubled, and
 * still nothing could end a literal early.
 */
import { ResourceError } from '../../common/errors.ts';
import type { Secret } from '../../common/secret.ts';

/** Characters, not bytes, of the name of a database, table, column or routine. */
export const MAX_NAME_CHARACTERS = 64;
const MAX_HOST_CHARACTERS = 255;
/** MySQL takes 32 characters and MariaDB 128; who is over 32 is told by the planner or by the server. */
const MAX_USER_CHARACTERS = 128;

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

  /** What may be shown: secrets are `'***'`. */
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

/** A name as an identifier. Throws ResourceError for what the server cannot store. */
export function ident(name: string): Sql {
  refuseUnfit(name, 'name', MAX_NAME_CHARACTERS);
  if (name.endsWith(' '))
    throw invalid(`the name ${JSON.stringify(name)} ends with a space, which the server does not take`);
  return Sql.trusted(`\`${name.replaceAll('`', '``')}\``);
}

/** `database`.`name`. */
export const qualified = (...names: readonly string[]): Sql => join(names.map(ident), '.');

export function literal(value: string): Sql {
  return Sql.trusted(quote(value));
}

/** Bytes as a literal: `0x…`, or the empty text, which hexadecimal digits cannot say. */
export function bytes(value: Buffer): Sql {
  return Sql.trusted(value.length === 0 ? "''" : `0x${value.toString('hex')}`);
}

/** A literal that is sent but never shown. */
export const secretLiteral = (value: Secret): Sql => Sql.trusted(quote(value.reveal()), "'***'");

/** Bytes that are sent but never shown. */
export const secretBytes = (value: Buffer): Sql => Sql.trusted(bytes(value).text, "'***'");

/** `'user'@'host'`: always two literals, so that an @ in a name separates nothing. */
export function account(user: string, host = '%'): Sql {
  refuseUnfit(user, 'user name', MAX_USER_CHARACTERS);
  refuseUnfit(host, 'host', MAX_HOST_CHARACTERS);
  refuseTrimmed(user, 'user name');
  refuseTrimmed(host, 'host');
  return Sql.trusted(`${quote(user)}@${quote(host)}`);
}

/** A role of MariaDB, which has no host. */
export function roleName(name: string): Sql {
  refuseUnfit(name, 'role name', MAX_USER_CHARACTERS);
  refuseTrimmed(name, 'role name');
  return Sql.trusted(quote(name));
}

export function integer(value: number): Sql {
  if (!Number.isSafeInteger(value)) throw new TypeError(`${value} is not an integer`);
  return Sql.trusted(String(value));
}

/** A word of a fixed table: `word` must be one of `allowed`, which the program, never a spec, provides. */
export function keyword(word: string, allowed: readonly string[]): Sql {
  if (!allowed.includes(word)) throw invalid(`${JSON.stringify(word)} is not one of ${allowed.join(', ')}`);
  return Sql.trusted(word);
}

/** A name from the server's own lists (character set, collation, plugin), which are words and need no quotes. */
export function word(value: string, what: string): Sql {
  if (!/^\w{1,64}$/.test(value)) throw invalid(`${JSON.stringify(value)} is no ${what}`);
  return Sql.trusted(value);
}

export const empty: Sql = Sql.trusted('');

const SEPARATORS = [', ', ' ', '.', ' AND ', ' OR ', ' UNION ALL '] as const;

export function join(parts: readonly Sql[], separator: (typeof SEPARATORS)[number] = ', '): Sql {
  return Sql.trusted(parts.map((part) => part.text).join(separator), parts.map((part) => part.display).join(separator));
}

function quote(value: string): string {
  refuseNul(value);
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

function refuseUnfit(name: string, what: string, limit: number): void {
  if (name === '') throw invalid(`a ${what} on the server cannot be empty`);
  refuseNul(name);
  const size = Array.from(name).length;
  if (size > limit)
    throw invalid(`the ${what} ${JSON.stringify(name)} has ${size} characters; the server takes at most ${limit}`);
  // The catalogs of both servers are in utf8mb3, where such a character becomes a question mark.
  if (/[\u{10000}-\u{10ffff}]/u.test(name) || !name.isWellFormed())
    throw invalid(`the ${what} ${JSON.stringify(name)} has characters beyond U+FFFF, which the server cannot store`);
}

/** The server cuts it off names of accounts and overlooks it in comparisons, so that two names would be one. */
function refuseTrimmed(name: string, what: string): void {
  if (name !== name.trim())
    throw invalid(
      `the ${what} ${JSON.stringify(name)} begins or ends with a space or the like, which the server drops`,
    );
}

function refuseNul(value: string): void {
  if (value.includes('\0')) throw invalid('the server cannot store a NUL character in a name or a text');
}

const invalid = (message: string): ResourceError => new ResourceError('InvalidSpec', message, { retryable: false });

/**
 * SQL that a tenant wrote (initSQL), or that the server has written of something that a tenant made (SHOW CREATE …). It may
 * only ever be sent on the login of a run, which has no more rights than the tenant.
 */
export const tenantStatement = (text: string): Sql => Sql.trusted(text);
