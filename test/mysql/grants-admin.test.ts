/** Administrators that may little. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';
import { World } from './grants-world.ts';

describe.each(mysqlServers)('%s', (server) => {
  let root: World;
  const worlds: World[] = [];

  beforeAll(async () => {
    root = await World.create(sharedMysql(server));
    await root.users('app', 'limited', 'blind');
    await root.databases('mine', 'theirs');
    await root.roles('readers');
    await root.prepare(
      'CREATE TABLE <mine>.t (id int)',
      `GRANT SELECT ON mysql.* TO {limited}@'%'`,
      `GRANT SELECT, INSERT ON <mine>.* TO {limited}@'%' WITH GRANT OPTION`,
      `GRANT SELECT, INSERT ON <mine>.* TO {blind}@'%' WITH GRANT OPTION`,
    );
  });
  afterAll(async () => {
    for (const world of worlds) await world.engine.close();
    await root.close();
  });

  async function as(admin: string): Promise<World> {
    const world = await World.create(root.client, root.login(admin));
    worlds.push(world);
    return world;
  }

  test('one with the grant option on a table grants there, and is told where it ends', async () => {
    await root.prepare(`GRANT SELECT, INSERT ON <mine>.t TO {limited}@'%' WITH GRANT OPTION`);
    const world = await as('limited');
    const grant = world.grant({
      role: root.name('app'),
      database: root.name('mine'),
      tables: ['t'],
      privileges: ['SELECT'],
    });
    await grant.reconcile();
    expect(await root.may('app', 'SELECT * FROM <mine>.t')).toBe(true);
    grant.spec = { ...grant.spec, privileges: ['SELECT', 'DELETE'] };
    await expect(world.run((await grant.plan()).steps)).rejects.toMatchObject({ reason: 'PermissionDenied' });
    grant.spec = { ...grant.spec, privileges: ['SELECT'] };
    await grant.delete();
    const theirs = world.grant({ role: root.name('app'), database: root.name('theirs'), privileges: ['SELECT'] });
    await expect(theirs.plan().then(async ({ steps }) => await world.run(steps))).rejects.toThrow(
      /database "theirs_.*" does not exist|denied/i,
    );
  });

  test.each<[string, () => GrantParameters]>([
    ['the server', () => ({ system: true, privileges: ['PROCESS'] })],
    ['a pattern of databases', () => ({ databasePattern: '%', privileges: ['SELECT'] })],
    ['an account to act as', () => ({ proxyOf: root.name('app') })],
    ['a role', () => ({ memberOf: root.name('readers') })],
  ])('what it may not grant on %s is a permission that it has not', async (_, spec) => {
    const world = await as('limited');
    const { steps } = await world.grant({ role: root.name('app'), ...spec() }).plan();
    await expect(world.run(steps)).rejects.toMatchObject({ reason: 'PermissionDenied' });
  });

  test('one that may not read the grant tables is told so, and nothing counts as absent', async () => {
    const world = await as('blind');
    const grant = world.grant({ role: root.name('app'), database: root.name('mine'), privileges: ['SELECT'] });
    const denied = { reason: 'PermissionDenied', message: expect.stringMatching(/SELECT/) as string };
    await expect(grant.plan()).rejects.toMatchObject(denied);
    await expect(grant.planDelete()).rejects.toMatchObject(denied);
    await expect(world.grant({ role: root.name('app'), memberOf: root.name('limited') }).plan()).rejects.toMatchObject(
      denied,
    );
  });
});
