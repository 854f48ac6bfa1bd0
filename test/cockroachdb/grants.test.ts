/** Grants, default privileges and memberships: what is given works, what leaves is taken back, nothing else is touched. */
import { beforeAll, expect, test } from 'vitest';
import { onEveryVersion } from './world.ts';

const DENIED = '42501';

onEveryVersion('Grants', (world) => {
  let database = '';
  const roles = ['migrator', 'app', 'human', 'group'] as const;

  beforeAll(async () => {
    database = world().name('grants');
    for (const of of roles)
      await world()
        .role(of, of === 'group' ? { privileges: { login: false } } : {}, 'pw')
        .reconcile();
    await world()
      .database('grants', { owner: world().name('migrator') })
      .reconcile();
    await world()
      .schema('app', { database, owner: world().name('migrator') })
      .reconcile();
    await world().as('migrator', 'pw', 'CREATE TABLE app.items (id int PRIMARY KEY, note text)', database);
    await world().as('migrator', 'pw', 'CREATE TABLE app."Other Table" (id int PRIMARY KEY)', database);
    await world().as('migrator', 'pw', 'CREATE SEQUENCE app.counter', database);
    await world().as('migrator', 'pw', "CREATE TYPE app.mood AS ENUM ('good', 'bad')", database);
    await world()
      .grant({ database, schema: 'app', role: world().name('app'), privileges: ['USAGE'] })
      .reconcile();
  });

  const onItems = <M extends object>(more: M) => ({ database, schema: 'app', tables: ['items'], ...more });

  test('on a table is used, edited and taken back, and the next statement is refused', async () => {
    const story = world().grant(onItems({ role: world().name('app'), privileges: ['SELECT', 'INSERT'] }));
    expect(await world().codeAs('app', 'pw', 'SELECT * FROM app.items', database)).toBe(DENIED);
    await story.reconcile();
    expect(await world().codeAs('app', 'pw', "INSERT INTO app.items VALUES (1, 'x')", database)).toBe('');
    expect(await world().codeAs('app', 'pw', 'DELETE FROM app.items', database)).toBe(DENIED);
    expect(await world().codeAs('app', 'pw', 'SELECT * FROM app."Other Table"', database)).toBe(DENIED);
    await story.edit({ privileges: ['SELECT'] });
    expect(await world().codeAs('app', 'pw', "INSERT INTO app.items VALUES (2, 'x')", database)).toBe(DENIED);
    await story.delete();
    expect(await world().held('app', 'TABLE app.items', database)).toEqual([]);
  });

  test('that somebody revoked by hand comes back, and what others gave stays', async () => {
    const story = world().grant(onItems({ role: world().name('human'), privileges: ['SELECT', 'UPDATE'] }));
    await story.reconcile();
    await world().sql('REVOKE UPDATE ON TABLE app.items FROM {human}', database);
    await world().sql('GRANT DELETE ON TABLE app.items TO {human}', database);
    expect(await story.reconcile()).toMatchObject([{ kind: 'grant', privileges: ['UPDATE'] }]);
    expect(await world().held('human', 'TABLE app.items', database)).toEqual(['DELETE', 'SELECT', 'UPDATE']);
    await story.edit({ exclusive: true });
    expect(await world().held('human', 'TABLE app.items', database)).toEqual(['SELECT', 'UPDATE']);
    await story.delete();
  });

  test('of ALL is kept as ALL, and one privilege taken by hand is put back', async () => {
    const story = world().grant(onItems({ role: world().name('human'), privileges: ['ALL'] }));
    await story.reconcile();
    expect(await world().held('human', 'TABLE app.items', database)).toEqual(['ALL']);
    await world().sql('REVOKE SELECT ON TABLE app.items FROM {human}', database);
    expect(await world().held('human', 'TABLE app.items', database)).toContain('DELETE');
    await story.reconcile();
    await story.edit({ privileges: ['SELECT'] });
    expect(await world().held('human', 'TABLE app.items', database)).toEqual(['SELECT']);
    await story.delete();
  });

  test('of what only CockroachDB has round-trips: BACKUP, ZONECONFIG, RESTORE', async () => {
    const role = world().name('app');
    for (const [spec, on] of [
      [{ database, privileges: ['BACKUP', 'RESTORE', 'CONNECT'] }, `DATABASE "${database}"`],
      [onItems({ privileges: ['BACKUP', 'ZONECONFIG', 'DROP'] }), 'TABLE app.items'],
    ] as const) {
      const story = world().grant({ ...spec, role });
      await story.reconcile();
      expect(await world().held('app', on, database)).toEqual([...spec.privileges].toSorted());
      await story.edit({ privileges: ['BACKUP'] });
      expect(await world().held('app', on, database)).toEqual(['BACKUP']);
      await story.delete();
      expect(await world().held('app', on, database)).toEqual([]);
    }
  });

  test('of system privileges is given, corrected and taken back', async () => {
    const story = world().grant({ system: true, role: world().name('app'), privileges: ['VIEWJOB', 'BACKUP'] });
    await story.reconcile();
    await world().sql('REVOKE SYSTEM BACKUP FROM {app}');
    await story.reconcile();
    const held = async () =>
      (
        await world().sql<{ privilege_type: string }>(
          'SELECT privilege_type FROM [SHOW SYSTEM GRANTS FOR {app}] ORDER BY 1',
        )
      ).map(({ privilege_type }) => privilege_type);
    expect(await held()).toEqual(['BACKUP', 'VIEWJOB']);
    await story.edit({ privileges: ['VIEWJOB'] });
    expect(await held()).toEqual(['VIEWJOB']);
    await story.delete();
    expect(await held()).toEqual([]);
  });

  test('that reaches a role through its group or through public is not taken for its own', async () => {
    await world()
      .role('group', { privileges: { login: false } })
      .plan()
      .catch(() => {});
    await world().sql('GRANT SELECT ON TABLE app.items TO {group}', database);
    await world().sql('GRANT {group} TO {human}');
    const story = world().grant(onItems({ role: world().name('human'), privileges: ['SELECT'] }));
    expect(await story.reconcile()).toMatchObject([{ kind: 'grant', privileges: ['SELECT'] }]);
    await story.delete();
    expect(await world().held('group', 'TABLE app.items', database)).toEqual(['SELECT']);
    await world().sql('REVOKE {group} FROM {human}');
  });

  test('on all tables of a schema covers those that come later, one statement for all', async () => {
    const story = world().grant({
      database,
      schema: 'app',
      tables: ['*'],
      role: world().name('app'),
      privileges: ['SELECT'],
    });
    await story.reconcile();
    await world().as('migrator', 'pw', 'CREATE TABLE app.later (id int)', database);
    expect(await story.reconcile()).toMatchObject([{ kind: 'grant', on: { name: 'later' } }]);
    const info = await world().engine.info();
    story.spec = { ...story.spec, privileges: ['SELECT', 'UPDATE'] };
    expect(world().engine.compile((await story.plan()).steps, info)).toHaveLength(1);
    await story.delete();
    expect(await world().held('app', 'TABLE app.later', database)).toEqual([]);
  });

  test('on schemas, sequences and types', async () => {
    const role = world().name('app');
    for (const spec of [
      { database, schema: 'app', role, privileges: ['CREATE'] },
      { database, schema: 'app', sequences: ['counter'], role, privileges: ['USAGE', 'SELECT'] },
      { database, schema: 'app', types: ['mood'], role, privileges: ['USAGE'] },
    ]) {
      const story = world().grant(spec);
      await story.reconcile();
      await story.delete();
    }
  });

  test('with the grant option, which can be taken back alone', async () => {
    const story = world().grant(onItems({ role: world().name('human'), privileges: ['SELECT'], withOption: true }));
    await story.reconcile();
    expect(await world().held('human', 'TABLE app.items', database)).toEqual(['SELECT*']);
    await story.edit({ withOption: false });
    expect(await world().held('human', 'TABLE app.items', database)).toEqual(['SELECT']);
    await story.delete();
  });

  test('in the name of a role that has the right', async () => {
    const story = world().grant(
      onItems({ role: world().name('human'), privileges: ['SELECT'], grantor: world().name('migrator') }),
    );
    await story.reconcile();
    const info = await world().engine.info();
    story.spec = { ...story.spec, privileges: ['SELECT', 'UPDATE'] };
    const [first, , last] = world().engine.compile((await story.plan()).steps, info);
    expect([first?.text, last?.text]).toEqual([`SET ROLE "${world().name('migrator')}"`, 'RESET ROLE']);
    await story.delete();
  });

  test('to everybody, and away from everybody', async () => {
    const story = world().grant(onItems({ role: 'PUBLIC', privileges: ['SELECT'] }));
    await story.reconcile();
    expect(await world().held('public', 'TABLE app.items', database)).toEqual(['SELECT']);
    await story.delete();
    const strict = world().grant({ database, role: 'PUBLIC', privileges: [], exclusive: true });
    await strict.reconcile();
    expect(await world().held('public', `DATABASE "${database}"`, database)).toEqual([]);
    await strict.delete();
    expect(await world().held('public', `DATABASE "${database}"`, database)).toEqual(['CONNECT']);
  });

  test('waits for what is not there, and says what', async () => {
    const role = world().name('app');
    for (const [spec, what] of [
      [{ database: 'nowhere', role, privileges: ['CONNECT'] }, 'database "nowhere"'],
      [{ database: 'nowhere', schema: 'x', role, privileges: ['USAGE'] }, 'database "nowhere"'],
      [{ database, schema: 'nowhere', role, privileges: ['USAGE'] }, 'schema "nowhere"'],
      [{ database, schema: 'app', tables: ['nothing'], role, privileges: ['SELECT'] }, 'table "app"."nothing"'],
      [{ database, role: 'nobody', privileges: ['CONNECT'] }, 'role "nobody"'],
    ] as const)
      await expect(world().grant(spec).plan()).rejects.toMatchObject({
        reason: 'Waiting',
        message: expect.stringContaining(what) as unknown,
      });
  });

  test('of what CockroachDB has not is refused, with the reason', async () => {
    const role = world().name('app');
    await expect(
      world()
        .grant(onItems({ role, privileges: ['TRUNCATE'] }))
        .plan(),
    ).rejects.toMatchObject({
      reason: 'InvalidSpec',
    });
    await expect(
      world()
        .grant(onItems({ role, privileges: ['SELECT'], columns: ['note'] }))
        .plan(),
    ).rejects.toMatchObject({ reason: 'InvalidSpec' });
  });

  test('of what came with a version from that version on', async () => {
    const { versionNumber } = await world().engine.info();
    const role = world().name('app');
    for (const [spec, since] of [
      [onItems({ role, privileges: ['TRIGGER'] }), 240_300],
      [onItems({ role, privileges: ['BYPASSRLS'] }), 250_200],
      [onItems({ role, privileges: ['MAINTAIN'] }), 260_200],
      [{ system: true, role, privileges: ['INSPECT'] }, 260_100],
      // Two names of one privilege.
      [{ system: true, role, privileges: ['REPAIRCLUSTERMETADATA', 'REPAIRCLUSTER'] }, 240_300],
    ] as const) {
      const story = world().grant(spec);
      if (versionNumber < since) await expect(story.plan()).rejects.toMatchObject({ reason: 'InvalidSpec' });
      else {
        await story.reconcile();
        await story.delete();
      }
    }
  });

  test('to root and to admin, who have everything anyway, sends nothing', async () => {
    for (const role of ['root', 'admin']) {
      const story = world().grant(onItems({ role, privileges: ['SELECT'] }));
      expect(await story.reconcile()).toEqual([]);
      expect((await story.delete()).steps).toEqual([]);
    }
  });

  test('memberships are made, get the admin option, and end', async () => {
    const story = world().grant({ memberOf: world().name('group'), role: world().name('human') });
    await story.reconcile();
    await story.edit({ withOption: true });
    await story.edit({ withOption: false });
    await story.delete();
    expect(await world().sql('SELECT member FROM [SHOW GRANTS ON ROLE {group}]')).toEqual([]);
  });

  test('default privileges reach later tables, and stop when they leave', async () => {
    const defaults = world().defaults({
      database,
      schema: 'app',
      targetRole: world().name('migrator'),
      role: world().name('app'),
      objectType: 'table',
      privileges: ['SELECT', 'INSERT'],
    });
    await defaults.reconcile();
    await world().as('migrator', 'pw', 'CREATE TABLE app.second (id int)', database);
    expect(await world().codeAs('app', 'pw', 'INSERT INTO app.second VALUES (1)', database)).toBe('');
    expect(await world().codeAs('app', 'pw', 'DELETE FROM app.second', database)).toBe(DENIED);
    await world().sql(
      'ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} IN SCHEMA app REVOKE INSERT ON TABLES FROM {app}',
      database,
    );
    expect(await defaults.reconcile()).toMatchObject([{ kind: 'grantDefault', privileges: ['INSERT'] }]);
    await defaults.edit({ privileges: ['SELECT'] });
    await defaults.delete();
    await world().as('migrator', 'pw', 'CREATE TABLE app.third (id int)', database);
    expect(await world().codeAs('app', 'pw', 'SELECT * FROM app.third', database)).toBe(DENIED);
  });

  test('default privileges that every role has are no difference, and are not taken away', async () => {
    const shape = { database, targetRole: world().name('migrator') };
    const own = world().defaults({
      ...shape,
      role: world().name('migrator'),
      objectType: 'table',
      privileges: ['ALL'],
    });
    expect(await own.reconcile()).toEqual([]);
    await own.delete();
    const everybody = world().defaults({ ...shape, role: 'PUBLIC', objectType: 'type', privileges: [] });
    expect(await everybody.reconcile()).toMatchObject([{ kind: 'revokeDefault', privileges: ['USAGE'] }]);
    await everybody.delete();
    const rows = await world().sql<{ grantee: string }>(
      "SELECT grantee FROM [SHOW DEFAULT PRIVILEGES FOR ROLE {migrator}] WHERE object_type = 'types' AND grantee = 'public'",
      database,
    );
    expect(rows).toHaveLength(1);
  });
});
