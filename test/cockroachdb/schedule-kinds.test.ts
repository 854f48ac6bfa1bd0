/** BackupSchedule on CockroachDB over its whole life (CR5). */
import { beforeAll, expect, test } from 'vitest';
import { runSchedule } from '../rig/cockroachdb/schedules.ts';
import { Orders, SECRETS, storage } from './orders.ts';
import type { Stage } from './stage.ts';
import { onEveryVersion, simulatorOf } from './world.ts';

onEveryVersion('BackupSchedule', (world) => {
  let orders: Orders;
  let stage: Stage;
  let database = '';
  const schedules = async () =>
    await world().sql<{ label: string; recurrence: string; schedule_status: string; command: string }>(
      "SELECT label, recurrence, schedule_status, command FROM [SHOW SCHEDULES FOR BACKUP] WHERE label LIKE 'xdatabase team-a/%' ORDER BY id",
    );

  beforeAll(async () => {
    orders = await Orders.make(world());
    ({ stage, database } = orders);
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
    expect((await orders.connections()).length).toBe(0);
  });

  test('a schedule is left alone once it is as it should be, whatever has been changed before', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    stage.secret('words', { passphrase: 'open sesame' });
    const passphraseSecretRef = { name: 'words', key: 'passphrase' };
    stage.add('BackupSchedule', 'quiet', {
      database,
      storage,
      schedule: '@daily',
      cockroachdb: { fullBackup: 'Always', passphraseSecretRef },
    });
    const changes = async (): Promise<string[]> => {
      await stage.pass('BackupSchedule', 'quiet');
      const before = simulator.statements.length;
      for (let pass = 0; pass < 3; pass += 1) await stage.pass('BackupSchedule', 'quiet');
      const sent = simulator.statements.slice(before).map(({ text }) => text);
      return sent.filter((text) => /^(CREATE|ALTER|DROP|PAUSE|RESUME)\b/.test(text));
    };
    expect(await changes()).toEqual([]);
    stage.secret('s3', { AWS_ACCESS_KEY_ID: 'MYKEY', AWS_SECRET_ACCESS_KEY: 'rotated-secret' });
    expect(await changes()).toEqual([]);
    stage.secret('words', { passphrase: 'open sesame too' });
    expect(await changes()).toEqual([]);
    stage.edit('BackupSchedule', 'quiet', { cockroachdb: { fullBackup: 'Always', kmsUri: 'external://one' } });
    expect(await changes()).toEqual([]);
    await stage.delete('BackupSchedule', 'quiet');
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
    const told = stage.store.events.filter(({ reason }) => /^Run(Failed|Succeeded)$/.test(reason));
    expect(told.map(({ reason }) => reason)).toEqual(['RunFailed', 'RunSucceeded']);
    expect(stage.ended).toEqual(['hourly false', 'hourly true']);
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'LastRunSucceeded', status: 'True' }));
    // The server forgets its jobs after some days, long before a monthly schedule is due again.
    const kept = [...simulator.state.jobs.keys()];
    for (const id of kept) simulator.state.jobs.delete(id);
    expect((await stage.pass('BackupSchedule', 'hourly'))?.status).toEqual(status);
    expect(stage.ended).toHaveLength(2);
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
    expect(await orders.rows(target)).toBe(3);
    await stage.delete('BackupSchedule', 'hourly');
  });

  test('a schedule that runs as another administrator is made again as this one', async () => {
    const chief = world().name('chief');
    await world()
      .role('chief', { privileges: { superUser: true } }, 'pw')
      .reconcile();
    stage.add('BackupSchedule', 'inherited', {
      database,
      storage,
      schedule: '@daily',
      cockroachdb: { fullBackup: '@weekly' },
    });
    await stage.pass('BackupSchedule', 'inherited');
    const [{ label, command } = { label: '', command: '' }] = await schedules();
    const collection = /INTO (?:LATEST IN )?'([^']+)'/.exec(command)?.[1];
    const all = async () =>
      await world().sql<{ id: string; owner: string }>(
        `SELECT id, owner FROM [SHOW SCHEDULES FOR BACKUP] WHERE label = '${label}'`,
      );
    for (const { id } of await all())
      await world()
        .sql(`DROP SCHEDULE ${id}`)
        .catch(() => {});
    await world().as(
      'chief',
      'pw',
      `CREATE SCHEDULE '${label}' FOR BACKUP DATABASE "${database}" INTO '${collection}' RECURRING '@daily' FULL BACKUP '@weekly' WITH SCHEDULE OPTIONS ignore_existing_backups, on_previous_running = 'skip'`,
    );
    expect((await all()).map(({ owner }) => owner)).toEqual([chief, chief]);
    await stage.pass('BackupSchedule', 'inherited');
    const admin = world().server.settings.username;
    expect((await all()).map(({ owner }) => owner)).toEqual([admin, admin]);
    const status = (await stage.pass('BackupSchedule', 'inherited'))?.status;
    expect((await stage.pass('BackupSchedule', 'inherited'))?.status).toEqual(status);
    await stage.delete('BackupSchedule', 'inherited');
    // Nothing of his is left that would keep him.
    await world().role('chief', {}).delete();
  });

  test('a key that is another, or none, makes a schedule anew; nothing stays encrypted with the old one', async () => {
    stage.secret('key', { passphrase: 'open sesame' });
    const base = { database: orders.database, storage, schedule: '@daily' };
    const fullBackup = 'Always';
    stage.add('BackupSchedule', 'keys', { ...base, cockroachdb: { fullBackup, kmsUri: 'external://one' } });
    await stage.pass('BackupSchedule', 'keys');
    const said = async (): Promise<string> => {
      await stage.pass('BackupSchedule', 'keys');
      const found = await schedules();
      expect(found).toHaveLength(1);
      return found[0]?.command ?? '';
    };
    expect(await said()).toContain("kms = 'external://one'");
    stage.edit('BackupSchedule', 'keys', { cockroachdb: { fullBackup, kmsUri: 'external://two' } });
    await said();
    expect(await said()).toContain("kms = 'external://two'");
    const passphraseSecretRef = { name: 'key', key: 'passphrase' };
    stage.edit('BackupSchedule', 'keys', { cockroachdb: { fullBackup, passphraseSecretRef } });
    await said();
    expect(await said()).toMatch(/WITH OPTIONS \(encryption_passphrase = '\*+', detached\)/);
    stage.edit('BackupSchedule', 'keys', { cockroachdb: { fullBackup } });
    await said();
    expect(await said()).toMatch(/WITH OPTIONS \(detached\)/);
    await stage.delete('BackupSchedule', 'keys');
  });

  test('nothing that anybody can read holds a secret (B190)', () => {
    expect(stage.visible).not.toMatch(SECRETS);
  });
});
