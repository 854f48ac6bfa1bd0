/** Server settings that change what a grant means. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startMariadb, startMysql, type MysqlServer } from '../rig/mysql.ts';
import { World } from './grants-world.ts';

describe('MySQL with partial_revokes', () => {
  let server: MysqlServer;
  let world: World;
  let place: { role: string; database: string };

  beforeAll(async () => {
    server = await startMysql({ settings: { 'partial-revokes': 'ON' } });
    world = await World.create(server);
    await world.users('app');
    await world.databases('shop');
    await world.database(`shopX${world.id}`);
    await world.prepare('CREATE TABLE <shop>.t (id int)', `CREATE TABLE shopX${world.id}.t (id int)`);
    place = { role: world.name('app'), database: world.name('shop') };
  }, 120_000);
  afterAll(async () => {
    await world.close();
    await server.stop();
  });

  test('names of databases are plain', async () => {
    const grant = world.grant({ ...place, privileges: ['SELECT'] });
    await grant.reconcile();
    expect(await world.may('app', 'SELECT * FROM <shop>.t')).toBe(true);
    expect(await world.may('app', `SELECT * FROM shopX${world.id}.t`)).toBe(false);
    await grant.delete();
    expect(await world.may('app', 'SELECT * FROM <shop>.t')).toBe(false);
    await expect(
      world.grant({ role: place.role, databasePattern: 'shop%', privileges: ['SELECT'] }).plan(),
    ).rejects.toThrow('the server takes _ and % for themselves');
  });

  test('what is taken from a database is given by a Grant on it, and other such exceptions stay', async () => {
    await world.prepare(
      `GRANT SELECT, INSERT ON *.* TO {app}@'%'`,
      `REVOKE SELECT, INSERT ON <shop>.* FROM {app}@'%'`,
      `REVOKE INSERT ON shopX${world.id}.* FROM {app}@'%'`,
    );
    expect(await world.may('app', 'SELECT * FROM <shop>.t')).toBe(false);
    const onServer = world.grant({ role: place.role, system: true, privileges: ['SELECT'] });
    expect(await onServer.reconcile()).toEqual([]);
    const grant = world.grant({ ...place, privileges: ['SELECT'] });
    await grant.reconcile();
    expect(await world.may('app', 'SELECT * FROM <shop>.t')).toBe(true);
    expect(await world.may('app', 'INSERT INTO <shop>.t VALUES (1)')).toBe(false);
    expect(await world.may('app', `INSERT INTO shopX${world.id}.t VALUES (1)`)).toBe(false);
    await grant.delete();
    expect(await world.may('app', `INSERT INTO shopX${world.id}.t VALUES (1)`)).toBe(false);
  });
});

describe('MariaDB that keeps names in small letters', () => {
  let server: MysqlServer;
  let world: World;

  beforeAll(async () => {
    server = await startMariadb('11.8', { settings: { 'lower-case-table-names': '1' } });
    world = await World.create(server);
    await world.users('app');
    await world.databases('shop');
    await world.prepare('CREATE TABLE <shop>.Items (Id int)', 'CREATE PROCEDURE <shop>.Work() SELECT 1');
  }, 120_000);
  afterAll(async () => {
    await world.close();
    await server.stop();
  });

  test('tables, columns and routines may be written in any letters', async () => {
    const place = { role: world.name('app'), database: world.name('shop') };
    for (const spec of [
      { ...place, privileges: ['SELECT'] },
      { ...place, tables: ['ITEMS'], privileges: ['INSERT'] },
      { ...place, tables: ['Items'], columns: ['ID'], privileges: ['UPDATE'] },
      { ...place, routines: [{ name: 'WORK' }], privileges: ['EXECUTE'] },
    ]) {
      const grant = world.grant(spec);
      expect(await grant.reconcile()).toHaveLength(1);
      await grant.delete();
      expect(await world.shown('app')).toEqual([]);
    }
  });
});

describe('a server that restarts', () => {
  test.each([
    ['MySQL', async () => await startMysql()],
    ['MariaDB', async () => await startMariadb('10.11')],
  ] as const)(
    '%s has all that was granted, and nothing that was taken',
    async (_, start) => {
      const server = await start();
      try {
        const world = await World.create(server);
        await world.allowProxies();
        await world.users('app', 'other');
        await world.roles('readers');
        await world.databases('shop');
        await world.prepare('CREATE TABLE <shop>.t (a int, b int)', 'CREATE PROCEDURE <shop>.p() SELECT 1');
        const role = world.name('app');
        const database = world.name('shop');
        const grants = [
          world.grant({ role, system: true, privileges: ['PROCESS'], withOption: true }),
          world.grant({ role, database, privileges: ['SELECT'], withOption: true }),
          world.grant({ role, databasePattern: 'x%', privileges: ['SELECT'] }),
          world.grant({ role, database, tables: ['t'], privileges: ['SELECT', 'INSERT'], withOption: true }),
          world.grant({ role, database, tables: ['t'], columns: ['a'], privileges: ['UPDATE'] }),
          world.grant({ role, database, routines: [{ name: 'p' }], privileges: ['EXECUTE'], withOption: true }),
          world.grant({ role, proxyOf: world.name('other') }),
          world.grant({ role, memberOf: world.name('readers'), withOption: true }),
          ...(world.isMysql
            ? [world.grant({ role, system: true, privileges: ['CLONE_ADMIN'], withOption: true })]
            : []),
        ];
        for (const grant of grants) await grant.reconcile();
        for (const grant of grants.slice(8)) await grant.edit({ withOption: true });
        for (const grant of [grants[0]!, grants[3]!, grants[7]!]) await grant.edit({ withOption: false });
        const before = await world.shown('app');
        await server.restart();
        expect(await world.shown('app')).toEqual(before);
        for (const grant of grants) expect(await grant.reconcile()).toEqual([]);
        for (const grant of grants) await grant.delete();
        await server.restart();
        expect(await world.shown('app')).toEqual([]);
        await world.close();
      } finally {
        await server.stop();
      }
    },
    120_000,
  );
});
