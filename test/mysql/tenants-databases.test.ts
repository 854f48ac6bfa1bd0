/** On a server that namespaces share, a database is its maker's alone, whatever earlier ones of its name have left. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileStep } from '../../provider/engines/mysql/compile/steps.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import { name, type Place, servers, text } from './planned.ts';
import { REFUSED, Tenants } from './tenants-world.ts';

describe.each(servers)('namespaces on one %s', (server) => {
  let tenants: Tenants;
  let place: Place;
  beforeAll(() => {
    tenants = new Tenants(server);
    ({ place } = tenants);
  });
  afterAll(async () => {
    await place.close();
  });

  const quoted = (user: string): string => `${text(user)}@'%'`;

  test('a database is nobody’s but its maker’s, though others had rights on one of its name', async () => {
    const first = tenants.database('a', place.name('per%cent_'), { dropPolicy: 'Always' });
    await first.reconcile();
    const reader = tenants.login('a', place.name('old reader'));
    await reader.reconcile();
    const pattern = first.name.replaceAll(/[\\_%]/g, String.raw`\$&`);
    await place.sql(`CREATE TABLE ${name(first.name)}.t (id int)`);
    await place.sql(`CREATE PROCEDURE ${name(first.name)}.p() SELECT 1`);
    const grantAll = async () => {
      await place.sql(`GRANT SELECT, INSERT ON ${name(pattern)}.* TO ${quoted(reader.name)} WITH GRANT OPTION`);
      await place.sql(`GRANT UPDATE, SELECT (id) ON ${name(first.name)}.t TO ${quoted(reader.name)} WITH GRANT OPTION`);
      await place.sql(`GRANT EXECUTE ON PROCEDURE ${name(first.name)}.p TO ${quoted(reader.name)}`);
    };
    const left = async () =>
      (
        await Promise.all(
          ['db', 'tables_priv', 'columns_priv', 'procs_priv'].map(
            async (table) => await place.sql(`SELECT 1 FROM mysql.${table} WHERE User = ${text(reader.name)}`),
          ),
        )
      ).flat();
    await grantAll();
    expect((await left()).length).toBeGreaterThan(3);
    await first.delete();
    expect(await left()).toEqual([]);
    // Dropped by hand, the rights stay until the next database of that name is made.
    await first.reconcile();
    await place.sql(`CREATE TABLE ${name(first.name)}.t (id int)`);
    await place.sql(`CREATE PROCEDURE ${name(first.name)}.p() SELECT 1`);
    await grantAll();
    await place.sql(`DROP DATABASE ${name(first.name)}`);
    expect(await left()).not.toEqual([]);
    const second = tenants.database('b', first.name);
    await second.reconcile();
    await place.sql(`CREATE TABLE ${name(second.name)}.t (id int)`);
    await expect(
      place.server.queryAs({ name: reader.name, password: 'secret' }, `SELECT * FROM ${name(second.name)}.t`),
    ).rejects.toThrow('denied');
    expect(await left()).toEqual([]);
  });

  test('a database that everybody could enter by its name is not made', async () => {
    const prefix = place.name('open').replaceAll('_', String.raw`\_`);
    if (place.isMariadb) await place.sql(`GRANT SELECT ON ${name(`${prefix}%`)}.* TO PUBLIC`);
    else
      await place.sql(
        `INSERT INTO mysql.db (Host, Db, User, Select_priv) VALUES ('%', ${text(`${prefix}%`)}, '', 'Y')`,
      );
    try {
      const story = tenants.database('a', `${place.name('open')} to all`);
      await expect(story.change()).rejects.toMatchObject({
        reason: 'NotIsolated',
        message: expect.stringContaining(`${prefix}%`) as string,
      });
      expect((await place.engine.read('database', [{ name: story.name }]))[0]).toBeUndefined();
    } finally {
      if (place.isMariadb) await place.sql(`REVOKE SELECT ON ${name(`${prefix}%`)}.* FROM PUBLIC`);
      else await place.sql(`DELETE FROM mysql.db WHERE User = '' AND Db = ${text(`${prefix}%`)}`);
    }
  });

  test('a database whose creation was cut off is made whole by its resource', async () => {
    const info = await place.engine.info();
    const own = tenants.database('a', place.name('cut off'));
    const [step] = (await own.plan()).steps as [Step];
    const all = compileStep(step, info);
    for (const cut of all.keys()) {
      for (const statement of all.slice(0, cut + 1)) await place.sql(statement.text);
      own.creating = true;
      await own.reconcile();
      const theirs = tenants.database('b', own.name);
      theirs.owned = true;
      await expect(theirs.plan()).rejects.toMatchObject({ reason: 'AlreadyManaged' });
      own.spec = { dropPolicy: 'Always' };
      await own.delete();
    }
  });

  test('a database that somebody else has made in that very moment stays theirs', async () => {
    const own = tenants.database('a', place.name('raced'));
    const { steps } = await own.plan();
    await place.sql(`CREATE DATABASE ${name(own.name)}`);
    await expect(place.engine.run(steps)).rejects.toMatchObject({ reason: 'AlreadyExists' });
    own.creating = true;
    await expect(own.plan()).rejects.toMatchObject({ reason: REFUSED });
  });

  test('what one namespace has left as the definer of does not run with the rights of another’s new account', async () => {
    const home = tenants.database('a', place.name('trap'));
    await home.reconcile();
    const definer = place.name('bait');
    // Whoever may, may name a definer that is not there.
    await place.sql(`CREATE DEFINER = ${text(definer)}@'%' PROCEDURE ${name(home.name)}.p() SELECT 1`);
    await expect(tenants.login('b', definer).plan()).rejects.toMatchObject({
      reason: 'NotYours',
      message: expect.stringContaining('procedure p') as string,
    });
    // In its own database it is meant: an account that somebody dropped by hand is made anew.
    await tenants.login('a', definer).reconcile();
  });
});
