import { describe, expect, test } from 'vitest';
import { DatabasePlanner } from './database.ts';
import { type Circumstances, database, ours, plan, planDelete, role, server, theirs } from './planning.fixture.ts';

const planner = new DatabasePlanner() as never;
const owner = { role: () => role('owner') };
const existing = (more: Parameters<typeof database>[1] = {}, circumstances: Circumstances = {}): Circumstances => ({
  ...circumstances,
  answers: { ...owner, database: () => database('orders', { mark: ours, ...more }), ...circumstances.answers },
});

describe('a database that is not there', () => {
  test('is made with its owner and everything in one statement, so that it never has another (B116)', async () => {
    const spec = { owner: 'owner', connectionLimit: 5, isTemplate: true, allowConnections: true, tablespace: 'fast' };
    const made = await plan(planner, spec, { answers: owner });
    expect(made).toMatchObject({ exists: false, applied: {} });
    expect(made.steps).toEqual([{ kind: 'createDatabase', name: 'orders', ...spec, mark: ours }]);
  });

  test.each([{ encoding: 'UTF8' }, { collation: 'C' }, { localeProvider: 'icu', locale: 'de' }])(
    'is a copy of template0 when %j is asked for (B117)',
    async (spec) => {
      const made = await plan(planner, spec);
      expect(made.steps).toMatchObject([{ template: 'template0', ...spec }]);
    },
  );

  test('is a copy of the template that is asked for, and else of the default', async () => {
    expect((await plan(planner, { encoding: 'UTF8', template: 'mine' })).steps).toMatchObject([{ template: 'mine' }]);
    expect((await plan(planner, {})).steps).toEqual([{ kind: 'createDatabase', name: 'orders', mark: ours }]);
  });

  test('waits for its owner', async () => {
    await expect(plan(planner, { owner: 'owner' })).rejects.toMatchObject({
      reason: 'Waiting',
      message: 'role "owner" (forProvider.owner) does not exist yet',
    });
  });

  test('takes from initProvider what forProvider does not say, and does not manage it afterwards', async () => {
    const settings = [{ name: 'work_mem', value: '1MB' }];
    const made = await plan(planner, { connectionLimit: 5 }, {}, { connectionLimit: 9, settings });
    expect(made.steps).toMatchObject([
      { kind: 'createDatabase', connectionLimit: 5 },
      { kind: 'setDatabaseSetting', setting: 'work_mem', value: '1MB' },
    ]);
    expect(made.applied).toEqual({});
  });
});

describe('what a version of PostgreSQL has not', () => {
  test.each([
    [14, { strategy: 'WAL_LOG' }, 'forProvider.strategy needs PostgreSQL 15 or newer; the server is PostgreSQL 14.1'],
    [14, { localeProvider: 'icu', locale: 'de' }, 'forProvider.localeProvider needs PostgreSQL 15'],
    [15, { localeProvider: 'icu', locale: 'de', icuRules: '&a < b' }, 'forProvider.icuRules needs PostgreSQL 16'],
    [16, { localeProvider: 'builtin', locale: 'C' }, 'forProvider.localeProvider builtin needs PostgreSQL 17'],
  ])('is refused on %i: %j (B120)', async (major, spec, message) => {
    await expect(plan(planner, spec, { server: server(major) })).rejects.toMatchObject({
      reason: 'InvalidSpec',
      retryable: false,
      message: expect.stringContaining(message),
    });
  });

  test.each([
    [{ locale: 'de' }, 'forProvider.locale is for localeProvider icu or builtin'],
    [{ icuRules: '&a < b' }, 'forProvider.icuRules is for localeProvider icu'],
    [{ localeProvider: 'icu' }, 'forProvider.localeProvider icu needs forProvider.locale'],
    [{ characterSet: 'latin1' }, 'forProvider.characterSet means nothing to postgres: give forProvider.encoding'],
    [{ comment: 'x' }, 'forProvider.comment means nothing to postgres; leave it out'],
  ])('is not silently left out: %j', async (spec, message) => {
    await expect(plan(planner, spec)).rejects.toThrow(message);
  });
});

