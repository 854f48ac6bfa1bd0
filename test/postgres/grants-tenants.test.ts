/** Three roles with the least rights each, as acceptance scenario PG9 has them, logged in for real. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postgresMajors } from '../rig/servers.ts';
import { versionOf, World } from './grants-world.ts';

describe.each(postgresMajors)('PostgreSQL %i, an owner, an application and a reader', (major) => {
  const version = versionOf(major);
  let world: World;
  const refused = { code: '42501' };
  const as = (role: string, text: string) => world.as(role, text);
  const place = () => ({ database: world.database, schema: 'app1' });

  beforeAll(async () => {
    world = await World.create(major);
    await world.roles('migration-user', 'application-user', 'human-user', 'user', 'Mixed(Case');
    await world.sql(
      `CREATE SCHEMA app1 AUTHORIZATION {migration-user}; ${version < 15 ? 'REVOKE CREATE ON SCHEMA public FROM PUBLIC' : ''}`,
    );
  });
  afterAll(() => world.close());

  test('each can do what it was given and nothing else, now and in tables to come (PG9, B21, B48, F58, F70)', async () => {
    const application = { ...place(), role: world.name('application-user') };
    const human = { ...place(), role: world.name('human-user') };
    const creator = { database: world.database, targetRole: world.name('migration-user') };
    const rights = [
      world.grant({ ...application, privileges: ['USAGE'] }),
      world.defaults({
        ...creator,
        role: application.role,
        objectType: 'table',
        privileges: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
      }),
      world.defaults({ ...creator, role: human.role, objectType: 'table', privileges: ['SELECT'] }),
    ];
    for (const story of rights) await story.reconcile();

    await expect(as('application-user', 'CREATE TABLE public.sometable (id serial)')).rejects.toMatchObject(refused);
    await as('migration-user', 'CREATE TABLE app1.sometable (some_id serial PRIMARY KEY, some_name text)');
    await expect(as('application-user', `INSERT INTO app1.sometable (some_name) VALUES ('x')`)).rejects.toMatchObject(
      refused,
    );
    const sequences = world.defaults({
      ...creator,
      role: application.role,
      objectType: 'sequence',
      privileges: ['USAGE'],
    });
    await sequences.reconcile();
    await world.grant({ ...application, sequences: ['*'], privileges: ['USAGE'] }).reconcile();
    await as(
      'application-user',
      `INSERT INTO app1.sometable (some_name) VALUES ('x'); UPDATE app1.sometable SET some_name = 'y'`,
    );
    await as('application-user', 'DELETE FROM app1.sometable WHERE some_id > 100');

    const reading = [
      world.grant({ ...human, privileges: ['USAGE'] }),
      world.grant({ ...human, tables: ['*'], privileges: ['SELECT'] }),
    ];
    for (const story of reading) await story.reconcile();
    expect(await as('human-user', 'SELECT count(*) AS n FROM app1.sometable')).toEqual([{ n: '1' }]);
    await expect(as('human-user', `INSERT INTO app1.sometable VALUES (7)`)).rejects.toMatchObject(refused);
    await as('migration-user', 'CREATE TABLE app1."Later Table" ("Id" serial)');
    expect(await as('human-user', 'SELECT * FROM app1."Later Table"')).toEqual([]);
    await as('application-user', 'INSERT INTO app1."Later Table" DEFAULT VALUES');

    // A grant that is taken away refuses the next statement; default privileges withhold what is made later.
    for (const story of reading) await story.reconcile();
    await reading[1]!.delete();
    await expect(as('human-user', 'SELECT * FROM app1.sometable')).rejects.toMatchObject(refused);
    await rights[1]!.delete();
    await as('migration-user', 'CREATE TABLE app1.withheld (a int)');
    await expect(as('application-user', 'SELECT * FROM app1.withheld')).rejects.toMatchObject(refused);
  });

  test('a role is not credited with the rights of one whose name holds its own (F26)', async () => {
    await world
      .grant({ role: world.name('migration-user'), database: world.database, privileges: ['CREATE'] })
      .reconcile();
    const story = world.grant({ role: world.name('user'), database: world.database, privileges: ['CREATE'] });
    expect(await story.reconcile()).toHaveLength(1);
    expect(await world.heldOnDatabase('user')).toEqual(['CREATE']);
  });

  test('a role with brackets in its name is a role (F42)', async () => {
    const story = world.grant({ role: world.name('Mixed(Case'), database: world.database, privileges: ['ALL'] });
    expect(await story.reconcile()).toHaveLength(1);
    expect(await story.delete()).toHaveLength(1);
  });

  test("a tenant's database is closed to others once PUBLIC cannot connect to it (B33)", async () => {
    await world.grant({ role: 'PUBLIC', database: world.database, privileges: [], exclusive: true }).reconcile();
    await world
      .grant({ role: world.name('application-user'), database: world.database, privileges: ['CONNECT'] })
      .reconcile();
    const may = async (role: string, database: string) =>
      (
        await world.sql<{ ok: boolean }>('SELECT has_database_privilege($1, $2, $3) AS ok', [
          world.name(role),
          database,
          'CONNECT',
        ])
      )[0]!.ok;
    expect(await may('application-user', world.database)).toBe(true);
    expect(await may('human-user', world.database)).toBe(false);
    expect(await may('human-user', 'postgres')).toBe(true);
  });

  test("grants on an adopted schema's objects reach what was there before (B54)", async () => {
    await world.sql('CREATE TABLE public.old (a int)');
    await world
      .grant({
        role: world.name('human-user'),
        database: world.database,
        schema: 'public',
        tables: ['*'],
        privileges: ['SELECT'],
      })
      .reconcile();
    expect(await as('human-user', 'SELECT * FROM public.old')).toEqual([]);
  });
});
