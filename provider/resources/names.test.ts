import { describe, expect, test } from 'vitest';
import { refuseLongName, refuseReservedDatabase, refuseReservedRole, refuseReservedSchema } from './names.ts';

const reserved = expect.objectContaining({ reason: 'ReservedName', retryable: false });

describe('names that belong to the server are refused (B147)', () => {
  test.each([
    'postgres',
    'pg_monitor',
    'rdsadmin',
    'rds_superuser',
    'cloudsqlsuperuser',
    'azure_pg_admin',
    'public',
    'PUBLIC',
    'none',
  ])('the role %s', (name) => {
    expect(() => refuseReservedRole('postgres', name, 'admin')).toThrow(reserved);
  });

  test('the role that we are logged in as', () => {
    expect(() => refuseReservedRole('postgres', 'xdb_admin', 'xdb_admin')).toThrow(reserved);
  });

  test.each(['postgres', 'template0', 'template1', 'rdsadmin', 'cloudsqladmin', 'azure_maintenance'])(
    'the database %s',
    (name) => {
      expect(() => refuseReservedDatabase('postgres', name)).toThrow(reserved);
    },
  );

  test.each(['system', 'defaultdb'])('the database %s of CockroachDB', (name) => {
    expect(() => refuseReservedDatabase('cockroachdb', name)).toThrow(reserved);
  });

  test.each(['pg_catalog', 'pg_temp_1', 'information_schema'])('the schema %s', (name) => {
    expect(() => refuseReservedSchema(name)).toThrow(reserved);
  });

  test('and others that only look like them are not', () => {
    refuseReservedRole('postgres', 'Postgres', 'admin');
    refuseReservedRole('postgres', 'app_pg_reader', 'admin');
    refuseReservedDatabase('postgres', 'template10');
    refuseReservedSchema('public');
    refuseReservedSchema('app');
  });
});

describe('the length of a name', () => {
  test('is counted in bytes, and said (B90)', () => {
    refuseLongName('postgres', 'role', 'x'.repeat(63));
    expect(() => refuseLongName('postgres', 'role', 'ü'.repeat(32))).toThrow(
      /^the role name "ü+" has 64 bytes; the server takes at most 63$/,
    );
    refuseLongName('mysql', 'database', 'ü'.repeat(64));
    expect(() => refuseLongName('mysql', 'role', 'ü'.repeat(33))).toThrow('33 characters');
  });

  test('is not all: characters of four bytes are none to MySQL and MariaDB', () => {
    for (const engine of ['mysql', 'mariadb'] as const)
      expect(() => refuseLongName(engine, 'database', 'a😀b')).toThrow(
        'the database name "a😀b" holds "😀"; the server takes no characters beyond U+FFFF in names',
      );
    refuseLongName('mysql', 'database', '密码');
    refuseLongName('postgres', 'database', 'a😀b');
  });
});
