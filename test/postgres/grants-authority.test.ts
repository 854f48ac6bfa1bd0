import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { postgresMajors } from '../rig/servers.ts';
import { versionOf, World } from './grants-world.ts';

/** An administrator as managed servers give it: NOSUPERUSER CREATEROLE CREATEDB. */
describe.each(postgresMajors)('PostgreSQL %i, an administrator that is no superuser', (major) => {
  const version = versionOf(major);
  let world: World;
  let place: { role: string; database: string; schema: string };

  beforeEach(async () => {
    world = await World.create(major, 'cloud');
    await world.rolesByAdmin('app');
    place = { role: world.name('app'), database: world.database, schema: 's' };
    await world.sql('CREATE SCHEMA s; GRANT USAGE ON SCHEMA s TO {admin}');
  });
  afterEach(() => world.close());

  const select = () => world.grant({ ...place, tables: ['t'], privileges: ['SELECT'] });
  /** The superuser owns a schema and makes roles that the administrator has nothing to do with. */
  const foreignOwner = async (name = 'owner') => {
    await world.roles(name);
    await world.sql(
      `GRANT CREATE, USAGE ON SCHEMA s TO {${name}}; SET ROLE {${name}}; CREATE TABLE s.t (a int); RESET ROLE`,
    );
  };
  const members = () =>
    world.sql(
      `SELECT pg_get_userbyid(roleid) AS of FROM pg_auth_members WHERE member = '{admin}'::regrole
       AND ${version >= 16 ? '(set_option OR inherit_option)' : 'true'} ORDER BY 1`.replace(
        '{admin}',
        `"admin ${world.id}"`,
      ),
    );

  test('its own objects need nothing special', async () => {
    await world.sql('CREATE TABLE s.t (a int); ALTER TABLE s.t OWNER TO {admin}');
    const story = select();
    expect(await story.reconcile()).toEqual([`GRANT SELECT ON TABLE "s"."t" TO "app ${world.id}"`]);
    expect(await story.delete()).toHaveLength(1);
  });

  test("for the objects of a role that it made, it takes the owner's rights and gives them back", async () => {
    await world.rolesByAdmin('owner');
    await world.sql(
      `GRANT CREATE, USAGE ON SCHEMA s TO {owner}; SET ROLE {owner}; CREATE TABLE s.t (a int); RESET ROLE`,
    );
    const story = select();
    const sent = await story.reconcile();
    expect(sent.join('\n')).toContain(`SET LOCAL ROLE "owner ${world.id}"`);
    expect(await world.heldOnTable('app', 's.t')).toEqual(['SELECT']);
    expect(await members()).toEqual([]);
    await story.delete();
    expect(await world.heldOnTable('app', 's.t')).toEqual([]);
    expect(await members()).toEqual([]);
  });

  test('a membership that it has is used as it is', async () => {
    await foreignOwner();
    await world.sql(`GRANT {owner} TO {admin}`);
    expect(await select().reconcile()).toEqual([`GRANT SELECT ON TABLE "s"."t" TO "app ${world.id}"`]);
    await world.sql(
      `ALTER ROLE {admin} NOINHERIT; ${version >= 16 ? 'GRANT {owner} TO {admin} WITH INHERIT FALSE' : ''}`,
    );
    const story = world.grant({ ...place, tables: ['t'], privileges: ['INSERT'] });
    expect(await story.reconcile()).toEqual([
      `SET LOCAL ROLE "owner ${world.id}"`,
      `GRANT INSERT ON TABLE "s"."t" TO "app ${world.id}"`,
      `SET LOCAL ROLE "admin ${world.id}"`,
    ]);
  });

  test('the grant option alone is enough (B35)', async () => {
    await foreignOwner();
    await world.sql('GRANT SELECT ON s.t TO {admin} WITH GRANT OPTION');
    const story = select();
    expect(await story.reconcile()).toEqual([`GRANT SELECT ON TABLE "s"."t" TO "app ${world.id}"`]);
    expect(await story.delete()).toHaveLength(1);
    expect(await world.heldOnTable('app', 's.t')).toEqual([]);
  });

  if (version >= 16)
    test('the grant option is preferred to a membership that would have to be taken (B35)', async () => {
      await foreignOwner();
      await world.sql(
        'GRANT {owner} TO {admin} WITH ADMIN TRUE, SET FALSE, INHERIT FALSE; GRANT SELECT ON s.t TO {admin} WITH GRANT OPTION',
      );
      expect(await select().reconcile()).toEqual([`GRANT SELECT ON TABLE "s"."t" TO "app ${world.id}"`]);
    });

  test('without any right it says so, naming the owner and the remedy (B16, B17, B18)', async () => {
    // Before 16, CREATEROLE may join every role but superusers.
    await world.sql('CREATE TABLE s.t (a int)');
    const refusal = select().plan();
    await expect(refusal).rejects.toMatchObject({ reason: 'PermissionDenied', retryable: false });
    await expect(refusal).rejects.toThrow(
      `cannot grant SELECT on table "s"."t" of database "${world.database}": it is owned by "postgres", and "admin ${world.id}" is no member of that role and has no grant option`,
    );
  });

  test('roles of the cloud are never joined (B16, B87)', async () => {
    const owner = `rds ${world.id}`;
    await world.asAdmin(`CREATE ROLE "${owner}"`);
    world.keep(owner);
    await world.sql(
      `GRANT CREATE, USAGE ON SCHEMA s TO "${owner}"; SET ROLE "${owner}"; CREATE TABLE s.t (a int); RESET ROLE`,
    );
    await expect(select().plan()).rejects.toMatchObject({ reason: 'PermissionDenied' });
  });

  test('what can be granted is granted, and the rest is named, without a loop (B25)', async () => {
    await world.rolesByAdmin('owner');
    await world.sql(`GRANT CREATE, USAGE ON SCHEMA s TO {owner};
      CREATE FUNCTION s.f1() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION s.f1() OWNER TO {owner};
      CREATE FUNCTION s.f2() RETURNS int LANGUAGE sql AS 'SELECT 1'; REVOKE EXECUTE ON ALL ROUTINES IN SCHEMA s FROM PUBLIC`);
    const story = world.grant({ ...place, routines: [{ name: '*' }], privileges: ['EXECUTE'] });
    await story.reconcile();
    const plan = await story.plan();
    expect(plan.unready).toMatchObject({ reason: 'PermissionDenied' });
    expect(plan.unready?.message).toContain('cannot grant EXECUTE on routine "s"."f2"()');
    expect(plan.unready?.message).toContain('owned by "postgres"');
  });

  test('the schema public belongs to whoever owns the database (B16, B55)', async () => {
    await world.rolesByAdmin('owner');
    // Before 15 it belongs to the superuser of initdb.
    await world.sql(`ALTER DATABASE "${world.database}" OWNER TO {owner};
      ${version < 15 ? 'ALTER SCHEMA public OWNER TO {owner}' : ''}`);
    const story = world.grant({ ...place, schema: 'public', privileges: ['CREATE'] });
    expect((await story.reconcile()).join('\n')).toContain('GRANT CREATE ON SCHEMA "public"');
    expect(await members()).toEqual([]);
    await world.as('app', 'CREATE TABLE public.mine (a int)');
  });

  test('a chosen grantor is who grants, and who revokes', async () => {
    await foreignOwner();
    await world.rolesByAdmin('giver');
    await world.sql(
      'GRANT USAGE ON SCHEMA s TO {giver}; GRANT SELECT ON s.t TO {giver} WITH GRANT OPTION; GRANT {giver} TO {admin}' +
        (version >= 16 ? ' WITH SET TRUE' : ''),
    );
    const story = world.grant({ ...place, tables: ['t'], privileges: ['SELECT'], grantor: world.name('giver') });
    expect((await story.reconcile())[0]).toBe(`SET LOCAL ROLE "giver ${world.id}"`);
    expect(
      await world.sql(
        `SELECT pg_get_userbyid(a.grantor) AS by FROM pg_class, aclexplode(relacl) a
      WHERE oid = 's.t'::regclass AND a.grantee = (SELECT oid FROM pg_roles WHERE rolname = $1)`,
        [place.role],
      ),
    ).toEqual([{ by: world.name('giver') }]);
    await story.delete();
    expect(await world.heldOnTable('app', 's.t')).toEqual([]);
    const wrong = world.grant({ ...place, tables: ['t'], privileges: ['DELETE'], grantor: world.name('giver') });
    await expect(wrong.plan()).rejects.toThrow(
      `the grantor "giver ${world.id}" has neither the ownership nor the grant option`,
    );
  });

  test('who may become a superuser would be one: no such role is borrowed', async () => {
    await world.roles('root');
    await world.sql(`ALTER ROLE {root} SUPERUSER; CREATE TABLE s.t (a int); ALTER TABLE s.t OWNER TO {root}`);
    await expect(select().plan()).rejects.toMatchObject({ reason: 'PermissionDenied' });
  });
});
