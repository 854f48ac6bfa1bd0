import { describe, expect, test } from 'vitest';
import { flagOf, privilegesOfAccess, setMembers } from './grant-columns.ts';
import { MARIADB_PRIVILEGES, MYSQL_PRIVILEGES } from './privileges.ts';

const named = (table: typeof MYSQL_PRIVILEGES, type: 'global' | 'database') =>
  (table.objects[type]?.privileges ?? []).map(({ name }) => name);

describe('names in the grant tables', () => {
  test('every privilege on a database, and on the server of MySQL, has its column', () => {
    const all = [...named(MYSQL_PRIVILEGES, 'global'), ...named(MYSQL_PRIVILEGES, 'database')];
    const columns = new Set([...all, ...named(MARIADB_PRIVILEGES, 'database')].map(flagOf));
    expect(columns.size).toBe(new Set([...all, ...named(MARIADB_PRIVILEGES, 'database')]).size);
  });

  test('every privilege on the server of MariaDB has its bit', () => {
    const all = privilegesOfAccess(String(2n ** 64n - 1n), 110_809);
    expect(all.toSorted()).toEqual(named(MARIADB_PRIVILEGES, 'global').toSorted());
    expect(privilegesOfAccess('1', 110_809)).toEqual(['SELECT']);
    expect(privilegesOfAccess(String(2n ** 38n), 110_809)).toEqual(['SLAVE MONITOR']);
    expect(privilegesOfAccess('', 0)).toEqual([]);
  });

  test('rows that an older server wrote mean what they meant to it', () => {
    const superUser = String(2n ** 15n);
    expect(privilegesOfAccess(superUser, 110_809)).toEqual(['SUPER']);
    expect(privilegesOfAccess(superUser, 100_400)).toEqual(
      expect.arrayContaining(['SUPER', 'CONNECTION ADMIN', 'BINLOG ADMIN', 'SLAVE MONITOR']),
    );
  });

  test('members of sets are privileges, whatever they are called there', () => {
    expect(setMembers('')).toEqual([]);
    expect(setMembers('Select,Create View,Show view,Grant,Delete versioning rows')).toEqual([
      'SELECT',
      'CREATE VIEW',
      'SHOW VIEW',
      'GRANT OPTION',
      'DELETE HISTORY',
    ]);
  });
});
