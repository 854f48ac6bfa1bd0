import { describe, expect, test } from 'vitest';
import type { ObjectTarget } from '../../../resources/model/objects.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { compileGrantStep, type GrantStep } from './grants.ts';

const server = (engine: 'mysql' | 'mariadb', more: Partial<ServerInfo> = {}): ServerInfo => ({
  engine,
  product: 'Test 1',
  versionNumber: engine === 'mysql' ? 90_704 : 110_809,
  major: 9,
  admin: { name: 'root', superUser: true, createRole: true, createDb: true },
  dynamicPrivileges: engine === 'mysql' ? ['BACKUP_ADMIN', 'CLONE_ADMIN'] : [],
  ...more,
});
const mysql = server('mysql');
const mariadb = server('mariadb');
const texts = (step: GrantStep, info = mysql) => compileGrantStep(step, info).map(({ text }) => text);

const to = { name: 'app', host: '10.%' };
const grant = (on: ObjectTarget, ...privileges: string[]): GrantStep => ({ kind: 'grant', on, to, privileges });
const revoke = (on: ObjectTarget, ...privileges: string[]): GrantStep => ({ kind: 'revoke', on, from: to, privileges });

describe('a grant as SQL', () => {
  test.each<[string, ObjectTarget, string]>([
    ['the server', { type: 'global' }, '*.*'],
    ['a database, alone', { type: 'database', database: 'my_db%' }, String.raw`${'`'}my\_db\%${'`'}.*`],
    ['a pattern, as it is', { type: 'databasePattern', name: 'my_%' }, '`my_%`.*'],
    ['a table', { type: 'table', database: 'my_db', name: 'a`b' }, '`my_db`.`a``b`'],
    ['a function', { type: 'routine', database: 'd', name: 'f', routineType: 'function' }, 'FUNCTION `d`.`f`'],
    ['a procedure', { type: 'routine', database: 'd', name: 'p', routineType: 'procedure' }, 'PROCEDURE `d`.`p`'],
  ])('on %s', (_, on, clause) => {
    const privilege = on.type === 'routine' ? 'EXECUTE' : 'SELECT';
    expect(texts(grant(on, privilege))).toEqual([`GRANT ${privilege} ON ${clause} TO 'app'@'10.%'`]);
    expect(texts(revoke(on, privilege))).toEqual([`REVOKE ${privilege} ON ${clause} FROM 'app'@'10.%'`]);
  });

  test('names of databases are plain where wildcards are', () => {
    const plain = server('mysql', { databaseWildcards: false });
    expect(texts(grant({ type: 'database', database: 'my_db' }, 'SELECT'), plain)).toEqual([
      "GRANT SELECT ON `my_db`.* TO 'app'@'10.%'",
    ]);
  });

  test('columns follow each privilege', () => {
    const on: ObjectTarget = { type: 'table', database: 'd', name: 't', columns: ['a', 'b'] };
    expect(texts(grant(on, 'SELECT', 'UPDATE'))).toEqual([
      "GRANT SELECT (`a`, `b`), UPDATE (`a`, `b`) ON `d`.`t` TO 'app'@'10.%'",
    ]);
  });

  test('the option of a scope does not become that of dynamic privileges', () => {
    expect(texts(grant({ type: 'global' }, 'PROCESS', 'GRANT OPTION', 'BACKUP_ADMIN'))).toEqual([
      "GRANT PROCESS ON *.* TO 'app'@'10.%' WITH GRANT OPTION",
      "GRANT BACKUP_ADMIN ON *.* TO 'app'@'10.%'",
    ]);
    expect(texts(grant({ type: 'database', database: 'd' }, 'GRANT OPTION'))).toEqual([
      "GRANT USAGE ON `d`.* TO 'app'@'10.%' WITH GRANT OPTION",
    ]);
  });

  test('a REVOKE of everything on the server is never that of the whole account', () => {
    expect(texts(revoke({ type: 'global' }, 'SELECT', 'PROCESS', 'GRANT OPTION'))).toEqual([
      "REVOKE SELECT, PROCESS ON *.* FROM 'app'@'10.%'",
      "REVOKE GRANT OPTION ON *.* FROM 'app'@'10.%'",
    ]);
  });

  test('MariaDB finds out whether a name without a host is a role, and knows everybody', () => {
    const on: ObjectTarget = { type: 'database', database: 'd' };
    expect(texts({ kind: 'grant', on, to: { name: 'readers' }, privileges: ['SELECT'] }, mariadb)).toEqual([
      "GRANT SELECT ON `d`.* TO 'readers'",
    ]);
    expect(texts({ kind: 'grant', on, to: { public: true }, privileges: ['SELECT'] }, mariadb)).toEqual([
      'GRANT SELECT ON `d`.* TO PUBLIC',
    ]);
    expect(texts({ kind: 'grant', on, to: { name: 'readers' }, privileges: ['SELECT'] })).toEqual([
      "GRANT SELECT ON `d`.* TO 'readers'@'%'",
    ]);
  });

  test.each(['SELECT; DROP', 'ALL', 'BACKUP_ADMIN', 'select'])('%s is no privilege of a table', (word) => {
    expect(() => texts(grant({ type: 'table', database: 'd', name: 't' }, word))).toThrow('is not one of');
  });

  test('privileges on routines that the server would forget are refused', () => {
    const on: ObjectTarget = { type: 'routine', database: 'd', name: 'é', routineType: 'procedure' };
    expect(() => texts(grant(on, 'EXECUTE'))).toThrow('the server forgets the privilege when it restarts');
    expect(texts(revoke(on, 'EXECUTE'))).toHaveLength(1);
  });
});
