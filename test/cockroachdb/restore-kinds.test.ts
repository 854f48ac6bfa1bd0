/** Restore on CockroachDB: what comes back, whose it is, and that nothing is lost on the way. */
import { beforeAll, expect, test } from 'vitest';
import { waitFor } from '../rig/process.ts';
import type { Simulator } from '../rig/cockroachdb/simulator.ts';
import { Orders, SECRETS, storage } from './orders.ts';
import type { Stage } from './stage.ts';
import { onEveryVersion, simulatorOf } from './world.ts';

onEveryVersion('Restore', (world) => {
  let orders: Orders;
  let stage: Stage;
  let database = '';

  /** Lets the restore that is held do its work. */
  const finishFirst = async (simulator: Simulator): Promise<void> => {
    const held = [...simulator.state.jobs.values()].filter(({ type, finished }) => type === 'RESTORE' && !finished);
    for (const { id } of held) await simulator.jobs.finish(id);
  };

  beforeAll(async () => {
    orders = await Orders.make(world());
    ({ stage, database } = orders);
  });

  test('an encrypted backup is restored beside and takes the place of its target, whose grants are looked at again (B189)', async () => {
    stage.secret('passphrase', { passphrase: 'open sesame' });
    const cockroachdb = { passphraseSecretRef: { name: 'passphrase', key: 'passphrase' } };
    orders.age();
    stage.add('Backup', 'encrypted', { database: orders.database, storage, cockroachdb });
    await stage.until('Backup', 'encrypted', 'Succeeded');
    await orders.asOwner('DELETE FROM public.items WHERE id > 1');
    const source = { backupRef: { name: 'encrypted' } };
    stage.add('Restore', 'careful', { source, targetDatabase: database, cockroachdb });
    await stage.until('Restore', 'careful', 'TargetNotEmpty');
    expect(await orders.rows()).toBe(1);
    await stage.delete('Restore', 'careful');
    stage.add('Restore', 'blind', { source, targetDatabase: database, mode: 'Replace' });
    await stage.until('Restore', 'blind', 'InvalidSpec');
    await stage.delete('Restore', 'blind');
    stage.add('Restore', 'back', { source, targetDatabase: database, mode: 'Replace', cockroachdb });
    const done = await stage.until('Restore', 'back', 'Succeeded');
    expect(done.status?.atProvider).toMatchObject({
      restored: { key: stage.get('Backup', 'encrypted').status?.atProvider?.['key'] },
    });
    expect(await orders.rows()).toBe(3);
    expect(stage.replaced).toContain('back');
    const names = (await world().sql<{ name: string }>('SELECT database_name AS name FROM [SHOW DATABASES]')).map(
      ({ name }) => name,
    );
    expect(names.filter((name) => name.startsWith('xdatabase_'))).toEqual([]);
    await orders.asOwner('INSERT INTO public.items VALUES (9)');
    for (let pass = 0; pass < 3; pass += 1) await stage.pass('Restore', 'back');
    expect(await orders.rows()).toBe(4);
    await stage.delete('Restore', 'back');
    await stage.delete('Backup', 'encrypted');
    expect(await orders.connections()).toEqual([]);
    orders.age();
  });

  test('a database with views is restored under its own name, and there is a whole copy at every moment', async () => {
    const simulator = simulatorOf(world());
    await orders.asOwner('CREATE VIEW public.some AS SELECT id FROM public.items WHERE id < 3');
    orders.age();
    stage.add('Backup', 'views', { database: orders.database, storage });
    await stage.until('Backup', 'views', 'Succeeded');
    await orders.asOwner('DELETE FROM public.items');
    const source = { backupRef: { name: 'views' } };
    stage.add('Restore', 'kept', { source, targetDatabase: database, mode: 'Replace', keepReplaced: true });
    await stage.until('Restore', 'kept', 'InvalidSpec');
    expect(stage.message('Restore', 'kept')).toContain('keepReplaced');
    await stage.delete('Restore', 'kept');
    if (simulator !== undefined) simulator.jobs.isHeld = true;
    stage.add('Restore', 'views', { source, targetDatabase: database, mode: 'Replace' });
    if (simulator !== undefined) {
      await stage.until('Restore', 'views', 'Running');
      simulator.jobs.isHeld = false;
      // The second time, under the name of the target, it fails at first.
      simulator.jobs.nextFailure = 'no space left on device';
      await finishFirst(simulator);
      await stage.until('Restore', 'views', 'Retrying');
      expect(stage.message('Restore', 'views', 'Ready')).toMatch(/no space left.*until then/);
    }
    const done = await stage.until('Restore', 'views', 'Succeeded');
    expect(done.status?.atProvider).toMatchObject({
      restored: { key: stage.get('Backup', 'views').status?.atProvider?.['key'] },
    });
    expect(await orders.asOwner('SELECT id FROM public.some ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
    expect(await world().sql(`SELECT owner FROM [SHOW DATABASES] WHERE database_name = '${database}'`)).toEqual([
      { owner: world().name('owner') },
    ]);
    const left = await world().sql("SELECT database_name FROM [SHOW DATABASES] WHERE database_name LIKE 'xdatabase_%'");
    expect(left).toEqual([]);
    await stage.delete('Restore', 'views');
    await stage.delete('Backup', 'views');
    await orders.asOwner('DROP VIEW public.some');
    orders.age();
  });

  test('a Restore whose job the server has forgotten, once its data was in place, is not run again', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    orders.age();
    stage.add('Backup', 'kept', { database: orders.database, storage });
    await stage.until('Backup', 'kept', 'Succeeded');
    stage.add('Restore', 'forgotten', {
      source: { backupRef: { name: 'kept' } },
      targetDatabase: database,
      mode: 'Replace',
    });
    const isRestoring = (): boolean => [...simulator.state.jobs.values()].some(({ type }) => type === 'RESTORE');
    for (const id of simulator.state.jobs.keys()) simulator.state.jobs.delete(id);
    simulator.jobs.isHeld = true;
    await stage.until('Restore', 'forgotten', 'Running');
    expect(isRestoring()).toBe(true);
    simulator.jobs.isHeld = false;
    await finishFirst(simulator);
    // The answer to the last statement is lost with the provider that waited for it.
    simulator.faults.push({ match: /^DROP DATABASE IF EXISTS "xdatabase_replaced/, do: 'drop', when: 'after' });
    await stage.pass('Restore', 'forgotten');
    for (const id of simulator.state.jobs.keys()) simulator.state.jobs.delete(id);
    await orders.asOwner('INSERT INTO public.items VALUES (77)');
    const { status } = await stage.until('Restore', 'forgotten', 'Succeeded');
    expect(status?.atProvider).toMatchObject({
      restored: { key: stage.get('Backup', 'kept').status?.atProvider?.['key'] },
    });
    expect(isRestoring()).toBe(false);
    expect(await orders.asOwner('SELECT id FROM public.items WHERE id = 77')).toEqual([{ id: 77 }]);
    await orders.asOwner('DELETE FROM public.items WHERE id = 77');
    await stage.delete('Restore', 'forgotten');
    await stage.delete('Backup', 'kept');
    orders.age();
  });

  test('a Restore that is deleted half-way keeps what is nowhere else', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    await world()
      .database('half', { owner: world().name('owner') })
      .reconcile();
    const half = world().name('half');
    await orders.asOwner('CREATE TABLE public.items (id int)', half);
    await orders.asOwner('CREATE VIEW public.some AS SELECT id FROM public.items', half);
    orders.age();
    stage.add('Backup', 'half', { database: half, storage });
    await stage.until('Backup', 'half', 'Succeeded');
    simulator.jobs.isHeld = true;
    stage.add('Restore', 'half', { source: { backupRef: { name: 'half' } }, targetDatabase: half, mode: 'Replace' });
    await stage.until('Restore', 'half', 'Running');
    await finishFirst(simulator);
    await waitFor('the target is gone', async () => {
      await stage.pass('Restore', 'half');
      return !(await world().sql<{ name: string }>('SELECT database_name AS name FROM [SHOW DATABASES]')).some(
        ({ name }) => name === half,
      );
    });
    await stage.delete('Restore', 'half');
    simulator.jobs.isHeld = false;
    const [kept] = await world().sql<{ name: string }>(
      "SELECT database_name AS name FROM [SHOW DATABASES] WHERE database_name LIKE 'xdatabase_beside_%'",
    );
    expect(await world().sql('SELECT id FROM public.some', kept?.name)).toEqual([]);
    const [said] = stage.store.events.filter(({ reason }) => reason === 'KeptExternalResource');
    expect(said?.message).toContain(kept?.name);
    await world().sql(`DROP DATABASE "${kept?.name}" CASCADE`);
    await stage.delete('Backup', 'half');
  });

  test('the newest backup goes into another, empty database, and the replaced one can be kept', async () => {
    await world()
      .database('copy', { owner: world().name('owner') })
      .reconcile();
    stage.add('Backup', 'newest', { database: orders.database, storage });
    orders.age();
    await stage.until('Backup', 'newest', 'Succeeded');
    const target = world().name('copy');
    stage.add('Restore', 'into', {
      source: { storage },
      sourceDatabase: database,
      targetDatabase: target,
      keepReplaced: true,
    });
    const done = await stage.until('Restore', 'into', 'Succeeded');
    expect(await orders.rows(target)).toBe(4);
    const kept = String(done.status?.atProvider?.['replacedDatabase']);
    expect(await world().sql('SELECT 1 AS one FROM [SHOW TABLES FROM public]', kept)).toEqual([]);
    await stage.delete('Restore', 'into');
    await world().sql(`DROP DATABASE "${kept}" CASCADE`);
    await stage.delete('Backup', 'newest');
    orders.age();
  });

  test('nothing that anybody can read holds a secret (B190)', () => {
    expect(stage.visible).not.toMatch(SECRETS);
  });
});
