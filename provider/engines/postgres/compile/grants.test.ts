import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ServerInfo } from '../../../resources/model/server.ts';
import { compileGrantSteps, type GrantStep } from './grants.ts';

const info = (major: number): ServerInfo => ({
  engine: 'postgres',
  product: `PostgreSQL ${major}`,
  versionNumber: major * 10_000,
  major,
  admin: { name: 'admin', superUser: false, createRole: true, createDb: true },
});
const compile = (steps: GrantStep[], major = 18) => compileGrantSteps(steps, info(major)).map(({ text }) => text);
const app = { name: 'app' };
const select = (name: string, more: object = {}): GrantStep => ({
  kind: 'grant',
  on: { type: 'table', database: 'd', schema: 's', name },
  to: app,
  privileges: ['SELECT'],
  ...more,
});

describe('grants as SQL', () => {
  test('the same grant of neighbours is one statement', () => {
    expect(compile([select('a'), select('b'), select('c', { privileges: ['INSERT'] }), select('d')])).toEqual([
      'GRANT SELECT ON TABLE "s"."a", "s"."b" TO "app"',
      'GRANT INSERT ON TABLE "s"."c" TO "app"',
      'GRANT SELECT ON TABLE "s"."d" TO "app"',
    ]);
  });

  test('no statement grows without bounds', () => {
    const statements = compile(Array.from({ length: 1201 }, (_, n) => select(`t${n}`)));
    expect(statements).toHaveLength(3);
  });

  test('what one role does is done as that role, once', () => {
    expect(
      compile([
        select('a', { grantor: 'owner' }),
        select('b', { grantor: 'owner' }),
        select('c', { grantor: 'admin' }),
      ]),
    ).toEqual([
      'SET LOCAL ROLE "owner"',
      'GRANT SELECT ON TABLE "s"."a", "s"."b" TO "app"',
      'SET LOCAL ROLE "admin"',
      'GRANT SELECT ON TABLE "s"."c" TO "app"',
    ]);
  });

  test.each([
    [15, 'GRANT "owner" TO "admin"', 'REVOKE "owner" FROM "admin"'],
    [16, 'GRANT "owner" TO "admin" WITH INHERIT TRUE, SET TRUE', 'REVOKE "owner" FROM "admin" GRANTED BY "admin"'],
  ])('on version %i a borrowed membership surrounds what needs it', (major, take, giveBack) => {
    expect(compile([select('a', { grantor: 'owner', borrow: true })], major)).toEqual([
      take,
      'SET LOCAL ROLE "owner"',
      'GRANT SELECT ON TABLE "s"."a" TO "app"',
      'SET LOCAL ROLE "admin"',
      giveBack,
    ]);
  });

  test('PUBLIC is a keyword, and a role of that name is none (B7, B37)', () => {
    expect(
      compile([
        { ...select('a'), to: { public: true } } as GrantStep,
        { ...select('a'), to: { name: 'PUBLIC' } } as GrantStep,
      ]),
    ).toEqual(['GRANT SELECT ON TABLE "s"."a" TO PUBLIC', 'GRANT SELECT ON TABLE "s"."a" TO "PUBLIC"']);
  });

  test('the options of a membership are said in the words of the version', () => {
    const step: GrantStep = { kind: 'grantMembership', role: 'a', memberOf: 'g', admin: false };
    expect(compile([step], 15)).toEqual(['GRANT "g" TO "a"', 'REVOKE ADMIN OPTION FOR "g" FROM "a"']);
    expect(compile([{ ...step, set: true }], 16)).toEqual(['GRANT "g" TO "a" WITH ADMIN FALSE, SET TRUE']);
  });

  test('a word that is no privilege never gets into a statement (B144)', () => {
    for (const word of ['SELECT ON x TO y; --', 'ALL', 'select', ''])
      expect(() => compile([select('a', { privileges: [word] })])).toThrow('is not one of');
    expect(() =>
      compile([{ kind: 'grant', on: { type: 'largeObject', name: '1; DROP' }, to: app, privileges: ['SELECT'] }]),
    ).toThrow('oid');
    expect(() =>
      compile([
        {
          kind: 'grant',
          on: { type: 'routine', schema: 's', name: 'f', args: ['int) TO x; --'] },
          to: app,
          privileges: ['EXECUTE'],
        },
      ]),
    ).toThrow('is no type');
  });

  test('whatever the names are, the statement without its quoted names is the same', () => {
    const name = fc
      .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
      .filter((n) => !n.includes('\0') && Buffer.byteLength(n) <= 63)
      // `*` stands for every object of a schema; an object of that name cannot be asked for alone.
      .filter((text) => text !== '*');
    fc.assert(
      fc.property(name, name, name, (schema, table, role) => {
        const [text] = compile([
          {
            kind: 'grant',
            on: { type: 'table', schema, name: table, columns: [table] },
            to: { name: role },
            privileges: ['SELECT'],
          },
        ]);
        expect(text!.replace(/"(?:[^"]|"")+"/gu, '?')).toBe('GRANT SELECT (?) ON TABLE ?.? TO ?');
      }),
    );
  });
});
