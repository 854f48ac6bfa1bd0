/** Backup on CockroachDB over its whole life (CR4). */
import { beforeAll, expect, test } from 'vitest';
import { Orders, SECRETS, storage } from './orders.ts';
import type { Stage } from './stage.ts';
import { onEveryVersion, simulatorOf } from './world.ts';

onEveryVersion('Backup', (world) => {
  let orders: Orders;
  let stage: Stage;
  let database = '';
  const backups = (): number =>
    (simulatorOf(world())?.statements ?? []).filter(({ text }) => text.startsWith('BACKUP ')).length;

  beforeAll(async () => {
    orders = await Orders.make(world());
    ({ stage, database } = orders);
  });

  test('a Backup waits for a database that is not there, or too young, and then runs once', async () => {
    stage.add('Backup', 'first', { database: world().name('later'), storage });
    await stage.until('Backup', 'first', 'Waiting');
    expect(stage.message('Backup', 'first')).toContain('does not exist yet');
    await world().database('later', {}).reconcile();
    if (simulatorOf(world()) !== undefined) {
      await stage.pass('Backup', 'first');
      expect(stage.message('Backup', 'first')).toContain('ten seconds ago');
      orders.age();
    }
    const done = await stage.until('Backup', 'first', 'Succeeded');
    expect(done.status?.atProvider).toMatchObject({
      phase: 'Succeeded',
      jobId: expect.stringMatching(/^\d{18,19}$/) as unknown,
      key: expect.stringMatching(/^team-a\/first\/later-[0-9a-f]+\/\d{4}\/\d\d\/\d\d-/) as unknown,
      engine: 'cockroachdb',
      completionTime: expect.stringMatching(/Z$/) as unknown,
    });
    const before = backups();
    const status = structuredClone(done.status);
    for (let pass = 0; pass < 3; pass += 1) await stage.pass('Backup', 'first');
    expect(stage.get('Backup', 'first').status).toEqual(status);
    expect(backups()).toBe(before);
    expect(stage.store.events.filter(({ reason }) => reason === 'RunSucceeded')).toHaveLength(1);
    // The credentials leave the server with the run.
    expect(await orders.connections()).toEqual([]);
    await stage.delete('Backup', 'first');
  });

  test('an answer that is lost starts no second backup', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    const before = backups();
    simulator.faults.push({ match: /^BACKUP /, do: 'drop', when: 'after' });
    stage.add('Backup', 'lost', { database: orders.database, storage });
    orders.age();
    await stage.until('Backup', 'lost', 'Succeeded');
    expect(backups() - before).toBe(1);
    await stage.delete('Backup', 'lost');
  });

  test('a backup whose job the server has forgotten is still a success', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    simulator.jobs.isHeld = true;
    stage.add('Backup', 'forgotten', { database: orders.database, storage });
    const { status } = await stage.until('Backup', 'forgotten', 'Running');
    const id = String(status?.atProvider?.['jobId']);
    simulator.jobs.isHeld = false;
    await simulator.jobs.finish(id);
    simulator.state.jobs.delete(id);
    expect((await stage.until('Backup', 'forgotten', 'Succeeded')).status?.atProvider?.['key']).toMatch(/^team-a/);
    await stage.delete('Backup', 'forgotten');
  });

  test('a backup is not taken for made because an earlier resource of its name has made one', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    stage.add('Backup', 'namesake', { database: orders.database, storage });
    orders.age();
    const { status: first } = await stage.until('Backup', 'namesake', 'Succeeded');
    await stage.delete('Backup', 'namesake');
    const before = backups();
    // Refused the first time, as a database is that is too young.
    simulator.faults.push({
      match: /^BACKUP /,
      do: { code: '3D000', message: 'database "x" does not exist' },
      when: 'before',
    });
    stage.add('Backup', 'namesake', { database: orders.database, storage });
    const { status } = await stage.until('Backup', 'namesake', 'Succeeded');
    expect(backups() - before).toBe(2);
    expect(status?.atProvider?.['key']).not.toBe(first?.atProvider?.['key']);
    await stage.delete('Backup', 'namesake');
  });

  test('a job that failed is tried again; canceled, paused and stuck ones are told as such', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    simulator.jobs.nextFailure = 'no space left on device';
    stage.add('Backup', 'again', { database: orders.database, storage });
    await stage.until('Backup', 'again', 'Succeeded');
    await stage.delete('Backup', 'again');
    simulator.jobs.isHeld = true;
    for (const [name, status, reason] of [
      ['canceled', 'canceled', 'JobCanceled'],
      ['stuck', 'revert-failed', 'JobRevertFailed'],
    ] as const) {
      stage.add('Backup', name, { database: orders.database, storage });
      const running = await stage.until('Backup', name, 'Running');
      simulator.jobs.set(String(running.status?.atProvider?.['jobId']), 'paused');
      await stage.until('Backup', name, 'JobPaused');
      expect(stage.message('Backup', name, 'Ready')).toContain('RESUME JOB');
      simulator.jobs.set(String(running.status?.atProvider?.['jobId']), status, 'why');
      const over = await stage.until('Backup', name, 'Failed');
      expect(over.status?.atProvider).toMatchObject({ failureReason: reason });
      await stage.delete('Backup', name);
    }
    simulator.jobs.isHeld = false;
  });

  test('a Backup that is deleted while it runs is cancelled, and leaves nothing', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    simulator.jobs.isHeld = true;
    stage.add('Backup', 'gone', { database: orders.database, storage });
    const running = await stage.until('Backup', 'gone', 'Running');
    await stage.delete('Backup', 'gone');
    expect(simulator.jobs.get(String(running.status?.atProvider?.['jobId'])).status).toBe('canceled');
    expect(await orders.connections()).toEqual([]);
    simulator.jobs.isHeld = false;
  });

  test('what CockroachDB cannot do is refused before anything is begun', async () => {
    for (const [kind, more] of [
      ['Backup', { countRows: true }],
      ['Backup', { filePolicy: 'Delete' }],
      ['BackupSchedule', { schedule: '@daily', timeZone: 'Europe/Amsterdam' }],
      ['BackupSchedule', { schedule: '@daily', retention: { keepLast: 3 } }],
      ['BackupSchedule', { schedule: '@daily', concurrencyPolicy: 'Replace' }],
    ] as const) {
      stage.add(kind, 'refused', { database: orders.database, storage, ...more });
      await stage.until(kind, 'refused', 'InvalidSpec');
      await stage.delete(kind, 'refused');
    }
    stage.add('Copy', 'refused', { sourceDatabase: database, targetDatabase: 'other' });
    await stage.until('Copy', 'refused', 'NotSupported');
    await stage.delete('Copy', 'refused');
  });

  test('nothing that anybody can read holds a secret (B190)', () => {
    expect(stage.visible).not.toMatch(SECRETS);
  });
});
