/** Sessions: what becomes of them, and of the work on them, when servers, networks and administrators change. */
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import type { ConnectionSettings } from '../../provider/engines/engine.ts';
import { PostgresEngine } from '../../provider/engines/postgres/engine.ts';
import { settingsOf } from '../planning/settings.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { waitFor } from '../rig/process.ts';
import { TcpProxy } from '../rig/tcp-proxy.ts';
import { newestPostgres, sharedPostgres } from '../rig/servers.ts';

const open: PostgresEngine[] = [];
const engineOf = (server: PostgresClient, change: Partial<ConnectionSettings> = {}): PostgresEngine => {
  const engine = new PostgresEngine(settingsOf(server, change));
  open.push(engine);
  return engine;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map(async (engine) => await engine.close()));
});

const reasonOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => 'success',
    (error: unknown) => (error as { reason?: string }).reason ?? String(error),
  );

describe('a server of its own', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({
      major: newestPostgres(),
      tls: true,
      settings: { max_connections: '12', superuser_reserved_connections: '3', reserved_connections: '0' },
      hba: [
        'hostnossl all plain_only 127.0.0.1/32 scram-sha-256',
        'hostssl all plain_only 127.0.0.1/32 reject',
        'hostssl all tls_only 127.0.0.1/32 scram-sha-256',
        'hostnossl all tls_only 127.0.0.1/32 reject',
        'hostssl all by_certificate 127.0.0.1/32 cert',
      ],
    });
  });
  afterAll(async () => {
    await server.stop();
  });

  test('may restart: reads and writes go on with new sessions, without an error in between', async () => {
    const engine = engineOf(server);
    await Promise.all(Array.from({ length: 4 }, async () => await engine.read('role', [{ name: 'postgres' }])));
    await server.restart();
    await engine.run([{ kind: 'createRole', name: 'after_restart', attributes: {} }]);
    await server.restart();
    expect(await engine.read('role', [{ name: 'after_restart' }])).toMatchObject([{ name: 'after_restart' }]);
  });

  test('that is down is Unreachable at once, and used again soon after it is up', async () => {
    const engine = engineOf(server);
    await engine.info();
    await server.down();
    expect(await reasonOf(engine.read('role', [{ name: 'postgres' }]))).toBe('Unreachable');
    await server.up();
    await waitFor('the engine reads again', async () => (await engine.read('role', [{ name: 'postgres' }])).length > 0);
  });

  test('with no session left is waited for, with those sessions that there are', async () => {
    const engine = engineOf(server, { connectionLimit: 50 });
    const reads = Array.from({ length: 200 }, async () => await engine.read('role', [{ name: 'postgres' }]));
    expect(new Set(await Promise.all(reads.map(reasonOf)))).toEqual(new Set(['success']));
  });

  test('that turned into a standby is ReadOnlyServer', async () => {
    const engine = engineOf(server);
    await engine.info();
    await server.query('ALTER SYSTEM SET default_transaction_read_only TO on');
    await server.query('SELECT pg_reload_conf()');
    await server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'xdatabase'");
    const tried = async (): Promise<boolean> =>
      (await reasonOf(engine.run([{ kind: 'createRole', name: 'on_standby', attributes: {} }]))) === 'ReadOnlyServer';
    await waitFor('the server is read-only', tried);
    await server.query('ALTER SYSTEM RESET default_transaction_read_only');
    await server.query('SELECT pg_reload_conf()');
    // Each session hears of it in its own time.
    await server.disconnect();
    await expect
      .poll(async () => await server.query('SHOW default_transaction_read_only'))
      .toEqual([{ default_transaction_read_only: 'off' }]);
  });

  test.each([
    ['prefer', 'plain_only', 'success'],
    ['prefer', 'tls_only', 'success'],
    ['require', 'tls_only', 'success'],
    ['require', 'plain_only', 'AuthenticationFailed'],
    ['disable', 'tls_only', 'AuthenticationFailed'],
  ] as const)('mode %s lets %s in: %s', async (mode, username, outcome) => {
    await server.query(`DROP ROLE IF EXISTS ${username}; CREATE ROLE ${username} LOGIN PASSWORD 'pw'`);
    const engine = engineOf(server, { tls: { mode }, username, password: new Secret('pw') });
    expect(await reasonOf(engine.info())).toBe(outcome);
  });

  test('takes a client certificate instead of a password, and says what is wrong with another', async () => {
    await server.query('CREATE ROLE by_certificate LOGIN');
    const { authority } = server;
    if (authority === undefined) throw new Error('no authority');
    const own = authority.issue({ commonName: 'by_certificate', usage: 'client' });
    const other = authority.issue({ commonName: 'somebody', usage: 'client' });
    const login = async (tls: Partial<ConnectionSettings['tls']>): Promise<string> => {
      const engine = engineOf(server, {
        username: 'by_certificate',
        tls: { mode: 'verify-full', ca: authority.certificate, ...tls },
      });
      return await reasonOf(engine.info());
    };
    expect(await login({ cert: own.certificate, key: new Secret(own.key) })).toBe('success');
    expect(await login({ cert: other.certificate, key: new Secret(other.key) })).toBe('AuthenticationFailed');
    expect(await login({})).toBe('AuthenticationFailed');
    expect(await login({ cert: own.certificate, key: new Secret(other.key) })).toBe('InvalidCertificate');
    expect(await login({ cert: 'no PEM', key: new Secret('no PEM') })).toBe('InvalidCertificate');
    expect(await login({ ca: 'no PEM' })).toBe('CertificateUntrusted');
  });
});

