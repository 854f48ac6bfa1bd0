import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseType, sameArguments } from './grants-routine.ts';

describe('types of arguments', () => {
  test.each([
    ['int', 'integer'],
    ['INT4', 'integer'],
    ['pg_catalog.int8', 'bigint'],
    ['varchar(20)', 'character varying'],
    ['character   varying', 'character varying'],
    ['numeric(10, 2)', 'numeric'],
    ['timestamp(3) with time zone', 'timestamp with time zone'],
    ['timestamptz', 'timestamp with time zone'],
    ['double precision[]', 'double precision[]'],
    ['int [3] []', 'integer[]'],
    ['variadic text[]', 'text[]'],
    ['Money', 'money'],
    ['"My Type"', 'app."My Type"'],
    ['app."My Type"', 'app."My Type"'],
    ['App.Kind[]', 'app.kind[]'],
    ['"a""b"', 's."a""b"'],
    ['größe', 's.größe'],
  ])('%s chooses %s', (given, found) => {
    expect(sameArguments([given], [found])).toBe(true);
  });

  test.each([
    ['int', 'bigint'],
    ['int', 'integer[]'],
    ['text', '"Text"'],
    ['other.kind', 'app.kind'],
    ['"Kind"', 'app.kind'],
    ['', 'text'],
    ['int); DROP TABLE x; --', 'integer'],
    ['a.b.c', 'b.c'],
    ['"open', 'open'],
    ['a b', 'a'],
  ])('%s does not choose %s', (given, found) => {
    expect(sameArguments([given], [found])).toBe(false);
  });

  test('the number of arguments counts', () => {
    expect(sameArguments([], [])).toBe(true);
    expect(sameArguments(['int'], ['integer', 'integer'])).toBe(false);
  });

  test('a quoted name reads back as it was', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (name) => {
        expect(parseType(`s."${name.replaceAll('"', '""')}"`)).toEqual({ schema: 's', name, array: false });
      }),
    );
  });
});
