import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../common/secret.ts';
import { account, bytes, ident, join, keyword, literal, qualified, roleName, secretLiteral, sql, word } from './sql.ts';

/** Reads one quoted text as the server's scanner does in a session of ours. */
function parse(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1).replaceAll('``', '`');
  return text.slice(1, -1).replaceAll(/\\(.)|''/gs, (_, escaped?: string) => escaped ?? "'");
}

const value = fc.string({ unit: 'binary' }).filter((s) => !s.includes('\0') && s.isWellFormed());
const name = fc
  .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 64 })
  .filter((s) => s === s.trim() && s !== '');

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

  test('nothing ends a literal early, whether the session takes backslashes for escapes or not', () => {
    fc.assert(
      fc.property(value, (v) => {
        const inner = literal(v).text.slice(1, -1);
        expect(inner.replaceAll("''", '')).not.toContain("'");
        expect(inner.replaceAll('\\\\', '')).not.toContain('\\');
      }),
    );
  });

  test('an account is two literals, so an @ in the name separates nothing', () => {
    expect(account("o'neil@corp.com", '10.%').text).toBe("'o''neil@corp.com'@'10.%'");
    expect(account('app').text).toBe("'app'@'%'");
  });

  test.each([
    ['', /empty/],
    ['a\0b', /NUL/],
    ['😀', /beyond U\+FFFF/],
    ['\ud800', /beyond U\+FFFF/],
    ['x'.repeat(129), /129 characters/],
  ])('the name %j is refused, never changed', (text, message) => {
    expect(() => account(text)).toThrow(message);
    expect(() => ident(text)).toThrow(text.length > 100 ? /at most 64/ : message);
  });

  test('what the server drops from names of accounts is refused there; other names may begin with it', () => {
    for (const name of [' root', 'root\n', 'root ']) {
      expect(() => account(name)).toThrow(/begins or ends with a space/);
      expect(() => account('app', name)).toThrow(/begins or ends with a space/);
      expect(() => roleName(name)).toThrow(/begins or ends with a space/);
    }
    expect(() => ident('items ')).toThrow(/ends with a space/);
    expect(ident(' items\n').text).toBe('` items\n`');
  });

  test('bytes are digits, and no bytes are the empty text', () => {
    expect(bytes(Buffer.from("$A'\\")).text).toBe('0x2441275c');
    expect(bytes(Buffer.alloc(0)).text).toBe("''");
  });

  test('words of the server are words', () => {
    expect(word('utf8mb4_0900_ai_ci', 'collation').text).toBe('utf8mb4_0900_ai_ci');
    expect(() => word("x' OR 1", 'collation')).toThrow(/is no collation/);
    expect(() => keyword('SELECT; DROP', ['SELECT'])).toThrow(/is not one of SELECT/);
  });

  test('a secret is sent but never shown', () => {
    const statement = sql`ALTER USER ${account('app')} IDENTIFIED VIA ${literal('ed25519')} USING ${secretLiteral(new Secret("it's"))}`;
    expect(statement.text).toBe(`ALTER USER 'app'@'%' IDENTIFIED VIA 'ed25519' USING 'it''s'`);
    expect(String(statement)).toBe(`ALTER USER 'app'@'%' IDENTIFIED VIA 'ed25519' USING '***'`);
  });

  test('each part of a qualified name is quoted by itself', () => {
    expect(qualified('a.b', 'c`d').text).toBe('`a.b`.`c``d`');
    expect(join([ident('a'), ident('b')]).text).toBe('`a`, `b`');
  });
});
