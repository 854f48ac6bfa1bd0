import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { postgresMajors } from '../rig/servers.ts';
import { versionOf, World } from './grants-world.ts';

describe.each(postgresMajors)('PostgreSQL %i, grants', (major) => {
  const version = versionOf(major);
  let world: World;
  let place: { role: string; database: string };

  beforeAll(async () => {
    world = await World.create(major);
    await world.roles('app', 'owner', 'other');
  });
  afterAll(() => world.close());
  beforeEach(async () => {
    place = { role: world.name('app'), database: world.database };
    await world.sql(`DROP SCHEMA IF EXISTS s CASCADE; CREATE SCHEMA s AUTHORIZATION {owner};
      SET ROLE {owner}; CREATE TABLE s.t (a int, b int, c int); CREATE TABLE s.u (a int); CREATE SEQUENCE s.q;
      RESET ROLE; REVOKE ALL ON DATABASE "grants ${world.id}" FROM {app}, {other};
      GRANT CONNECT, TEMPORARY ON DATABASE "grants ${world.id}" TO PUBLIC; GRANT USAGE ON SCHEMA s TO {app}, {other}`);
  });

  const table = (privileges: string[], more = {}) =>
    world.grant({ ...place, schema: 's', tables: ['t'], privileges, ...more });
  const holds = (role = 'app', of = 's.t') => world.heldOnTable(role, of);

  test('a superset of what is asked for is up to date (B1)', async () => {
    await world.sql(`GRANT SELECT, INSERT ON s.t TO {app}`);
    expect(await table(['SELECT']).reconcile()).toEqual([]);
    expect(await holds()).toEqual(['INSERT', 'SELECT']);
  });

  test("the owner's own rights count as granted, and are never revoked (B1, B9, B30)", async () => {
    await world.sql(
      `GRANT {app} TO CURRENT_USER; ALTER TABLE s.t OWNER TO {app}; ALTER DATABASE "grants ${world.id}" OWNER TO {app}`,
    );
    expect(await world.grant({ ...place, privileges: ['CONNECT'] }).reconcile()).toEqual([]);
    const story = table(['SELECT'], { exclusive: true });
    expect(await story.reconcile()).toEqual([]);
    expect(await story.delete()).toEqual([]);
    expect(await holds()).toContain('INSERT');
    await world.sql(`ALTER DATABASE "grants ${world.id}" OWNER TO CURRENT_USER`);
  });

  test('what leaves the list is revoked once, and what stays is not touched (B2, F24)', async () => {
    const story = table(['SELECT', 'INSERT']);
    await story.reconcile();
    expect(await story.edit({ privileges: ['SELECT'] })).toEqual([
      `REVOKE INSERT ON TABLE "s"."t" FROM "app ${world.id}"`,
    ]);
    expect(await holds()).toEqual(['SELECT']);
  });

  test('what two Grants give stays until both are gone, and an exclusive one takes nothing from the other (B143)', async () => {
    const named = table(['SELECT', 'INSERT']);
    const every = world.grant({
      ...place,
      schema: 's',
      tables: ['*'],
      privileges: ['SELECT', 'UPDATE'],
      withOption: true,
    });
    const strict = table(['DELETE'], { exclusive: true });
    for (const story of [named, every, strict])
      story.siblings = [named, every, strict].filter((other) => other !== story);
    await named.reconcile();
    await every.reconcile();
    await strict.reconcile();
    expect(await holds()).toEqual(['DELETE', 'INSERT', 'SELECT*', 'UPDATE*']);
    expect(await named.reconcile()).toEqual([]);
    await named.delete();
    named.owned = false;
    expect(await holds()).toEqual(['DELETE', 'INSERT', 'SELECT*', 'UPDATE*'].filter((word) => word !== 'INSERT'));
    await every.delete();
    every.owned = false;
    expect(await holds()).toEqual(['DELETE']);
    await strict.delete();
    expect(await holds()).toEqual([]);
  });

  test('ALL is what this version has, and a member revoked by hand comes back (B3, B4, B6)', async () => {
    const story = table(['ALL']);
    await story.reconcile();
    const all = ['DELETE', 'INSERT', 'REFERENCES', 'SELECT', 'TRIGGER', 'TRUNCATE', 'UPDATE'];
    expect((await holds()).toSorted()).toEqual(version >= 17 ? [...all, 'MAINTAIN'].toSorted() : all);
    await world.as('owner', `REVOKE INSERT ON s.t FROM {app}`);
    expect(await story.reconcile()).toEqual([`GRANT INSERT ON TABLE "s"."t" TO "app ${world.id}"`]);
  });

  test('aliases and duplicates are one privilege (B5)', async () => {
    const story = world.grant({ ...place, privileges: ['CREATE', 'connect', 'TEMPORARY', 'TEMP', 'CREATE'] });
    expect(await story.reconcile()).toHaveLength(1);
    expect(await world.heldOnDatabase('app')).toEqual(['CONNECT', 'CREATE', 'TEMPORARY']);
  });

  test('unknown, inapplicable and too new privileges are refused by name', async () => {
    await expect(table(['TRIGGER ON']).plan()).rejects.toThrow(
      '"TRIGGER ON" is not a privilege on a table; allowed are ALL, SELECT',
    );
    await expect(table(['EXECUTE']).plan()).rejects.toMatchObject({ reason: 'InvalidSpec', retryable: false });
    if (version < 17) await expect(table(['MAINTAIN']).plan()).rejects.toThrow('MAINTAIN on a table needs version 17');
  });

  test('PUBLIC ends with exactly the list when exclusive, in one pass, and gets its defaults back (B7, B32, B37)', async () => {
    const story = world.grant({ ...place, role: 'PUBLIC', privileges: [], exclusive: true });
    expect(await story.reconcile()).toEqual([`REVOKE CONNECT, TEMPORARY ON DATABASE "grants ${world.id}" FROM PUBLIC`]);
    expect(await world.heldOnDatabase('PUBLIC')).toEqual([]);
    await story.edit({ privileges: ['CONNECT'] });
    expect(await world.heldOnDatabase('PUBLIC')).toEqual(['CONNECT']);
    await story.delete();
    expect(await world.heldOnDatabase('PUBLIC')).toEqual(['CONNECT', 'TEMPORARY']);
  });

  test('what PUBLIC had by default stays when a grant of it is deleted', async () => {
    const story = world.grant({ ...place, role: 'PUBLIC', privileges: ['CONNECT'] });
    expect(await story.reconcile()).toEqual([]);
    expect(await story.delete()).toEqual([]);
    expect(await world.heldOnDatabase('PUBLIC')).toEqual(['CONNECT', 'TEMPORARY']);
  });

  test('a change is its difference only, so that nobody is ever refused meanwhile (B8)', async () => {
    await world.sql(`GRANT SELECT ON s.t TO PUBLIC`);
    const story = world.grant({
      ...place,
      role: 'PUBLIC',
      schema: 's',
      tables: ['t'],
      privileges: ['SELECT'],
      exclusive: true,
    });
    await story.reconcile();
    await world.sql(`GRANT INSERT ON s.t TO PUBLIC`);
    expect(await story.reconcile()).toEqual([`REVOKE INSERT ON TABLE "s"."t" FROM PUBLIC`]);
  });

  test('under * only a new table gets a grant (B9, B10, B21)', async () => {
    const story = world.grant({ ...place, schema: 's', tables: ['*'], privileges: ['SELECT'] });
    expect(await story.reconcile()).toEqual([`GRANT SELECT ON TABLE "s"."t", "s"."u" TO "app ${world.id}"`]);
    await world.sql(`CREATE VIEW s.v AS SELECT 1 AS a; CREATE MATERIALIZED VIEW s.m AS SELECT 1 AS a;
      CREATE TABLE s.p (a int) PARTITION BY LIST (a)`);
    expect(await story.reconcile()).toEqual([`GRANT SELECT ON TABLE "s"."m", "s"."p", "s"."v" TO "app ${world.id}"`]);
    expect(await world.as('app', 'SELECT a FROM s.m')).toEqual([{ a: 1 }]);
    expect(await story.delete()).toHaveLength(1);
    expect(await holds('app', 's.v')).toEqual([]);
  });

  test('what others granted stays; only exclusive removes it (F27)', async () => {
    await world.sql(`GRANT SELECT, UPDATE ON s.t TO {other} WITH GRANT OPTION; SET ROLE {other};
      GRANT SELECT, UPDATE ON s.t TO {app}; RESET ROLE`);
    const story = table(['SELECT']);
    await story.reconcile();
    await story.edit({ privileges: ['INSERT'] });
    expect(await holds()).toEqual(['INSERT', 'SELECT', 'UPDATE']);
    await story.edit({ exclusive: true });
    expect(await holds()).toEqual(['INSERT']);
  });

  test('the grant option comes and goes without the privilege going', async () => {
    const story = table(['SELECT'], { withOption: true });
    await story.reconcile();
    expect(await holds()).toEqual(['SELECT*']);
    expect(await story.edit({ withOption: false })).toEqual([
      `REVOKE GRANT OPTION FOR SELECT ON TABLE "s"."t" FROM "app ${world.id}"`,
    ]);
    expect(await holds()).toEqual(['SELECT']);
  });

  test('columns are granted alone, and survive a revoke on their table', async () => {
    const columns = table(['SELECT', 'UPDATE'], { columns: ['a', 'b'] });
    await columns.reconcile();
    const whole = table(['SELECT']);
    await whole.reconcile();
    await whole.delete();
    expect(await columns.reconcile()).toEqual([]);
    expect(await world.as('app', 'SELECT a, b FROM s.t')).toEqual([]);
    await expect(world.as('app', 'SELECT c FROM s.t')).rejects.toMatchObject({ code: '42501' });
    await columns.edit({ columns: ['b'] });
    await expect(world.as('app', 'SELECT a FROM s.t')).rejects.toMatchObject({ code: '42501' });
    await columns.delete();
    await expect(world.as('app', 'SELECT b FROM s.t')).rejects.toMatchObject({ code: '42501' });
  });

  test('sequences, named or all', async () => {
    const story = world.grant({ ...place, schema: 's', sequences: ['*'], privileges: ['USAGE'] });
    await story.reconcile();
    expect(await world.as('app', `SELECT nextval('s.q') AS n`)).toEqual([{ n: '1' }]);
    await story.delete();
    await expect(world.as('app', `SELECT nextval('s.q')`)).rejects.toMatchObject({ code: '42501' });
  });

  test('what is missing is named, and nothing is sent', async () => {
    await expect(table(['SELECT'], { role: world.name('ghost') }).plan()).rejects.toThrow(
      `role "ghost ${world.id}" does not exist`,
    );
    await expect(table(['SELECT'], { schema: 'nope' }).plan()).rejects.toThrow('schema "nope" of database');
    await expect(table(['SELECT'], { tables: ['t', 'nope'] }).plan()).rejects.toThrow('table "s"."nope"');
    await expect(table(['SELECT'], { columns: ['nope'] }).plan()).rejects.toThrow('column "nope" of table "s"."t"');
    await expect(table(['SELECT'], { database: 'nope' }).plan()).rejects.toMatchObject({ reason: 'Waiting' });
  });

  test('a spec that is wrong by now does not keep its resource, and what it gave is taken back', async () => {
    const story = table(['SELECT']);
    await story.reconcile();
    story.spec = { ...story.spec, privileges: ['NONSENSE'], sequences: ['q'] };
    await expect(story.plan()).rejects.toMatchObject({ reason: 'InvalidSpec' });
    expect(await story.delete()).toEqual([`REVOKE SELECT ON TABLE "s"."t" FROM "app ${world.id}"`]);
  });

  test('a record that names what is not the spec’s is not believed', async () => {
    const story = table(['SELECT']);
    await story.reconcile();
    for (const nonsense of [
      null,
      'text',
      7,
      {},
      [null, 1, {}, { target: {} }, { target: { type: 'x' }, privileges: [] }],
    ]) {
      story.applied = nonsense;
      expect((await story.plan()).steps).toEqual([]);
    }
    for (const target of [
      { type: 'table', database: 'postgres', schema: 's', name: 't' },
      { type: 'parameter', name: 'log_statement' },
    ]) {
      story.applied = [{ target, privileges: ['SELECT'] }];
      await expect(story.plan()).rejects.toThrow('cannot move to another database');
    }
    // Without a record that can be believed, what the spec declares is taken back.
    expect(await story.delete()).toEqual([`REVOKE SELECT ON TABLE "s"."t" FROM "app ${world.id}"`]);
  });

  describe('one Grant that says all of a role', () => {
    const all = (also: NonNullable<GrantParameters['also']>) =>
      world.grant({ ...place, privileges: ['CONNECT'], also });

    test('gives each kind of object its own privileges, those to come included', async () => {
      const story = all([
        { schema: 's', privileges: ['USAGE'] },
        { schema: 's', tables: ['*'], privileges: ['SELECT'] },
        { schema: 's', sequences: ['*'], privileges: ['USAGE'] },
      ]);
      await story.reconcile();
      await world.sql('CREATE TABLE s.later (a int)');
      await story.reconcile();
      expect(await holds('app', 's.t')).toEqual(['SELECT']);
      expect(await holds('app', 's.later')).toEqual(['SELECT']);
      expect(await world.as('app', `SELECT nextval('s.q') > 0 AS ok`)).toEqual([{ ok: true }]);
      expect((await story.plan()).steps).toEqual([]);
    });

    test('takes back an entry that is removed or changed, and nothing else', async () => {
      const tables = { schema: 's', tables: ['t'], privileges: ['SELECT', 'INSERT'] };
      const sequences = { schema: 's', sequences: ['q'], privileges: ['USAGE'] };
      const story = all([tables, sequences]);
      await story.reconcile();
      expect(await story.edit({ also: [sequences, { ...tables, privileges: ['SELECT'] }] })).toEqual([
        `REVOKE INSERT ON TABLE "s"."t" FROM "app ${world.id}"`,
      ]);
      expect(await story.edit({ also: [sequences] })).toEqual([
        `REVOKE SELECT ON TABLE "s"."t" FROM "app ${world.id}"`,
      ]);
      expect(await story.edit({ also: [{ ...sequences, privileges: ['USAGE', 'SELECT'] }] })).toEqual([
        `GRANT SELECT ON SEQUENCE "s"."q" TO "app ${world.id}"`,
      ]);
      expect((await story.delete()).toSorted()).toEqual([
        `REVOKE CONNECT ON DATABASE "${world.database}" FROM "app ${world.id}"`,
        `REVOKE USAGE, SELECT ON SEQUENCE "s"."q" FROM "app ${world.id}"`,
      ]);
    });

    test('moves to another schema without a moment in which the grantee has neither', async () => {
      await world.sql('CREATE SCHEMA s2; CREATE TABLE s2.t (a int)');
      const story = all([{ schema: 's', tables: ['t'], privileges: ['SELECT'] }]);
      await story.reconcile();
      expect(await story.edit({ also: [{ schema: 's2', tables: ['t'], privileges: ['SELECT'] }] })).toEqual([
        `GRANT SELECT ON TABLE "s2"."t" TO "app ${world.id}"`,
        `REVOKE SELECT ON TABLE "s"."t" FROM "app ${world.id}"`,
      ]);
      await story.delete();
    });

    test('refuses two entries on the same objects, and an entry that is wrong, by where it stands', async () => {
      const tables = { schema: 's', tables: ['t'], privileges: ['SELECT'] };
      await expect(all([tables, { ...tables, tables: ['*'] }]).plan()).rejects.toThrow('also[1]');
      await expect(all([{ schema: 's', privileges: ['SELECT'] }]).plan()).rejects.toThrow(
        'also[0].privileges: "SELECT" is not a privilege on a schema',
      );
      await expect(all([{ privileges: ['TEMPORARY'] }]).plan()).rejects.toThrow('also[0]');
    });
  });

  test('a grant is gone with its role, schema or database (B112)', async () => {
    const story = table(['SELECT']);
    await story.reconcile();
    await world.sql('DROP SCHEMA s CASCADE');
    expect(await story.delete()).toEqual([]);
    const other = world.grant({ ...place, database: 'gone', privileges: ['CONNECT'] });
    other.owned = true;
    expect(await other.planDelete()).toMatchObject({ exists: false, steps: [] });
  });
});
