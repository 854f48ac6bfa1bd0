import fc from 'fast-check';
import { expect, test } from 'vitest';
import { databaseFolder, ending, isKey, normalPrefix, segment, timeName } from './keys.ts';

test('a prefix means the same with and without slashes', () => {
  for (const prefix of ['a/b', '/a/b', 'a/b/', '//a//b//']) expect(normalPrefix(prefix)).toBe('a/b/');
  for (const prefix of ['', '/', '//']) expect(normalPrefix(prefix)).toBe('');
});

test('a prefix that leads elsewhere is refused', () => {
  for (const prefix of ['..', 'a/../../b', './a', 'a/.']) expect(() => normalPrefix(prefix)).toThrow('"." or ".."');
  expect(normalPrefix('.a/b..c')).toBe('.a/b..c/');
});

test('any name is one segment, and no two names are the same one', () => {
  const names = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom('.', '..', 'a/b', 'a%2Fb', 'ü', '💥'),
  );
  fc.assert(
    fc.property(names, names, (a, b) => {
      expect(segment(a)).toMatch(/^[A-Za-z0-9_%~-][A-Za-z0-9_.%~-]*$/);
      expect(isKey(segment(a))).toBe(true);
      if (a !== b && a.isWellFormed() && b.isWellFormed()) expect(segment(a)).not.toBe(segment(b));
    }),
  );
  expect(segment('orders_v2.db')).toBe('orders_v2.db');
});

test('the longest name of a database fits into a name of a file', () => {
  const longest = '💥'.repeat(63);
  expect(segment(longest).length).toBeLessThanOrEqual(200);
  expect(segment(longest)).not.toBe(segment(`${longest}💥`));
});

test('keys sort by time, in UTC', () => {
  expect(timeName(new Date('2026-03-29T01:30:00.007+02:00'))).toBe('20260328T233000.007Z');
  expect(databaseFolder({ namespace: 'team-a', name: 'nightly', database: 'app' })).toBe('team-a/nightly/app/');
  expect(ending('dump', 'zstd', true)).toBe('.dump.zst.age');
  expect(ending('sql', 'gzip', false)).toBe('.sql.gz');
});
