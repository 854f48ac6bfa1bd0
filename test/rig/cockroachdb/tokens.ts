/** SQL as tokens, and a cursor over them for parsers by hand. */
import { SqlError } from './wire.ts';

export interface Token {
  /** `word`: an identifier or keyword without quotes; `name`: with double quotes. */
  kind: 'word' | 'name' | 'string' | 'number' | 'placeholder' | 'symbol';
  /** Words in lower case; names and strings without their quotes. */
  text: string;
  start: number;
  end: number;
}

const PATTERNS: readonly [Token['kind'] | 'space', RegExp][] = [
  ['space', /(?:\s+|--[^\n]*|\/\*[\s\S]*?\*\/)/y],
  ['string', /[eE]'(?:[^'\\]|''|\\[\s\S])*'/y],
  ['string', /'(?:[^']|'')*'/y],
  ['string', /\$([a-zA-Z_]*)\$[\s\S]*?\$\1\$/y],
  ['name', /"(?:[^"]|"")*"/y],
  ['placeholder', /\$\d+/y],
  ['number', /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y],
  ['word', /[\p{L}_][\p{L}\p{N}_$]*/uy],
  ['symbol', /::|<>|!=|<=|>=|\|\||->>|->|@>|!~|~\*|[^\s]/y],
];

export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < sql.length; ) {
    const found = PATTERNS.map(([kind, pattern]) => {
      pattern.lastIndex = at;
      return [kind, pattern.exec(sql)] as const;
    }).find(([, match]) => match !== null);
    const [kind, match] = found ?? [];
    if (kind === undefined || match === undefined || match === null)
      throw new SqlError('42601', `at or near "${sql.slice(at, at + 10)}": syntax error`);
    const end = at + match[0].length;
    if (kind !== 'space') tokens.push({ kind, text: valueOf(kind, match[0]), start: at, end });
    at = end;
  }
  return tokens;
}

function valueOf(kind: Token['kind'], text: string): string {
  if (kind === 'word') return text.toLowerCase();
  if (kind === 'name') return text.slice(1, -1).replaceAll('""', '"');
  if (kind !== 'string') return text;
  if (text.startsWith('$')) return text.replace(/^\$[a-zA-Z_]*\$/, '').replace(/\$[a-zA-Z_]*\$$/, '');
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'");
  const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r' };
  return text.slice(2, -1).replace(/''|\\([\s\S])/g, (_, c: string | undefined) => (c ? (escapes[c] ?? c) : "'"));
}

/** Statements of one query text. */
export function split(sql: string): { text: string; tokens: Token[] }[] {
  const statements: { text: string; tokens: Token[] }[] = [];
  let current: Token[] = [];
  const flush = (): void => {
    const [first, last] = [current[0], current.at(-1)];
    if (first !== undefined && last !== undefined) {
      const shifted = current.map((token) => ({
        ...token,
        start: token.start - first.start,
        end: token.end - first.start,
      }));
      statements.push({ text: sql.slice(first.start, last.end), tokens: shifted });
    }
    current = [];
  };
  for (const token of tokenize(sql))
    if (token.kind === 'symbol' && token.text === ';') flush();
    else current.push(token);
  flush();
  return statements;
}

/** Reads tokens in order. What it does not find is a syntax error, worded as CockroachDB words it. */
export class Cursor {
  readonly tokens: readonly Token[];
  readonly text: string;
  readonly params: readonly (string | null)[];
  at = 0;

  constructor(text: string, tokens: readonly Token[], params: readonly (string | null)[] = []) {
    this.text = text;
    this.tokens = tokens;
    this.params = params;
  }

  get peek(): Token | undefined {
    return this.tokens[this.at];
  }

  get isAtEnd(): boolean {
    return this.at >= this.tokens.length;
  }

  error(token = this.peek): SqlError {
    const near = token === undefined ? 'EOF' : token.text;
    return new SqlError('42601', `at or near "${near}": syntax error`, { detail: `source SQL:\n${this.text}` });
  }

  /** Whether the next tokens are these words; they are taken if so. */
  accept(...words: readonly string[]): boolean {
    for (const [i, word] of words.entries()) {
      const token = this.tokens[this.at + i];
      if (token === undefined || token.text !== word || (token.kind !== 'word' && token.kind !== 'symbol'))
        return false;
    }
    this.at += words.length;
    return true;
  }

  expect(...words: readonly string[]): void {
    for (const word of words) if (!this.accept(word)) throw this.error();
  }

  /** One of several words; undefined when it is none of them. */
  oneOf(...words: readonly string[]): string | undefined {
    return words.find((word) => this.accept(...word.split(' ')));
  }

  /** A name with or without quotes. */
  name(): string {
    const token = this.peek;
    if (token === undefined || (token.kind !== 'word' && token.kind !== 'name')) throw this.error();
    this.at += 1;
    return token.text;
  }

  /** `a`, `a.b` or `a.b.c`. */
  path(): string[] {
    const parts = [this.name()];
    while (this.accept('.')) parts.push(this.accept('*') ? '*' : this.name());
    return parts;
  }

  list<T>(one: () => T): T[] {
    const all = [one()];
    while (this.accept(',')) all.push(one());
    return all;
  }

  /** `'text'` or `$1`. */
  string(): string {
    const token = this.peek;
    if (token?.kind === 'string') {
      this.at += 1;
      return token.text;
    }
    if (token?.kind === 'placeholder') {
      this.at += 1;
      const value = this.params[Number(token.text.slice(1)) - 1];
      if (value === undefined || value === null)
        throw new SqlError('08P01', `expected ${token.text.slice(1)} arguments, got ${this.params.length}`);
      return value;
    }
    throw this.error();
  }

  /** A whole number, as it is or bound. */
  integer(): string {
    const token = this.peek;
    if (token?.kind === 'number') {
      this.at += 1;
      return token.text;
    }
    return this.string();
  }

  end(): void {
    if (!this.isAtEnd) throw this.error();
  }
}
