import { describe, expect, test } from 'vitest';
import type { Managed } from '../../api/kind.ts';
import { Tenancy } from './tenancy.ts';
import { inventoryOf, isolated, make, open, refusal } from './tenancy.fixture.ts';

describe('one object has one manager', () => {
  const older = make('Database', 'team-a', 'orders', {}, '2026-01-01T00:00:00Z');
  const younger = make('Database', 'team-b', 'orders', {}, '2026-01-02T00:00:00Z');

  test('the older resource wins', () => {
    expect(refusal(open, older, younger)).toBeUndefined();
    expect(refusal(open, younger, older)).toBe('AlreadyManaged');
  });

  test('the refusal does not tell a tenant who the other is', () => {
    expect(() => {
      new Tenancy(inventoryOf(isolated, older, younger)).check(younger);
    }).toThrow(/by a resource of another namespace/);
  });

  test('two schemas of one name in two databases are two schemas', () => {
    const a = make('Schema', 'team-a', 'app', { database: 'x' });
    const b = make('Schema', 'team-a', 'app', { database: 'y' });
    expect(refusal(open, a, b)).toBeUndefined();
    expect(refusal(open, b, a)).toBeUndefined();
  });

  test('nothing new is made for what is being deleted, and what there is goes on', () => {
    const going = make('Role', 'a', 'owner');
    going.metadata.deletionTimestamp = '2026-01-02T00:00:00Z';
    const next = make('Role', 'a', 'owner', {}, '2026-01-01T01:00:00Z');
    const database = make('Database', 'a', 'orders', { owner: 'owner' });
    for (const policy of [open, isolated]) {
      expect(refusal(policy, database, going, next)).toBe('Waiting');
      expect(refusal(policy, database, next)).toBeUndefined();
    }
    database.metadata.annotations!['crossplane.io/external-create-succeeded'] = '2026-01-01T00:00:00Z';
    expect(refusal(open, database, going, next)).toBeUndefined();
  });

  test('what is made for a role that its own composite is to have waits, though its manager does not go yet', () => {
    const label = (made: Managed, composite: string): Managed => {
      made.metadata.labels = { 'crossplane.io/composite': composite };
      return made;
    };
    const first = label(make('Role', 'a', 'owner'), 'first');
    const second = label(make('Role', 'a', 'owner', {}, '2026-02-01T00:00:00Z'), 'second');
    const database = label(make('Database', 'a', 'orders', { owner: 'owner' }), 'second');
    expect(refusal(open, database, first, second)).toBe('Waiting');
    expect(refusal(open, database, second)).toBeUndefined();
    // Whose it is to be is nobody else's business.
    expect(refusal(open, label(database, 'third'), first, second)).toBeUndefined();
    database.metadata.annotations!['crossplane.io/external-create-succeeded'] = '2026-01-01T00:00:00Z';
    expect(refusal(open, label(database, 'second'), first, second)).toBeUndefined();
  });

  test('what is made anew, as its end was moved, waits too for what is being deleted', () => {
    const going = make('Role', 'a', 'owner');
    going.metadata.deletionTimestamp = '2026-01-02T00:00:00Z';
    const over = '2026-01-02T00:00:00Z';
    const database = make('Database', 'a', 'orders', { owner: 'owner', expiresAt: over });
    database.metadata.annotations!['crossplane.io/external-create-succeeded'] = '2026-01-01T00:00:00Z';
    for (const expired of ['Dropping', 'Dropped']) {
      database.status = { atProvider: { expired, expiresAt: over } };
      database.spec.forProvider['expiresAt'] = over;
      expect(refusal(open, database, going)).toBeUndefined();
      for (const later of ['2026-03-01T00:00:00Z', undefined]) {
        database.spec.forProvider['expiresAt'] = later;
        expect(refusal(open, database, going)).toBe('Waiting');
      }
    }
    database.status = { atProvider: { expired: 'Kept', expiresAt: over } };
    expect(refusal(open, database, going)).toBeUndefined();
  });

  test.each(['Grant', 'DefaultPrivileges'])(
    'a new %s waits for another that takes from the role what it gave, unless that cannot be deleted',
    (kind) => {
      const rights = (name: string, change: object = {}): Managed =>
        make(kind, 'a', name, { role: 'app', database: 'orders', ...change });
      const made = (resource: Managed): Managed => {
        resource.metadata.annotations!['crossplane.io/external-create-succeeded'] = '2026-01-01T00:00:00Z';
        return resource;
      };
      const going = made(rights('old'));
      const next = rights('new');
      expect(refusal(open, next, going)).toBeUndefined();
      going.metadata.deletionTimestamp = '2026-01-02T00:00:00Z';
      expect(refusal(open, next, going)).toBe('Waiting');
      expect(refusal(open, made(rights('there')), going)).toBeUndefined();
      expect(refusal(open, rights('everybody', { role: 'PUBLIC' }), going)).toBeUndefined();
      going.status = { conditions: [{ type: 'Synced', status: 'False', reason: 'PermissionDenied' } as never] };
      expect(refusal(open, next, going)).toBeUndefined();
    },
  );

  test('accounts of one name at two hosts are two accounts', () => {
    const a = make('Role', 'team-a', 'app', { host: '10.%' });
    const b = make('Role', 'team-a', 'app', { host: '%' });
    expect(refusal(open, b, a)).toBeUndefined();
  });
});