describe('a database that is there', () => {
  test('and is as asked for is left alone, whatever else it has', async () => {
    const spec = {
      owner: 'postgres',
      encoding: 'utf-8',
      collation: 'C.utf8',
      connectionLimit: -1,
      allowConnections: true,
    };
    const observed = existing({ settings: [{ name: 'work_mem', value: '1GB' }] });
    expect(await plan(planner, spec, observed)).toMatchObject({ exists: true, steps: [], unchangeable: [] });
    expect((await plan(planner, {}, observed)).steps).toEqual([]);
  });

  test('gets only what differs', async () => {
    const spec = { owner: 'owner', connectionLimit: 7, isTemplate: false, tablespace: 'fast' };
    expect((await plan(planner, spec, existing())).steps).toEqual([
      { kind: 'alterDatabase', name: 'orders', tablespace: 'fast' },
      { kind: 'alterDatabase', name: 'orders', owner: 'owner', connectionLimit: 7 },
    ]);
  });

  test('loses the settings that left the spec, and keeps those of others', async () => {
    const settings = [
      { name: 'work_mem', value: '1MB' },
      { name: 'TimeZone', value: 'UTC' },
      { name: 'statement_timeout', value: '1s' },
    ];
    const observed = existing({ settings }, { applied: { settings: ['timezone', 'work_mem'] } });
    const given = await plan(planner, { settings: [{ name: 'work_mem', value: '2MB' }] }, observed);
    expect(given.steps).toEqual([
      { kind: 'setDatabaseSetting', name: 'orders', setting: 'work_mem', value: '2MB' },
      { kind: 'setDatabaseSetting', name: 'orders', setting: 'TimeZone', value: null },
    ]);
    expect(given.applied).toEqual({ settings: ['work_mem'] });
    expect((await plan(planner, {}, observed)).steps).toHaveLength(2);
  });

  test('with another encoding or collation says so, and nothing is tried (B118)', async () => {
    const spec = { encoding: 'LATIN1', collation: 'de_DE.UTF-8', characterClassification: 'C.UTF-8' };
    const drift = await plan(planner, spec, existing());
    expect(drift.steps).toEqual([]);
    expect(drift.unchangeable).toEqual([
      'forProvider.encoding is "LATIN1" and the database has "UTF8", which PostgreSQL cannot change: dump it and restore it into a new database',
      'forProvider.collation is "de_DE.UTF-8" and the database has "C.UTF-8", which PostgreSQL cannot change: dump it and restore it into a new database',
    ]);
  });

  test.each([
    ['utf-8', 'UTF8'],
    ['unicode', 'UTF8'],
    ['iso-8859-1', 'LATIN1'],
    ['sql_ascii', 'SQL_ASCII'],
    ['Windows-1252', 'WIN1252'],
  ])('has the encoding %s under the name %s', async (encoding, observed) => {
    expect((await plan(planner, { encoding }, existing({ encoding: observed }))).unchangeable).toEqual([]);
  });

  test('and nobody made for us is refused, and its owner is not even looked for (B114, B121)', async () => {
    const foreign = { answers: { database: () => database('orders', { mark: theirs }) } };
    await expect(plan(planner, { owner: 'nobody' }, foreign)).rejects.toMatchObject({ reason: 'AlreadyExists' });
    const adopted = await plan(planner, { adopt: true }, foreign);
    expect(adopted).toMatchObject({ exists: true, applied: { adopted: true } });
    expect(adopted.steps).toEqual([{ kind: 'mark', on: { type: 'database', name: 'orders' }, mark: ours }]);
  });

  test('and half dropped is said to be of no use, and is not altered', async () => {
    const broken = await plan(planner, { connectionLimit: 3 }, existing({ connectionLimit: -2 }));
    expect(broken).toMatchObject({ steps: [], unready: { reason: 'InvalidDatabase' } });
  });

  test.each([7, 'x', { settings: 'work_mem' }, { settings: [7, null] }])(
    'has no settings reset by a record that somebody broke: %j',
    async (applied) => {
      const observed = existing({ settings: [{ name: 'work_mem', value: '1MB' }] }, { applied });
      expect((await plan(planner, {}, observed)).steps).toEqual([]);
    },
  );
});

