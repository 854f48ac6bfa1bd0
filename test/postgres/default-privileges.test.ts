import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DefaultPrivilegesParameters } from '../../provider/api/default-privileges.ts';
import { postgresMajors } from '../rig/servers.ts';
import { versionOf, World } from './grants-world.ts';

describe.each(postgresMajors)('PostgreSQL %i, default privileges', (major) => {
  const version = versionOf(major);
  let world: World;
  let place: Pick<DefaultPrivilegesParameters, 'database' | 'targetRole' | 'role'>;
  const refusal = { code: '42501' };

  beforeEach(async () => {
    world = await World.create(major);
    await world.roles('maker', 'app', 'other');
    place = { database: world.database, targetRole: world.name('maker'), role: world.name('app') };
    await world.sql(`CREATE SCHEMA a; CREATE SCHEMA b; GRANT CREATE, USAGE ON SCHEMA a, b TO {maker}; GRANT USAGE ON SCHEMA a, b TO {app};
      GRANT CREATE ON DATABASE "${world.database}" TO {maker}`);
  });
  afterEach(() => world.close());

  test('the reader can read a new table at once, and not one made after deletion (B48, F58)', async () => {
    const story = world.defaults({ ...place, objectType: 'table', privileges: ['SELECT'] });
    expect(await story.reconcile()).toEqual([
      `ALTER DEFAULT PRIVILEGES FOR ROLE "maker ${world.id}" GRANT SELECT ON TABLES TO "app ${world.id}"`,
    ]);
    await world.as('maker', 'CREATE TABLE a.t (x int)');
    expect(await world.as('app', 'SELECT x FROM a.t')).toEqual([]);
    expect(await story.delete()).toHaveLength(1);
    await world.as('maker', 'CREATE TABLE a.late (x int)');
    await expect(world.as('app', 'SELECT x FROM a.late')).rejects.toMatchObject(refusal);
  });

  test('another creator, schema or type is another rule, and is really made (B43)', async () => {
    await world.defaults({ ...place, schema: 'a', objectType: 'table', privileges: ['SELECT'] }).reconcile();
    for (const other of [{ schema: 'b' }, { targetRole: world.name('other') }, { objectType: 'sequence' as const }, {}])
      expect(
        await world.defaults({ ...place, objectType: 'table', privileges: ['SELECT'], ...other }).reconcile(),
      ).toHaveLength(1);
    await world.as('maker', 'CREATE TABLE b.t (x int)');
    expect(await world.as('app', 'SELECT x FROM b.t')).toEqual([]);
  });

  test('every type of object, with what ALL means in this version', async () => {
    const types = [
      'table',
      'sequence',
      'function',
      'type',
      'schema',
      ...(version >= 18 ? ['largeObject'] : []),
    ] as const;
    for (const objectType of types as readonly DefaultPrivilegesParameters['objectType'][]) {
      const story = world.defaults({ ...place, objectType, privileges: ['ALL'], withOption: true });
      expect(await story.reconcile(), objectType).toHaveLength(1);
      expect(await story.edit({ withOption: false }), objectType).toHaveLength(1);
      expect(await story.delete(), objectType).toHaveLength(1);
    }
    expect(await world.sql('SELECT FROM pg_default_acl')).toEqual([]);
    if (version < 18)
      await expect(world.defaults({ ...place, objectType: 'largeObject', privileges: ['ALL'] }).plan()).rejects.toThrow(
        'version 18',
      );
  });

  test('a privilege that leaves the list is revoked alone, one revoked by hand comes back', async () => {
    const story = world.defaults({ ...place, objectType: 'table', privileges: ['SELECT', 'INSERT'] });
    await story.reconcile();
    expect(await story.edit({ privileges: ['SELECT'] })).toEqual([
      `ALTER DEFAULT PRIVILEGES FOR ROLE "maker ${world.id}" REVOKE INSERT ON TABLES FROM "app ${world.id}"`,
    ]);
    await world.sql('ALTER DEFAULT PRIVILEGES FOR ROLE {maker} REVOKE SELECT ON TABLES FROM {app}');
    expect(await story.reconcile()).toHaveLength(1);
  });

  test('what others set for the role is left', async () => {
    await world.sql('ALTER DEFAULT PRIVILEGES FOR ROLE {maker} GRANT DELETE ON TABLES TO {app}');
    const story = world.defaults({ ...place, objectType: 'table', privileges: ['SELECT'] });
    await story.reconcile();
    await story.delete();
    expect(
      await world.sql(
        `SELECT privilege_type AS p FROM pg_default_acl, aclexplode(defaclacl) WHERE grantee = $1::regrole`,
        [`"app ${world.id}"`],
      ),
    ).toEqual([{ p: 'DELETE' }]);
  });

  test('PUBLIC cannot run a new function, and can again after deletion (B46)', async () => {
    const story = world.defaults({ ...place, role: 'PUBLIC', objectType: 'function', privileges: [] });
    expect(await story.reconcile()).toEqual([
      `ALTER DEFAULT PRIVILEGES FOR ROLE "maker ${world.id}" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`,
    ]);
    await world.as('maker', `CREATE FUNCTION a.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`);
    await expect(world.as('app', 'SELECT a.f()')).rejects.toMatchObject(refusal);
    await story.delete();
    await world.as('maker', `CREATE FUNCTION a.g() RETURNS int LANGUAGE sql AS 'SELECT 1'`);
    expect(await world.as('app', 'SELECT a.g()')).toEqual([{ g: 1 }]);
    expect(await world.sql('SELECT FROM pg_default_acl')).toEqual([]);
  });

  test('a rule of a schema that cannot take effect is reported, not called ready (B47)', async () => {
    const story = world.defaults({ ...place, role: 'PUBLIC', schema: 'a', objectType: 'function', privileges: [] });
    await story.reconcile();
    expect((await story.plan()).unready).toMatchObject({ reason: 'NoEffect' });
    expect((await story.plan()).unready?.message).toContain('take it away with a DefaultPrivileges without schema');
    await world.defaults({ ...place, role: 'PUBLIC', objectType: 'function', privileges: [] }).reconcile();
    expect((await story.plan()).unready).toBeUndefined();
  });

  test('what PUBLIC has by default stays when a rule that lists it is deleted', async () => {
    const story = world.defaults({ ...place, role: 'PUBLIC', objectType: 'function', privileges: ['EXECUTE'] });
    expect(await story.reconcile()).toEqual([]);
    expect(await story.delete()).toEqual([]);
  });

  test('schemas inside a schema are refused (B44)', async () => {
    const story = world.defaults({ ...place, schema: 'a', objectType: 'schema', privileges: ['USAGE'] });
    await expect(story.plan()).rejects.toMatchObject({ reason: 'InvalidSpec' });
    await expect(story.plan()).rejects.toThrow('schema cannot be combined with a schema');
  });

  test("the creator's own rights count", async () => {
    const story = world.defaults({
      ...place,
      role: world.name('maker'),
      objectType: 'table',
      privileges: ['ALL'],
      withOption: true,
    });
    expect(await story.reconcile()).toEqual([]);
    expect(await story.delete()).toEqual([]);
  });

  test('what is missing is named, and what is gone is gone', async () => {
    const spec = { ...place, objectType: 'table' as const, privileges: ['SELECT'] };
    await expect(world.defaults({ ...spec, targetRole: world.name('ghost') }).plan()).rejects.toThrow(
      `role "ghost ${world.id}"`,
    );
    await expect(world.defaults({ ...spec, schema: 'nope' }).plan()).rejects.toThrow('schema "nope"');
    await expect(world.defaults({ ...spec, database: 'nope' }).plan()).rejects.toMatchObject({ reason: 'Waiting' });
    const story = world.defaults({ ...spec, database: 'nope' });
    story.owned = true;
    expect(await story.delete()).toEqual([]);
  });
});

