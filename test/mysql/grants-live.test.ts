/** What a client meets while its grants are changed: nothing. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';
import { World } from './grants-world.ts';

describe.each(mysqlServers)('%s', (server) => {
  let world: World;
  let place: { role: string; database: string };

  beforeAll(async () => {
    world = await World.create(sharedMysql(server));
    await world.users('client');
    await world.databases('live');
    await world.prepare(
      'CREATE TABLE <live>.t (a int, b int)',
      'INSERT INTO <live>.t VALUES (1, 2)',
      'CREATE PROCEDURE <live>.p() SELECT 1',
    );
    place = { role: world.name('client'), database: world.name('live') };
  });
  afterAll(() => world.close());

  /** Asks without a pause, in a session that stays and in sessions of their own, until `work` is done. */
  async function hammering(
    statement: string,
    work: () => Promise<void>,
  ): Promise<{ asked: number; refused: unknown[] }> {
    const result = { asked: 0, refused: [] as unknown[] };
    const over = new AbortController();
    const ask = async (query: () => Promise<unknown>) => {
      while (!over.signal.aborted)
        try {
          await query();
          result.asked += 1;
        } catch (error) {
          result.refused.push(error);
        }
    };
    const text = world.text(statement);
    const session = await world.client.login(world.login('client'));
    const clients = [ask(() => session.query(text)), ask(() => world.client.queryAs(world.login('client'), text))];
    try {
      await work();
    } finally {
      over.abort();
      await Promise.all(clients);
      session.destroy();
    }
    return result;
  }

  test.each<[string, GrantParameters, string, string[][]]>([
    [
      'a database',
      {},
      'SELECT * FROM <live>.t',
      [['SELECT', 'INSERT', 'DROP'], ['SELECT'], ['ALL'], ['UPDATE', 'SELECT', 'EVENT']],
    ],
    [
      'a table',
      { tables: ['t'] },
      'SELECT * FROM <live>.t',
      [['SELECT', 'INSERT'], ['SELECT'], ['ALL'], ['DELETE', 'SELECT']],
    ],
    [
      'columns',
      { tables: ['t'], columns: ['a'] },
      'SELECT a FROM <live>.t',
      [['SELECT', 'INSERT'], ['SELECT'], ['ALL'], ['UPDATE', 'SELECT']],
    ],
    [
      'a routine',
      { routines: [{ name: 'p' }] },
      'CALL <live>.p()',
      [['EXECUTE', 'ALTER ROUTINE'], ['EXECUTE'], ['ALL']],
    ],
  ])('a new list of privileges on %s takes nothing that it keeps', async (_, on, statement, lists) => {
    const grant = world.grant({ ...place, ...on, privileges: lists[0]! });
    await grant.reconcile();
    const { asked, refused } = await hammering(statement, async () => {
      for (let round = 0; round < 5; round += 1)
        for (const privileges of lists)
          for (const withOption of on.columns === undefined ? [true, false] : [false])
            await grant.edit({ privileges, withOption });
    });
    expect(refused).toEqual([]);
    expect(asked).toBeGreaterThan(20);
    await grant.delete();
    expect(await world.may('client', statement)).toBe(false);
  });

  test('the server and other Grants come and go beside it', async () => {
    const kept = world.grant({ ...place, privileges: ['SELECT'] });
    await kept.reconcile();
    const { asked, refused } = await hammering('SELECT * FROM <live>.t', async () => {
      for (let round = 0; round < 5; round += 1)
        for (const spec of [
          { role: place.role, system: true },
          { ...place, tables: ['t'] },
          { role: place.role, databasePattern: '%' },
        ]) {
          const other = world.grant({ ...spec, privileges: ['ALL'], withOption: true });
          await other.reconcile();
          await other.edit({ privileges: ['SELECT'] });
          await other.delete();
        }
    });
    expect(refused).toEqual([]);
    expect(asked).toBeGreaterThan(20);
    await kept.delete();
  });

  test('a membership that gets the admin option keeps its rights', async () => {
    await world.roles('readers');
    await world.prepare('GRANT SELECT ON <live>.t TO {readers}');
    const grant = world.grant({ role: place.role, memberOf: world.name('readers') });
    await grant.reconcile();
    const { asked, refused } = await hammering('SELECT * FROM <live>.t', async () => {
      await grant.edit({ withOption: true });
      for (let round = 0; round < 5; round += 1) expect(await grant.reconcile()).toEqual([]);
    });
    expect(refused).toEqual([]);
    expect(asked).toBeGreaterThan(0);
    await grant.delete();
  });
});