describe('initSQL', () => {
  const spec = { owner: 'owner', initSQL: 'CREATE TABLE t (id int)' };
  const digest = /#initSQL-[0-9a-f]{12}$/;
  const begun = async (): Promise<string> => {
    const { steps } = await plan(planner, spec, { answers: owner });
    const mark = steps[1];
    return mark?.kind === 'mark' ? mark.mark.resource : '';
  };

  test('runs after everything else is there, and the database says how far it came (F20, F60)', async () => {
    const { steps, applied } = await plan(planner, { ...spec, allowConnections: false }, { answers: owner });
    expect(steps).toEqual([
      {
        kind: 'createDatabase',
        name: 'orders',
        owner: 'owner',
        mark: { ...ours, resource: 'team-a/thing#initSQL-pending' },
      },
      {
        kind: 'mark',
        on: { type: 'database', name: 'orders' },
        mark: { ...ours, resource: expect.stringMatching(digest) },
      },
      { kind: 'initSQL', database: 'orders', owner: 'owner', sql: spec.initSQL },
      { kind: 'mark', on: { type: 'database', name: 'orders' }, mark: ours },
      { kind: 'alterDatabase', name: 'orders', allowConnections: false },
    ]);
    expect(applied).toEqual({ initSQL: true });
  });

  test('is refused without an owner: it never runs as the administrator', async () => {
    await expect(plan(planner, { initSQL: 'x' })).rejects.toMatchObject({ reason: 'InvalidSpec' });
  });

  test('is not run again once it has succeeded, whatever becomes of its text', async () => {
    const done = existing({ owner: 'owner' }, { owned: true, applied: { initSQL: true } });
    for (const initSQL of [spec.initSQL, 'something else', undefined]) {
      const after = await plan(planner, { owner: 'owner', initSQL }, done);
      expect(after).toMatchObject({ steps: [], atProvider: { initSQL: 'Succeeded' } });
      expect(after.unready).toBeUndefined();
    }
  });

  test('does not run in a database that was there before, or that was made without it', async () => {
    for (const applied of [{}, { adopted: true }]) {
      const after = await plan(planner, spec, existing({ owner: 'owner' }, { owned: true, applied }));
      expect(after.steps).toEqual([]);
      expect(after.atProvider).not.toHaveProperty('initSQL');
    }
  });

  test('that has not begun is begun', async () => {
    const mark = { ...ours, resource: 'team-a/thing#initSQL-pending' };
    const after = await plan(planner, spec, existing({ owner: 'owner', mark }, { applied: { initSQL: true } }));
    expect(after.steps.map(({ kind }) => kind)).toEqual(['mark', 'initSQL', 'mark']);
    expect(after.atProvider).not.toHaveProperty('initSQL');
  });

  test('that failed is said to have failed, and how to go on; it is not tried again by itself', async () => {
    const mark = { ...ours, resource: await begun() };
    const after = await plan(planner, spec, existing({ owner: 'owner', mark }, { applied: { initSQL: true } }));
    expect(after).toMatchObject({
      steps: [],
      atProvider: { initSQL: 'Failed' },
      unready: { reason: 'InitSQLFailed', message: expect.stringContaining('Change its text to run it again') },
    });
  });

  test('that failed runs again with another text, and is forgotten when it is removed', async () => {
    const failed = existing(
      { owner: 'owner', mark: { ...ours, resource: await begun() } },
      { applied: { initSQL: true } },
    );
    const again = await plan(planner, { ...spec, initSQL: 'SELECT 1' }, failed);
    expect(again.steps.map(({ kind }) => kind)).toEqual(['mark', 'initSQL', 'mark']);
    const without = await plan(planner, { owner: 'owner' }, failed);
    expect(without.steps).toEqual([{ kind: 'mark', on: { type: 'database', name: 'orders' }, mark: ours }]);
    expect(without.applied).toEqual({});
    expect(without.unready).toBeUndefined();
  });
});

