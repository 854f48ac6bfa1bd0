/** Backup, BackupSchedule and Restore on CockroachDB, over their whole lives (CR4 and CR5). */
import { beforeAll, expect, test } from 'vitest';
import { runSchedule } from '../rig/cockroachdb/schedules.ts';
import { Stage } from './stage.ts';
import { onEveryVersion, simulatorOf } from './world.ts';

onEveryVersion('Backup kinds', (world) => {
  let stage: Stage;
  let database = '';
  const storage = { name: 'main' };
  const SECRET = /my\/secret|my%2Fsecret|rotated-secret|open sesame/;

  /** As if the databases had been there for long. */
  const age = (): void => {
    const made = simulatorOf(world())?.made;
    for (const oid of made?.keys() ?? []) made?.set(oid, new Date(0));
  };
  const rows = async (name = database): Promise<number> =>
    (await world().sql('SELECT id FROM public.items', name)).length;
  const connections = async (): Promise<string[]> =>
    (await world().sql<{ name: string }>('SELECT connection_name AS name FROM [SHOW EXTERNAL CONNECTIONS]')).map(
      ({ name }) => name,
    );
  const schedules = async () =>
    await world().sql<{ label: string; recurrence: string; schedule_status: string; command: string }>(
      "SELECT label, recurrence, schedule_status, command FROM [SHOW SCHEDULES FOR BACKUP] WHERE label LIKE 'xdatabase team-a/%' ORDER BY id",
    );
  const backups = (): number =>
    (simulatorOf(world())?.statements ?? []).filter(({ text }) => text.startsWith('BACKUP ')).length;

  beforeAll(async () => {
    stage = new Stage(world());
    database = world().name('orders');
    await world().role('owner', {}, 'pw').reconcile();
    await world()
      .database('orders', { owner: world().name('owner') })
      .reconcile();
    await world().as('owner', 'pw', 'CREATE TABLE public.items (id int PRIMARY KEY)', database);
    await world().as('owner', 'pw', 'INSERT INTO public.items VALUES (1), (2), (3)', database);
  });

  test('a Backup waits for a database that is not there, or too young, and then runs once', async () => {
    stage.add('Backup', 'first', { database: world().name('later'), storage });
    await stage.until('Backup', 'first', 'Waiting');
    expect(stage.message('Backup', 'first')).toContain('does not exist yet');
    await world().database('later', {}).reconcile();
    if (simulatorOf(world()) !== undefined) {
      await stage.pass('Backup', 'first');
      expect(stage.message('Backup', 'first')).toContain('ten seconds ago');
      age();
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
    expect(await connections()).toEqual([]);
    await stage.delete('Backup', 'first');
  });

  test('an answer that is lost starts no second backup', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    const before = backups();
    simulator.faults.push({ match: /^BACKUP /, do: 'drop', when: 'after' });
    stage.add('Backup', 'lost', { database, storage });
    age();
    await stage.until('Backup', 'lost', 'Succeeded');
    expect(backups() - before).toBe(1);
    await stage.delete('Backup', 'lost');
  });

  test('a backup whose job the server has forgotten is still a success', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    simulator.jobs.isHeld = true;
    stage.add('Backup', 'forgotten', { database, storage });
    const { status } = await stage.until('Backup', 'forgotten', 'Running');
    const id = String(status?.atProvider?.['jobId']);
    simulator.jobs.isHeld = false;
    await simulator.jobs.finish(id);
    simulator.state.jobs.delete(id);
    expect((await stage.until('Backup', 'forgotten', 'Succeeded')).status?.atProvider?.['key']).toMatch(/^team-a/);
    await stage.delete('Backup', 'forgotten');
  });

  test('a job that failed is tried again; canceled, paused and stuck ones are told as such', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    simulator.jobs.nextFailure = 'no space left on device';
    stage.add('Backup', 'again', { database, storage });
    await stage.until('Backup', 'again', 'Succeeded');
    await stage.delete('Backup', 'again');
    simulator.jobs.isHeld = true;
    for (const [name, status, reason] of [
      ['canceled', 'canceled', 'JobCanceled'],
      ['stuck', 'revert-failed', 'JobRevertFailed'],
    ] as const) {
      stage.add('Backup', name, { database, storage });
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
    stage.add('Backup', 'gone', { database, storage });
    const running = await stage.until('Backup', 'gone', 'Running');
    await stage.delete('Backup', 'gone');
    expect(simulator.jobs.get(String(running.status?.atProvider?.['jobId'])).status).toBe('canceled');
    expect(await connections()).toEqual([]);
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
      stage.add(kind, 'refused', { database, storage, ...more });
      await stage.until(kind, 'refused', 'InvalidSpec');
      await stage.delete(kind, 'refused');
    }
    stage.add('Copy', 'refused', { sourceDatabase: database, targetDatabase: 'other' });
    await stage.until('Copy', 'refused', 'NotSupported');
    await stage.delete('Copy', 'refused');
  });

  test('an encrypted backup is restored beside and takes the place of its target, whose grants are looked at again (B189)', async () => {
    stage.secret('passphrase', { passphrase: 'open sesame' });
    const cockroachdb = { passphraseSecretRef: { name: 'passphrase', key: 'passphrase' } };
    age();
    stage.add('Backup', 'encrypted', { database, storage, cockroachdb });
    await stage.until('Backup', 'encrypted', 'Succeeded');
    await world().as('owner', 'pw', 'DELETE FROM public.items WHERE id > 1', database);
    const source = { backupRef: { name: 'encrypted' } };
    stage.add('Restore', 'careful', { source, targetDatabase: database, cockroachdb });
    await stage.until('Restore', 'careful', 'TargetNotEmpty');
    expect(await rows()).toBe(1);
    await stage.delete('Restore', 'careful');
    stage.add('Restore', 'blind', { source, targetDatabase: database, mode: 'Replace' });
    await stage.until('Restore', 'blind', 'InvalidSpec');
    await stage.delete('Restore', 'blind');
    stage.add('Restore', 'back', { source, targetDatabase: database, mode: 'Replace', cockroachdb });
    const done = await stage.until('Restore', 'back', 'Succeeded');
    expect(done.status?.atProvider).toMatchObject({
      restored: { key: stage.get('Backup', 'encrypted').status?.atProvider?.['key'] },
    });
    expect(await rows()).toBe(3);
    expect(stage.replaced).toContain('back');
    const names = (await world().sql<{ name: string }>('SELECT database_name AS name FROM [SHOW DATABASES]')).map(
      ({ name }) => name,
    );
    expect(names.filter((name) => name.startsWith('xdatabase_'))).toEqual([]);
    await world().as('owner', 'pw', 'INSERT INTO public.items VALUES (9)', database);
    for (let pass = 0; pass < 3; pass += 1) await stage.pass('Restore', 'back');
    expect(await rows()).toBe(4);
    await stage.delete('Restore', 'back');
    await stage.delete('Backup', 'encrypted');
    expect(await connections()).toEqual([]);
    age();
  });

  test('the newest backup goes into another, empty database, and the replaced one can be kept', async () => {
    await world()
      .database('copy', { owner: world().name('owner') })
      .reconcile();
    stage.add('Backup', 'newest', { database, storage });
    age();
    await stage.until('Backup', 'newest', 'Succeeded');
    const target = world().name('copy');
    stage.add('Restore', 'into', {
      source: { storage },
      sourceDatabase: database,
      targetDatabase: target,
      keepReplaced: true,
    });
    const done = await stage.until('Restore', 'into', 'Succeeded');
    expect(await rows(target)).toBe(4);
    const kept = String(done.status?.atProvider?.['replacedDatabase']);
    expect(await world().sql('SELECT 1 AS one FROM [SHOW TABLES FROM public]', kept)).toEqual([]);
    await stage.delete('Restore', 'into');
    await world().sql(`DROP DATABASE "${kept}" CASCADE`);
    await stage.delete('Backup', 'newest');
    age();
  });

  test('a BackupSchedule is one schedule, changed in place, healed, and gone with its resource', async () => {
    stage.add('BackupSchedule', 'nightly', {
      database,
      storage,
      schedule: '0 3 * * *',
      cockroachdb: { fullBackup: 'Always' },
    });
    await stage.pass('BackupSchedule', 'nightly');
    const [made] = await schedules();
    expect(await schedules()).toHaveLength(1);
    expect(made).toMatchObject({ recurrence: '0 3 * * *', schedule_status: 'ACTIVE' });
    expect(made?.label).toMatch(/^xdatabase team-a\/nightly [0-9a-f]{16}$/);
    const status = async () => (await stage.pass('BackupSchedule', 'nightly'))?.status;
    const settled = await status();
    expect(settled?.atProvider).toMatchObject({
      suspended: false,
      command: expect.stringMatching(
        /^BACKUP DATABASE .* INTO 'external:\/\/xdatabase_[0-9a-f]{16}\/team-a\/nightly\//,
      ) as unknown,
    });
    expect(await status()).toEqual(settled);
    stage.edit('BackupSchedule', 'nightly', { schedule: '30 4 * * *', suspend: true });
    await stage.pass('BackupSchedule', 'nightly');
    expect(await schedules()).toMatchObject([
      { label: made?.label, recurrence: '30 4 * * *', schedule_status: 'PAUSED' },
    ]);
    stage.edit('BackupSchedule', 'nightly', {
      suspend: false,
      cockroachdb: { fullBackup: '@weekly', revisionHistory: true },
    });
    await stage.pass('BackupSchedule', 'nightly');
    const pair = await schedules();
    expect(pair.map(({ recurrence }) => recurrence).toSorted()).toEqual(['30 4 * * *', '@weekly']);
    expect(pair.every(({ command }) => command.includes('revision_history'))).toBe(true);
    const [{ id } = { id: '' }] = await world().sql<{ id: string }>(
      "SELECT id FROM [SHOW SCHEDULES FOR BACKUP] WHERE backup_type = 'FULL'",
    );
    await world().sql(`PAUSE SCHEDULE ${id}`);
    await stage.pass('BackupSchedule', 'nightly');
    expect((await schedules()).find(({ recurrence }) => recurrence === '@weekly')?.schedule_status).toBe('ACTIVE');
    await world().sql(`DROP SCHEDULE ${id}`);
    await stage.pass('BackupSchedule', 'nightly');
    await stage.pass('BackupSchedule', 'nightly');
    expect(await schedules()).toHaveLength(2);
    await stage.delete('BackupSchedule', 'nightly');
    expect(await schedules()).toEqual([]);
    expect((await connections()).length).toBe(0);
  });

  test('a scheduled backup tells its last run and restores rows; a rotated key is taken up', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    stage.add('BackupSchedule', 'hourly', {
      database,
      storage,
      schedule: '@hourly',
      cockroachdb: { fullBackup: 'Always' },
    });
    await stage.pass('BackupSchedule', 'hourly');
    const [schedule] = [...simulator.state.schedules.values()].filter(({ label }) => label.includes('hourly'));
    simulator.jobs.nextFailure = 'the bucket is gone';
    runSchedule(simulator, schedule?.id ?? '');
    expect((await stage.pass('BackupSchedule', 'hourly'))?.status?.atProvider).toMatchObject({
      lastFailureReason: 'JobFailed',
      lastFailureMessage: expect.stringContaining('the bucket is gone') as unknown,
    });
    await simulator.jobs.ended(runSchedule(simulator, schedule?.id ?? ''));
    const status = (await stage.pass('BackupSchedule', 'hourly'))?.status;
    const { key = '' } = (status?.atProvider?.['lastBackup'] ?? {}) as { key?: string };
    expect(status?.atProvider?.['lastSuccessTime']).toMatch(/Z$/);
    stage.secret('s3', { AWS_SECRET_ACCESS_KEY: 'rotated-secret' });
    await stage.pass('BackupSchedule', 'hourly');
    expect([...simulator.state.connections.values()].every(({ uri }) => uri.includes('rotated-secret'))).toBe(true);
    expect(await schedules()).toHaveLength(1);
    await world()
      .database('scheduled', { owner: world().name('owner') })
      .reconcile();
    const target = world().name('scheduled');
    stage.add('Restore', 'scheduled', { source: { storage, key }, sourceDatabase: database, targetDatabase: target });
    await stage.until('Restore', 'scheduled', 'Succeeded');
    expect(await rows(target)).toBe(4);
    await stage.delete('BackupSchedule', 'hourly');
  });

  test('nothing that anybody can read holds a secret (B190)', () => {
    expect(stage.visible).not.toMatch(SECRET);
  });
});
