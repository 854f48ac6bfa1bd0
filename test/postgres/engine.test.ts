/** The engine at real servers: sessions, TLS, logins, and steps that end up as they were asked. */
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import type { ConnectionSettings } from '../../provider/engines/engine.ts';
import { PostgresEngine } from '../../provider/engines/postgres/engine.ts';
import { settingsOf } from '../planning/settings.ts';
import { createAuthority } from '../rig/certificates.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { newestPostgres, postgresMajors, sharedPostgres } from '../rig/servers.ts';

const names = [
  'plain',
  'Upper Case',
  'a"b',
  'a.b',
  "it's",
  'back\\slash',
  'ünï',
  'select',
  '$x%',
  'x'.repeat(63),
  'new\nline',
  '"; DROP ROLE x; --',
];
const passwords = [
  'a}b!c',
  'p@ss:w/rd',
  '%41',
  "it's",
  'back\\slash',
  'sp ace',
  'ü',
  '$x',
  '"q"',
  '#?',
  'new\nline',
  'x'.repeat(200),
  '\u00A0no-break',
  'ﬁ',
];

describe.each(postgresMajors)('PostgreSQL %i', (label) => {
  const server = sharedPostgres(label);
  const { major } = server;
  const prefix = `eng${major}`;
  let engine: PostgresEngine;
  beforeAll(() => {
    engine = new PostgresEngine(settingsOf(server));
  });
  afterAll(async () => {
    await engine.close();
  });

  test('says what it is', async () => {
    expect(await engine.info()).toMatchObject({
      engine: 'postgres',
      major,
      admin: { name: 'postgres', superUser: true },
    });
  });

  test.each(names)('a role named %j is made, read, marked and dropped', async (name) => {
    const mark = { uid: `u-${prefix}`, resource: 'team-a/role' };
    await engine.run([
      {
        kind: 'createRole',
        name,
        attributes: { login: true, createDb: true },
        connectionLimit: 3,
        validUntil: '2030-01-01T00:00:00Z',
        mark,
      },
    ]);
    const [role] = await engine.read('role', [{ name }]);
    expect(role).toMatchObject({
      name,
      connectionLimit: 3,
      validUntil: '2030-01-01T00:00:00Z',
      mark,
      attributes: { login: true, createDb: true, superUser: false },
    });
    await engine.run([{ kind: 'dropRole', name }]);
    expect(await engine.read('role', [{ name }])).toEqual([undefined]);
  });

  test.each(names.filter((name) => !name.includes('DROP')))(
    'a database and a schema named %j are made, read and dropped',
    async (name) => {
      await engine.run([{ kind: 'createDatabase', name, connectionLimit: 5, mark: { uid: 'u', resource: 'a/b' } }]);
      const [database] = await engine.read('database', [{ name }]);
      expect(database).toMatchObject({
        name,
        owner: 'postgres',
        encoding: 'UTF8',
        connectionLimit: 5,
        mark: { uid: 'u', resource: 'a/b' },
      });
      await engine.run([{ kind: 'createSchema', database: name, name }]);
      expect(await engine.read('schema', [{ database: name, name }])).toMatchObject([
        { name, owner: 'postgres', publicPrivileges: [] },
      ]);
      expect(await engine.read('databaseContents', [{ name }])).toEqual([{ empty: true, summary: '' }]);
      await server.query('CREATE TABLE public.t (id serial PRIMARY KEY)', [], name);
      expect(await engine.read('databaseContents', [{ name }])).toEqual([
        { empty: false, summary: '1 sequence, 1 table' },
      ]);
      await engine.run([
        { kind: 'dropSchema', database: name, name, cascade: false },
        { kind: 'dropDatabase', name },
      ]);
      expect(await engine.read('database', [{ name }])).toEqual([undefined]);
      expect(await engine.read('schema', [{ database: name, name }])).toEqual([undefined]);
    },
  );

  test.each(passwords)('the password %j logs in, and is known to', async (password) => {
    const name = `${prefix}_password`;
    await engine.run([{ kind: 'createRole', name, attributes: { login: true }, password: new Secret('first') }]);
    try {
      await engine.run([{ kind: 'setPassword', name, password: new Secret(password) }]);
      await expect(server.queryAs({ name, password }, 'postgres', 'SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
      expect(await engine.checkPassword(name, undefined, new Secret(password))).toBe('match');
      expect(await engine.checkPassword(name, undefined, new Secret(`${password}x`))).toBe('mismatch');
    } finally {
      await engine.run([{ kind: 'dropRole', name }]);
    }
  });

  test('settings round-trip, lists included', async () => {
    const name = `${prefix}_settings`;
    await engine.run([
      { kind: 'createRole', name, attributes: { login: true }, password: new Secret('pw') },
      { kind: 'setRoleSetting', name, setting: 'search_path', value: '"$user", public, "Odd, one"' },
      { kind: 'setRoleSetting', name, setting: 'app.opts', value: 'a=b, c' },
    ]);
    const [shown] = await server.queryAs<{ path: string; opts: string }>(
      { name, password: 'pw' },
      'postgres',
      "SELECT current_setting('search_path') AS path, current_setting('app.opts') AS opts",
    );
    expect(shown).toEqual({ path: '"$user", public, "Odd, one"', opts: 'a=b, c' });
    await engine.run([{ kind: 'setRoleSetting', name, setting: 'app.opts', value: null }]);
    const [role] = await engine.read('role', [{ name }]);
    expect(role?.settings).toEqual([{ name: 'search_path', value: '"$user", public, "Odd, one"' }]);
    await engine.run([{ kind: 'dropRole', name }]);
  });

  test('never holds more sessions than its limit, over all databases', async () => {
    const limited = new PostgresEngine(settingsOf(server, { connectionLimit: 2, username: server.adminUser }));
    const databases = [1, 2, 3].map((i) => `${prefix}_limit${i}`);
    await engine.run(databases.map((name) => ({ kind: 'createDatabase' as const, name })));
    let most = 0;
    const done = new AbortController();
    const watch = (async () => {
      while (!done.signal.aborted) {
        const [row] = await server.query<{ count: number }>(
          "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'xdatabase' AND datname LIKE $1",
          [`${prefix}_limit%`],
        );
        most = Math.max(most, row?.count ?? 0);
      }
    })();
    await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        limited.read('schema', [{ database: databases[i % 3] ?? '', name: 'public' }]),
      ),
    );
    done.abort();
    await watch;
    await limited.close();
    await engine.run(databases.map((name) => ({ kind: 'dropDatabase' as const, name })));
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(2);
  });

  test('a thousand roles are read with one statement', async () => {
    // In a database that no other test uses, as the statistics are the server's.
    const name = `${prefix}_thousand`;
    await engine.run([{ kind: 'createDatabase', name }]);
    const alone = new PostgresEngine(settingsOf(server, { database: name }));
    try {
      await alone.read(
        'role',
        Array.from({ length: 1000 }, (_, i) => ({ name: `nobody-${i}` })),
      );
      const rows = await server.query<{ calls: number }>(
        `SELECT sum(calls)::int AS calls FROM pg_stat_statements
         WHERE query LIKE '%rolbypassrls%' AND dbid = (SELECT oid FROM pg_database WHERE datname = $1)`,
        [name],
      );
      expect(rows).toEqual([{ calls: 1 }]);
    } finally {
      await alone.close();
      await engine.run([{ kind: 'dropDatabase', name }]);
    }
  });

  test('a session that the server ends is replaced without anybody noticing', async () => {
    const name = `${prefix}_ended`;
    await engine.run([{ kind: 'createDatabase', name }]);
    const read = async (): Promise<unknown> => await engine.read('schema', [{ database: name, name: 'public' }]);
    await read();
    await server.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    await expect(read()).resolves.toMatchObject([{ name: 'public' }]);
    await engine.run([{ kind: 'dropDatabase', name }]);
  });

  test.each([
    ['AuthenticationFailed', { password: new Secret('wrong') }],
    ['Unreachable', { port: 1 }],
    ['Unreachable', { host: 'does-not-exist.invalid' }],
    ['TlsRefused', { tls: { mode: 'verify-full' as const } }],
    ['DoesNotExist', { database: 'does-not-exist' }],
  ])('%s is told from other failures, and the text does not hold the password', async (reason, change) => {
    const broken = new PostgresEngine(settingsOf(server, change));
    const failure = await broken.info().then(
      () => undefined,
      (error: unknown) => error as { reason: string; message: string },
    );
    await broken.close();
    expect(failure?.reason).toBe(reason);
    expect(failure?.message).not.toContain(server.password);
    expect(failure?.message).not.toContain('wrong');
  });

  test('initSQL runs as the owner and with no more rights than the owner', async () => {
    const [owner, name] = [`${prefix}_init_owner`, `${prefix}_init`];
    await engine.run([
      { kind: 'createRole', name: owner, attributes: { login: false } },
      { kind: 'createDatabase', name, owner },
      {
        kind: 'initSQL',
        database: name,
        owner,
        sql: 'CREATE TABLE public.made (id int); INSERT INTO public.made VALUES (1);',
      },
    ]);
    expect(await server.query("SELECT tableowner FROM pg_tables WHERE tablename = 'made'", [], name)).toEqual([
      { tableowner: owner },
    ]);
    for (const attempt of [
      'RESET ROLE; ALTER ROLE postgres CONNECTION LIMIT 3',
      'CREATE ROLE evil SUPERUSER',
      'RESET SESSION AUTHORIZATION; CREATE ROLE evil',
      "COPY (SELECT 1) TO PROGRAM 'true'",
    ])
      await expect(engine.run([{ kind: 'initSQL', database: name, owner, sql: attempt }])).rejects.toMatchObject({
        reason: 'PermissionDenied',
      });
    expect(await server.query("SELECT FROM pg_roles WHERE rolname = 'evil'")).toEqual([]);
    expect(await server.query('SELECT FROM pg_auth_members WHERE roleid = $1::regrole', [owner])).toEqual([]);
    await engine.run([
      { kind: 'dropDatabase', name },
      { kind: 'dropRole', name: owner },
    ]);
  });

  test('no password is in the text that a plan shows, or in the statements that the server sees', async () => {
    const name = `${prefix}_hidden`;
    const password = new Secret('correcthorse battery');
    const steps = [
      { kind: 'createRole' as const, name, attributes: { login: true }, password },
      // Such a text is a verifier to nobody.
      { kind: 'setPassword' as const, name, password: new Secret('SCRAM-SHA-256$4096:correcthorse$battery:staple') },
    ];
    expect(JSON.stringify(engine.compile(steps, await engine.info()))).not.toContain('correcthorse');
    await engine.run(steps);
    const seen = await server.query(
      "SELECT query FROM pg_stat_statements WHERE query LIKE '%correcthorse%' AND query NOT LIKE '%pg_stat_statements%'",
    );
    await engine.run([{ kind: 'dropRole', name }]);
    expect(seen).toEqual([]);
  });
});

