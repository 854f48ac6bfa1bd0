/** Backups by the server itself: places, jobs in every state, schedules, and restores that take a place. */
import { beforeAll, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import { CockroachEngine } from '../../provider/engines/cockroachdb/engine.ts';
import type { NativeJob, NativeOperations } from '../../provider/engines/native.ts';
import { runSchedule } from '../rig/cockroachdb/schedules.ts';
import { waitFor } from '../rig/process.ts';
import { onEveryVersion, quoted, simulatorOf } from './world.ts';

const SECRET = 'wJalr+XUtn/FEMI%K7';
const uri = (bucket: string, secret = SECRET): Secret =>
  new Secret(
    `s3://${bucket}/pre?AWS_ACCESS_KEY_ID=AKIA&AWS_SECRET_ACCESS_KEY=${encodeURIComponent(secret)}&AWS_REGION=us-east-1`,
  );

onEveryVersion('Native backups', (world) => {
  let database = '';
  let native: NativeOperations;
  const place = 'xdatabase_place';
  const collection = `external://${place}/orders`;

  beforeAll(async () => {
    native = world().engine.native;
    database = world().name('orders');
    await world().role('owner', {}, 'pw').reconcile();
    await world().role('reader', {}, 'pw').reconcile();
    await world()
      .database('orders', { owner: world().name('owner') })
      .reconcile();
    await world().as('owner', 'pw', 'CREATE TABLE public.items (id int PRIMARY KEY, note text)', database);
    await world().as('owner', 'pw', "INSERT INTO public.items VALUES (1, 'first'), (2, 'second')", database);
    age();
    await native.putConnection({ name: place, uri: uri('one') });
  });

  /** As if the databases had been there for long: a backup is of some seconds ago. */
  const age = (): void => {
    const made = simulatorOf(world())?.made;
    for (const oid of made?.keys() ?? []) made?.set(oid, new Date(0));
  };
  const order = () => ({ database, collection });
  const jobOf = async (id: string): Promise<NativeJob> => {
    const job = (await native.jobs('BACKUP', place)).find((candidate) => candidate.id === id);
    if (job === undefined) throw new Error(`no job ${id}`);
    return job;
  };
  const finished = async (type: 'BACKUP' | 'RESTORE', id: string): Promise<NativeJob> =>
    await waitFor(`job ${id} ends`, async () => {
      const job = (await native.jobs(type, type === 'BACKUP' ? place : 'new_db_name')).find((one) => one.id === id);
      return job !== undefined && ['succeeded', 'failed', 'canceled'].includes(job.state) ? job : undefined;
    });

  test('a connection keeps its credentials to itself, and gets new ones', async () => {
    expect(await native.connection('nowhere')).toBeUndefined();
    expect(await native.connection(place)).toMatch(/^s3:\/\/one\/pre\?.*AWS_SECRET_ACCESS_KEY=redacted/);
    await native.putConnection({ name: place, uri: uri('one', 'rotated') });
    expect(simulatorOf(world())?.state.connections.get(place)?.uri ?? 'rotated').toContain('rotated');
    await native.putConnection({ name: place, uri: uri('one') });
    const texts = (simulatorOf(world())?.statements ?? []).map(({ text }) => text).join('\n');
    expect(texts).not.toMatch(/AWS_SECRET_ACCESS_KEY|wJalr/);
  });

  test('a backup is one job, whose id is exact and whose description holds no secret', async () => {
    const id = await native.startBackup({ ...order(), passphrase: new Secret('open sesame') });
    const job = await finished('BACKUP', id);
    expect(job).toMatchObject({ id, state: 'succeeded', status: 'succeeded', error: '', fraction: 1 });
    expect(job.description).not.toContain('sesame');
    expect(job.finished).toMatch(/Z$/);
    expect(await native.backups(collection)).toEqual([/'(\/\d{4}\/\d\d\/[^']+)'/.exec(job.description)?.[1]]);
  });

  test('an encrypted backup is restored with its passphrase only', async () => {
    const [path = ''] = await native.backups(collection);
    const as = world().name('decrypted');
    const from = { collection, path, database, as };
    await expect(native.startRestore(from)).rejects.toMatchObject({
      message: expect.stringMatching(/encrypted/) as unknown,
    });
    await expect(native.startRestore({ ...from, passphrase: new Secret('wrong') })).rejects.toMatchObject({
      message: expect.stringMatching(/decrypt/) as unknown,
    });
    const id = await native.startRestore({ ...from, passphrase: new Secret('open sesame') });
    expect(await finished('RESTORE', id)).toMatchObject({ state: 'succeeded' });
    const rows = await world().sql('SELECT id, note FROM public.items ORDER BY id', as);
    expect(rows).toEqual([
      { id: 1, note: 'first' },
      { id: 2, note: 'second' },
    ]);
    await native.dropDatabase(as);
  });

  test('a restored database takes the place of another, with its owner; grants are made again', async () => {
    const grant = world().grant({
      database,
      schema: 'public',
      tables: ['items'],
      role: world().name('reader'),
      privileges: ['SELECT'],
    });
    await grant.reconcile();
    const id = await native.startBackup(order());
    await finished('BACKUP', id);
    await world().as('owner', 'pw', 'DELETE FROM public.items WHERE id = 1', database);
    await world().sql(`REVOKE CONNECT ON DATABASE ${quoted(database)} FROM public`);
    await world().sql('REVOKE CREATE ON SCHEMA public FROM public', database);
    const path = (await native.backups(collection)).at(-1) ?? '';
    const [beside, replaced] = [world().name('beside'), world().name('replaced')];
    await finished('RESTORE', await native.startRestore({ collection, path, database, as: beside }));
    expect(await native.takePlace({ beside, target: database, replaced })).toBe('taken');
    expect(await native.takePlace({ beside, target: database, replaced })).toBe('nothing');
    // What PUBLIC was not to do it may not do for a moment.
    expect(await world().held('public', `DATABASE ${quoted(database)}`, database)).toEqual([]);
    expect(await world().held('public', 'SCHEMA public', database)).toEqual(['USAGE']);
    expect(await world().as('owner', 'pw', 'SELECT count(*)::text AS n FROM public.items', database)).toEqual([
      { n: '2' },
    ]);
    expect(await world().sql('SELECT id FROM public.items', replaced)).toEqual([{ id: 2 }]);
    expect(await world().codeAs('reader', 'pw', 'SELECT * FROM public.items', database)).toBe('42501');
    expect(await grant.reconcile()).toMatchObject([{ kind: 'grant' }]);
    expect(await world().codeAs('reader', 'pw', 'SELECT * FROM public.items', database)).toBe('');
    expect(
      await world()
        .database('orders', {})
        .plan()
        .catch((error: unknown) => error),
    ).toMatchObject({ reason: 'AlreadyExists' });
    await native.dropDatabase(replaced);
    age();
  });

  test('a database that was found gone between two renames, and made anew, does not stop the change', async () => {
    const path = (await native.backups(collection)).at(-1) ?? '';
    const [beside, replaced] = [world().name('beside2'), world().name('replaced2')];
    await finished('RESTORE', await native.startRestore({ collection, path, database, as: beside }));
    await world().sql(`ALTER DATABASE ${quoted(database)} RENAME TO ${quoted(replaced)}`);
    await world().sql(`CREATE DATABASE ${quoted(database)}`);
    expect(await native.takePlace({ beside, target: database, replaced })).toBe('taken');
    expect(await world().as('owner', 'pw', 'SELECT count(*)::text AS n FROM public.items', database)).toEqual([
      { n: '2' },
    ]);
    await native.dropDatabase(replaced);
    age();
  });

  test('a database with views, which the server does not rename, is told so, and all of it has its owner', async () => {
    const owner = world().name('owner');
    await world().sql('GRANT CREATE ON SCHEMA public TO {owner}', database);
    for (const statement of [
      'CREATE SCHEMA books',
      'CREATE TABLE books.pages (id serial PRIMARY KEY)',
      "CREATE TYPE books.mood AS ENUM ('good')",
      'CREATE FUNCTION books.f(a INT8) RETURNS INT8 LANGUAGE SQL AS $$ SELECT a $$',
      'CREATE FUNCTION books.f(a TEXT) RETURNS INT8 LANGUAGE SQL AS $$ SELECT 1 $$',
      'CREATE PROCEDURE books.p() LANGUAGE SQL AS $$ SELECT 1 $$',
      'CREATE VIEW public.first_items AS SELECT id FROM public.items WHERE id = 1',
    ])
      await world().as('owner', 'pw', statement, database);
    age();
    await finished('BACKUP', await native.startBackup({ database, collection: `external://${place}/views` }));
    const [path = ''] = await native.backups(`external://${place}/views`);
    const [beside, replaced] = [world().name('beside3'), world().name('replaced3')];
    const from = { collection: `external://${place}/views`, path, database };
    await finished('RESTORE', await native.startRestore({ ...from, as: beside }));
    expect(await native.takePlace({ beside, target: database, replaced })).toBe('immovable');
    const owners = async (name: string): Promise<Set<unknown>> => {
      const tables = await world().sql('SELECT owner FROM [SHOW TABLES]', name);
      const types = await world().sql('SELECT owner FROM [SHOW TYPES]', name);
      const schemas = await world().sql("SELECT owner FROM [SHOW SCHEMAS] WHERE schema_name = 'books'", name);
      const routines = await world().sql(
        "SELECT r.rolname AS owner FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner WHERE p.proname IN ('f', 'p')",
        name,
      );
      expect(routines).toHaveLength(3);
      return new Set([...tables, ...types, ...schemas, ...routines].map((row) => row['owner']));
    };
    expect(await owners(beside)).toEqual(new Set([owner]));
    await native.dropDatabase(database);
    await finished('RESTORE', await native.startRestore({ ...from, as: database }));
    await native.handOver({ from: beside, to: database });
    expect(await owners(database)).toEqual(new Set([owner]));
    await native.dropDatabase(beside);
    await world().as('owner', 'pw', 'DROP VIEW public.first_items', database);
    age();
  });

  test('paths of backups are found even where sessions list them by id', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    const before = await native.backups(collection);
    if (simulator.version >= 260_200) simulator.defaults.set('use_backups_with_ids', 'on');
    await native.dropConnection('nothing');
    const other = new CockroachEngine(world().server.settings);
    expect(await other.native.backups(collection)).toEqual(before);
    await other.close();
    simulator.defaults.clear();
  });

  test('a job that ends while it is to be cancelled is no error', async () => {
    const id = await native.startBackup(order());
    await finished('BACKUP', id);
    await native.cancelJob(id);
    expect(await jobOf(id)).toMatchObject({ state: 'succeeded' });
  });

  test('every state of a job is told as what it is', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    simulator.jobs.isHeld = true;
    const id = await native.startBackup(order());
    for (const [status, state] of [
      ['pending', 'waiting'],
      ['retry-running', 'running'],
      ['pause-requested', 'running'],
      ['paused', 'paused'],
      ['cancel-requested', 'ending'],
      ['reverting', 'ending'],
      ['retry-reverting', 'ending'],
      ['revert-failed', 'failed'],
      ['failed', 'failed'],
      ['canceled', 'canceled'],
    ] as const) {
      simulator.jobs.set(id, status, status === 'failed' ? 'disk full\nand more' : '');
      expect(await jobOf(id)).toMatchObject({ status, state, ...(status === 'failed' ? { error: 'disk full' } : {}) });
    }
    const other = await native.startBackup(order());
    await native.cancelJob(other);
    expect(await jobOf(other)).toMatchObject({ state: 'canceled' });
    simulator.jobs.isHeld = false;
  });

  test('a database that is too young for a backup is not there yet', async () => {
    if (simulatorOf(world()) === undefined) return;
    await world().database('young', {}).reconcile();
    await expect(native.startBackup({ database: world().name('young'), collection })).rejects.toMatchObject({
      code: '3D000',
    });
  });

  test('a lost answer of BACKUP is no second backup: the job is found by its place', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    await native.putConnection({ name: 'xdatabase_lost', uri: uri('lost') });
    simulator.faults.push({ match: /^BACKUP/, do: 'drop', when: 'after' });
    await expect(native.startBackup({ database, collection: 'external://xdatabase_lost/x' })).rejects.toThrow();
    expect(await native.jobs('BACKUP', 'external://xdatabase_lost/')).toHaveLength(1);
  });

  test('a schedule is made once, runs, is altered in place, paused, resumed and dropped', async () => {
    const wanted = {
      label: 'xdatabase ns/nightly 1',
      database,
      collection: `external://${place}/nightly`,
      recurrence: '0 3 * * *',
      full: '@weekly',
      onPreviousRunning: 'skip' as const,
    };
    await native.createSchedule(wanted);
    await native.createSchedule(wanted);
    const [incremental, full] = await native.schedules(wanted.label);
    expect(await native.schedules(wanted.label)).toHaveLength(2);
    expect(incremental).toMatchObject({ isFull: false, isPaused: true, isWaiting: true, recurrence: '0 3 * * *' });
    expect(full).toMatchObject({ isFull: true, isPaused: false, recurrence: '@weekly', onPreviousRunning: 'skip' });
    expect(full?.command).toContain(`external://${place}/nightly`);
    const simulator = simulatorOf(world());
    if (simulator !== undefined) {
      await simulator.jobs.ended(runSchedule(simulator, full?.id ?? ''));
      expect((await native.jobs('BACKUP', `external://${place}/nightly`)).map(({ state }) => state)).toEqual([
        'succeeded',
      ]);
      expect((await native.schedules(wanted.label))[0]).toMatchObject({ isPaused: false, isWaiting: false });
    }
    await native.alterSchedule(incremental?.id ?? '', [
      { kind: 'recurring', recurrence: '30 4 * * *' },
      { kind: 'full', full: '@monthly' },
      { kind: 'revisionHistory', value: true },
      { kind: 'into', collection: `external://${place}/moved` },
      { kind: 'onPreviousRunning', value: 'start' },
    ]);
    const after = await native.schedules(wanted.label);
    expect(after.map(({ id, recurrence }) => [id, recurrence])).toEqual([
      [incremental?.id, '30 4 * * *'],
      [full?.id, '@monthly'],
    ]);
    for (const { command, onPreviousRunning } of after) {
      expect(command).toContain('revision_history = true');
      expect(command).toContain(`external://${place}/moved`);
      expect(onPreviousRunning).toBe('start');
    }
    const ids = after.map(({ id }) => id);
    await native.pauseSchedules(ids, true);
    expect((await native.schedules(wanted.label)).every(({ isPaused }) => isPaused)).toBe(true);
    await native.pauseSchedules(ids, false);
    await native.dropSchedules(ids, { cancelJobs: false });
    expect(await native.schedules(wanted.label)).toEqual([]);
  });

  test('the passphrase of a schedule is in no text, and can be changed', async () => {
    const label = 'xdatabase ns/secret 1';
    const shape = { label, database, collection: `external://${place}/secret`, recurrence: '@daily', full: 'ALWAYS' };
    await native.createSchedule({ ...shape, onPreviousRunning: 'wait', passphrase: new Secret('hush-1') });
    const [only] = await native.schedules(label);
    expect(await native.schedules(label)).toHaveLength(1);
    await native.alterSchedule(only?.id ?? '', [{ kind: 'passphrase', value: new Secret('hush-2') }]);
    expect((await native.schedules(label))[0]?.command).toMatch(/encryption_passphrase = '\*+'/);
    expect(JSON.stringify(simulatorOf(world())?.statements.map(({ text }) => text) ?? [])).not.toContain('hush');
    await native.dropSchedules([only?.id ?? ''], { cancelJobs: true });
  });

  test('dropping a schedule ends its running jobs when that is asked for', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    const label = 'xdatabase ns/running 1';
    for (const cancelJobs of [true, false]) {
      const at = `external://${place}/running-${String(cancelJobs)}`;
      await native.createSchedule({
        label,
        database,
        collection: at,
        recurrence: '@daily',
        full: 'ALWAYS',
        onPreviousRunning: 'wait',
      });
      const [only] = await native.schedules(label);
      simulator.jobs.isHeld = true;
      runSchedule(simulator, only?.id ?? '');
      await native.dropSchedules([only?.id ?? ''], { cancelJobs });
      const [job] = await native.jobs('BACKUP', at);
      expect(job?.state).toBe(cancelJobs ? 'canceled' : 'running');
      simulator.jobs.isHeld = false;
    }
  });

  test('a place that cannot be reached, and a right that is missing, are named', async () => {
    const simulator = simulatorOf(world());
    if (simulator === undefined) return;
    simulator.unreachable = 'gone.example';
    const gone = new Secret(
      's3://b?AWS_ACCESS_KEY_ID=a&AWS_SECRET_ACCESS_KEY=s&AWS_ENDPOINT=http%3A%2F%2Fgone.example',
    );
    await expect(native.putConnection({ name: 'xdatabase_gone', uri: gone })).rejects.toMatchObject({
      message: expect.stringContaining('gone.example') as unknown,
    });
    await expect(native.startBackup({ database, collection: 'external://nowhere/x' })).rejects.toMatchObject({
      message: expect.stringContaining('external connection with name nowhere does not exist') as unknown,
    });
  });
});
