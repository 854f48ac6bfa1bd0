/** What the words of a Grant may be, and how the others are refused. */
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

  const wild = () => `${'_'.repeat(40)}${world.id}`;
  beforeAll(async () => {
    await world.database(wild());
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

  test('accounts by which the server lives are not touched (B147)', async () => {
    for (const name of ['root', 'root@localhost', `${world.info.engine}.sys@localhost`, world.info.admin.name]) {
      const reserved = { reason: 'ReservedName', retryable: false };
      const grant = world.grant({ role: name, system: true, privileges: [], exclusive: true });
      await expect(grant.plan()).rejects.toMatchObject(reserved);
      await expect(world.grant({ role: name, memberOf: role }).plan()).rejects.toMatchObject(reserved);
    }
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
});
