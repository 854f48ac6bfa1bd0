import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';
import { World } from './grants-world.ts';

describe.each(mysqlServers)('%s', (server) => {
  let world: World;
  let role: string;
  let database: string;

  beforeAll(async () => {
    world = await World.create(sharedMysql(server));
    await world.allowProxies();
    await world.users('app', 'other');
    await world.databases('shop', 'shopXa');
    role = world.name('app');
    database = world.name('shop');
    await world.prepare(
      'CREATE TABLE <shop>.items (id int, name text, `odd name` int)',
      'CREATE TABLE <shop>.orders (id int)',
      'CREATE VIEW <shop>.seen AS SELECT id FROM <shop>.items',
      'CREATE PROCEDURE <shop>.work() SELECT 1',
      'CREATE FUNCTION <shop>.work() RETURNS int DETERMINISTIC RETURN 1',
      'CREATE FUNCTION <shop>.only() RETURNS int DETERMINISTIC RETURN 1',
    );
  });
  afterAll(() => world.close());

  test('each level is granted, quiet afterwards, and taken back', async () => {
    const levels = [
      [{ system: true, privileges: ['PROCESS', 'SELECT'] }, ['GRANT SELECT, PROCESS ON *.*']],
      [
        { database, privileges: ['SELECT', 'CREATE TEMPORARY TABLES'] },
        ['GRANT SELECT, CREATE TEMPORARY TABLES ON `shop`.*'],
      ],
      [{ databasePattern: `shop%${world.id}`, privileges: ['INSERT'] }, [`GRANT INSERT ON \`shop%${world.id}\`.*`]],
      [
        { database, tables: ['items', 'seen'], privileges: ['SELECT', 'INSERT'] },
        ['GRANT SELECT, INSERT ON `shop`.`items`', 'GRANT SELECT, INSERT ON `shop`.`seen`'],
      ],
      [
        { database, tables: ['items'], columns: ['odd name', 'id'], privileges: ['SELECT', 'REFERENCES'] },
        [
          expect.stringMatching(
            /^GRANT SELECT \(`?id`?, `?odd name`?\), REFERENCES \(`?id`?, `?odd name`?\) ON `shop`\.`items`$/,
          ),
        ],
      ],
      [
        { database, routines: [{ name: 'work', type: 'procedure' as const }], privileges: ['EXECUTE'] },
        ['GRANT EXECUTE ON PROCEDURE `shop`.`work`'],
      ],
      [
        { database, routines: [{ name: 'only' }], privileges: ['EXECUTE', 'ALTER ROUTINE'] },
        ['GRANT EXECUTE, ALTER ROUTINE ON FUNCTION `shop`.`only`'],
      ],
      [{ proxyOf: world.name('other') }, [expect.stringContaining('GRANT PROXY ON')]],
    ] as const;
    for (const [spec, shown] of levels) {
      const grant = world.grant({ role, ...structuredClone(spec) } as never);
      await grant.reconcile();
      expect(await world.shown('app')).toEqual(shown);
      await grant.delete();
      expect(await world.shown('app')).toEqual([]);
    }
  });
});
