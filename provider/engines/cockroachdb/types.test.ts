import { describe, expect, test } from 'vitest';
import { plainType, splitArguments, typeSql } from './types.ts';

describe('types of arguments', () => {
  test.each([
    ['INT8', 'int8'],
    ['a INT8', 'int8'],
    ['"my arg" integer', 'int8'],
    ['INOUT a BIGINT', 'int8'],
    ['VARIADIC c text[]', 'text[]'],
    ['STRING[]', 'text[]'],
    ['amount DECIMAL(10,2)', 'decimal'],
    ['character varying', 'varchar'],
    ['t timestamp with time zone', 'timestamptz'],
    ['double precision[]', 'float8[]'],
    ['app.mood', 'app.mood'],
    ['m app."My Mood"', 'app."My Mood"'],
    ['UUID', 'uuid'],
  ])('%s is %s', (text, expected) => {
    expect(plainType(text)).toBe(expected);
  });

  test('commas in a precision or in a name separate nothing', () => {
    expect(splitArguments('a DECIMAL(10,2), b "x,y".mood,c INT8')).toEqual([
      'a DECIMAL(10,2)',
      'b "x,y".mood',
      'c INT8',
    ]);
    expect(splitArguments('')).toEqual([]);
  });

  test('are written as the server reads them, names in quotes', () => {
    expect(typeSql('a INT8').text).toBe('int8');
    expect(typeSql('STRING[]').text).toBe('text[]');
    expect(typeSql('m app."My ""Mood"""').text).toBe('"app"."My ""Mood"""');
  });

  test.each(['int8); DROP TABLE t; --', 'a b c d', ''])('%j is refused', (text) => {
    expect(() => typeSql(text)).toThrow(/is not the name of a type/);
  });
});
