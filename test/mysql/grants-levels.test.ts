/** Everything that there are privileges on. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { tableOfFlavour } from '../../provider/engines/mysql/privileges.ts';
import { availableOn, type PrivilegeTarget } from '../../provider/resources/privilege-set.ts';
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

  const levels: [string, () => GrantParameters, unknown[]][] = [
    ['the server', () => ({ system: true, privileges: ['PROCESS', 'SELECT'] }), ['GRANT SELECT, PROCESS ON *.*']],
    [
      'a database',
      () => ({ database, privileges: ['SELECT', 'CREATE TEMPORARY TABLES'] }),
      ['GRANT SELECT, CREATE TEMPORARY TABLES ON `shop`.*'],
    ],
    [
      'a pattern of databases',
      () => ({ databasePattern: `shop%${world.id}`, privileges: ['INSERT'] }),
      [expect.stringMatching(/^GRANT INSERT ON `shop%[0-9a-f]+`\.\*$/)],
    ],
    [
      'tables and views',
      () => ({ database, tables: ['items', 'seen'], privileges: ['SELECT', 'INSERT'] }),
      ['GRANT SELECT, INSERT ON `shop`.`items`', 'GRANT SELECT, INSERT ON `shop`.`seen`'],
    ],
    [
      'all tables',
      () => ({ database, tables: ['*'], privileges: ['SELECT', 'DELETE'] }),
      ['GRANT SELECT, DELETE ON `shop`.*'],
    ],
    [
      'columns',
      () => ({ database, tables: ['items'], columns: ['odd name', 'ID'], privileges: ['SELECT', 'REFERENCES'] }),
      [
        expect.stringMatching(
          // The server lists the columns in the order of a hash.
          /^GRANT SELECT \((`?(id|odd name)`?(, )?){2}\), REFERENCES \((`?(id|odd name)`?(, )?){2}\) ON `shop`\.`items`$/i,
        ),
      ],
    ],
    [
      'a procedure',
      () => ({ database, routines: [{ name: 'work', type: 'procedure' }], privileges: ['EXECUTE'] }),
      ['GRANT EXECUTE ON PROCEDURE `shop`.`work`'],
    ],
    [
      'a function',
      () => ({ database, routines: [{ name: 'only' }], privileges: ['EXECUTE', 'ALTER ROUTINE'] }),
      ['GRANT EXECUTE, ALTER ROUTINE ON FUNCTION `shop`.`only`'],
    ],
    [
      'all routines',
      () => ({ database, routines: [{ name: '*' }], privileges: ['EXECUTE'] }),
      ['GRANT EXECUTE ON `shop`.*'],
    ],
    ['an account', () => ({ proxyOf: world.name('other') }), [expect.stringContaining('GRANT PROXY ON')]],
  ];

  test.each(levels)('privileges on %s are granted, quiet afterwards, and taken back', async (_, spec, shown) => {
    const grant = world.grant({ role, ...spec() });
    expect(await grant.reconcile()).toHaveLength(shown.length);
    expect(await world.shown('app')).toEqual(shown);
    expect(await grant.delete()).toHaveLength(shown.length);
    expect(await world.shown('app')).toEqual([]);
  });

  test.each(levels.filter(([what]) => !['columns', 'an account'].includes(what)))(
    'the option on %s comes and goes with withOption',
    async (_, spec) => {
      const grant = world.grant({ role, ...spec(), withOption: true });
      await grant.reconcile();
      expect(await world.shown('app')).toSatisfy((lines: string[]) =>
        lines.every((line) => line.endsWith(' WITH GRANT OPTION')),
      );
      await grant.edit({ withOption: false });
      expect(await world.shown('app')).toSatisfy(
        (lines: string[]) => lines.length > 0 && lines.every((line) => !line.includes('OPTION')),
      );
      await grant.edit({ withOption: true });
      await grant.delete();
      expect(await world.shown('app')).toEqual([]);
    },
  );

  test('ALL on each level is every privilege there, whichever way it is said; what is taken by hand comes back (B4, B122, B140)', async () => {
    for (const [what, spec] of levels) {
      if (what === 'an account') continue;
      const grant = world.grant({ role, ...spec(), privileges: ['all privileges'] });
      await grant.reconcile();
      if (what === 'a database') {
        expect(await world.shown('app')).toEqual(['GRANT ALL PRIVILEGES ON `shop`.*']);
        await world.sql(`REVOKE INDEX ON \`${database.replaceAll('_', String.raw`\_`)}\`.* FROM {app}@'%'`);
        expect(await grant.reconcile()).toEqual([expect.stringMatching(/^GRANT INDEX ON /)]);
      }
      await grant.delete();
      expect(await world.shown('app')).toEqual([]);
    }
    await world.sql(`GRANT ALL ON *.* TO {app}@'%'`);
    const all = world.grant({ role, system: true, privileges: ['ALL'] });
    expect(await all.reconcile()).toEqual([]);
    await all.delete();
    expect(await world.shown('app')).toEqual([]);
  });

  test('each single privilege of each level is the one that the server shows', async () => {
    const on: Partial<Record<PrivilegeTarget, GrantParameters>> = {
      global: { system: true },
      database: { database },
      table: { database, tables: ['orders'] },
      routine: { database, routines: [{ name: 'only' }] },
    };
    for (const [type, spec] of Object.entries(on)) {
      const object = tableOfFlavour(world.info).objects[type as PrivilegeTarget]!;
      for (const { name } of availableOn(object, world.info)) {
        const grant = world.grant({ role, ...spec, privileges: [name] });
        await grant.reconcile();
        const [line = ''] = await world.shown('app');
        const words = / WITH (GRANT OPTION)$/.exec(line) ?? /^GRANT (.*?) ON /.exec(line);
        expect([type, name, words?.[1]]).toEqual([type, name, name]);
        await grant.delete();
        expect(await world.shown('app')).toEqual([]);
      }
    }
  });
});
