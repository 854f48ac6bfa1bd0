import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapedName, patternOf } from './database-pattern.ts';

/** As the server reads the database of a grant. */
function matches(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  const [first = '', ...rest] = pattern;
  const tail = rest.join('');
  if (first === '%') return matches(tail, name) || (name !== '' && matches(pattern, name.slice(1)));
  if (first === '\\' && tail !== '') return name.startsWith(tail[0]!) && matches(tail.slice(1), name.slice(1));
  return name !== '' && (first === '_' || name.startsWith(first)) && matches(tail, name.slice(1));
}

test('the pattern of a database matches that database and no other', () => {
  const name = fc.array(fc.constantFrom('a', 'b', '_', '%', '\\', '-'), { maxLength: 6 }).map((list) => list.join(''));
  fc.assert(
    fc.property(name, name, (database, other) => {
      expect(matches(patternOf(database, {}), database)).toBe(true);
      expect(matches(patternOf(database, {}), other)).toBe(database === other);
      expect(escapedName(database, { databaseWildcards: false })).toBe(database);
    }),
    { numRuns: 2000 },
  );
});

test('a pattern that the server would cut is refused', () => {
  expect(patternOf('_'.repeat(32), {})).toHaveLength(64);
  expect(() => patternOf('_'.repeat(33), {})).toThrow('so many characters _ and %');
});
