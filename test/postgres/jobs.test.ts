/** Logins and databases of runs: what a run may do on the server, and what is left when it is over. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import type { RunLogin } from '../../provider/engines/jobs.ts';
import { close } from '../../provider/engines/postgres/jobs/door.ts';
import { ident, join, sql } from '../../provider/engines/postgres/sql.ts';
import { circumstances, Place } from './planned.ts';

describe.each(circumstances)('a run on PostgreSQL %i with a %s as administrator', (major, kind) => {
  let place: Place;
  const password = 'run-password';
  let count = 0;
  const login = (): RunLogin => {
    count += 1;
    return {
      name: `xdatabase_run_${place.name('x').slice(2)}${count}`,
      password: new Secret(password),
      validUntil: new Date(Date.now() + 3_600_000),
    };
  };

  beforeAll(async () => {
    place = await Place.create(major, kind);
    await place.engine.run([
      { kind: 'createRole', name: place.name('owner'), attributes: { login: false } },
      {
        kind: 'createRole',
        name: place.name('app'),
        attributes: { login: true },
        password: new Secret('app-password'),
      },
      { kind: 'createDatabase', name: place.name('db'), owner: place.name('owner') },
      { kind: 'createDatabase', name: place.name('other'), owner: place.name('owner') },
    ]);
    await place.sql(
      'SET ROLE {owner}; CREATE SCHEMA s; CREATE TABLE s.t AS SELECT g AS id FROM generate_series(1, 100) g; CREATE SEQUENCE s.q',
      place.name('db'),
    );
    await place.sql(
      "CREATE ROLE {stranger} LOGIN PASSWORD 'stranger-password'; GRANT CONNECT ON DATABASE {db} TO {app} WITH GRANT OPTION; ALTER DATABASE {db} SET work_mem TO '7MB'; ALTER DATABASE {db} CONNECTION LIMIT 17",
    );
    await place.sql("COMMENT ON DATABASE {db} IS 'precious'");
  });
  afterAll(async () => {
    await place.close();
  });

  const leftovers = async (): Promise<unknown[]> =>
    await place.server.query('SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)', [
      `xdatabase_run_${place.name('x').slice(2)}`,
    ]);

  test('a dump can read everything and write nothing', async () => {
    const run = login();
    await place.engine.jobs.makeReader(run, place.name('db'));
    const as = async (text: string): Promise<unknown> => await place.as(run.name, password, text, place.name('db'));
    expect(await as('SELECT count(*)::int AS n FROM s.t')).toEqual([{ n: 100 }]);
    expect(await as('SELECT last_value::int AS n FROM s.q')).toEqual([{ n: 1 }]);
    await expect(as('INSERT INTO s.t VALUES (1)')).rejects.toMatchObject({
      code: expect.stringMatching(/42501|25006/),
    });
    // Up to 13 there is no role that can read all and write nothing: the session is read-only because it begins so.
    if (kind === 'superuser' && major >= 14)
      await expect(as('SET transaction_read_only TO off; INSERT INTO s.t VALUES (1)')).rejects.toMatchObject({
        code: '42501',
      });
    // The same run again has a new password and no second login.
    await place.engine.jobs.makeReader({ ...run, password: new Secret('another') }, place.name('db'));
    await expect(as('SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    await place.engine.jobs.dropLogin(run.name);
    await place.engine.jobs.dropLogin(run.name);
    expect(await leftovers()).toEqual([]);
  });

  test('a dump gets into a database that is closed to everybody, and leaves no right on it', async () => {
    const database = place.name('db');
    const rights = async (): Promise<unknown> =>
      await place.server.query('SELECT datacl::text FROM pg_database WHERE datname = $1', [database]);
    await place.sql('REVOKE CONNECT, TEMPORARY ON DATABASE {db} FROM PUBLIC');
    const before = await rights();
    const run = login();
    await place.engine.jobs.makeReader(run, database);
    expect(await place.as(run.name, password, 'SELECT count(*)::int AS n FROM s.t', database)).toEqual([{ n: 100 }]);
    await place.engine.jobs.dropLogin(run.name);
    expect(await rights()).toEqual(before);
    expect(await leftovers()).toEqual([]);
    await place.sql('GRANT CONNECT, TEMPORARY ON DATABASE {db} TO PUBLIC');
  });

  test('a dump reads large objects and rows that a policy hides', async () => {
    await place.sql(
      "SET ROLE {owner}; SELECT lo_from_bytea(4711, 'large'); ALTER TABLE s.t ENABLE ROW LEVEL SECURITY",
      place.name('db'),
    );
    const run = login();
    await place.engine.jobs.makeReader(run, place.name('db'));
    const as = async (text: string): Promise<unknown> => await place.as(run.name, password, text, place.name('db'));
    expect(
      await as(
        "SET row_security TO off; SELECT convert_from(lo_get(4711), 'UTF8') AS text, count(*)::int AS n FROM s.t",
      ),
    ).toEqual([{ text: 'large', n: 100 }]);
    await place.engine.jobs.dropLogin(run.name);
    await place.sql(
      'SET ROLE {owner}; SELECT lo_unlink(4711); ALTER TABLE s.t DISABLE ROW LEVEL SECURITY',
      place.name('db'),
    );
  });

  test('a database beside is open to its run alone, and takes the place of the target in one step', async () => {
    const run = login();
    const beside = { like: place.name('db'), name: place.name('beside'), run: 'u-1', mayBeAdministrators: false };
    const before = await place.sql(
      "SELECT pg_get_userbyid(datdba) AS owner, datacl::text AS acl, datconnlimit, shobj_description(oid, 'pg_database') AS comment, (SELECT setconfig::text FROM pg_db_role_setting WHERE setdatabase = d.oid) AS settings FROM pg_database d WHERE datname = '" +
        place.name('db') +
        "'",
    );
    const target = await place.engine.jobs.makeBeside(run, beside);
    expect(target).toEqual({ database: place.name('beside'), ownerRole: place.name('owner') });
    const as = async (text: string, database = place.name('beside')): Promise<unknown> =>
      await place.as(run.name, password, text, database);
    await as('CREATE TABLE public.fresh (id int); INSERT INTO public.fresh VALUES (1)');
    await as('RESET ROLE; CREATE SCHEMA own; CREATE TABLE own.mine (id int)');
    await expect(place.as(place.name('app'), 'app-password', 'SELECT 1', place.name('beside'))).rejects.toMatchObject({
      code: '42501',
    });
    await expect(as('CREATE ROLE evil')).rejects.toMatchObject({ code: '42501' });
    await expect(as('ALTER ROLE CURRENT_USER SUPERUSER')).rejects.toMatchObject({ code: '42501' });

    const order = {
      target: place.name('db'),
      beside,
      replaced: place.name('replaced'),
      login: run.name,
      requireEmpty: false,
      endSessions: true,
    };
    await expect(place.engine.jobs.handOver({ ...order, requireEmpty: true })).rejects.toMatchObject({
      reason: 'TargetNotEmpty',
      message: expect.stringContaining('1 table'),
    });
    expect(await place.engine.jobs.handOver(order)).toBe(0);
    // Asked again after a restart, it is done already.
    expect(await place.engine.jobs.handOver(order)).toBe(0);
    const after = await place.sql(
      "SELECT pg_get_userbyid(datdba) AS owner, datacl::text AS acl, datconnlimit, shobj_description(oid, 'pg_database') AS comment, (SELECT setconfig::text FROM pg_db_role_setting WHERE setdatabase = d.oid) AS settings FROM pg_database d WHERE datname = '" +
        place.name('db') +
        "'",
    );
    expect(after.map(({ acl: _acl, ...rest }) => rest)).toEqual(before.map(({ acl: _acl, ...rest }) => rest));
    expect(
      await place.sql(
        `SELECT has_database_privilege('${place.name('app')}', '${place.name('db')}', 'CONNECT WITH GRANT OPTION') AS app, has_database_privilege('${place.name('stranger')}', '${place.name('db')}', 'CONNECT') AS stranger`,
      ),
    ).toEqual([{ app: true, stranger: true }]);
    expect(
      await place.sql(
        "SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relname IN ('fresh', 'mine')",
        place.name('db'),
      ),
    ).toEqual([{ owner: place.name('owner') }]);
    expect(
      await place.sql(
        "SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname = 'public'",
        place.name('db'),
      ),
    ).toEqual(
      await place.sql(
        "SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname = 'public'",
        place.name('other'),
      ),
    );
    expect(await place.sql('SELECT count(*)::int AS n FROM s.t', place.name('replaced'))).toEqual([{ n: 100 }]);
    await place.engine.jobs.dropBeside({ name: place.name('replaced'), run: 'u-1' });
    await place.engine.jobs.dropLogin(run.name);
    expect(await leftovers()).toEqual([]);
    expect(
      await place.sql(
        `SELECT 1 FROM pg_database WHERE datname IN ('${place.name('replaced')}', '${place.name('beside')}')`,
      ),
    ).toEqual([]);
  });

  test('sessions of others are ended, or are in the way', async () => {
    const run = login();
    const beside = { like: place.name('other'), name: place.name('beside'), run: 'u-2', mayBeAdministrators: false };
    await place.engine.jobs.makeBeside(run, beside);
    const order = {
      target: place.name('other'),
      beside,
      replaced: place.name('replaced'),
      login: run.name,
      requireEmpty: true,
      endSessions: false,
    };
    const sleeper = place.as(place.name('app'), 'app-password', 'SELECT pg_sleep(60)', place.name('other')).then(
      () => 'slept',
      () => 'ended',
    );
    await expect
      .poll(async () =>
        place.server.query("SELECT FROM pg_stat_activity WHERE datname = $1 AND state = 'active'", [
          place.name('other'),
        ]),
      )
      .toHaveLength(1);
    expect(await place.engine.jobs.handOver(order)).toBe(1);
    expect(await place.engine.jobs.handOver({ ...order, endSessions: true })).toBe(0);
    expect(await sleeper).toBe('ended');
    await place.engine.jobs.dropBeside({ name: place.name('replaced'), run: 'u-2' });
    await place.engine.jobs.dropLogin(run.name);
  });

  test('who comes back at once after being ended is not in the way, and is let in afterwards', async () => {
    const run = login();
    const [target, database] = [place.name('other'), place.name('beside')];
    const beside = { like: target, name: database, run: 'u-5', mayBeAdministrators: false };
    await place.engine.jobs.makeBeside(run, beside);
    const over = new AbortController();
    const knocking = Array.from({ length: 4 }, async () => {
      while (!over.signal.aborted)
        await place.as(place.name('app'), 'app-password', 'SELECT pg_sleep(60)', target).catch(() => {});
    });
    const order = {
      target,
      beside,
      replaced: place.name('replaced'),
      login: run.name,
      requireEmpty: true,
      endSessions: true,
    };
    expect(await place.engine.jobs.handOver(order)).toBe(0);
    await expect
      .poll(async () => place.server.query('SELECT FROM pg_stat_activity WHERE datname = $1', [target]))
      .toHaveLength(4);
    over.abort();
    await place.server.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [target]);
    await Promise.all(knocking);
    await place.engine.jobs.dropBeside({ name: place.name('replaced'), run: 'u-5' });
    await place.engine.jobs.dropLogin(run.name);
  });

  test('what a run has closed or filled is opened and dropped when nobody remembers the run', async () => {
    const [lost, next] = [login(), login()];
    const target = place.name('other');
    const beside = { like: target, name: place.name('beside'), run: 'u-6', mayBeAdministrators: false };
    await place.engine.jobs.makeBeside(lost, beside);
    const past = sql`ALTER ROLE ${ident(lost.name)} VALID UNTIL '2020-01-01'`;
    await place.sql(`BEGIN; ${join([...close(target, lost.name), past], '; ').text}; COMMIT`);
    await place.engine.jobs.makeReader(next, place.name('db'));
    await place.engine.jobs.dropLogin(next.name);
    // Runs of other tests look for what is left, too.
    await expect.poll(leftovers).toEqual([]);
    expect(await place.sql('SELECT 1 AS open', target)).toEqual([{ open: 1 }]);
    expect(await place.server.query('SELECT FROM pg_database WHERE datname = $1', [beside.name])).toEqual([]);
  });

  test('a database of the same name that is not of the run is left alone', async () => {
    const run = login();
    await expect(
      place.engine.jobs.makeBeside(run, {
        like: place.name('db'),
        name: place.name('other'),
        run: 'u-3',
        mayBeAdministrators: false,
      }),
    ).rejects.toMatchObject({ reason: 'AlreadyExists' });
    await expect(place.engine.jobs.dropBeside({ name: place.name('other'), run: 'u-3' })).rejects.toMatchObject({
      reason: 'AlreadyExists',
    });
  });

  test('what belongs to the administrator is loaded by nobody but the run, and not at all on a shared server', async () => {
    const run = login();
    const [target, name] = [place.name('admins'), place.name('beside')];
    await place.engine.run([{ kind: 'createDatabase', name: target }]);
    const beside = { like: target, name, run: 'u-4', mayBeAdministrators: false };
    await expect(place.engine.jobs.makeBeside(run, beside)).rejects.toMatchObject({ reason: 'OwnerIsAdministrator' });
    const own = { ...beside, mayBeAdministrators: true };
    expect(await place.engine.jobs.makeBeside(run, own)).toEqual({ database: name, ownerRole: run.name });
    await place.as(run.name, password, 'CREATE TABLE public.t (id int); CREATE SCHEMA s', name);
    await expect(place.as(run.name, password, 'CREATE ROLE evil', name)).rejects.toMatchObject({ code: '42501' });
    const order = {
      target,
      beside: own,
      replaced: place.name('replaced'),
      login: run.name,
      requireEmpty: true,
      endSessions: true,
    };
    expect(await place.engine.jobs.handOver(order)).toBe(0);
    expect(
      await place.sql("SELECT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE relname = 't'", target),
    ).toEqual([{ owner: place.admin }]);
    await place.engine.jobs.dropBeside({ name: place.name('replaced'), run: 'u-4' });
    await place.engine.jobs.dropLogin(run.name);
    expect(await leftovers()).toEqual([]);
  });
});
