import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../common/secret.ts';
import { ident, join, keyword, literal, MAX_NAME_BYTES, qualified, secretLiteral, sql } from './sql.ts';

/** Reads one quoted identifier or literal as PostgreSQL's scanner does. */
function parse(text: string): string {
  if (text.startsWith('"')) return text.slice(1, -1).replaceAll('""', '"');
  if (text.startsWith(" E'")) return text.slice(3, -1).replaceAll("''", "'").replaceAll('\\\\', '\\');
  return text.slice(1, -1).replaceAll("''", "'");
}

const name = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 15 })
  .filter((s) => !s.includes('\0') && Buffer.byteLength(s) <= MAX_NAME_BYTES);
const value = fc.string({ unit: 'binary' }).filter((s) => !s.includes('\0'));

describe('quoting', () => {
  test('an identifier reads back as the name it was made from', () => {
    fc.assert(
      fc.property(name, (n) => {
        expect(parse(ident(n).text)).toBe(n);
      }),
    );
  });

  test('a literal reads back as the text it was made from', () => {
    fc.assert(
      fc.property(value, (v) => {
        expect(parse(literal(v).text)).toBe(v);
      }),
    );
  });

  test('no quote of the text is left single, so nothing can end a literal or an identifier early', () => {
    fc.assert(
      fc.property(value, (v) => {
        const inner = literal(v).text.replace(/^ E/, '').slice(1, -1);
        expect(inner.replaceAll("''", '')).not.toContain("'");
      }),
    );
    fc.assert(
      fc.property(name, (n) => {
        expect(ident(n).text.slice(1, -1).replaceAll('""', '')).not.toContain('"');
      }),
    );
  });

  test('a name longer than 63 bytes is refused, never cut', () => {
    expect(ident('x'.repeat(63)).text).toHaveLength(65);
    expect(() => ident('x'.repeat(64))).toThrow(/64 bytes/);
    expect(() => ident('ü'.repeat(32))).toThrow(/64 bytes/);
  });

  test('NUL and the empty name are refused', () => {
    expect(() => ident('a\0b')).toThrow(/NUL/);
    expect(() => literal('a\0b')).toThrow(/NUL/);
    expect(() => ident('')).toThrow(/empty/);
  });

  test('a keyword is one of its table', () => {
    expect(keyword('SELECT', ['SELECT', 'INSERT']).text).toBe('SELECT');
    expect(() => keyword('SELECT; DROP TABLE x', ['SELECT'])).toThrow(/is not one of SELECT/);
  });

  test('a secret is sent but never shown', () => {
    const statement = sql`ALTER ROLE ${ident('app')} PASSWORD ${secretLiteral(new Secret("it's"))}`;
    expect(statement.text).toBe(`ALTER ROLE "app" PASSWORD 'it''s'`);
    expect(statement.display).toBe(`ALTER ROLE "app" PASSWORD '***'`);
    expect(String(statement)).toBe(statement.display);
  });

  test('each part of a qualified name is quoted by itself', () => {
    expect(qualified('a.b', 'c"d').text).toBe('"a.b"."c""d"');
    expect(join([ident('a'), ident('b')]).text).toBe('"a", "b"');
  });
});