describe('TLS', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major: newestPostgres(), tls: true });
  });
  afterAll(async () => {
    await server.stop();
  });
  const login = async (tls: ConnectionSettings['tls'], host = server.host): Promise<string> => {
    const engine = new PostgresEngine(settingsOf(server, { tls, host }));
    try {
      await engine.info();
      return 'in';
    } catch (error) {
      return (error as { reason: string }).reason;
    } finally {
      await engine.close();
    }
  };

  test('is verified in full with the CA, and refused without it', async () => {
    const ca = readFileSync(server.caFile ?? '', 'utf8');
    expect(await login({ mode: 'verify-full', ca })).toBe('in');
    expect(await login({ mode: 'verify-full', ca }, 'localhost')).toBe('in');
    expect(await login({ mode: 'verify-full' })).toBe('CertificateUntrusted');
    expect(await login({ mode: 'verify-ca' })).toBe('CertificateUntrusted');
    expect(await login({ mode: 'verify-full', ca, serverName: 'other.example' })).toBe('CertificateUntrusted');
    expect(await login({ mode: 'verify-ca', ca, serverName: 'other.example' })).toBe('in');
    expect(await login({ mode: 'require' })).toBe('in');
    expect(await login({ mode: 'prefer' })).toBe('in');
  });

  test('names tls.serverName to the server, as a proxy that serves many hosts needs', async () => {
    const asked: string[] = [];
    const { certificate, key } = createAuthority().issue({ commonName: 'db.example', usage: 'server' });
    const proxy = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write('S');
        const secure = new TLSSocket(socket, {
          isServer: true,
          secureContext: createSecureContext({ cert: certificate, key }),
          SNICallback: (name, done) => {
            asked.push(name);
            done(null, undefined);
          },
        });
        secure.on('error', () => {});
        secure.on('secure', () => secure.destroy());
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.address() as AddressInfo;
    const at = async (tls: ConnectionSettings['tls'], host: string): Promise<void> => {
      const engine = new PostgresEngine({ ...settingsOf(server, { tls, host }), port });
      await engine.info().catch(() => {});
      await engine.close();
    };
    await at({ mode: 'require', serverName: 'db.example' }, 'localhost');
    expect(new Set(asked)).toEqual(new Set(['db.example']));
    await at({ mode: 'require', serverName: 'other.example' }, '127.0.0.1');
    expect(new Set(asked)).toEqual(new Set(['db.example', 'other.example']));
    await new Promise((resolve) => proxy.close(resolve));
  });
});