describe.each(postgresMajors)('PostgreSQL %i, default privileges by an administrator that is no superuser', (major) => {
  const version = versionOf(major);
  let world: World;
  beforeEach(async () => {
    world = await World.create(major, 'cloud');
    await world.rolesByAdmin('maker', 'app');
    await world.sql('CREATE SCHEMA a; GRANT CREATE, USAGE ON SCHEMA a TO {maker}; GRANT USAGE ON SCHEMA a TO {app}');
  });
  afterEach(() => world.close());
  const story = () =>
    world.defaults({
      database: world.database,
      targetRole: world.name('maker'),
      role: world.name('app'),
      schema: 'a',
      objectType: 'table',
      privileges: ['SELECT'],
    });

  test('work for a role that it made, whose membership it takes and gives back', async () => {
    await story().reconcile();
    await world.as('maker', 'CREATE TABLE a.t (x int)');
    expect(await world.as('app', 'SELECT x FROM a.t')).toEqual([]);
    const usable = version >= 16 ? 'AND (set_option OR inherit_option)' : '';
    expect(
      await world.sql(`SELECT FROM pg_auth_members WHERE member = $1::regrole ${usable}`, [`"${world.admin}"`]),
    ).toEqual([]);
  });

  test('work by a membership that it has, inherited or not', async () => {
    await world.sql(
      `GRANT {maker} TO {admin} ${version >= 16 ? 'WITH INHERIT FALSE, SET TRUE' : ''}; ALTER ROLE {admin} NOINHERIT`,
    );
    expect((await story().reconcile()).filter((text) => text.includes('GRANT "maker'))).toEqual([]);
  });

  test('say whose membership is missing', async () => {
    await world.roles('stranger');
    await world.sql('ALTER ROLE {stranger} SUPERUSER');
    const wrong = story();
    wrong.spec = { ...wrong.spec, targetRole: world.name('stranger') };
    await expect(wrong.plan()).rejects.toMatchObject({ reason: 'PermissionDenied' });
  });
});
