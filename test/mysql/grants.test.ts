import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { tableOfFlavour } from '../../provider/engines/mysql/privileges.ts';
import { availableOn, type PrivilegeTarget } from '../../provider/resources/privilege-set.ts';
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
    await world.databases('shop');
    // As a pattern, shop_… would be this one too.
    await world.database(`shopX${world.id}`);
    await world.database(wild());
    role = world.name('app');
    database = world.name('shop');
    await world.prepare(
      'CREATE TABLE <shop>.items (id int, name text, `odd name` int)',
      'CREATE TABLE <shop>.orders (id int)',
      'CREATE VIEW <shop>.seen AS SELECT id FROM <shop>.items',
      'CREATE PROCEDURE <shop>.work() SELECT 1',
      'CREATE FUNCTION <shop>.work() RETURNS int DETERMINISTIC RETURN 1',
      'CREATE FUNCTION <shop>.only() RETURNS int DETERMINISTIC RETURN 1',
      `CREATE TABLE shopX${world.id}.items (id int)`,
    );
  });
  afterEach(async () => {
    await world.reset('app');
  });
  afterAll(() => world.close());

  const wild = () => `${'_'.repeat(40)}${world.id}`;

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
          /^GRANT SELECT \(`?id`?, `?odd name`?\), REFERENCES \(`?id`?, `?odd name`?\) ON `shop`\.`items`$/i,
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

  test.each<[string, () => GrantParameters, RegExp]>([
    [
      'a privilege of the server on a database (B127)',
      () => ({ database, privileges: ['REPLICATION CLIENT'] }),
      /"REPLICATION CLIENT" is not a privilege on a database; allowed are ALL, SELECT, /,
    ],
    [
      'a privilege with more behind it (B144, B145)',
      () => ({ database, privileges: ['TRIGGER ON'] }),
      /"TRIGGER ON" is not a privilege/,
    ],
    [
      'a privilege of tables on a column',
      () => ({ database, tables: ['items'], columns: ['id'], privileges: ['DELETE'] }),
      /not a privilege on a column; allowed are ALL, SELECT, INSERT, UPDATE, REFERENCES/,
    ],
    ['a schema', () => ({ database, schema: 'public', tables: ['items'], privileges: ['SELECT'] }), /remove schema/],
    [
      'a schema alone',
      () => ({ database, schema: 'public', privileges: ['USAGE'] }),
      /no privileges on objects of type schema/,
    ],
    [
      'sequences',
      () => ({ database, sequences: ['s'], privileges: ['SELECT'] }),
      /no privileges on objects of type sequence/,
    ],
    ['a grantor', () => ({ database, privileges: ['SELECT'], grantor: 'root' }), /does not keep who granted/],
    [
      'arguments',
      () => ({ database, routines: [{ name: 'work', args: ['int'] }], privileges: ['EXECUTE'] }),
      /chosen by type, not by args/,
    ],
    [
      'a name of two routines',
      () => ({ database, routines: [{ name: 'work' }], privileges: ['EXECUTE'] }),
      /is 2 routines; choose one by type: function or procedure/,
    ],
    [
      'the option of columns',
      () => ({ database, tables: ['items'], columns: ['id'], privileges: ['SELECT'], withOption: true }),
      /the option is of the table/,
    ],
    [
      'the option to pass on a proxy',
      () => ({ proxyOf: world.name('other'), withOption: true }),
      /withOption: .* privileges of the whole server/,
    ],
    [
      'a table that is not there',
      () => ({ database, tables: ['nope'], privileges: ['SELECT'] }),
      /table "nope" of database ".*" does not exist/,
    ],
    [
      'a column that is not there',
      () => ({ database, tables: ['items'], columns: ['nope'], privileges: ['SELECT'] }),
      /column "nope" of table "items" .* does not exist/,
    ],
    [
      'a routine that is not there',
      () => ({ database, routines: [{ name: 'nope' }], privileges: ['EXECUTE'] }),
      /routine "nope" .* does not exist/,
    ],
    [
      'an account to act as that is not there',
      () => ({ proxyOf: 'nope@%' }),
      /role "?nope@%"? does not exist|"nope@%" does not exist/,
    ],
    [
      'a grantee that is not there',
      () => ({ role: 'nope', database, privileges: ['SELECT'] }),
      /role "nope" does not exist/,
    ],
  ])('%s is refused in words', async (_, spec, words) => {
    await expect(world.grant({ role, ...spec() }).plan()).rejects.toThrow(words);
  });

  test('a name whose pattern the server cannot store is refused before anything is sent', async () => {
    const { steps } = await world.grant({ role, database: wild(), privileges: ['SELECT'] }).plan();
    expect(() => world.engine.compile(steps, world.info)).toThrow(
      /so many characters _ and % that it cannot be granted on/,
    );
    await expect(world.engine.run(steps)).rejects.toMatchObject({ reason: 'InvalidSpec', retryable: false });
  });

  test('dynamic privileges are those of the server, each with an option of its own (B124)', async () => {
    const spec: GrantParameters = { role, system: true, privileges: ['RELOAD', 'BACKUP_ADMIN'] };
    if (!world.isMysql) {
      await expect(world.grant(spec).plan()).rejects.toThrow('"BACKUP_ADMIN" is not a privilege on the server');
      return;
    }
    const grant = world.grant(spec);
    await grant.reconcile();
    expect(await world.shown('app')).toEqual(['GRANT BACKUP_ADMIN ON *.*', 'GRANT RELOAD ON *.*']);
    await grant.edit({ privileges: ['BACKUP_ADMIN', 'CLONE_ADMIN'], withOption: true });
    expect(await world.shown('app')).toEqual(['GRANT BACKUP_ADMIN,CLONE_ADMIN ON *.* WITH GRANT OPTION']);
    await world.sql(`GRANT XA_RECOVER_ADMIN ON *.* TO {app}@'%' WITH GRANT OPTION`);
    await grant.edit({ withOption: false });
    expect(await world.shown('app')).toEqual([
      'GRANT BACKUP_ADMIN,CLONE_ADMIN ON *.*',
      'GRANT XA_RECOVER_ADMIN ON *.* WITH GRANT OPTION',
    ]);
    await grant.delete();
    expect(await world.shown('app')).toEqual(['GRANT XA_RECOVER_ADMIN ON *.* WITH GRANT OPTION']);
    await world.sql(`REVOKE XA_RECOVER_ADMIN ON *.* FROM {app}@'%'`);
    await expect(world.grant({ ...spec, privileges: ['NOT_LOADED_ADMIN'] }).plan()).rejects.toThrow(
      /allowed are ALL, .*BACKUP_ADMIN/,
    );
  });

  test('either name of a privilege is the one that the server has (B139, B140)', async () => {
    const words = world.isMysql
      ? ['REPLICATION CLIENT']
      : ['REPLICATION CLIENT', 'BINLOG MONITOR', 'REPLICA MONITOR', 'READ ONLY ADMIN'];
    const grant = world.grant({ role, system: true, privileges: words });
    expect(await grant.reconcile()).toHaveLength(1);
    await grant.delete();
    if (world.isMysql) return;
    const history = world.grant({ role, database, tables: ['items'], privileges: ['DELETE VERSIONING ROWS'] });
    expect(await history.reconcile()).toEqual([expect.stringMatching(/^GRANT DELETE HISTORY ON /)]);
    await history.delete();
    const showRoutine = world.grant({ role, database, privileges: ['SHOW CREATE ROUTINE'] });
    if (world.info.versionNumber < 110_300)
      await expect(showRoutine.plan()).rejects.toThrow(/needs version 11\.3 or newer/);
    else {
      await showRoutine.reconcile();
      await showRoutine.delete();
    }
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