describe('a session', () => {
  const server = sharedPostgres(newestPostgres());

  test('that waits for a lock is given up when nobody waits for it any more', async () => {
    const engine = engineOf(server);
    const name = 'sessions_lock';
    await engine.run([{ kind: 'createDatabase', name }]);
    await engine.run([{ kind: 'createSchema', database: name, name: 's' }]);
    const holder = new Client(server.url(name));
    await holder.connect();
    await holder.query('BEGIN; DROP SCHEMA s');
    const giveUp = new AbortController();
    const waiting = engine.run(
      [{ kind: 'alterSchemaOwner', database: name, name: 's', owner: 'pg_monitor' }],
      giveUp.signal,
    );
    const lockWaits = async (): Promise<number> =>
      (await server.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1", [name]))
        .length;
    await waitFor('it waits for the lock', async () => (await lockWaits()) === 1);
    giveUp.abort(new Error('nobody waits'));
    // It is held all the while: whoever waited for it would not come back.
    await expect(waiting).rejects.toThrow('nobody waits');
    await holder.end();
    await engine.run([{ kind: 'dropDatabase', name }]);
  });

  test('that a failed statement was sent on is used again, in no transaction', async () => {
    await server.query("CREATE ROLE sessions_again LOGIN CREATEROLE PASSWORD 'pw'");
    const own = { username: 'sessions_again', password: new Secret('pw') };
    const engine = engineOf(server, { connectionLimit: 1, ...own });
    const logins = async (): Promise<unknown> =>
      await server.query('SELECT pid FROM pg_stat_activity WHERE usename = $1', [own.username]);
    await engine.info();
    const before = await logins();
    for (let i = 0; i < 3; i += 1)
      expect(await reasonOf(engine.run([{ kind: 'createRole', name: 'postgres', attributes: {} }]))).toBe(
        'AlreadyExists',
      );
    await engine.read('role', [{ name: 'postgres' }]);
    expect(await logins()).toEqual(before);
    await engine.close();
    await server.query('DROP ROLE sessions_again');
  });

  test('is not waited for once the engine is closed', async () => {
    const engine = engineOf(server, { connectionLimit: 1 });
    await engine.info();
    const reads = Array.from({ length: 5 }, async () => await reasonOf(engine.read('role', [{ name: 'x' }])));
    await engine.close();
    expect(
      (await Promise.all(reads)).every((reason) => ['success', 'Disconnected', 'Unreachable'].includes(reason)),
    ).toBe(true);
    expect(await reasonOf(engine.read('role', [{ name: 'x' }]))).toBe('Disconnected');
  });

  test('that the network lost does not hold up the end of the engine', async () => {
    let isDeaf = false;
    const proxy = await TcpProxy.start(server, () => () => (isDeaf ? 'drop' : 'pass'));
    const engine = engineOf(server, { port: proxy.port });
    await engine.info();
    isDeaf = true;
    await expect(engine.read('role', [{ name: 'x' }], AbortSignal.timeout(100))).rejects.toThrow();
    // The network never says that the session is gone: whoever waited for that would not come back.
    await engine.close();
    await proxy.close();
  });
});

describe('many writers', () => {
  const server = sharedPostgres(newestPostgres());

  test('make a thousand roles within seconds', async () => {
    const engine = engineOf(server);
    const names = Array.from({ length: 1_000 }, (_, i) => `writers_${i}`);
    const before = performance.now();
    await Promise.all(
      names.map(async (name) => await engine.run([{ kind: 'createRole', name, attributes: { login: true } }])),
    );
    const seconds = (performance.now() - before) / 1_000;
    await engine.run(names.map((name) => ({ kind: 'dropRole', name })));
    expect(seconds).toBeLessThan(20);
  });

  test('of one catalog row never see an error, even when they are two processes', async () => {
    const engines = [engineOf(server), engineOf(server)];
    const name = 'writers_row';
    const [first] = engines;
    await first?.run([{ kind: 'createDatabase', name }]);
    const roles = Array.from({ length: 24 }, (_, i) => `writers_row_${i}`);
    await first?.run(roles.map((role) => ({ kind: 'createRole', name: role, attributes: {} })));
    const results = await Promise.all(
      roles.map(
        async (role, i) =>
          await reasonOf(
            engines[i % 2]!.run([
              { kind: 'grant', on: { type: 'database', database: name }, to: { name: role }, privileges: ['CONNECT'] },
              {
                kind: 'grant',
                on: { type: 'schema', database: name, schema: 'public' },
                to: { name: role },
                privileges: ['USAGE'],
              },
            ]),
          ),
      ),
    );
    await first?.run([
      { kind: 'dropDatabase', name },
      ...roles.map((role) => ({ kind: 'dropRole' as const, name: role })),
    ]);
    expect(new Set(results)).toEqual(new Set(['success']));
  });
});

describe('rights of the administrator', () => {
  const server = sharedPostgres(newestPostgres());

  test('are seen when they change', async () => {
    await server.query("CREATE ROLE sessions_admin LOGIN PASSWORD 'pw'");
    const engine = engineOf(server, { username: 'sessions_admin', password: new Secret('pw') });
    const create = async (): Promise<string> =>
      await reasonOf(engine.run([{ kind: 'createRole', name: 'sessions_made', attributes: {} }]));
    expect((await engine.info()).admin.createRole).toBe(false);
    expect(await create()).toBe('PermissionDenied');
    await server.query('ALTER ROLE sessions_admin CREATEROLE');
    expect(await create()).toBe('success');
    expect((await engine.info()).admin.createRole).toBe(true);
    await engine.close();
    await server.query('DROP ROLE sessions_made; DROP ROLE sessions_admin');
  });

  test('to make an object suffice, if those to mark it are missing', async () => {
    await server.query(`CREATE ROLE marks_admin LOGIN CREATEDB PASSWORD 'pw'; CREATE ROLE marks_owner;
      GRANT marks_owner TO marks_admin WITH SET TRUE, INHERIT FALSE`);
    const engine = engineOf(server, { username: 'marks_admin', password: new Secret('pw') });
    const mark = { uid: 'u', resource: 'a/b' };
    await engine.run([{ kind: 'createDatabase', name: 'marks', owner: 'marks_owner', mark }]);
    const [database] = await engine.read('database', [{ name: 'marks' }]);
    expect(database).toMatchObject({ owner: 'marks_owner' });
    expect(database?.mark).toBeUndefined();
    await server.query('GRANT CREATE ON DATABASE marks TO marks_admin');
    await engine.run([{ kind: 'createSchema', database: 'marks', name: 's', owner: 'marks_owner', mark }]);
    expect(await engine.read('schema', [{ database: 'marks', name: 's' }])).toMatchObject([{ owner: 'marks_owner' }]);
    await engine.close();
    await server.query('DROP DATABASE marks WITH (FORCE)');
    await server.query('DROP ROLE marks_admin; DROP ROLE marks_owner');
  });
});
