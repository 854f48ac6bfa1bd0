/** What keeps a database or a role on the server although nobody is logged in: it is named, and gone as soon as it can be. */
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PostgresEngine } from '../../provider/engines/postgres/engine.ts';
import { DatabasePlanner } from '../../provider/resources/database.ts';
import { RolePlanner } from '../../provider/resources/role.ts';
import { Secret } from '../../provider/common/secret.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { waitFor } from '../rig/process.ts';
import { postgresMajors } from '../rig/servers.ts';
import { readerOf, Story } from '../planning/story.ts';

describe.each(postgresMajors)('on PostgreSQL %i', (major) => {
  let server: PostgresServer;
  let engine: PostgresEngine;
  const place = { engine: undefined as unknown as PostgresEngine, reader: async () => await readerOf(engine) };

  beforeAll(async () => {
    server = await startPostgres({
      major,
      settings: {
        wal_level: 'logical',
        max_prepared_transactions: '3',
        max_replication_slots: '4',
        ...(major >= 15 ? { allow_in_place_tablespaces: 'on' } : {}),
      },
      hba: ['host all all 127.0.0.1/32 scram-sha-256', 'host replication all 127.0.0.1/32 scram-sha-256'],
    });
    engine = new PostgresEngine({
      engine: 'postgres',
      host: server.host,
      port: server.port,
      username: server.adminUser,
      password: new Secret(server.password),
      database: 'postgres',
      tls: { mode: 'disable' },
      connectionLimit: 3,
    });
    place.engine = engine;
  });
  afterAll(async () => {
    await engine.close();
    await server.stop();
  });

  const database = async (name: string): Promise<Story> => {
    const story = new Story(place, new DatabasePlanner(), name, { dropPolicy: 'Always' });
    await story.reconcile();
    return story;
  };
  const role = async (name: string, onDelete: object): Promise<Story> => {
    const story = new Story(place, new RolePlanner(), name, {
      privileges: { login: false },
      onDelete: { revokeGrants: true, ...onDelete },
    });
    await story.reconcile();
    return story;
  };
  const isRole = async (name: string): Promise<boolean> =>
    (await server.query('SELECT FROM pg_roles WHERE rolname = $1', [name])).length > 0;

  test.each([
    [
      'a prepared transaction',
      'prepared',
      "BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'left'",
      "ROLLBACK PREPARED 'left'",
      /prepared transaction/,
    ],
    [
      'a subscription',
      'subscribed',
      "CREATE SUBSCRIPTION sub CONNECTION 'host=127.0.0.1 dbname=nowhere' PUBLICATION p WITH (connect = false)",
      'ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub',
      /subscription/,
    ],
  ])('a database with %s is kept, says so, and goes afterwards', async (_, name, block, release, words) => {
    const story = await database(name);
    await server.query(block, [], name);
    for (let pass = 0; pass < 2; pass += 1)
      await expect(story.delete()).rejects.toMatchObject({
        reason: 'ObjectInUse',
        retryable: true,
        message: expect.stringMatching(words) as string,
      });
    for (const statement of release.split('; ')) await server.query(statement, [], name);
    await story.delete();
    expect(await server.query('SELECT FROM pg_database WHERE datname = $1', [name])).toEqual([]);
  });

  test('a database whose logical slot is being read is kept; a slot that nobody reads goes with it', async () => {
    const story = await database('replicated');
    await server.query("SELECT pg_create_logical_replication_slot('slot', 'pgoutput')", [], 'replicated');
    await server.query('CREATE PUBLICATION p FOR ALL TABLES', [], 'replicated');
    const reader = new Client({
      host: server.host,
      port: server.port,
      user: server.adminUser,
      password: server.password,
      database: 'replicated',
      replication: 'database',
    } as object);
    reader.on('error', () => {});
    await reader.connect();
    reader.query(`START_REPLICATION SLOT slot LOGICAL 0/0 (proto_version '1', publication_names 'p')`).catch(() => {});
    await waitFor(
      'the slot is read',
      async () =>
        (await server.query("SELECT FROM pg_replication_slots WHERE slot_name = 'slot' AND active")).length > 0,
    );
    await expect(story.delete()).rejects.toMatchObject({
      reason: 'ObjectInUse',
      message: expect.stringContaining('slot') as string,
    });
    (reader as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
    await waitFor(
      'nobody reads the slot',
      async () =>
        (await server.query("SELECT FROM pg_replication_slots WHERE slot_name = 'slot' AND active")).length === 0,
    );
    await story.delete();
    expect(await server.query("SELECT FROM pg_replication_slots WHERE slot_name = 'slot'")).toEqual([]);
  });

  describe('while autovacuum works in a database, an administrator who is no superuser', () => {
    let cloud: PostgresEngine;
    const database = async (name: string, spec: object): Promise<Story> => {
      const theirs = { engine: cloud, reader: async () => await readerOf(cloud) };
      const story = new Story(theirs, new DatabasePlanner(), name, { ...spec, dropPolicy: 'Always' });
      await story.reconcile();
      // As slow as can be: one page takes seconds.
      await server.query(
        `CREATE TABLE t WITH (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0,
           autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)
         AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)`,
        [],
        name,
      );
      await server.query('DELETE FROM t', [], name);
      return story;
    };
    const isVacuumed = async (name: string): Promise<void> => {
      const query = "SELECT FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'autovacuum worker'";
      const looks = async (): Promise<boolean> => (await server.query(query, [name])).length > 0;
      await waitFor(`autovacuum works in ${name}`, looks, { timeout: 50_000, interval: 20 });
    };
    const databases = async (): Promise<object[]> =>
      await server.query("SELECT datname FROM pg_database WHERE datname LIKE 'vacuumed%'");

    beforeAll(async () => {
      await server.query("ALTER SYSTEM SET autovacuum_naptime = '1s'");
      await server.query('SELECT pg_reload_conf()');
      await server.query("CREATE ROLE cloud LOGIN CREATEROLE CREATEDB PASSWORD 'cloud'");
      cloud = new PostgresEngine({
        engine: 'postgres',
        host: server.host,
        port: server.port,
        username: 'cloud',
        password: new Secret('cloud'),
        database: 'postgres',
        tls: { mode: 'disable' },
        connectionLimit: 3,
      });
      await cloud.run([{ kind: 'createRole', name: 'cloud_owner', attributes: { login: false } }]);
    });
    afterAll(async () => {
      await server.query('ALTER SYSTEM RESET autovacuum_naptime');
      await server.query('SELECT pg_reload_conf()');
      await cloud.close();
    });

    test.each([
      ['its own', {}],
      ["a role's", { owner: 'cloud_owner' }],
    ])('drops it where it is %s', async (_, spec) => {
      const story = await database('vacuumed', spec);
      await isVacuumed('vacuumed');
      await story.delete();
      expect(await databases()).toEqual([]);
    });

    test('puts another in its place', async () => {
      await database('vacuumed', { owner: 'cloud_owner' });
      const login = {
        name: 'xdatabase_run_vacuumed',
        password: new Secret('run-password'),
        validUntil: new Date(Date.now() + 3_600_000),
      };
      const beside = { like: 'vacuumed', name: 'vacuumed_beside', run: 'u', mayBeAdministrators: false };
      const order = { target: 'vacuumed', beside, replaced: 'vacuumed_replaced', login: login.name };
      await cloud.jobs.makeBeside(login, beside);
      await isVacuumed('vacuumed');
      expect(await cloud.jobs.handOver({ ...order, requireEmpty: false, endSessions: true })).toBe(0);
      await isVacuumed('vacuumed_replaced');
      await cloud.jobs.dropBeside({ name: 'vacuumed_replaced', run: 'u' });
      await cloud.jobs.dropLogin(login.name);
      expect(await databases()).toEqual([{ datname: 'vacuumed' }]);
    });
  });

  test('a role that owns and is granted one of everything, in databases and outside, is emptied and dropped', async () => {
    await role('heir', {});
    const [one, two] = ['every_one', 'every_two'];
    await database(one);
    await database(two);
    const story = await role('everything', { reassignOwnedTo: 'heir' });
    for (const name of [one, two]) {
      await server.query(
        `CREATE EXTENSION postgres_fdw; CREATE SCHEMA mine AUTHORIZATION everything;
         CREATE TABLE mine.t (id int); ALTER TABLE mine.t OWNER TO everything;
         CREATE TABLE public.theirs (id int, secret int); GRANT SELECT (secret) ON public.theirs TO everything WITH GRANT OPTION;
         ALTER TABLE public.theirs ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON public.theirs TO everything, heir USING (true);
         ALTER DEFAULT PRIVILEGES FOR ROLE everything GRANT SELECT ON TABLES TO heir;
         ALTER DEFAULT PRIVILEGES FOR ROLE heir GRANT SELECT ON TABLES TO everything;
         CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw; ALTER SERVER s OWNER TO everything;
         CREATE USER MAPPING FOR everything SERVER s OPTIONS (user 'x', password 'y');
         SELECT lo_create(4711); ALTER LARGE OBJECT 4711 OWNER TO everything;
         CREATE PUBLICATION pub FOR TABLE public.theirs; ALTER PUBLICATION pub OWNER TO everything;
         ALTER ROLE everything IN DATABASE ${name} SET work_mem TO '5MB'`,
        [],
        name,
      );
    }
    await server.query('CREATE DATABASE owned_by_everything OWNER everything');
    if (major >= 15) {
      await server.query("CREATE TABLESPACE theirs LOCATION ''");
      await server.query('ALTER TABLESPACE theirs OWNER TO everything');
      await server.query('GRANT SET ON PARAMETER log_statement TO everything');
    }
    // From 16 on whoever grants a membership is remembered, and cannot go before it.
    await server.query('CREATE ROLE grp; CREATE ROLE member; GRANT grp TO everything WITH ADMIN OPTION');
    await server.query(`SET ROLE everything; GRANT grp TO member; RESET ROLE`);
    await story.delete();
    expect(await isRole('everything')).toBe(false);
    expect(
      await server.query(
        "SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = 'owned_by_everything'",
      ),
    ).toEqual([{ owner: 'heir' }]);
    expect(await server.query('SELECT FROM mine.t', [], two)).toEqual([]);
  });

  test('a role that owns something in a database that takes no connections says which', async () => {
    await database('closed');
    const story = await role('locked_in', { dropOwned: true });
    await server.query('CREATE SCHEMA mine AUTHORIZATION locked_in', [], 'closed');
    await server.query('ALTER DATABASE closed ALLOW_CONNECTIONS false');
    await expect(story.delete()).rejects.toMatchObject({
      reason: 'NotReady',
      message: expect.stringContaining('"closed"') as string,
    });
    await server.query('ALTER DATABASE closed ALLOW_CONNECTIONS true');
    await story.delete();
    expect(await isRole('locked_in')).toBe(false);
  });

  test('a role that is kept as an owner waits for each of its databases, whatever they are called', async () => {
    const story = await role('keeper', { keepIfOwner: true });
    const names = [...Array.from({ length: 11 }, (_, i) => `keeps_${i + 10}`), 'zz keeps "the" \n last'];
    for (const name of names)
      await server.query(`CREATE DATABASE "${name.replaceAll('"', '""')}" OWNER keeper TEMPLATE template0`);
    const [found] = await engine.read('roleDependencies', [{ name: 'keeper' }]);
    expect(found?.ownedDatabases.toSorted()).toEqual(names.toSorted());
    expect(found?.owned[0]).toMatchObject({ database: '', count: 12 });
    // Nobody manages them, so it stays as it is.
    expect((await story.delete()).notes?.[0]?.message).toContain('it owns');
    expect(await isRole('keeper')).toBe(true);
  });
});
