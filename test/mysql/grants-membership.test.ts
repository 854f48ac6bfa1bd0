import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';
import { World } from './grants-world.ts';

describe.each(mysqlServers)('%s', (server) => {
  let world: World;

  beforeAll(async () => {
    world = await World.create(sharedMysql(server));
    await world.databases('team');
    await world.prepare('CREATE TABLE <team>.t (id int)');
  });
  afterAll(() => world.close());

  let role: string;
  let readers: string;
  let writers: string;
  beforeEach(async () => {
    await world
      .prepare(
        ...['member', 'at'].map((of) => `DROP USER IF EXISTS {${of}}@'${of === 'at' ? '127.%' : '%'}'`),
        'DROP ROLE IF EXISTS {readers}',
        'DROP ROLE IF EXISTS {writers}',
      )
      .catch(() => {});
    await world.users('member');
    await world.roles('readers', 'writers');
    await world.prepare('GRANT SELECT ON <team>.t TO {readers}', 'GRANT INSERT ON <team>.t TO {writers}');
    [role, readers, writers] = ['member', 'readers', 'writers'].map((of) => world.name(of)) as [string, string, string];
  });

  const mayRead = async () => await world.may('member', 'SELECT * FROM <team>.t');
  const mayWrite = async () => await world.may('member', 'INSERT INTO <team>.t VALUES (1)');

  test('a member has the rights of its role when it logs in, and loses them with the membership', async () => {
    const grant = world.grant({ role, memberOf: readers });
    expect(await grant.reconcile()).toHaveLength(2);
    expect(await mayRead()).toBe(true);
    expect(await grant.delete()).not.toEqual([]);
    expect(await mayRead()).toBe(false);
  });

  test('where it shall not apply by itself, it waits for SET ROLE', async () => {
    const grant = world.grant({ role, memberOf: readers, withInherit: false });
    expect(await grant.reconcile()).toHaveLength(1);
    expect(await mayRead()).toBe(false);
    await grant.edit({ withInherit: true });
    expect(await mayRead()).toBe(true);
    await grant.edit({ withInherit: false });
    expect(await mayRead()).toBe(false);
    await grant.delete();
  });

  test('several roles apply at once where the server can do that; elsewhere the first', async () => {
    const first = world.grant({ role, memberOf: readers });
    const second = world.grant({ role, memberOf: writers });
    await first.reconcile();
    await second.reconcile();
    expect(await first.reconcile()).toEqual([]);
    expect([await mayRead(), await mayWrite()]).toEqual([true, world.isMysql]);
    if (!world.isMysql) {
      const spec = { role, memberOf: writers, withInherit: true };
      await expect(world.grant(spec).plan()).rejects.toThrow(
        /withInherit: the default role is "readers_.*SET DEFAULT ROLE NONE/,
      );
    }
    await first.delete();
    expect([await mayRead(), await mayWrite()]).toEqual([false, world.isMysql]);
    // There is room now.
    await second.reconcile();
    expect(await mayWrite()).toBe(true);
    await second.delete();
  });

  test('the admin option comes and goes; what another made stays', async () => {
    await world.prepare(`GRANT {writers} TO {member}@'%'`);
    const grant = world.grant({ role, memberOf: readers, withOption: true });
    await grant.reconcile();
    expect(await world.shown('member')).toContainEqual(expect.stringMatching(/readers.*WITH ADMIN OPTION/));
    await grant.edit({ withOption: false });
    expect(await world.shown('member')).not.toContainEqual(expect.stringContaining('ADMIN OPTION'));
    expect(await mayRead()).toBe(true);
    await grant.delete();
    expect(await world.shown('member')).toContainEqual(expect.stringContaining('writers'));
  });

  test('what is taken by hand is back', async () => {
    const grant = world.grant({ role, memberOf: readers });
    await grant.reconcile();
    await world.prepare(`REVOKE {readers} FROM {member}@'%'`);
    expect(await mayRead()).toBe(false);
    await grant.reconcile();
    expect(await mayRead()).toBe(true);
    await grant.delete();
  });

  test('a role in a role has its rights; a circle is refused by its way', async () => {
    const nested = world.grant({ role: writers, memberOf: readers });
    await nested.reconcile();
    await expect(world.grant({ role: readers, memberOf: writers }).plan()).rejects.toThrow(
      `"${readers}" cannot become a member of "${writers}", which is a member of it already: "${writers}" in "${readers}"`,
    );
    const grant = world.grant({ role, memberOf: writers });
    await grant.reconcile();
    expect([await mayRead(), await mayWrite()]).toEqual([true, true]);
    await grant.delete();
    await nested.delete();
  });

  test('r and r@% are one role, and an account is named with its host (B136)', async () => {
    await world.account(world.name('at'), '127.%');
    const plain = world.grant({ role: `${world.name('at')}@127.%`, memberOf: readers });
    await plain.reconcile();
    if (world.isMysql)
      expect(await world.grant({ role: `${world.name('at')}@127.%`, memberOf: `${readers}@%` }).reconcile()).toEqual(
        [],
      );
    expect(await world.may('at', 'SELECT * FROM <team>.t')).toBe(true);
    await plain.delete();
  });

  test('roles and members that are not there are waited for', async () => {
    await expect(world.grant({ role, memberOf: 'nope' }).plan()).rejects.toThrow(
      'role "nope" does not exist; it is looked for again',
    );
    await expect(world.grant({ role: 'nobody', memberOf: readers }).plan()).rejects.toThrow(
      'role "nobody" does not exist',
    );
    await expect(world.grant({ role, memberOf: readers, withSet: true }).plan()).rejects.toThrow(
      /withSet: .* has no such option/,
    );
  });
});
