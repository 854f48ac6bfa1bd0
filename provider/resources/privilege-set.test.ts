import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { POSTGRES_PRIVILEGES } from '../engines/postgres/privileges.ts';
import { expandPrivileges, objectPrivileges } from './privilege-set.ts';

const server = (major: number) => ({ product: `PostgreSQL ${major}.1`, versionNumber: major * 10_000 + 1 });
const { objects } = POSTGRES_PRIVILEGES;
const on = (type: keyof typeof objects) => objects[type]!;

describe('privileges of PostgreSQL', () => {
  test.each([
    ['database', 15, ['CREATE', 'CONNECT', 'TEMPORARY']],
    ['schema', 15, ['USAGE', 'CREATE']],
    ['table', 16, ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']],
    ['table', 17, ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN']],
    ['column', 18, ['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']],
    ['sequence', 18, ['USAGE', 'SELECT', 'UPDATE']],
    ['routine', 18, ['EXECUTE']],
    ['parameter', 15, ['SET', 'ALTER SYSTEM']],
  ] as const)('ALL on a %s of version %i is every privilege there is (B3, B6)', (type, major, all) => {
    expect(expandPrivileges(['ALL'], on(type), server(major))).toEqual(all);
    expect(expandPrivileges(['all privileges', 'ALL'], on(type), server(major))).toEqual(all);
  });

  test('words in any case, with spaces, twice or by another name are one privilege (B5)', () => {
    expect(expandPrivileges(['temp', 'TEMPORARY', ' connect '], on('database'), server(18))).toEqual([
      'CONNECT',
      'TEMPORARY',
    ]);
    expect(expandPrivileges(['Alter  System'], on('parameter'), server(15))).toEqual(['ALTER SYSTEM']);
  });

  test('a word that is no privilege is named, with those that are (B145)', () => {
    expect(() => expandPrivileges(['SELEKT'], on('sequence'), server(18))).toThrow(
      'privileges: "SELEKT" is not a privilege on a sequence; allowed are ALL, USAGE, SELECT, UPDATE',
    );
    expect(() => expandPrivileges(['DELETE'], on('column'), server(18))).toThrow(
      '"DELETE" is not a privilege on a column',
    );
  });

  test('what a newer version has is refused with that version', () => {
    expect(() => expandPrivileges(['MAINTAIN'], on('table'), server(16))).toThrow(
      'MAINTAIN on a table needs version 17 or newer, and the server is PostgreSQL 16.1',
    );
    expect(() => objectPrivileges(objects, 'parameter', { ...server(14) } as never)).toThrow(
      'a parameter need version 15',
    );
    expect(() => objectPrivileges(objects, 'global', { ...server(14) } as never)).toThrow(
      'no privileges on objects of type global',
    );
  });

  test('only words of the table ever come out, whatever goes in (B144)', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        let result: string[] = [];
        try {
          result = expandPrivileges(words, on('table'), server(18));
        } catch (error) {
          expect(error).toMatchObject({ reason: 'InvalidSpec', retryable: false });
        }
        for (const word of result) expect(on('table').privileges.map(({ name }) => name)).toContain(word);
      }),
    );
  });
});
