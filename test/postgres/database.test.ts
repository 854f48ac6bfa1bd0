/** Databases at real servers. */
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasOpenOutcome, ResourceError } from '../../provider/common/errors.ts';
import { waitFor } from '../rig/process.ts';
import { cutAt } from './cutting-proxy.ts';
import { circumstances, Place, type Story } from './planned.ts';

describe.each(circumstances)('a Database on PostgreSQL %i as %s', (major, admin) => {
  let place: Place;
  const owner = (): string => place.name('owner');
  beforeAll(async () => {
    place = await Place.create(major, admin);
    await place.role(owner(), { privileges: { login: false } }).reconcile();
    await place.role(place.name('next'), { privileges: { login: false } }).reconcile();
  });
  afterAll(async () => {
    await place.close();
  });

  const facts = async (name: string): Promise<object | undefined> =>
    (
      await place.server.query(
        `SELECT pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datcollate AS collation,
          datconnlimit AS limit, datallowconn AS open, datistemplate AS template FROM pg_database WHERE datname = $1`,
        [name],
      )
    )[0];
  const settings = async (name: string): Promise<string[]> =>
    (
      await place.server.query<{ setting: string }>(
        `SELECT unnest(setconfig) AS setting FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
         WHERE datname = $1 AND setrole = 0 ORDER BY 1`,
        [name],
      )
    ).map(({ setting }) => setting);

  test('is made with everything, is quiet, and comes back when somebody changes it (B116)', async () => {
    const name = place.name('orders');
    const story = place.database(name, {
      owner: owner(),
      encoding: 'utf-8',
      collation: 'C',
      characterClassification: 'C',
      connectionLimit: 7,
      allowConnections: true,
      isTemplate: true,
      tablespace: 'pg_default',
      ...(place.server.major >= 15 ? { strategy: 'FILE_COPY' } : {}),
      settings: [
        { name: 'search_path', value: '"$user", "Odd, one", public' },
        { name: 'work_mem', value: '5MB' },
      ],
    });
    await story.reconcile();
    const wanted = { owner: owner(), encoding: 'UTF8', collation: 'C', limit: 7, open: true, template: true };
    expect(await facts(name)).toEqual(wanted);
    await place.sql(`ALTER DATABASE {orders} OWNER TO {next}; ALTER DATABASE {orders} CONNECTION LIMIT 1`);
    await place.sql(
      `ALTER DATABASE {orders} SET work_mem TO '6MB'; ALTER DATABASE {orders} SET statement_timeout TO '9s'`,
    );
    await story.reconcile();
    expect(await facts(name)).toEqual(wanted);
    expect(await settings(name)).toEqual([
      'search_path="$user", "Odd, one", public',
      'statement_timeout=9s',
      'work_mem=5MB',
    ]);
    await story.edit({ settings: [{ name: 'search_path', value: '' }] });
    expect(await settings(name)).toEqual(['search_path=""', 'statement_timeout=9s']);
    await story.edit({ settings: undefined, owner: place.name('next'), isTemplate: false });
    expect(await settings(name)).toEqual(['statement_timeout=9s']);
    expect(await facts(name)).toMatchObject({ owner: place.name('next'), template: false });
    // A template is dropped, too.
    await story.edit({ isTemplate: true });
    expect(await story.delete()).toMatchObject({ notes: [] });
    expect(await facts(name)).toBeUndefined();
  });

  test('of other locales than its template is a copy of template0 (B117)', async () => {
    const provider = major >= 17 ? { localeProvider: 'builtin', locale: 'C.UTF-8' } : {};
    for (const spec of [{ collation: 'C', encoding: 'LATIN1', characterClassification: 'C' }, provider]) {
      const story = place.database(place.name('locale'), spec);
      await story.reconcile();
      await story.delete();
    }
  });

  test('with another encoding than asked for says so and stays quiet (B118)', async () => {
    const story = place.database(place.name('drift'), { encoding: 'UTF8' });
    await story.reconcile();
    story.spec = { encoding: 'LATIN1' };
    const plan = await story.plan();
    expect(plan.steps).toEqual([]);
    expect(plan.unchangeable).toEqual([expect.stringContaining('forProvider.encoding is "LATIN1"')]);
  });

  test('of somebody else is neither altered nor dropped, and an adopted one is not dropped either (F3, B114)', async () => {
    const name = place.name('theirs');
    await place.sql(`CREATE DATABASE {theirs} OWNER {next}`);
    const story = place.database(name, { owner: owner(), connectionLimit: 3 });
    await expect(story.change()).rejects.toMatchObject({ reason: 'AlreadyExists' });
    expect(await story.delete()).toMatchObject({ exists: false, steps: [] });
    expect(await facts(name)).toMatchObject({ owner: place.name('next'), limit: -1 });
    await story.edit({ adopt: true });
    expect(await facts(name)).toMatchObject({ owner: owner(), limit: 3 });
    expect((await story.delete()).notes?.[0]?.message).toContain('it was there before this resource');
    expect(await facts(name)).toBeDefined();
    await story.edit({ dropPolicy: 'Always' });
    await story.delete();
    expect(await facts(name)).toBeUndefined();
  });

  test('has one manager: the second is refused, and its deletion leaves the first alone (B98, B121)', async () => {
    const name = place.name('contested');
    const first = place.database(name, {});
    const second = place.database(name, { dropPolicy: 'Always' });
    await first.reconcile();
    await expect(second.change()).rejects.toMatchObject({ message: expect.stringContaining(`tests/${first.uid}`) });
    await second.delete();
    expect(await facts(name)).toBeDefined();
    // Only one of two that may both adopt has it, and the other knows.
    await second.edit({ adopt: true });
    first.spec = { adopt: true };
    await expect(first.change()).rejects.toMatchObject({ reason: 'AlreadyManaged' });
    await expect(second.reconcile()).resolves.toEqual([]);
  });

  test('whose time is over goes by dropPolicy, is not made again, and comes back when its end is moved', async () => {
    const name = place.name('preview');
    const [over, later] = [-1, 1].map((hours) => new Date(Date.now() + hours * 3_600_000).toISOString());
    const story = place.database(name, { owner: owner(), expiresAt: later });
    await story.reconcile();
    await place.sql('CREATE TABLE t (id int)', name);
    story.spec = { ...story.spec, expiresAt: over };
    expect(await story.plan()).toMatchObject({ steps: [], atProvider: { expired: 'Kept' } });
    await story.edit({ expiresAt: later });
    expect(await place.sql('SELECT FROM t', name)).toEqual([]);
    story.spec = { ...story.spec, expiresAt: over, dropPolicy: 'Always' };
    await story.change();
    expect(await facts(name)).toBeUndefined();
    expect(await story.plan()).toMatchObject({ exists: true, steps: [], atProvider: { expired: 'Dropped' } });
    await story.edit({ expiresAt: later });
    expect(await facts(name)).toMatchObject({ owner: owner() });
  });

  test('holding something is kept, and dropped with dropPolicy Always under a client that is connected (B113, F53)', async () => {
    const name = place.name('filled');
    const story = place.database(name, { owner: owner() });
    await story.reconcile();
    await place.sql('CREATE SCHEMA app; CREATE TABLE app.a (id serial); CREATE VIEW app.b AS SELECT 1 AS one', name);
    expect((await story.delete()).notes).toEqual([
      {
        reason: 'KeptExternalResource',
        message: `database "${name}" kept: it holds 1 sequence, 1 table, 1 view; dropPolicy Always drops it`,
      },
    ]);
    const { host, port } = place.server;
    await place.role(place.name('client'), {}, 'pw').reconcile();
    const client = new Client({ host, port, user: place.name('client'), password: 'pw', database: name });
    client.on('error', () => {});
    await client.connect();
    await story.edit({ dropPolicy: 'Always' });
    await story.delete();
    expect(await facts(name)).toBeUndefined();
    await client.end().catch(() => {});
  });

  test('that takes no connections is kept as well', async () => {
    const story = place.database(place.name('closed'), { allowConnections: false });
    await story.reconcile();
    expect((await story.delete()).notes?.[0]?.message).toContain('takes no connections');
    await story.edit({ dropPolicy: 'Always' });
    await story.delete();
  });

  test('waits for its owner', async () => {
    const story = place.database(place.name('waiting'), { owner: place.name('nobody') });
    await expect(story.change()).rejects.toMatchObject({ reason: 'Waiting' });
    expect(await facts(story.name)).toBeUndefined();
  });

  describe('with initSQL', () => {
    const tables = async (name: string): Promise<unknown[]> =>
      await place.sql(
        "SELECT tablename AS name, tableowner AS owner FROM pg_tables WHERE schemaname = 'app' ORDER BY 1",
        name,
      );
    const initial = (name: string, initSQL: string): Story => place.database(name, { owner: owner(), initSQL });

    test('runs it once, in the new database, as the owner (F20, F60)', async () => {
      const name = place.name('init');
      const story = initial(name, 'CREATE SCHEMA app; CREATE TABLE app.made (id int)');
      await story.reconcile();
      expect(await tables(name)).toEqual([{ name: 'made', owner: owner() }]);
      expect((await story.plan()).atProvider).toMatchObject({ initSQL: 'Succeeded' });
      await story.edit({ initSQL: 'DROP TABLE app.made' });
      expect(await tables(name)).toHaveLength(1);
      await story.edit({ dropPolicy: 'Always' });
      await story.delete();
    });

    test('tells that it failed, does not repeat it, and runs it again with another text', async () => {
      const name = place.name('failing');
      const story = initial(name, 'CREATE SCHEMA app; CREATE TABLE app.made (id nonsense)');
      await expect(story.change()).rejects.toMatchObject({ message: expect.stringContaining('nonsense') });
      for (let pass = 0; pass < 2; pass += 1) {
        const plan = await story.plan();
        expect(plan).toMatchObject({ exists: true, steps: [], unready: { reason: 'InitSQLFailed' } });
        expect(plan.atProvider).toMatchObject({ initSQL: 'Failed' });
        await story.change();
      }
      await story.edit({ initSQL: 'CREATE SCHEMA app; CREATE TABLE app.made (id int)' });
      expect(await tables(name)).toHaveLength(1);
      expect((await story.plan()).atProvider).toMatchObject({ initSQL: 'Succeeded' });
    });

    test('runs it when the process died before it began', async () => {
      const name = place.name('died');
      const story = initial(name, 'CREATE SCHEMA app; CREATE TABLE app.made (id int)');
      const { steps, applied } = await story.plan();
      story.applied = applied;
      await place.engine.run(steps.slice(0, 1));
      await story.reconcile();
      expect(await tables(name)).toHaveLength(1);
    });

    test.each([
      ['CREATE DATABASE', 'after'],
      ['COMMENT ON DATABASE', 'before'],
    ] as const)('goes on by itself when the session was lost at %s', async (statement, when) => {
      const name = place.name(`lost ${when}`);
      const story = initial(name, 'CREATE SCHEMA app; CREATE TABLE app.made (id int)');
      story.spec = { ...story.spec, settings: [{ name: 'work_mem', value: '7MB' }] };
      const proxy = await cutAt(place.server, `${statement} "${name}"`, when);
      const engine = place.openAt(proxy.port);
      const { steps, applied } = await story.plan();
      story.applied = applied;
      const failure: unknown = await engine.run(steps).catch((error: unknown) => error);
      await engine.close();
      await proxy.close();
      expect(failure).toBeInstanceOf(ResourceError);
      expect(hasOpenOutcome(failure)).toBe(true);
      await waitFor('the database is there', async () => await facts(name));
      // `create-pending` is there, and no `create-failed`.
      Object.assign(story, { owned: true, creating: true });
      const rest = (await story.reconcile()).map(({ kind }) => kind);
      expect(rest).toEqual(expect.arrayContaining(['mark', 'setDatabaseSetting', 'initSQL']));
      expect(rest).not.toContain('createDatabase');
      expect(await facts(name)).toMatchObject({ owner: owner() });
      expect(await tables(name)).toHaveLength(1);
      story.creating = false;
      await story.edit({ dropPolicy: 'Always' });
      await story.delete();
    });

    test('takes what somebody else made in that moment for what it is', async () => {
      const name = place.name('rival');
      const story = place.database(name, { owner: owner() });
      await place.sql('CREATE DATABASE {rival} OWNER {next}');
      await expect(story.change()).rejects.toMatchObject({ reason: 'AlreadyExists' });
      // Begun, but the owner is another than ours would have.
      Object.assign(story, { owned: true, creating: true });
      expect((await story.plan()).steps.some(({ kind }) => kind === 'mark')).toBe(false);
    });

    test('drops the login of a run that was killed long ago', async () => {
      const run = `xdatabase_run_${place.name('killed').replaceAll(' ', '_')}`;
      const kept = `xdatabase_run_${place.name('running').replaceAll(' ', '_')}`;
      const asAdmin = place.isCloud ? `SET ROLE "${place.admin}"; ` : '';
      await place.server.query(
        `${asAdmin}CREATE ROLE ${run} LOGIN VALID UNTIL '2020-01-01'; CREATE ROLE ${kept} LOGIN VALID UNTIL '2040-01-01'; GRANT "${owner()}" TO ${run}; RESET ROLE`,
      );
      await initial(place.name('tidy'), 'CREATE SCHEMA app').reconcile();
      const left = await place.server.query('SELECT rolname AS name FROM pg_roles WHERE rolname IN ($1, $2)', [
        run,
        kept,
      ]);
      expect(left).toEqual([{ name: kept }]);
    });

    test('cannot do what the owner may not', async () => {
      const story = initial(place.name('evil'), `CREATE ROLE ${place.name('evil').replaceAll(' ', '_')} SUPERUSER`);
      await expect(story.change()).rejects.toMatchObject({ reason: 'PermissionDenied' });
    });
  });
});
