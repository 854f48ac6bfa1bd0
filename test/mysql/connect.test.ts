/** Sessions: TLS as the configuration says, what the server or the network refuses, restarts and crashes. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import type { ConnectionSettings } from '../../provider/engines/engine.ts';
import { MysqlEngine } from '../../provider/engines/mysql/engine.ts';
import { settingsOf } from '../planning/settings.ts';
import { createAuthority } from '../rig/certificates.ts';
import { type MysqlServer, startMariadb, startMysql } from '../rig/mysql.ts';
import { freePort, waitFor } from '../rig/process.ts';
import { Place } from './planned.ts';

type Change = Partial<Omit<ConnectionSettings, 'tls'>> & { tls?: Partial<ConnectionSettings['tls']> };

const rows = [
  ['MySQL 9.7', startMysql],
  ['MariaDB 11.8', async (options: object) => await startMariadb('11.8', options)],
] as const;

describe.each(rows)('a session on %s', (_, start) => {
  let server: MysqlServer;
  const engines: MysqlEngine[] = [];

  beforeAll(async () => {
    server = await start({ tls: true });
  });
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.close();
  });
  afterAll(async () => {
    await server.stop();
  });

  const open = (change: Change = {}): MysqlEngine => {
    const { tls, ...rest } = change;
    const secure = { mode: 'verify-full' as const, ca: server.authority?.certificate ?? '', ...tls };
    const settings = settingsOf(server, { connectionLimit: 2, ...rest, tls: secure });
    const engine = new MysqlEngine(settings, server.flavour);
    engines.push(engine);
    return engine;
  };
  const cipherOf = async (change: Change = {}): Promise<string> => {
    await open(change).info();
    const sessions = await server.query<{ type: string }>(
      server.flavour === 'mysql'
        ? `SELECT VARIABLE_VALUE AS type FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Ssl_accepts'`
        : `SELECT VARIABLE_VALUE AS type FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'SSL_ACCEPTS'`,
    );
    return sessions[0]?.type ?? '';
  };

  test.each([
    ['verify-full against the address in the certificate', {}],
    ['verify-full against the name in the certificate', { host: 'localhost' }],
    ['verify-full against serverName, wherever the server is', { tls: { serverName: 'localhost' } }],
    ['verify-ca whatever the name is', { tls: { mode: 'verify-ca', serverName: 'elsewhere.example' } }],
    ['require with an unknown authority', { tls: { mode: 'require', ca: createAuthority().certificate } }],
    ['prefer', { tls: { mode: 'prefer' } }],
  ] satisfies [string, Change][])('is encrypted with %s', async (_what, change) => {
    const before = Number(await cipherOf({ tls: { mode: 'disable' } }));
    expect(Number(await cipherOf(change))).toBeGreaterThan(before);
  });

  test.each([
    [
      'the name is another',
      { tls: { serverName: 'elsewhere.example' } },
      'the certificate is for another host; use a name that is in the certificate as endpoint or tls.serverName',
    ],
    [
      // Were an address not checked as what it is, it would be checked as "localhost", which the certificate has.
      'the address is another',
      { tls: { serverName: '127.0.0.9' } },
      'the certificate is for another host',
    ],
    ['the authority is another', { tls: { ca: createAuthority('another').certificate } }, 'tls.caSecretRef'],
    [
      'no authority is given',
      { tls: { ca: undefined } },
      'the certificate is from a private CA; give the CA in tls.caSecretRef',
    ],
  ] as [string, Change, string][])('is refused when %s', async (_what, change, message) => {
    const settings = { ...change };
    const engine = open(settings);
    await expect(engine.info()).rejects.toMatchObject({
      reason: 'CertificateUntrusted',
      message: expect.stringContaining(message) as string,
    });
  });

  test('uses a client certificate, without which the account is not let in', async () => {
    const authority = server.authority!;
    await server.query(`CREATE USER 'by certificate'@'%' IDENTIFIED BY 'x' REQUIRE X509`);
    const login = { username: 'by certificate', password: new Secret('x') };
    await expect(open(login).info()).rejects.toMatchObject({ reason: 'AuthenticationFailed', code: '1045' });
    const { certificate, key } = authority.issue({ commonName: 'by certificate', usage: 'client', hosts: [] });
    const engine = open({ ...login, tls: { cert: certificate, key: new Secret(key) } });
    expect((await engine.info()).admin.name).toBe('by certificate');
    const other = createAuthority().issue({ commonName: 'by certificate', usage: 'client', hosts: [] });
    await expect(
      open({ ...login, tls: { cert: other.certificate, key: new Secret(other.key) } }).info(),
    ).rejects.toMatchObject({
      reason: expect.stringMatching(/^(TlsRefused|Unreachable|AuthenticationFailed)$/) as string,
    });
    await expect(
      open({ ...login, tls: { cert: certificate, key: new Secret('no key') } }).info(),
    ).rejects.toMatchObject({ reason: 'InvalidCertificate' });
  });

  test('never uses what another configuration of the same server is given, at the same time', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 12 }, async (__, i) =>
        i % 2 === 0 ? await open().info() : await open({ tls: { ca: createAuthority().certificate } }).info(),
      ),
    );
    const outcome = (result: (typeof results)[number]): string =>
      result.status === 'fulfilled' ? 'in' : String((result.reason as { reason?: string }).reason ?? result.reason);
    expect(results.map(outcome)).toEqual(
      Array.from({ length: 12 }, (__, i) => (i % 2 === 0 ? 'in' : 'CertificateUntrusted')),
    );
  });

  test('says what is wrong with a login, without the password and without the address of this machine', async () => {
    const wrong = new Secret('not the password');
    const failure = await open({ password: wrong })
      .info()
      .catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({
      reason: 'AuthenticationFailed',
      code: '1045',
      message:
        "Access denied for user 'root' (using password: YES) (1045); check user name and password in the credentials Secret",
    });
    expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('not the password');
  });

  test('says that nobody answers', async () => {
    await expect(open({ port: await freePort() }).info()).rejects.toMatchObject({
      reason: 'Unreachable',
      message: expect.stringMatching(
        /^cannot connect to 127\.0\.0\.1:\d+: connection refused; check endpoint and port/,
      ) as string,
    });
    await expect(open({ host: 'no-such-host.invalid' }).info()).rejects.toMatchObject({ reason: 'Unreachable' });
  });

  test('of the other engine says which one it is', async () => {
    const other = server.flavour === 'mysql' ? 'mariadb' : 'mysql';
    const engine = new MysqlEngine(settingsOf(server, { engine: other }), other);
    await expect(engine.info()).rejects.toMatchObject({
      reason: 'WrongEngine',
      message: expect.stringContaining(`set engine: ${server.flavour}`) as string,
    });
    await engine.close();
  });

  test('stays within the limit, however much is asked at one time', async () => {
    const engine = open();
    await engine.info();
    const before = await connections();
    const work = Array.from({ length: 40 }, async (__, i) => await engine.read('role', [{ name: `r${i}` }]));
    expect(await connections()).toBeLessThanOrEqual(before + 2);
    await Promise.all(work);
  });

  const connections = async (): Promise<number> => (await server.query('SHOW PROCESSLIST')).length;

  test('that the server has no room for is told apart, and the sessions that there are go on', async () => {
    const [before] = await server.query<{ room: number }>('SELECT @@GLOBAL.max_connections AS room');
    await server.query('SET GLOBAL max_connections = 12');
    const early = open({ connectionLimit: 1 });
    await early.info();
    const held: Awaited<ReturnType<typeof server.login>>[] = [];
    const fill = async (): Promise<never> => {
      for (;;) held.push(await server.login({ name: 'root', password: server.password }));
    };
    // A session that ended a moment ago takes up room for another moment.
    const refusal = await waitFor('there is no room', async () => {
      await expect(fill()).rejects.toThrow(/Too many connections/);
      return await open()
        .info()
        .then(
          () => undefined,
          (error: unknown) => error,
        );
    });
    expect(refusal).toMatchObject({ reason: 'TooManyConnections', code: '1040' });
    expect(await early.read('role', [{ name: 'x' }])).toEqual([undefined]);
    for (const connection of held) connection.destroy();
    await server.query('SET GLOBAL max_connections = ?', [before?.room]);
  });

  test('that was killed while idle is replaced without anybody noticing', async () => {
    const engine = open();
    await engine.read('role', [{ name: 'x' }]);
    const list = await server.query<{ Id: number; User: string; db: string | null; Info: string | null }>(
      'SHOW PROCESSLIST',
    );
    for (const { Id, Info } of list) if (Info === null) await server.query(`KILL ${Id}`).catch(() => {});
    expect(await engine.read('role', [{ name: 'x' }])).toEqual([undefined]);
  });

  test.each(['restart', 'kill'] as const)('after a %s of the server goes on as soon as it is back', async (how) => {
    const engine = open();
    await engine.run([{ kind: 'createDatabase', name: `before ${how}` }]);
    if (how === 'kill') await server.kill();
    else await server.down();
    await expect(engine.read('role', [{ name: 'x' }])).rejects.toMatchObject({ reason: 'Unreachable' });
    await server.up();
    // Who asks in the moment after a failure is told of that failure.
    const found = await waitFor('an answer', async () => await engine.read('database', [{ name: `before ${how}` }]));
    expect(found).toMatchObject([{ name: `before ${how}` }]);
  });

  test('to a server that stops answering is given up by the caller at once', async () => {
    const engine = open();
    await engine.info();
    const blocker = await server.login({ name: 'root', password: server.password });
    await blocker.query('CREATE DATABASE IF NOT EXISTS locked');
    await blocker.query('CREATE TABLE IF NOT EXISTS locked.t (a int)');
    await blocker.query('LOCK TABLES locked.t READ');
    const controller = new AbortController();
    const dropping = engine.run([{ kind: 'dropDatabase', name: 'locked' }], controller.signal);
    await waitFor('it waits for the lock', async () => {
      const list = await server.query<{ Info: string | null; State: string | null }>('SHOW PROCESSLIST');
      return list.some(({ Info, State }) => Info?.startsWith('DROP DATABASE') === true && /lock/i.test(State ?? ''));
    });
    controller.abort(new Error('enough'));
    // It is locked all the while: whoever waited for the server would not come back.
    await expect(dropping).rejects.toThrow('enough');
    blocker.destroy();
    expect(await engine.read('role', [{ name: 'x' }])).toEqual([undefined]);
  });
});

describe.each([
  ['MySQL 9.7', startMysql],
  ['MariaDB 10.11', async (options: object) => await startMariadb('10.11', options)],
] as const)('on %s with settings of its own', (_, start) => {
  test.each([
    { 'sql-mode': 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES' },
    { 'init-connect': "SET SESSION sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES', SESSION sql_select_limit = 1" },
    { 'lower-case-table-names': '0', 'character-set-server': 'latin1' },
  ])('%j texts mean the same as everywhere, and what a read leaves out is not there', async (settings) => {
    const server = await start({ settings });
    try {
      // An init_connect is not for who may do everything.
      await server.query(`CREATE USER 'admin'@'%' IDENTIFIED BY 'x'`);
      await server.query(
        `GRANT CREATE USER, CREATE, DROP, ALTER, SELECT ON *.* TO 'admin'@'%'${server.flavour === 'mysql' ? '' : ' WITH GRANT OPTION'}`,
      );
      const login = { username: 'admin', password: new Secret('x'), connectionLimit: 1 };
      const engine = new MysqlEngine(settingsOf(server, login), server.flavour);
      const hostile = `a\\'b"c`;
      await engine.run([
        { kind: 'createDatabase', name: hostile },
        { kind: 'createRole', name: hostile, attributes: { login: true }, password: new Secret(hostile) },
      ]);
      expect(await engine.read('database', [{ name: 'mysql' }, { name: 'none' }, { name: hostile }])).toMatchObject([
        { name: 'mysql' },
        undefined,
        { name: hostile, encoding: 'utf8mb4' },
      ]);
      expect(await engine.read('role', [{ name: hostile }])).toMatchObject([{ name: hostile, host: '%' }]);
      expect(await engine.checkPassword(hostile, undefined, new Secret(hostile))).toBe('match');
      await server.queryAs({ name: hostile, password: hostile }, 'SELECT 1');
      await engine.close();
    } finally {
      await server.stop();
    }
  });
});

test('a server that stores names of databases in small letters has one name for each', async () => {
  const server = await startMariadb('11.8', { settings: { 'lower-case-table-names': '1' } });
  const place = new Place(server);
  try {
    await place.sql('CREATE DATABASE Mixed');
    const observed = await place.engine.read('database', [{ name: 'mixed' }, { name: 'MIXED' }]);
    expect(observed.map((one) => one?.name)).toEqual(['mixed', 'MIXED']);
    await expect(place.database('Orders').plan()).rejects.toMatchObject({
      reason: 'InvalidSpec',
      message: expect.stringContaining('write "orders" instead of "Orders"') as string,
    });
    await place.database('orders').reconcile();
  } finally {
    await place.close();
    await server.stop();
  }
});

test('a replica is told from a server that has something against us', async () => {
  const server = await startMysql({ settings: { 'super-read-only': 'OFF' } });
  const place = new Place(server);
  try {
    await place.sql('SET GLOBAL super_read_only = ON');
    await expect(place.database('orders').change()).rejects.toMatchObject({
      reason: 'ReadOnlyServer',
      code: '1290',
      message: expect.stringContaining('use the one of the primary') as string,
    });
    expect(await place.engine.read('database', [{ name: 'orders' }])).toEqual([undefined]);
    // It leaves read_only on, as a replica has it.
    await place.sql('SET GLOBAL super_read_only = OFF');
    await place.sql('SET GLOBAL read_only = OFF');
    await place.database('orders').reconcile();
  } finally {
    await place.close();
    await server.stop();
  }
});
