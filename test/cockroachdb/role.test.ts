/** Roles: options, admin membership, settings, passwords, groups, and what it takes to drop one. */
import { expect, test } from 'vitest';
import { onEveryVersion, simulatorOf } from './world.ts';

onEveryVersion('a Role', (world) => {
  const facts = async (of: string) =>
    (
      await world().server.query<{ options: string[]; member_of: string[] }>(
        'SELECT options, member_of FROM [SHOW ROLES] WHERE username = $1',
        [world().name(of)],
      )
    )[0];
  const logsIn = async (of: string, password: string): Promise<boolean> =>
    (await world().codeAs(of, password, 'SELECT 1')) === '';

  test('is made, logs in, is quiet and is dropped', async () => {
    const story = world().role('plain', {}, 'pa$$ w"o\'rd');
    await story.reconcile();
    expect(await facts('plain')).toMatchObject({ options: [], member_of: [] });
    expect([await logsIn('plain', 'pa$$ w"o\'rd'), await logsIn('plain', 'other')]).toEqual([true, false]);
    await story.delete();
    expect(await facts('plain')).toBeUndefined();
  });

  test('has the options that are given, shrinks with the spec, and comes back after drift', async () => {
    const story = world().role('options', {
      privileges: { createDb: true, createRole: true, replication: true },
      validUntil: '2031-01-01T02:00:00+02:00',
    });
    await story.reconcile();
    expect((await facts('options'))?.options).toEqual([
      'CREATEDB',
      'CREATEROLE',
      'REPLICATION',
      'VALID UNTIL=2031-01-01 00:00:00+00:00',
    ]);
    await world().sql('ALTER ROLE {options} WITH NOCREATEDB VALID UNTIL NULL');
    await story.reconcile();
    expect((await facts('options'))?.options).toContain('CREATEDB');
    await story.edit({ privileges: { createDb: true }, validUntil: undefined });
    expect((await facts('options'))?.options).toEqual(['CREATEDB']);
  });

  test('is an administrator as a member of admin, for as long as the spec says so', async () => {
    const story = world().role('chief', { privileges: { superUser: true } });
    await story.reconcile();
    expect((await facts('chief'))?.member_of).toEqual(['admin']);
    await story.edit({ privileges: { superUser: false } });
    expect((await facts('chief'))?.member_of).toEqual([]);
  });

  test('has settings of its own, and loses those that leave the spec', async () => {
    const story = world().role('settings', {
      configurationParameters: [
        { name: 'statement_timeout', value: '7000' },
        { name: 'application_name', value: "it's" },
      ],
    });
    await story.reconcile();
    await story.edit({ configurationParameters: [{ name: 'statement_timeout', value: '8000' }] });
    await story.edit({ configurationParameters: [] });
  });

  test('has lists as settings, whose items are set one by one (B65)', async () => {
    const path = (value: string) => ({ configurationParameters: [{ name: 'search_path', value }] });
    const story = world().role('lists', path('"$user", app, public'), 'pw');
    await story.reconcile();
    const [sent] = (simulatorOf(world())?.statements ?? []).filter(({ text }) => text.includes('"search_path"'));
    expect(sent?.text ?? "SET \"search_path\" = '$user', 'app', 'public'").toContain(`'$user', 'app', 'public'`);
    await story.edit(path('"With Space", "Capital"'));
    await story.edit(path('public'));
  });

  test('joins and leaves groups, with and without the admin option', async () => {
    for (const of of ['readers', 'writers'])
      await world()
        .role(of, { privileges: { login: false } })
        .reconcile();
    const [readers, writers] = [world().name('readers'), world().name('writers')];
    const story = world().role('member', { memberOf: [{ role: readers }, { role: writers, admin: true }] });
    await story.reconcile();
    const admins = await world().sql<{ role_name: string; is_admin: boolean }>(
      'SELECT role_name, is_admin FROM [SHOW GRANTS ON ROLE FOR {member}]',
    );
    expect(admins).toEqual([
      { role_name: readers, is_admin: false },
      { role_name: writers, is_admin: true },
    ]);
    await story.edit({ memberOf: [{ role: readers }] });
    expect((await facts('member'))?.member_of).toEqual([readers]);
    const back = world().role('readers', {
      privileges: { login: false },
      memberOf: [{ role: world().name('member') }],
    });
    back.owned = true;
    await expect(back.plan()).rejects.toMatchObject({ reason: 'MembershipCycle' });
  });

  test('has its password changed when the Secret does, and the old one ends', async () => {
    const story = world().role('rotated', {}, 'first');
    await story.reconcile();
    story.password = 'second';
    expect(await story.reconcile()).toMatchObject([{ kind: 'setPassword' }]);
    expect([await logsIn('rotated', 'first'), await logsIn('rotated', 'second')]).toEqual([false, true]);
    await world().sql('ALTER ROLE {rotated} WITH PASSWORD NULL');
    // What was tried lately is believed for a while; a new reader asks again.
    expect(await world().engine.checkPassword(world().name('rotated'), undefined, story.secret)).toBe('match');
  });

  test.each(['Capital', 'with space', '"quoted"', 'a$b', '-dash', '.dot', 'ünï@x', 'a/b', "it's", 'É'])(
    'named %j is refused before anything is sent',
    async (name) => {
      const story = world().role('x', {});
      Object.assign(story, { name });
      await expect(story.plan()).rejects.toMatchObject({ reason: 'InvalidSpec' });
    },
  );

  test.each(['root', 'admin', 'node', 'none', 'public', 'current_user', 'session_user', 'pg_x', 'crdb_internal_x'])(
    'named %j is refused, as the server lives by it',
    async (name) => {
      const story = world().role('x', {});
      Object.assign(story, { name });
      await expect(story.plan()).rejects.toMatchObject({ reason: 'ReservedName' });
    },
  );

  test('is refused what only PostgreSQL has, with the reason', async () => {
    for (const spec of [{ privileges: { inherit: false } }, { connectionLimit: 3 }])
      await expect(world().role('refused', spec).change()).rejects.toMatchObject({ reason: 'InvalidSpec' });
    expect(await facts('refused')).toBeUndefined();
  });

  test('that owns, holds and was given things is dropped with them reassigned', async () => {
    const name = world().name('leaver');
    const [heir, database] = [world().name('heir'), world().name('leavers-db')];
    await world()
      .role('heir', { privileges: { login: false } })
      .reconcile();
    const story = world().role('leaver', { onDelete: { reassignOwnedTo: heir } }, 'pw');
    await story.reconcile();
    await world().sql('CREATE DATABASE {leavers-db} WITH OWNER = {leaver}');
    await world().sql('CREATE SCHEMA app AUTHORIZATION {leaver}', database);
    await world().as('leaver', 'pw', 'CREATE TABLE app.kept (id int PRIMARY KEY)', database);
    await world().as('leaver', 'pw', 'INSERT INTO app.kept VALUES (1)', database);
    await world().sql('GRANT BACKUP, CONNECT ON DATABASE {leavers-db} TO {leaver}');
    await world().sql('GRANT SYSTEM VIEWJOB TO {leaver}');
    await world().sql('ALTER DEFAULT PRIVILEGES FOR ROLE {leaver} GRANT SELECT ON TABLES TO {heir}', database);
    await world().sql(
      'ALTER DEFAULT PRIVILEGES FOR ROLE {heir} IN SCHEMA app GRANT SELECT ON TABLES TO {leaver}',
      database,
    );
    await world().sql('ALTER DEFAULT PRIVILEGES FOR ROLE {leaver} REVOKE USAGE ON TYPES FROM public', database);
    await world().sql('GRANT {heir} TO {leaver}');
    await story.delete();
    expect(await facts('leaver')).toBeUndefined();
    expect(await world().sql('SELECT id FROM app.kept', database)).toEqual([{ id: 1 }]);
    const owners = await world().sql<{ owner: string }>('SELECT owner FROM [SHOW TABLES FROM app]', database);
    expect(owners).toEqual([{ owner: heir }]);
    expect(await world().sql(`SELECT owner FROM [SHOW DATABASES] WHERE database_name = '${database}'`)).toEqual([
      { owner: heir },
    ]);
    expect(name).not.toBe('');
  });

  test('that owns a database is dropped with all of it given to the administrator', async () => {
    const database = world().name('given-db');
    const story = world().role('giver', { onDelete: { reassignOwnedToAdmin: true } }, 'pw');
    await story.reconcile();
    await world().sql('CREATE DATABASE {given-db} WITH OWNER = {giver}');
    await world().as('giver', 'pw', 'CREATE TABLE public.t (id int)', database);
    await story.delete();
    const admin = world().server.settings.username;
    expect(await world().sql('SELECT owner FROM [SHOW TABLES FROM public]', database)).toEqual([{ owner: admin }]);
    const owners = await world().sql(`SELECT owner FROM [SHOW DATABASES] WHERE database_name = '${database}'`);
    expect(owners).toEqual([{ owner: admin }]);
  });

  test('that owns something is not dropped without leave, and says what it owns', async () => {
    const database = world().name('kept-db');
    const story = world().role('owner', {});
    await story.reconcile();
    await world().sql('CREATE DATABASE {kept-db}');
    await world().sql('CREATE SCHEMA mine AUTHORIZATION {owner}', database);
    await expect(story.planDelete()).rejects.toMatchObject({
      reason: 'DependentObjects',
      message: expect.stringContaining('schema mine') as unknown,
    });
    story.spec = { onDelete: { dropOwned: true } };
    await story.delete();
    expect(await facts('owner')).toBeUndefined();
  });

  test('that may use external connections, or has made one, is dropped', async () => {
    const story = world().role('connected', { onDelete: { dropOwned: true } }, 'pw');
    await story.reconcile();
    await world().sql('GRANT SYSTEM EXTERNALCONNECTION TO {connected}');
    const [made, used] = [world().name('made'), world().name('used')];
    await world().as('connected', 'pw', `CREATE EXTERNAL CONNECTION "${made}" AS 'userfile:///made'`);
    await world().sql(`CREATE EXTERNAL CONNECTION "${used}" AS 'userfile:///used'`);
    await world().sql(`GRANT USAGE ON EXTERNAL CONNECTION "${used}" TO {connected}`);
    await story.delete();
    expect(await facts('connected')).toBeUndefined();
    for (const name of [made, used]) await world().sql(`DROP EXTERNAL CONNECTION "${name}"`);
  });

  test('whose default privileges are those that every role has is nowhere to be looked for', async () => {
    const story = world().role('untouched', {});
    await story.reconcile();
    const reader = await world().reader();
    expect(await reader.read('roleDependencies', { name: world().name('untouched') })).toEqual({
      databases: [],
      owned: [],
      ownedDatabases: [],
    });
    await story.delete();
  });

  test('that gives everybody less than others do is dropped', async () => {
    const story = world().role('closed', {});
    await story.reconcile();
    for (const what of ['EXECUTE ON FUNCTIONS', 'USAGE ON TYPES'])
      await world().sql(`ALTER DEFAULT PRIVILEGES FOR ROLE {closed} REVOKE ${what} FROM public`);
    await story.delete();
    expect(await facts('closed')).toBeUndefined();
  });

  test('that owns schedules says so and stays (B189)', async () => {
    const story = world().role('planner', {}, 'pw');
    await story.reconcile();
    await world().sql('GRANT SYSTEM BACKUP TO {planner}');
    const at = "'nodelocal://1/schedules'";
    await world().as(
      'planner',
      'pw',
      `CREATE SCHEDULE nightly FOR BACKUP INTO ${at} RECURRING '@daily' FULL BACKUP ALWAYS`,
    );
    await expect(story.planDelete()).rejects.toMatchObject({
      reason: 'DependentObjects',
      message: expect.stringContaining('(nightly)') as unknown,
    });
    const [{ id } = { id: '' }] = await world().sql<{ id: string }>(
      "SELECT id FROM [SHOW SCHEDULES] WHERE label = 'nightly'",
    );
    await world().sql(`DROP SCHEDULE ${id}`);
    await story.delete();
  });
});
