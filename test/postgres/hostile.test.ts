/**
 * What whoever owns a database, or writes its initSQL, tries against the administrator who works in it. Each try is made
 * at a real server, and then nothing of it may have run with more rights than its author has.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ReadKind, Reads } from '../../provider/resources/model/reads.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import { ResourceError } from '../../provider/common/errors.ts';
import { Secret } from '../../provider/common/secret.ts';
import { openClient } from '../../provider/engines/postgres/connect.ts';
import { discover } from '../../provider/engines/postgres/reads/discovery.ts';
import { ClientSession } from '../../provider/engines/postgres/session.ts';
import { settingsOf } from '../planning/settings.ts';
import { circumstances, Place } from './planned.ts';

describe.each(circumstances)('a hostile owner of a database on PostgreSQL %i against a %s', (major, admin) => {
  let place: Place;
  const mallory = (): string => place.name('mallory');
  const victim = (): string => place.name('victim');
  const database = (): string => place.name('trap');
  const asMallory = async (text: string, where = database()): Promise<unknown[]> =>
    await place.as(
      mallory(),
      'pw',
      text.replaceAll(/\{([^{}]+)\}/g, (_, of: string) => `"${place.name(of)}"`),
      where,
    );

  beforeAll(async () => {
    place = await Place.create(major, admin);
    const login = { privileges: { login: true } };
    await place.role(mallory(), login, 'pw').reconcile();
    await place.role(victim(), login, 'pw').reconcile();
    await place.database(database(), { owner: mallory() }).reconcile();
    await place.database(place.name('theirs'), { owner: victim() }).reconcile();
  });
  afterAll(async () => {
    await place.close();
  });

  /** Every kind of read that goes into a database, and the steps that do. */
  const readsIn = (name: string): [ReadKind, Reads[ReadKind]['query']][] => [
    ['schema', { database: name, name: 'public' }],
    ['extension', { database: name, name: 'hstore' }],
    ['schemaContents', { database: name, name: 'public' }],
    ['databaseContents', { name }],
    [
      'grant',
      {
        grantee: { name: mallory() },
        targets: [
          { type: 'table', database: name, schema: 'public', name: '*' },
          { type: 'routine', database: name, schema: 'public', name: '*' },
          { type: 'type', database: name, schema: 'public', name: '*' },
          { type: 'schema', database: name, schema: 'public' },
        ],
      },
    ],
    ['defaultPrivileges', { database: name, creator: mallory(), grantee: { name: mallory() }, objectType: 'table' }],
    ['roleDependencies', { name: mallory() }],
  ];
  const stepsIn = (name: string): Step[] => [
    { kind: 'createSchema', database: name, name: 'made', mark: { uid: 'u', resource: 'a/b' } },
    { kind: 'mark', on: { type: 'schema', database: name, name: 'made' }, mark: { uid: 'v', resource: 'a/b' } },
    { kind: 'createExtension', database: name, name: 'hstore', schema: 'made' },
    { kind: 'dropExtension', database: name, name: 'hstore' },
    {
      kind: 'grant',
      on: { type: 'schema', database: name, schema: 'made' },
      to: { name: mallory() },
      privileges: ['USAGE'],
    },
    {
      kind: 'grant',
      on: { type: 'table', database: name, schema: 'public', name: '*' },
      to: { name: victim() },
      privileges: ['SELECT'],
      grantor: mallory(),
      ...(place.isCloud ? { borrow: true } : {}),
    },
    { kind: 'dropSchema', database: name, name: 'made', cascade: true },
  ];

  test('functions, operators, tables and types of its own with names of the catalog are never used', async () => {
    const body = `INSERT INTO public.caught SELECT current_user, session_user`;
    const functions: [name: string, args: string, returns: string, value: string][] = [
      ['pg_get_userbyid', 'oid', 'name', `'x'::name`],
      ['obj_description', 'oid, name', 'text', `'x'`],
      ['shobj_description', 'oid, name', 'text', `'x'`],
      ['acldefault', '"char", oid', 'aclitem[]', `'{}'::aclitem[]`],
      ['quote_ident', 'text', 'text', `'x'`],
      ['quote_ident', 'name', 'text', `'x'`],
      ['format_type', 'oid, integer', 'text', `'x'`],
      ['pg_has_role', 'oid, oid, text', 'boolean', 'true'],
      ['pg_has_role', 'name, oid, text', 'boolean', 'true'],
      ['has_database_privilege', 'name, oid, text', 'boolean', 'true'],
      ['pg_describe_object', 'oid, oid, integer', 'text', `'x'`],
      ['set_config', 'text, text, boolean', 'text', `'x'`],
      ['starts_with', 'text, text', 'boolean', 'true'],
      ['starts_with', 'name, text', 'boolean', 'true'],
      ['current_setting', 'text', 'text', `'1'`],
      ['pg_terminate_backend', 'integer', 'boolean', 'true'],
      ['convert_to', 'name, name', 'bytea', `''::bytea`],
      ['concat', 'text, text', 'text', `'x'`],
      ['upper', 'name', 'text', `'x'`],
    ];
    await asMallory(
      `GRANT ALL ON SCHEMA public TO PUBLIC; CREATE TABLE public.caught (who text, as_whom text); GRANT ALL ON public.caught TO PUBLIC;
       ${functions.map(([name, args, returns, value]) => `CREATE FUNCTION public.${name}(${args}) RETURNS ${returns} LANGUAGE sql AS $$ ${body}; SELECT ${value} $$`).join('; ')};
       CREATE FUNCTION public.same(name, text) RETURNS boolean LANGUAGE sql AS $$ ${body}; SELECT true $$;
       CREATE FUNCTION public.same(name, name) RETURNS boolean LANGUAGE sql AS $$ ${body}; SELECT true $$;
       CREATE FUNCTION public.same(oid, oid) RETURNS boolean LANGUAGE sql AS $$ ${body}; SELECT true $$;
       CREATE FUNCTION public.same(text, text) RETURNS boolean LANGUAGE sql AS $$ ${body}; SELECT true $$;
       ${['=', '<>', '!~', '~'].flatMap((operator) => ['name, text', 'name, name', 'oid, oid', 'text, text'].map((args) => `CREATE OPERATOR public.${operator} (FUNCTION = public.same, LEFTARG = ${args.split(', ')[0]!}, RIGHTARG = ${args.split(', ')[1]!})`)).join('; ')};
       ${['pg_roles', 'pg_database', 'pg_namespace', 'pg_class', 'pg_extension', 'pg_settings', 'pg_shdepend', 'pg_authid'].map((table) => `CREATE VIEW public.${table} AS SELECT * FROM public.caught`).join('; ')};
       ALTER DATABASE {trap} SET search_path TO public, pg_catalog`,
    );
    // The tables' own code: what runs when a row, a rule, a constraint or an expression is touched.
    await asMallory(
      `CREATE FUNCTION public.spring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; RETURN NEW; END $$;
       CREATE FUNCTION public.check_it(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;
       CREATE TABLE public.baited (id integer CHECK (public.check_it(id)));
       CREATE TRIGGER t BEFORE INSERT ON public.baited EXECUTE FUNCTION public.spring();
       CREATE MATERIALIZED VIEW public.seen AS SELECT public.same('a'::text, 'b') AS same WITH NO DATA;
       CREATE POLICY p ON public.baited USING (public.same('a'::text, 'b')); ALTER TABLE public.baited ENABLE ROW LEVEL SECURITY`,
    );
    for (const [kind, query] of readsIn(database())) await place.engine.read(kind, [query] as never);
    await place.engine.run(stepsIn(database()));
    await place.sql('CREATE DATABASE {shut}');
    await place.sql('REVOKE ALL ON DATABASE {shut} FROM PUBLIC');
    const own = [database(), place.name('shut')];
    const settings = settingsOf(place.server, { username: place.admin, password: new Secret(place.password) });
    // Not into databases of other tests, which could not be dropped while we are there.
    const found = await discover(await place.engine.info(), async (name, work) => {
      if (name !== undefined && !own.includes(name)) throw new ResourceError('DoesNotExist', 'of another test');
      const session = new ClientSession(await openClient(settings, name ?? 'postgres'), name ?? 'postgres');
      try {
        return await work(session);
      } finally {
        await session.end();
      }
    });
    expect(found.databases.map(({ name }) => name)).toContain(database());
    // What the administrator may not look into keeps nobody from the rest.
    const why = found.unread?.find(({ name }) => name === place.name('shut'))?.why;
    if (place.isCloud) expect(why).toMatch('permission denied for database');
    else expect(why).toBeUndefined();
    await place.sql('DROP DATABASE {shut}');
    const login = {
      name: `xdatabase_run_${place.name('x').slice(2)}`,
      password: new Secret('pw'),
      validUntil: new Date(Date.now() + 3_600_000),
    };
    await place.engine.jobs.makeReader(login, database());
    await place.engine.jobs.dropLogin(login.name);
    const other = place.name('heir');
    await place.role(other, { privileges: { login: false } }).reconcile();
    await place.engine.run([
      { kind: 'reassignOwned', database: database(), from: mallory(), to: other },
      { kind: 'reassignOwned', database: database(), from: other, to: mallory() },
    ]);
    expect(await place.sql('SELECT * FROM public.caught', database())).toEqual([]);
  });

  test.each<[setting: string, value: string]>([
    ['default_transaction_read_only', 'on'],
    ['default_transaction_isolation', 'serializable'],
    ['statement_timeout', '1ms'],
    ['lock_timeout', '1ms'],
    ['exit_on_error', 'on'],
    ['role', 'mallory'],
    ['search_path', ''],
    ['quote_all_identifiers', 'on'],
    ['DateStyle', 'SQL, DMY'],
    ['bytea_output', 'escape'],
    ['client_min_messages', 'debug5'],
    ['idle_in_transaction_session_timeout', '1ms'],
    ...(major >= 14 ? [['idle_session_timeout', '1ms'] satisfies [string, string]] : []),
    ...(major >= 17 ? [['transaction_timeout', '1ms'] satisfies [string, string]] : []),
  ])('its setting %s = %s of the database is none of ours', async (setting, value) => {
    const given = setting === 'role' ? mallory() : value;
    await asMallory(`ALTER DATABASE {trap} RESET ALL`, 'postgres');
    await asMallory(`ALTER DATABASE {trap} SET ${setting} TO '${given}'`, 'postgres');
    const engine = place.openAt(place.server.port);
    await engine.run(stepsIn(database()).filter(({ kind }) => kind !== 'grant' || setting !== 'x'));
    for (const [kind, query] of readsIn(database())) await engine.read(kind, [query] as never);
    expect(await engine.read('schema', [{ database: database(), name: 'made' }])).toEqual([undefined]);
    await engine.close();
    await asMallory(`ALTER DATABASE {trap} RESET ALL`, 'postgres');
  });

  test('an administrator that begins as another role by its own setting goes on doing so', async () => {
    if (!place.isCloud) return;
    const group = place.name('admins');
    await place.sql(`CREATE ROLE {admins} CREATEROLE CREATEDB; GRANT {admins} TO "${place.admin}"`);
    await place.sql(`ALTER ROLE "${place.admin}" SET role TO {admins}`);
    await asMallory(`ALTER DATABASE {trap} SET role TO {mallory}`, 'postgres');
    const engine = place.openAt(place.server.port);
    expect((await engine.info()).admin.name).toBe(group);
    await engine.close();
    await place.sql(`ALTER ROLE "${place.admin}" RESET role; REVOKE {admins} FROM "${place.admin}"`);
    await asMallory(`ALTER DATABASE {trap} RESET ALL`, 'postgres');
  });

  describe('a name that the server would read as another', () => {
    const long = 'v'.repeat(63);
    beforeAll(async () => {
      await place.sql(`DROP DATABASE IF EXISTS ${long}`).catch(() => {});
      await place.sql(`CREATE DATABASE ${long} OWNER {victim}`).catch(() => {});
    });
    afterAll(async () => {
      await place.sql(`DROP DATABASE IF EXISTS ${long} WITH (FORCE)`).catch(() => {});
    });

    test.each([
      ['64 bytes of which the first 63 are the name of a database', () => `${long}x`],
      ['64 bytes in fewer characters', () => `${'v'.repeat(62)}é`],
      ['a NUL after the name of a database', () => `${place.name('theirs')}\0`],
      ['a NUL and a setting of the session', () => `${place.name('theirs')}\0options\0-c search_path=public\0`],
    ])('%s leads nowhere', async (_, name) => {
      for (const [kind, query] of readsIn(name())) {
        if (kind === 'roleDependencies') continue;
        await expect(place.engine.read(kind, [query] as never)).rejects.toMatchObject({ reason: 'InvalidSpec' });
      }
      for (const step of stepsIn(name()))
        await expect(place.engine.run([step])).rejects.toMatchObject({ reason: 'InvalidSpec' });
      await expect(
        place.engine.run([{ kind: 'initSQL', database: name(), owner: mallory(), sql: 'CREATE TABLE caught ()' }]),
      ).rejects.toMatchObject({ reason: 'InvalidSpec' });
      const verdict = await place.engine
        .checkPassword(name().replace('theirs', 'victim'), undefined, new Secret('pw'))
        .catch((error: unknown) => (error as { reason?: string }).reason);
      expect(['mismatch', 'unknown', 'InvalidSpec']).toContain(verdict);
    });

    test('of another case or another form of its letters is another name', async () => {
      const names = ['Émile', 'émile', 'Émile'.normalize('NFD'), 'ÉMILE'].map((name) => place.name(name));
      for (const name of names) await place.role(name, { privileges: { login: false } }).reconcile();
      const [first, ...others] = names;
      await place.engine.run([{ kind: 'dropRole', name: first! }]);
      const left = await place.engine.read(
        'role',
        names.map((name) => ({ name })),
      );
      expect(left.map((role) => role?.name)).toEqual([undefined, ...others]);
    });
  });

  describe('initSQL', () => {
    let count = 0;
    const script = async (sql: string): Promise<void> => {
      count += 1;
      await place.engine.run([{ kind: 'initSQL', database: database(), owner: mallory(), sql }]);
    };
    const logins = async (): Promise<unknown[]> =>
      await place.server.query(
        `SELECT l.rolname AS login FROM pg_roles l JOIN pg_auth_members m ON m.member = l.oid JOIN pg_roles g ON g.oid = m.roleid
         WHERE starts_with(l.rolname, 'xdatabase_run_') AND g.rolname = $1`,
        [mallory()],
      );

    test.each([
      ['becomes the administrator', () => `SET ROLE NONE; SET ROLE "${place.admin}"`],
      ['becomes the server\u2019s first superuser', () => `SET ROLE ${place.server.adminUser}`],
      ['becomes another session', () => `SET SESSION AUTHORIZATION ${place.server.adminUser}`],
      ['becomes the owner of another database', () => `SET ROLE NONE; SET ROLE "${victim()}"`],
      ['makes itself a superuser', () => `SET ROLE NONE; ALTER ROLE CURRENT_USER SUPERUSER`],
      ['makes its login last', () => `SET ROLE NONE; ALTER ROLE CURRENT_USER VALID UNTIL 'infinity'`],
      ['runs a program', () => `CREATE TABLE run (t text); COPY run FROM PROGRAM 'id'`],
      ['reads a file', () => `SELECT pg_read_file('/etc/passwd')`],
      ['reads a file into a large object', () => `SELECT lo_import('/etc/passwd')`],
      ['changes the server', () => `ALTER SYSTEM SET log_connections TO on`],
      ['makes a role', () => `CREATE ROLE "${place.name('mole')}"`],
      ['joins a predefined role', () => `GRANT pg_read_all_data TO "${mallory()}"`],
      ['takes an extension that is not trusted', () => `CREATE EXTENSION dblink`],
      ['reads the passwords', () => `SELECT * FROM pg_authid`],
      [
        'ends the administrator',
        () => `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${place.server.adminUser}'`,
      ],
      ['replicates', () => `SELECT pg_create_logical_replication_slot('mole', 'pgoutput')`],
      ['subscribes', () => `CREATE SUBSCRIPTION mole CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false)`],
      ['gives its database to the administrator', () => `ALTER DATABASE "${database()}" OWNER TO "${place.admin}"`],
    ])('that %s is refused, and its login is gone', async (_, sql) => {
      await expect(script(sql())).rejects.toMatchObject({
        reason: expect.stringMatching(/PermissionDenied|ServerRefused|NotReady|DoesNotExist/) as string,
      });
      expect(await logins()).toEqual([]);
    });

    test('that goes back to the same server by way of dblink or a foreign server gets no further', async () => {
      await place.sql('CREATE EXTENSION IF NOT EXISTS dblink SCHEMA public', database());
      await place.sql(
        'CREATE EXTENSION IF NOT EXISTS postgres_fdw SCHEMA public; GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {mallory}',
        database(),
      );
      const address = `host=127.0.0.1 port=${place.server.port} user=${place.server.adminUser} dbname=postgres`;
      await expect(script(`SELECT public.dblink_connect('${address}')`)).rejects.toThrow(/password/);
      await expect(script(`SELECT public.dblink_connect_u('${address}')`)).rejects.toMatchObject({
        reason: 'PermissionDenied',
      });
      await expect(
        script(
          `CREATE SERVER back FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '${place.server.port}', dbname 'postgres');
           CREATE USER MAPPING FOR CURRENT_USER SERVER back OPTIONS (user '${place.server.adminUser}', password_required 'false')`,
        ),
      ).rejects.toThrow(/password_required/);
      expect(await logins()).toEqual([]);
    });

    test.each([
      ['COPY baited FROM STDIN', 'ServerRefused'],
      ['COPY (SELECT 1) TO STDOUT', undefined],
      ["LISTEN x; NOTIFY x, 'y'", undefined],
      ['BEGIN; CREATE TABLE public.half ()', undefined],
      ['SELECT 1; SELECT 2; ', undefined],
      ['', undefined],
    ])('%j ends', async (sql, reason) => {
      const outcome = script(sql);
      if (reason === undefined) await outcome;
      else await expect(outcome).rejects.toMatchObject({ reason: expect.any(String) as string });
      expect(await logins()).toEqual([]);
    });

    test('that answers without end does not fill our memory', async () => {
      const before = process.memoryUsage().rss;
      await expect(script(`SELECT repeat('x', 100000) FROM generate_series(1, 20000)`)).rejects.toMatchObject({
        reason: 'InitSQLFailed',
        message: expect.stringContaining('MiB') as string,
      });
      expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
      expect(await logins()).toEqual([]);
    });

    test('that lets its login work in another database leaves nothing there, and no login', async () => {
      const hide = place.name('hide');
      await place.database(hide, { owner: victim() }).reconcile();
      await place.sql('GRANT CREATE ON DATABASE {hide} TO PUBLIC');
      // The script gives its login a password that its author knows, and stays while that is used.
      await asMallory(`ALTER DATABASE {trap} RESET ALL`, 'postgres');
      const running = script(
        `SET ROLE NONE; SET password_encryption TO 'scram-sha-256'; ALTER ROLE CURRENT_USER PASSWORD 'known'; COMMIT; SELECT pg_sleep(3)`,
      );
      let made = false;
      for (let i = 0; i < 100 && !made; i += 1) {
        const [login] = await logins();
        if (login !== undefined)
          made = await place
            .as((login as { login: string }).login, 'known', 'SET ROLE NONE; CREATE SCHEMA hidden', hide)
            .then(
              () => true,
              () => false,
            );
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(made).toBe(true);
      await running;
      expect(await logins()).toEqual([]);
      expect(await place.server.query("SELECT FROM pg_namespace WHERE nspname = 'hidden'", [], hide)).toEqual([]);
    });
  });
});
