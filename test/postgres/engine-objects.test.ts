/** Databases of every make, what they hold, and names that nobody would choose. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import { PostgresEngine } from '../../provider/engines/postgres/engine.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import { settingsOf } from '../planning/settings.ts';
import { postgresMajors, sharedPostgres } from '../rig/servers.ts';

/** Characters that mean something to SQL, to a shell or to a terminal, and such as take several bytes. */
const ODD = Array.from(`a"'\\$%.;- /*Ü\n\t😀@:(){}`);

type CreateDatabase = Extract<Step, { kind: 'createDatabase' }>;

describe.each(postgresMajors)('PostgreSQL %i', (label) => {
  const server = sharedPostgres(label);
  const { major } = server;
  let engine: PostgresEngine;
  beforeAll(() => {
    engine = new PostgresEngine(settingsOf(server));
  });
  afterAll(async () => {
    await engine.close();
  });
  const name = `objects_${label}`;
  const withDatabase = async (options: Partial<CreateDatabase>, work: () => Promise<void>): Promise<void> => {
    await engine.run([{ kind: 'createDatabase', name, ...options }]);
    try {
      await work();
    } finally {
      await engine.run([{ kind: 'dropDatabase', name }]);
    }
    expect(await engine.read('database', [{ name }])).toEqual([undefined]);
  };

  test.each([
    [
      13,
      { encoding: 'LATIN1', collation: 'C', template: 'template0' },
      { encoding: 'LATIN1', collation: 'C', characterClassification: 'C' },
    ],
    [
      13,
      { locale: 'C', template: 'template0' },
      { collation: 'C', characterClassification: 'C', localeProvider: 'libc' },
    ],
    [
      13,
      { collation: 'C', characterClassification: 'C.UTF-8', template: 'template0' },
      { collation: 'C', characterClassification: 'C.UTF-8' },
    ],
    [13, { allowConnections: false, connectionLimit: 0 }, { allowConnections: false, connectionLimit: 0 }],
    [13, { isTemplate: true }, { isTemplate: true }],
    [15, { strategy: 'FILE_COPY' }, {}],
    [15, { localeProvider: 'icu', locale: 'de-DE', template: 'template0' }, { localeProvider: 'icu', locale: 'de-DE' }],
    [
      16,
      { localeProvider: 'icu', locale: 'und', icuRules: '&V << w <<< W', template: 'template0' },
      { icuRules: '&V << w <<< W' },
    ],
    [
      17,
      { localeProvider: 'builtin', locale: 'C.UTF-8', template: 'template0' },
      { localeProvider: 'builtin', locale: 'C.UTF-8' },
    ],
  ] as [number, Partial<CreateDatabase>, object][])(
    'from %i on, a database may have %j',
    async (since, options, observed) => {
      if (major < since) return;
      await withDatabase(options, async () => {
        expect(await engine.read('database', [{ name }])).toMatchObject([observed]);
      });
    },
  );

  test('a database is made from a template that sessions of ours were in', async () => {
    await withDatabase({}, async () => {
      await engine.read('schema', [{ database: name, name: 'public' }]);
      await server.query('CREATE TABLE public.seed (id int)', [], name);
      await engine.run([{ kind: 'createDatabase', name: `${name}_copy`, template: name }]);
      expect(await engine.read('databaseContents', [{ name: `${name}_copy` }])).toEqual([
        { empty: false, summary: '1 table' },
      ]);
      await engine.run([{ kind: 'dropDatabase', name: `${name}_copy` }]);
    });
  });

  test('a database moves to another tablespace', async () => {
    if (major < 15) return;
    await server.query(`ALTER SYSTEM SET allow_in_place_tablespaces TO on`);
    await server.query('SELECT pg_reload_conf()');
    await expect
      .poll(async () => await server.query('SHOW allow_in_place_tablespaces'))
      .toEqual([{ allow_in_place_tablespaces: 'on' }]);
    await server.query(`CREATE TABLESPACE ${name}_space LOCATION ''`);
    await withDatabase({}, async () => {
      await engine.read('schema', [{ database: name, name: 'public' }]);
      await engine.run([{ kind: 'alterDatabase', name, tablespace: `${name}_space`, connectionLimit: 5 }]);
      expect(await engine.read('database', [{ name }])).toMatchObject([
        { tablespace: `${name}_space`, connectionLimit: 5 },
      ]);
    });
    await server.query(`DROP TABLESPACE ${name}_space`);
  });

  test('what is in a database is counted by kind, and what belongs to the system or to an extension is not', async () => {
    await withDatabase({}, async () => {
      await engine.run([{ kind: 'createExtension', database: name, name: 'hstore' }]);
      expect(await engine.read('databaseContents', [{ name }])).toEqual([{ empty: true, summary: '' }]);
      await server.query(
        `CREATE SCHEMA s; CREATE SCHEMA empty;
         CREATE TABLE s.a (id int); CREATE TABLE s.b (id int); CREATE VIEW s.v AS SELECT 1 AS one;
         CREATE MATERIALIZED VIEW s.m AS SELECT 1 AS one; CREATE SEQUENCE s.q; CREATE TYPE s.e AS ENUM ('x');
         CREATE TYPE s.c AS (x int); CREATE DOMAIN s.d AS int; CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE FOREIGN DATA WRAPPER w; CREATE SERVER f FOREIGN DATA WRAPPER w; CREATE PUBLICATION p; SELECT lo_create(0)`,
        [],
        name,
      );
      expect(await engine.read('databaseContents', [{ name }])).toEqual([
        {
          empty: false,
          summary:
            '1 composite type, 1 foreign server, 1 large object, 1 materialized view, 1 publication, 1 routine, 1 sequence, 2 tables, 2 types, 1 view',
        },
      ]);
      const contents = await engine.read('schemaContents', [
        { database: name, name: 'empty' },
        { database: name, name: 's' },
        { database: name, name: 'public' },
      ]);
      expect(contents.map(({ empty }) => empty)).toEqual([true, false, true]);
      await expect(
        engine.run([{ kind: 'dropSchema', database: name, name: 's', cascade: false }]),
      ).rejects.toMatchObject({
        reason: 'DependentObjects',
        message: expect.stringContaining('s.a') as string,
      });
    });
  });

  test('what a role owns and is granted is found in every database, and named', async () => {
    const role = `${name}_owner`;
    await engine.run([{ kind: 'createRole', name: role, attributes: {} }]);
    await withDatabase({}, async () => {
      await server.query(
        `CREATE TABLE public.t (id int); ALTER TABLE public.t OWNER TO ${role}; GRANT CREATE ON SCHEMA public TO ${role}`,
        [],
        name,
      );
      await server.query(`CREATE TABLE public.${name}_t (id int); ALTER TABLE public.${name}_t OWNER TO ${role}`);
      const [found] = await engine.read('roleDependencies', [{ name: role }, { name: 'nobody' }]);
      expect(found).toEqual({
        databases: [name, 'postgres'],
        ownedDatabases: [],
        owned: [
          { database: name, objects: ['table t'], count: 1 },
          { database: 'postgres', objects: [`table ${name}_t`], count: 1 },
        ].map((entry) => ({ ...entry, objects: entry.objects.map((text) => text.replace('table ', 'table public.')) })),
      });
      await engine.run([
        { kind: 'reassignOwned', database: name, from: role, to: null },
        { kind: 'dropOwned', database: name, role },
        { kind: 'dropOwned', database: 'postgres', role },
        { kind: 'dropRole', name: role },
      ]);
    });
    expect(await engine.read('role', [{ name: role }])).toEqual([undefined]);
  });

  test('a failed read is an error and never nothing', async () => {
    await withDatabase({ allowConnections: false }, async () => {
      await expect(engine.read('schema', [{ database: name, name: 'public' }])).rejects.toMatchObject({
        reason: 'NotReady',
      });
      await expect(engine.read('databaseContents', [{ name }])).rejects.toMatchObject({ reason: 'NotReady' });
    });
  });

  test('any name that a server can hold is made, read back and dropped, and nothing else happens', async () => {
    const names = fc.uniqueArray(
      fc
        .string({ unit: fc.constantFrom(...ODD), minLength: 1, maxLength: 15 })
        .map((text) => `~${text}`)
        .filter((text) => Buffer.byteLength(text) <= 63),
      { minLength: 20, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(names, fc.string({ unit: 'grapheme' }), async (list, text) => {
        const value = text.replaceAll('\0', '');
        const mark = { uid: 'u', resource: 'a/b' };
        await engine.run(
          list.flatMap((role): Step[] => [
            { kind: 'createRole', name: role, attributes: { login: true }, password: new Secret(`${value}x`), mark },
            { kind: 'setRoleSetting', name: role, setting: 'app.value', value },
          ]),
        );
        try {
          const roles = await engine.read(
            'role',
            list.map((role) => ({ name: role })),
          );
          expect(roles.map((role) => role?.name)).toEqual(list);
          expect(roles[0]?.settings).toEqual([{ name: 'app.value', value }]);
          expect(await engine.checkPassword(list[0] ?? '', undefined, new Secret(`${value}x`))).toBe('match');
        } finally {
          await engine.run(list.map((role) => ({ kind: 'dropRole', name: role })));
        }
      }),
      { numRuns: 15 },
    );
    expect(await server.query("SELECT rolname FROM pg_roles WHERE starts_with(rolname, '~')")).toEqual([]);
  });
});
