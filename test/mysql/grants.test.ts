import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';
import { openShop, type World } from './grants-world.ts';

describe.each(mysqlServers)('%s', (server) => {
  let world: World;
  let role: string;
  let database: string;

  beforeAll(async () => {
    world = await openShop(sharedMysql(server));
    [role, database] = [world.name('app'), world.name('shop')];
  });
  afterEach(async () => {
    await world.reset('app');
  });
  afterAll(() => world.close());

  test('a database is granted on alone: names that it would match as a pattern stay closed (B131)', async () => {
    const grant = world.grant({ role, database, privileges: ['SELECT'] });
    await grant.reconcile();
    expect(await world.may('app', 'SELECT * FROM <shop>.items')).toBe(true);
    expect(await world.may('app', `SELECT * FROM shopX${world.id}.items`)).toBe(false);
    // What somebody gave on the pattern is not what the Grant gives, and stays.
    await world.sql(`GRANT SELECT, INSERT ON <shop>.* TO {app}@'%'`);
    expect(await grant.reconcile()).toEqual([]);
    await grant.edit({ exclusive: true });
    await grant.delete();
    expect(await world.may('app', `SELECT * FROM shopX${world.id}.items`)).toBe(true);
    await world.sql(`REVOKE SELECT, INSERT ON <shop>.* FROM {app}@'%'`);
  });

  test('what leaves the list is revoked once, what others gave stays, unless exclusive (B2, B1)', async () => {
    const grant = world.grant({ role, database, tables: ['items'], privileges: ['SELECT', 'INSERT'] });
    await grant.reconcile();
    await world.sql(`GRANT DELETE ON <shop>.items TO {app}@'%'`);
    expect(await grant.reconcile()).toEqual([]);
    expect(await grant.edit({ privileges: ['SELECT'] })).toEqual([expect.stringMatching(/^REVOKE INSERT ON /)]);
    expect(await world.shown('app')).toEqual(['GRANT SELECT, DELETE ON `shop`.`items`']);
    expect(await grant.edit({ exclusive: true })).toEqual([expect.stringMatching(/^REVOKE DELETE ON /)]);
    await grant.delete();
  });

  test('the option alone, and with ALL, is a privilege like others (B126, B128, B142)', async () => {
    const alone = world.grant({ role, system: true, privileges: ['GRANT OPTION'] });
    await alone.reconcile();
    await alone.delete();
    const pattern = world.grant({ role, databasePattern: '%', privileges: ['ALL'], withOption: true });
    await pattern.reconcile();
    expect(await world.shown('app')).toEqual(['GRANT ALL PRIVILEGES ON `%`.* WITH GRANT OPTION']);
    await pattern.delete();
    expect(await world.shown('app')).toEqual([]);
  });

  test("one Grant's end is no end of the account's other Grants (B143)", async () => {
    const other = world.grant({ role, database, privileges: ['SELECT'] });
    await other.reconcile();
    for (const spec of [{ system: true }, { database, tables: ['items'] }]) {
      const all = world.grant({ role, ...spec, privileges: ['ALL'], withOption: true });
      await all.reconcile();
      await all.delete();
      expect(await other.reconcile()).toEqual([]);
    }
    await other.delete();
  });

  test('what two Grants give stays until both are gone, and an exclusive one takes nothing from the other (B143)', async () => {
    const small = world.grant({ role, database, privileges: ['SELECT', 'INSERT'] });
    const large = world.grant({ role, database, privileges: ['ALL'], withOption: true });
    const strict = world.grant({ role, database, privileges: ['DELETE'], exclusive: true });
    for (const story of [small, large, strict])
      story.siblings = [small, large, strict].filter((other) => other !== story);
    await small.reconcile();
    await large.reconcile();
    await large.delete();
    large.owned = false;
    expect(await world.shown('app')).toEqual(['GRANT SELECT, INSERT ON `shop`.*']);
    await world.prepare(`GRANT DROP ON \`${database.replaceAll('_', String.raw`\_`)}\`.* TO {app}@'%'`);
    await strict.reconcile();
    expect(await world.shown('app')).toEqual(['GRANT SELECT, INSERT, DELETE ON `shop`.*']);
    expect(await small.reconcile()).toEqual([]);
    expect(await small.edit({ privileges: ['SELECT', 'DELETE'] })).toEqual([
      expect.stringMatching(/^REVOKE INSERT ON /),
    ]);
    await strict.delete();
    strict.owned = false;
    expect(await world.shown('app')).toEqual(['GRANT SELECT, DELETE ON `shop`.*']);
    await small.delete();
    expect(await world.shown('app')).toEqual([]);
  });

  test('a database and the pattern of that database alone are one: what two Grants give in either words stays (B143)', async () => {
    const pattern = database.replaceAll('_', String.raw`\_`);
    const named = world.grant({ role, database, privileges: ['SELECT'] });
    const matched = world.grant({ role, databasePattern: pattern, privileges: ['SELECT', 'DROP'] });
    [named.siblings, matched.siblings] = [[matched], [named]];
    await named.reconcile();
    await matched.reconcile();
    expect(await named.delete()).toEqual([]);
    named.owned = false;
    await named.reconcile();
    expect(await matched.delete()).toEqual([expect.stringMatching(/^REVOKE DROP ON /)]);
    matched.owned = false;
    expect(await world.shown('app')).toEqual(['GRANT SELECT ON `shop`.*']);
    await named.delete();
  });

  test('columns and routines are the same in whatever letters, and are taken back as they were given', async () => {
    const columns = world.grant({
      role,
      database,
      tables: ['items'],
      columns: ['ID', 'id', 'Name'],
      privileges: ['SELECT'],
    });
    await world.prepare(`GRANT SELECT (NAME) ON <shop>.items TO {app}@'%'`);
    await columns.reconcile();
    expect(await columns.edit({ columns: ['Id'] })).toHaveLength(1);
    const sibling = world.grant({
      role,
      database,
      tables: ['items'],
      columns: ['iD'],
      privileges: ['SELECT', 'UPDATE'],
    });
    await sibling.reconcile();
    sibling.siblings = [columns];
    expect(await sibling.delete()).toEqual([expect.stringMatching(/^REVOKE UPDATE /)]);
    await columns.delete();
    const names = ['Only', 'ONLY'].map((name) => ({ name }));
    const routines = world.grant({ role, database, routines: names, privileges: ['EXECUTE'] });
    expect(await routines.reconcile()).toHaveLength(1);
    expect(await routines.edit({ routines: [{ name: 'only' }] })).toEqual([]);
    expect(await routines.delete()).toHaveLength(1);
    expect(await world.shown('app')).toEqual([]);
  });

  test('revoking on a table leaves what is granted on its columns', async () => {
    const columns = world.grant({ role, database, tables: ['items'], columns: ['id'], privileges: ['SELECT'] });
    const table = world.grant({ role, database, tables: ['items'], privileges: ['SELECT', 'INSERT'] });
    await columns.reconcile();
    await table.reconcile();
    await table.delete();
    expect(await columns.reconcile()).toEqual([]);
    expect(await world.may('app', 'SELECT id FROM <shop>.items')).toBe(true);
    expect(await world.may('app', 'SELECT name FROM <shop>.items')).toBe(false);
    await columns.delete();
  });

  test('what is gone is waited for, and its rights are taken back all the same', async () => {
    await world.prepare('CREATE DATABASE <brief>', 'CREATE TABLE <brief>.t (id int)');
    const onTable = world.grant({ role, database: world.name('brief'), tables: ['t'], privileges: ['SELECT'] });
    const onDatabase = world.grant({ role, database: world.name('brief'), privileges: ['SELECT'] });
    await onTable.reconcile();
    await onDatabase.reconcile();
    await world.prepare('DROP DATABASE <brief>');
    await expect(onTable.plan()).rejects.toThrow(/database "brief_.*" does not exist; it is looked for again/);
    // The server keeps them, for whoever makes something of that name.
    expect(await world.shown('app')).toHaveLength(2);
    await onTable.delete();
    await onDatabase.delete();
    expect(await world.shown('app')).toEqual([]);
  });

  test('everybody is a grantee where the server knows everybody', async () => {
    const spec: GrantParameters = { role: 'PUBLIC', database, tables: ['orders'], privileges: ['SELECT'] };
    if (world.isMysql) {
      await expect(world.grant(spec).plan()).rejects.toThrow('MySQL has no PUBLIC');
      return;
    }
    const grant = world.grant(spec);
    await grant.reconcile();
    expect(await world.may('other', 'SELECT * FROM <shop>.orders')).toBe(true);
    await grant.edit({ privileges: ['SELECT', 'INSERT'] });
    await grant.delete();
    expect(await world.may('other', 'SELECT * FROM <shop>.orders')).toBe(false);
  });

  test('parts of one Grant that mean the whole database are one', async () => {
    const grant = world.grant({
      role,
      database,
      privileges: ['CREATE'],
      also: [
        { tables: ['*'], privileges: ['SELECT', 'INSERT'] },
        { routines: [{ name: '*' }], privileges: ['EXECUTE'] },
        { tables: ['orders'], privileges: ['TRIGGER'] },
      ],
    });
    expect(await grant.reconcile()).toHaveLength(2);
    expect(await world.shown('app')).toEqual([
      'GRANT SELECT, INSERT, CREATE, EXECUTE ON `shop`.*',
      'GRANT TRIGGER ON `shop`.`orders`',
    ]);
    await grant.edit({ also: [{ tables: ['*'], privileges: ['SELECT'] }] });
    expect(await world.shown('app')).toEqual(['GRANT SELECT, CREATE ON `shop`.*']);
    await grant.delete();
    expect(await world.shown('app')).toEqual([]);
  });

  test('many Grants of one account at once lose nothing (B162)', async () => {
    const stories = Array.from({ length: 20 }, (_, i) =>
      world.grant(
        i % 2 === 0
          ? {
              role,
              database,
              tables: [i % 4 === 0 ? 'items' : 'orders'],
              privileges: [['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'DROP'][i % 5]!],
            }
          : { role, system: true, privileges: [['PROCESS', 'RELOAD', 'FILE', 'SHUTDOWN', 'SUPER'][i % 5]!] },
      ),
    );
    await Promise.all(
      stories.map(async (story) => {
        const plan = await story.plan();
        await world.run(plan.steps);
        story.owned = true;
        story.applied = plan.applied;
      }),
    );
    for (const story of stories) expect(await story.plan()).toMatchObject({ exists: true, steps: [] });
  });
});
