import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { collectionPath, connectionName, keyOf, pathIn, scheduleLabel, splitKey, timeOf } from './names.ts';

describe('names of native backups', () => {
  test('two resources never have one connection or label', () => {
    expect(connectionName('a')).not.toBe(connectionName('b'));
    expect(scheduleLabel('ns', 'nightly', 'a')).not.toBe(scheduleLabel('ns', 'nightly', 'b'));
    expect(scheduleLabel('x', 'nightly', 'a')).not.toBe(scheduleLabel('y', 'nightly', 'a'));
    expect(connectionName('a')).toMatch(/^xdatabase_[0-9a-f]{16}$/);
  });

  test('a key leads back to its collection and path, whatever the database is called', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }).filter((text) => text.isWellFormed()),
        (database) => {
          const collection = collectionPath({ namespace: 'team-a', name: 'nightly', database });
          const path = '/2026/11/25-081234.56';
          expect(splitKey(keyOf(collection, path))).toEqual({ collection, path });
          expect(collection.split('/')).toHaveLength(3);
          expect(collection).not.toMatch(/[?'"\s]/);
        },
      ),
    );
  });

  test.each(['', 'team-a/nightly/orders', 'x/2026/11/25', '2026/11/25-081234.56x'])('%j is no key', (key) => {
    expect(splitKey(key)).toBeUndefined();
  });

  test('a path says when the backup was taken', () => {
    expect(timeOf('/2026/11/25-081234.56')?.toISOString()).toBe('2026-11-25T08:12:34.560Z');
    expect(timeOf('LATEST')).toBeUndefined();
  });

  test('the path is found in the statement of a job', () => {
    expect(pathIn("BACKUP DATABASE x INTO '/2026/11/25-081234.56' IN 'external://a/b' WITH OPTIONS (detached)")).toBe(
      '/2026/11/25-081234.56',
    );
    expect(pathIn("BACKUP DATABASE x INTO 'external://a/b'")).toBeUndefined();
  });
});
