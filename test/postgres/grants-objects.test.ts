import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { postgresMajors } from '../rig/servers.ts';
import { versionOf, World } from './grants-world.ts';

describe.each(postgresMajors)('PostgreSQL %i, grants on every kind of object', (major) => {
  const version = versionOf(major);
  let world: World;
  let place: { role: string; database: string };

  beforeAll(async () => {
    world = await World.create(major);
    await world.roles('app', 'owner');
    place = { role: world.name('app'), database: world.database };
    await world.sql(`CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO {app};
      CREATE TYPE s.kind AS ENUM ('x'); CREATE DOMAIN s.dom AS int; CREATE TYPE s."My Type" AS (a int);
      CREATE FUNCTION s.f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
      CREATE FUNCTION s.f(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
      CREATE FUNCTION s.f(s."My Type", varchar(20)[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE FUNCTION s.none() RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE PROCEDURE s.p(IN a int, INOUT b int) LANGUAGE plpgsql AS 'BEGIN END';
      CREATE AGGREGATE s.agg(int) (SFUNC = int4pl, STYPE = int);
      CREATE FUNCTION s.long(varchar, varchar, varchar, varchar, varchar, varchar, varchar, varchar) RETURNS int LANGUAGE sql AS 'SELECT 1';
      REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA s FROM PUBLIC;
      CREATE FOREIGN DATA WRAPPER "fdw-1"; CREATE SERVER "srv-1" FOREIGN DATA WRAPPER "fdw-1";
      SELECT lo_create(4711);`);
  });
  afterAll(() => world.close());

  /** Grants, is quiet, is there for the server too, is gone after deletion. */
  async function lives(spec: Partial<GrantParameters>, check: string): Promise<void> {
    const holds = async () => (await world.sql<{ ok: boolean }>(`SELECT ${check} AS ok`))[0]!.ok;
    expect(await holds()).toBe(false);
    const story = world.grant({ ...place, ...spec });
    expect(await story.reconcile()).toHaveLength(1);
    expect(await holds()).toBe(true);
    expect(await story.delete()).toHaveLength(1);
    expect(await holds()).toBe(false);
  }

  const asApp = (call: string) => call.replace(/\bapp\b/, `'app ${world.id}'`);

  test('schemas', () =>
    lives({ schema: 's', privileges: ['CREATE'] }, asApp(`has_schema_privilege(app, 's', 'CREATE')`)));

  test('foreign-data wrappers and servers, whose names are several words (B22)', async () => {
    await lives(
      { foreignDataWrappers: ['fdw-1'], privileges: ['USAGE'] },
      asApp(`has_foreign_data_wrapper_privilege(app, 'fdw-1', 'USAGE')`),
    );
    await lives(
      { foreignServers: ['srv-1'], privileges: ['ALL'] },
      asApp(`has_server_privilege(app, 'srv-1', 'USAGE')`),
    );
  });

  test('types and domains', async () => {
    await world.sql(`REVOKE USAGE ON TYPE s.kind, s.dom, s."My Type" FROM PUBLIC`);
    await lives(
      { schema: 's', types: ['kind', 'dom'], privileges: ['USAGE'] },
      asApp(`has_type_privilege(app, 's.dom', 'USAGE')`),
    );
    await lives(
      { schema: 's', types: ['*'], privileges: ['USAGE'] },
      asApp(`has_type_privilege(app, 's."My Type"', 'USAGE')`),
    );
  });

  test('languages', async () => {
    await world.sql('REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC');
    await lives(
      { languages: ['plpgsql'], privileges: ['USAGE'] },
      asApp(`has_language_privilege(app, 'plpgsql', 'USAGE')`),
    );
  });

  test('large objects', () =>
    lives(
      { largeObjects: ['04711'], privileges: ['SELECT'] },
      `EXISTS (SELECT FROM pg_largeobject_metadata, aclexplode(lomacl) a JOIN pg_roles r ON r.oid = a.grantee WHERE r.rolname = 'app ${world.id}')`,
    ));

  test('tablespaces of the server, without a database (B20)', async () => {
    const story = world.grant({ role: place.role, tablespaces: ['pg_default'], privileges: ['CREATE'] });
    expect(await story.reconcile()).toEqual([`GRANT CREATE ON TABLESPACE "pg_default" TO "app ${world.id}"`]);
    expect(await story.delete()).toHaveLength(1);
    await expect(world.grant({ ...place, tablespaces: ['pg_default'], privileges: ['CREATE'] }).plan()).rejects.toThrow(
      'belong to the server',
    );
  });

  test('parameters, however they are spelled', async () => {
    if (version < 15) {
      await expect(
        world.grant({ role: place.role, parameters: ['work_mem'], privileges: ['SET'] }).plan(),
      ).rejects.toThrow('a parameter need version 15');
      return;
    }
    const story = world.grant({
      role: place.role,
      parameters: ['Work_Mem', 'my_extension.limit'],
      privileges: ['SET', 'ALTER SYSTEM'],
    });
    expect(await story.reconcile()).toEqual([
      `GRANT SET, ALTER SYSTEM ON PARAMETER "work_mem", "my_extension"."limit" TO "app ${world.id}"`,
    ]);
    const [both, to] = ['"work_mem", "my_extension"."limit"', `"app ${world.id}"`];
    expect(await story.edit({ privileges: ['SET'] })).toEqual([`REVOKE ALTER SYSTEM ON PARAMETER ${both} FROM ${to}`]);
    expect(await story.edit({ parameters: ['WORK_MEM', 'my_extension.LIMIT'] })).toEqual([]);
    expect(await story.delete()).toEqual([`REVOKE SET ON PARAMETER ${both} FROM ${to}`]);
    await expect(world.grant({ role: place.role, parameters: ['nope'], privileges: ['SET'] }).plan()).rejects.toThrow(
      'parameter "nope"',
    );
  });

  test('routines: functions, procedures and aggregates, whatever the length of their signature (B23, B26)', async () => {
    const story = world.grant({ ...place, schema: 's', routines: [{ name: '*' }], privileges: ['EXECUTE'] });
    expect(await story.reconcile()).toHaveLength(1);
    for (const of of [
      'p(int, int)',
      'agg(int)',
      'long(varchar, varchar, varchar, varchar, varchar, varchar, varchar, varchar)',
    ])
      expect(
        await world.sql(asApp(`SELECT has_function_privilege(app, 's.${of}'::regprocedure, 'EXECUTE') AS ok`)),
      ).toEqual([{ ok: true }]);
    await story.delete();
  });

  test('one overload is chosen by its arguments, and a doubtful name is refused', async () => {
    const f = (args?: string[]) => ({
      schema: 's',
      routines: [{ name: 'f', ...(args === undefined ? {} : { args }) }],
      privileges: ['EXECUTE'],
    });
    await lives(f(['int4']), asApp(`has_function_privilege(app, 's.f(int)', 'EXECUTE')`));
    await lives(
      f(['s."My Type"', 'varchar(20) []']),
      asApp(`has_function_privilege(app, 's.f(s."My Type", varchar[])', 'EXECUTE')`),
    );
    await lives({ ...f(), routines: [{ name: 'none' }] }, asApp(`has_function_privilege(app, 's.none()', 'EXECUTE')`));
    await lives(
      { ...f(), routines: [{ name: 'none', args: [] }] },
      asApp(`has_function_privilege(app, 's.none()', 'EXECUTE')`),
    );
    await expect(world.grant({ ...place, ...f() }).plan()).rejects.toThrow(
      'is 3 routines; choose one by args: (integer) or (s."My Type", character varying[]) or (text)',
    );
    await expect(world.grant({ ...place, ...f(['bool']) }).plan()).rejects.toThrow('routine "s"."f"(bool)');
  });

  test('a routine that is granted stays the one that is revoked when another of its name comes', async () => {
    const story = world.grant({ ...place, schema: 's', routines: [{ name: 'none' }], privileges: ['EXECUTE'] });
    await story.reconcile();
    await world.sql(
      `CREATE FUNCTION s.none(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION s.none(int) TO {app}`,
    );
    expect(await story.delete()).toEqual([`REVOKE EXECUTE ON ROUTINE "s"."none"() FROM "app ${world.id}"`]);
    await world.sql('DROP FUNCTION s.none(int)');
  });

  test('PUBLIC is read as PUBLIC and left alone (B27)', async () => {
    await world.sql('GRANT EXECUTE ON FUNCTION s.none() TO PUBLIC');
    await lives(
      { schema: 's', types: ['kind'], privileges: ['USAGE'] },
      asApp(`has_type_privilege(app, 's.kind', 'USAGE')`),
    );
    const story = world.grant({
      ...place,
      schema: 's',
      routines: [{ name: '*' }],
      privileges: ['EXECUTE'],
      exclusive: true,
    });
    await story.reconcile();
    await story.delete();
    expect(await world.sql(`SELECT has_function_privilege('public', 's.none()', 'EXECUTE') AS ok`)).toEqual([
      { ok: true },
    ]);
  });

  test("PUBLIC's EXECUTE on all routines is taken, from new ones too, and given back only where it was", async () => {
    await world.sql(`CREATE SCHEMA e; CREATE FUNCTION e.a() RETURNS int LANGUAGE sql AS 'SELECT 1';
      CREATE FUNCTION e.b() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON FUNCTION e.b() FROM PUBLIC`);
    const story = world.grant({
      role: 'PUBLIC',
      database: world.database,
      schema: 'e',
      routines: [{ name: '*' }],
      privileges: [],
      exclusive: true,
    });
    expect(await story.reconcile()).toEqual(['REVOKE EXECUTE ON ROUTINE "e"."a"() FROM PUBLIC']);
    await world.sql(`CREATE FUNCTION e.c() RETURNS int LANGUAGE sql AS 'SELECT 1'`);
    expect(await story.reconcile()).toEqual(['REVOKE EXECUTE ON ROUTINE "e"."c"() FROM PUBLIC']);
    expect(await story.delete()).toEqual(['GRANT EXECUTE ON ROUTINE "e"."a"(), "e"."c"() TO PUBLIC']);
  });

  test('strict acts on the objects it names only (B33)', async () => {
    await world.sql('CREATE TABLE s.one (a int); CREATE TABLE s.two (a int); GRANT INSERT ON s.one, s.two TO {app}');
    const story = world.grant({ ...place, schema: 's', tables: ['one'], privileges: ['SELECT'], exclusive: true });
    await story.reconcile();
    expect(await world.heldOnTable('app', 's.one')).toEqual(['SELECT']);
    expect(await world.heldOnTable('app', 's.two')).toEqual(['INSERT']);
  });

  test("an extension's objects can be granted, and the grant outlives its update (B57)", async () => {
    await world.sql('CREATE SCHEMA x; CREATE EXTENSION pg_stat_statements SCHEMA x');
    const story = world.grant({ ...place, schema: 'x', tables: ['*'], privileges: ['UPDATE'] });
    expect(await story.reconcile()).toHaveLength(1);
    await world.sql('ALTER EXTENSION pg_stat_statements UPDATE');
    expect(await story.reconcile()).toEqual([]);
  });

  test('names of any spelling are names only (B59, B92, F26, F42, F70)', async () => {
    for (const strange of [`Al"i'ce`, 'a.b', 'select', 'a(b', `x"; DROP TABLE s.t; --`, '$1 %s \\', 'ü"ñ', '*x']) {
      const role = `${strange} ${world.id}`;
      const quoted = `"${strange.replaceAll('"', '""')}"`;
      await world.sql(
        `CREATE ROLE "${role.replaceAll('"', '""')}"; CREATE SCHEMA ${quoted}; CREATE TABLE ${quoted}.${quoted} (${quoted} int)`,
      );
      world.keep(role);
      const all = { role, database: world.database, schema: strange };
      for (const spec of [
        { privileges: ['USAGE'] },
        { tables: [strange], privileges: ['SELECT'] },
        { tables: [strange], columns: [strange], privileges: ['UPDATE'] },
        { tables: ['*'], privileges: ['INSERT'] },
      ]) {
        const story = world.grant({ ...all, ...spec });
        expect(await story.reconcile()).toHaveLength(1);
        expect(await story.delete()).toHaveLength(1);
      }
      await world.sql(`DROP SCHEMA ${quoted} CASCADE`);
    }
  });

  test('a name that the server would cut is refused', async () => {
    await expect(world.grant({ ...place, schema: 'é'.repeat(40), privileges: ['USAGE'] }).plan()).rejects.toThrow(
      'schema',
    );
  });

  test('the fields must name one thing that can be granted', async () => {
    const refused = async (spec: Partial<GrantParameters>, words: string) =>
      await expect(world.grant({ role: place.role, ...spec }).plan()).rejects.toThrow(words);
    await refused({ privileges: ['SELECT'] }, 'names nothing to grant on');
    await refused({ schema: 's', tables: ['t'], privileges: ['SELECT'] }, 'needs the database');
    await refused({ database: world.database, tables: ['t'], privileges: ['SELECT'] }, 'needs the schema');
    await refused(
      { database: world.database, schema: 's', languages: ['sql'], privileges: ['USAGE'] },
      'remove schema',
    );
    await refused({ system: true, privileges: ['ALL'] }, 'has no privileges on objects of type global');
    await refused(
      { database: world.database, schema: 's', tables: ['*'], columns: ['a'], privileges: ['SELECT'] },
      'not *',
    );
    await refused(
      { database: world.database, role: 'PUBLIC', privileges: ['CONNECT'], withOption: true },
      'PUBLIC cannot have the grant option',
    );
  });
});
