/** Databases, schemas and initSQL. */
import { expect, test } from 'vitest';
import { scriptLoginOf } from '../../provider/engines/cockroachdb/names.ts';
import { onEveryVersion, simulatorOf } from './world.ts';

onEveryVersion('Objects', (world) => {
  const databases = async (): Promise<string[]> =>
    (await world().sql<{ name: string }>('SELECT database_name AS name FROM [SHOW DATABASES]')).map(({ name }) => name);

  test('a Database is made with its owner, is quiet, changes its owner and is dropped when it is empty', async () => {
    for (const of of ['first', 'second'])
      await world()
        .role(of, { privileges: { login: false } })
        .reconcile();
    const story = world().database('plain', { owner: world().name('first') });
    await story.reconcile();
    expect(await databases()).toContain(story.name);
    expect(await story.edit({ owner: world().name('second') })).toMatchObject([{ kind: 'alterDatabase' }]);
    await story.delete();
    expect(await databases()).not.toContain(story.name);
  });

  test('a Database that holds something is kept, unless it may go', async () => {
    const story = world().database('filled', {});
    await story.reconcile();
    await world().sql('CREATE TABLE public.kept (id int)', story.name);
    expect(await story.delete()).toMatchObject({ notes: [{ reason: 'KeptExternalResource' }] });
    expect(await databases()).toContain(story.name);
    await story.edit({ dropPolicy: 'Always' });
    await story.delete();
    expect(await databases()).not.toContain(story.name);
  });

  test('a Database goes with its empty schemas, and stays with what came in the last moment', async () => {
    const story = world().database('racing', {});
    await story.reconcile();
    await world().sql('CREATE SCHEMA nothing', story.name);
    const { steps } = await story.planDelete();
    await world().sql('CREATE TABLE nothing.t (id int)', story.name);
    await expect(world().engine.run(steps)).rejects.toMatchObject({ reason: 'DependentObjects', code: '2BP01' });
    expect(await databases()).toContain(story.name);
    await world().sql('DROP TABLE nothing.t', story.name);
    await story.delete();
    expect(await databases()).not.toContain(story.name);
  });

  test('a Database that was there is taken over only when asked', async () => {
    await world().sql('CREATE DATABASE {foreign}');
    await expect(world().database('foreign', {}).plan()).rejects.toMatchObject({ reason: 'AlreadyExists' });
    const story = world().database('foreign', { adopt: true });
    expect(await story.reconcile()).toMatchObject([{ kind: 'mark' }]);
    await expect(world().database('foreign', {}).plan()).rejects.toMatchObject({ reason: 'AlreadyExists' });
  });

  test('a Database has settings for its sessions', async () => {
    const story = world().database('settings', { settings: [{ name: 'statement_timeout', value: '7000' }] });
    await story.reconcile();
    await story.edit({ settings: [{ name: 'statement_timeout', value: '8000' }] });
    await story.edit({ settings: [] });
    await story.delete();
  });

  test.each(['system', 'defaultdb', 'postgres'])('the database %s is refused', async (name) => {
    const story = world().database('x', {});
    Object.assign(story, { name });
    await expect(story.plan()).rejects.toMatchObject({ reason: 'ReservedName' });
  });

  test('a Database is refused what only PostgreSQL has', async () => {
    for (const spec of [
      { tablespace: 'fast' },
      { connectionLimit: 5 },
      { collation: 'de_DE.utf8' },
      { isTemplate: true },
    ])
      await expect(world().database('refused', spec).change()).rejects.toMatchObject({ reason: 'InvalidSpec' });
    expect(await databases()).not.toContain(world().name('refused'));
  });

  test('initSQL runs once, as the owner, who then owns what it made', async () => {
    await world()
      .role('maker', { privileges: { login: false } })
      .reconcile();
    const initSQL = 'CREATE TABLE made (id int PRIMARY KEY); INSERT INTO made VALUES (1)';
    const story = world().database('init', { owner: world().name('maker'), initSQL });
    await story.reconcile();
    expect(await world().sql('SELECT id FROM public.made', story.name)).toEqual([{ id: 1 }]);
    const owners = await world().sql<{ owner: string }>('SELECT owner FROM [SHOW TABLES FROM public]', story.name);
    expect(owners).toEqual([{ owner: world().name('maker') }]);
    const left = await world().sql("SELECT username FROM [SHOW ROLES] WHERE username LIKE 'xdatabase_run_%'");
    expect(left).toEqual([]);
  });

  test('initSQL has no right of the administrator, and its failure is told and not repeated', async () => {
    await world()
      .role('maker2', { privileges: { login: false } })
      .reconcile();
    const story = world().database('init2', {
      owner: world().name('maker2'),
      initSQL: 'RESET ROLE; CREATE DATABASE stolen',
    });
    await expect(story.change()).rejects.toMatchObject({ reason: 'PermissionDenied', code: '42501' });
    story.owned = true;
    expect(await story.plan()).toMatchObject({ steps: [], unready: { reason: 'InitSQLFailed' } });
    expect(await databases()).not.toContain('stolen');
  });

  test('the login that runs initSQL goes whatever fails: before, with, or after the script', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    const owner = world().name('maker');
    const left = async (): Promise<unknown[]> =>
      await world().sql("SELECT username FROM [SHOW ROLES] WHERE username LIKE 'xdatabase_run_%'");
    for (const [match, code] of [
      [/^GRANT .* TO "xdatabase_run_/, '42704'],
      [/^GRANT .* TO "xdatabase_run_/, '40003'],
      [/^CREATE ROLE "xdatabase_run_/, '40003'],
    ] as const) {
      simulator.faults.push({ match, do: { code, message: 'not today' }, when: 'after' });
      const step = { kind: 'initSQL', database: 'defaultdb', owner, sql: 'SELECT 1' } as const;
      await expect(world().engine.run([step])).rejects.toMatchObject({ code });
      expect(await left()).toEqual([]);
    }
  });

  test('the login of an initSQL that was killed is found by its database, with what it owns', async () => {
    await world()
      .role('killed-maker', { privileges: { login: false } })
      .reconcile();
    const owner = world().name('killed-maker');
    const story = world().database('killed', { owner });
    await story.reconcile();
    const login = scriptLoginOf(story.name);
    const leave = async (): Promise<void> => {
      await world().sql(`CREATE ROLE ${login} WITH LOGIN`);
      await world().sql(`GRANT {killed-maker} TO ${login}`);
      await world().sql('CREATE TABLE public.half (id int)', story.name);
      await world().sql(`ALTER TABLE public.half OWNER TO ${login}`, story.name);
    };
    const left = async (): Promise<unknown[]> =>
      await world().sql(`SELECT username FROM [SHOW ROLES] WHERE username = '${login}'`);
    await leave();
    expect(await story.reconcile()).toEqual([{ kind: 'endScript', database: story.name, login }]);
    expect([await left(), await world().sql('SELECT * FROM [SHOW TABLES]', story.name)]).toEqual([[], []]);
    await leave();
    await world().engine.run([{ kind: 'initSQL', database: story.name, owner, sql: 'CREATE TABLE whole (id int)' }]);
    expect(await left()).toEqual([]);
    await leave();
    await story.edit({ dropPolicy: 'Always' });
    await leave();
    await story.delete();
    expect(await left()).toEqual([]);
  });

  test('a database of several regions is empty when only their names are in it', async () => {
    if (simulatorOf(world()) === undefined) return;
    const story = world().database('regions', {});
    await story.reconcile();
    // As the server makes it for ALTER DATABASE … SET PRIMARY REGION.
    await world().sql("CREATE TYPE public.crdb_internal_region AS ENUM ('one', 'two')", story.name);
    const reader = await world().reader();
    expect(await reader.read('databaseContents', { name: story.name })).toMatchObject({ empty: true });
    await world().sql("CREATE TYPE public.mood AS ENUM ('good')", story.name);
    expect(await reader.read('databaseContents', { name: story.name })).toEqual({ empty: false, summary: '1 type' });
  });

  test('a Schema is made under its real name, owned, remade after drift, and dropped', async () => {
    await world()
      .role('keeper', { privileges: { login: false } })
      .reconcile();
    const { name: database } = world().database('schemas', {});
    await world().database('schemas', {}).reconcile();
    const story = world().schema('App "1"', { database, owner: world().name('keeper') });
    await story.reconcile();
    await world().sql('DROP SCHEMA "App ""1"""', database);
    expect(await story.reconcile()).toMatchObject([{ kind: 'createSchema' }]);
    await world().sql('CREATE TABLE "App ""1""".kept (id int)', database);
    expect(await story.delete()).toMatchObject({ notes: [{ reason: 'KeptExternalResource' }] });
    await story.edit({ dropPolicy: 'Always' });
    await story.delete();
    expect(await world().sql(`SELECT 1 AS one FROM [SHOW SCHEMAS] WHERE schema_name = 'App "1"'`, database)).toEqual(
      [],
    );
  });

  test('public can be closed, and stays closed', async () => {
    await world().database('closed', {}).reconcile();
    const story = world().schema('public', {
      database: world().name('closed'),
      adopt: true,
      revokePublicOnSchema: true,
    });
    expect(await story.change()).toContainEqual(expect.objectContaining({ kind: 'revokeSchemaPublic' }));
    await story.reconcile();
    expect(await world().held('public', 'SCHEMA public', world().name('closed'))).toEqual([]);
    await world().role('visitor', {}, 'pw').reconcile();
    expect(await world().codeAs('visitor', 'pw', 'CREATE TABLE public.t (id int)', world().name('closed'))).toBe(
      '42501',
    );
  });

  test.each(['pg_x', 'crdb_internal', 'information_schema'])('the schema %s is refused', async (name) => {
    await expect(world().schema(name, { database: 'defaultdb' }).plan()).rejects.toMatchObject({
      reason: 'ReservedName',
    });
  });
});