describe('deletion', () => {
  const filled = { databaseContents: () => ({ empty: false, summary: '3 tables' }) };

  test('drops an empty database that is ours, a template too', async () => {
    expect(await planDelete(planner, {}, existing())).toMatchObject({
      exists: true,
      steps: [{ kind: 'dropDatabase', name: 'orders' }],
    });
    expect((await planDelete(planner, {}, existing({ isTemplate: true }))).steps).toEqual([
      { kind: 'alterDatabase', name: 'orders', isTemplate: false },
      { kind: 'dropDatabase', name: 'orders' },
    ]);
  });

  test('keeps a database that holds something, and says so (B113)', async () => {
    expect(await planDelete(planner, { dropPolicy: 'WhenEmpty' }, existing({}, { answers: filled }))).toMatchObject({
      exists: false,
      steps: [],
      notes: [
        {
          reason: 'KeptExternalResource',
          message: 'database "orders" kept: it holds 3 tables; dropPolicy Always drops it',
        },
      ],
    });
  });

  test('keeps what may not be dropped or was adopted, and drops all with dropPolicy Always', async () => {
    const adopted = { owned: true, applied: { adopted: true } };
    expect((await planDelete(planner, { dropPolicy: 'Never' }, existing())).exists).toBe(false);
    expect((await planDelete(planner, {}, existing({}, adopted))).exists).toBe(false);
    for (const circumstances of [{ answers: filled }, adopted])
      expect((await planDelete(planner, { dropPolicy: 'Always' }, existing({}, circumstances))).steps).toEqual([
        { kind: 'dropDatabase', name: 'orders' },
      ]);
  });

  test('keeps what cannot be looked into', async () => {
    const closed = await planDelete(planner, {}, existing({ allowConnections: false }));
    expect(closed.notes?.[0]?.message).toContain('takes no connections');
  });

  test('finishes what an interrupted DROP began', async () => {
    const unreadable = { databaseContents: () => Promise.reject(new Error('invalid')) as never };
    const broken = await planDelete(planner, {}, existing({ connectionLimit: -2 }, { answers: unreadable }));
    expect(broken.steps).toEqual([{ kind: 'dropDatabase', name: 'orders' }]);
  });

  test('of what is gone, or of what is not ours, sends nothing and is done (B98, B106)', async () => {
    expect(await planDelete(planner, { dropPolicy: 'Always' })).toMatchObject({ exists: false, steps: [], notes: [] });
    for (const mark of [theirs, undefined]) {
      const foreign = { answers: { database: () => database('orders', mark === undefined ? {} : { mark }) } };
      expect(await planDelete(planner, { dropPolicy: 'Always' }, foreign)).toMatchObject({ exists: false, steps: [] });
    }
  });

  test('never drops a database of the server itself', async () => {
    await expect(
      planDelete(planner, { dropPolicy: 'Always' }, existing({}, { externalName: 'postgres' })),
    ).rejects.toMatchObject({ reason: 'ReservedName' });
  });
});

test('a name of the server itself or that is too long is refused before anything is read', async () => {
  const answers = { database: () => Promise.reject(new Error('read')) as never };
  await expect(plan(planner, {}, { externalName: 'template1', answers })).rejects.toMatchObject({
    reason: 'ReservedName',
  });
  await expect(plan(planner, {}, { externalName: 'ü'.repeat(40), answers })).rejects.toThrow('80 bytes');
});
