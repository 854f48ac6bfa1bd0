/** Servers with rules of their own about passwords, sessions and writes. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { generatePassword } from '../../provider/controllers/sql/credentials.ts';
import type { MariadbVersion } from '../rig/mysql-flavours.ts';
import { type MysqlServer, startMariadb, startMysql } from '../rig/mysql.ts';
import { name, Place, text } from './planned.ts';

describe.each<MariadbVersion>(['10.11', '11.8'])('MariaDB %s that looks at passwords', (version) => {
  let server: MysqlServer;
  let place: Place;
  beforeAll(async () => {
    server = await startMariadb(version, { settings: { 'general-log': 'ON', 'log-output': 'TABLE' } });
    place = new Place(server);
    await place.sql("INSTALL SONAME 'simple_password_check'");
    await place.sql("INSTALL SONAME 'auth_ed25519'");
  });
  afterAll(async () => {
    await place?.close();
    await server?.stop();
  });

  test.each([undefined, 'ed25519', 'mysql_native_password'])(
    'takes generated passwords with the plugin %s, and rotates them',
    async (plugin) => {
      const spec = plugin === undefined ? {} : { authenticationPlugin: { name: plugin } };
      const story = place.role(place.name(`app ${plugin}`), spec, generatePassword().reveal());
      story.changedAt = new Date();
      for (let turn = 0; turn < 3; turn += 1) {
        await story.reconcile();
        expect((await place.engine.read('role', [{ name: story.name }]))[0]?.account?.plugin).toBe(
          plugin ?? 'mysql_native_password',
        );
        if (plugin !== 'ed25519') expect(await place.loggedIn(story.name, story.password!)).toBe(`${story.name}@%`);
        story.password = generatePassword().reveal();
      }
      await story.reconcile();
      await story.delete();
    },
  );

  test('refuses one that is too weak, and one that it cannot look at, and says so', async () => {
    const weak = place.role(place.name('weak'), {}, 'weak');
    await expect(weak.change()).rejects.toMatchObject({ reason: 'PasswordRefused', code: '1819' });
    expect((await place.engine.read('role', [{ name: weak.name }]))[0]).toBeUndefined();
    weak.password = 'Strong-1234';
    await weak.reconcile();
    weak.password = 'weak';
    await expect(weak.change()).rejects.toMatchObject({ reason: 'PasswordRefused' });
    expect(await place.loggedIn(weak.name, 'Strong-1234')).toBe(`${weak.name}@%`);
    const hashed = place.role(place.name('hashed'), {}, `*${'0'.repeat(40)}`);
    await expect(hashed.change()).rejects.toMatchObject({
      reason: 'PasswordRefused',
      message: expect.stringContaining('give the password itself') as string,
    });
  });

  test('lets initSQL run', async () => {
    const story = place.database(place.name('first'), {
      initSQL: 'CREATE TABLE t (id int); CREATE VIEW v AS SELECT 1',
    });
    await story.reconcile();
    expect((await story.plan()).atProvider).toMatchObject({ initSQL: 'Succeeded' });
  });

  test('sees no password any more once it does not look at them', async () => {
    await place.sql("UNINSTALL SONAME 'simple_password_check'");
    const engine = place.engineAs(server.adminUser, server.password);
    try {
      const { steps } = await place.role(place.name('hidden'), {}, 'Very-Secret-1').plan();
      await engine.run(steps);
      expect(await place.loggedIn(place.name('hidden'), 'Very-Secret-1')).toBe(`${place.name('hidden')}@%`);
    } finally {
      await engine.close();
    }
    const seen = await place.sql(
      "SELECT argument FROM mysql.general_log WHERE argument LIKE '%Very-Secret-1%' AND argument NOT LIKE '%general_log%'",
    );
    expect(seen).toEqual([]);
  });
});

describe('MySQL that looks at passwords', () => {
  let server: MysqlServer;
  let place: Place;
  beforeAll(async () => {
    server = await startMysql({
      settings: { 'password-history': '3', 'default-password-lifetime': '30', 'activate-all-roles-on-login': 'ON' },
    });
    place = new Place(server);
    await place.sql("INSTALL COMPONENT 'file://component_validate_password'");
    await place.sql("SET GLOBAL validate_password.policy = 'MEDIUM'");
  });
  afterAll(async () => {
    await place?.close();
    await server?.stop();
  });

  test('takes generated passwords, and a group, which has none', async () => {
    expect(await place.sql("SELECT VALIDATE_PASSWORD_STRENGTH('weak') AS n")).toEqual([{ n: 25 }]);
    const strength = await place.server.query<{ n: number }>('SELECT VALIDATE_PASSWORD_STRENGTH(?) AS n', [
      generatePassword().reveal(),
    ]);
    expect(strength).toEqual([{ n: 100 }]);
    const group = place.role(place.name('group'), { privileges: { login: false } });
    await group.reconcile();
    const story = place.role(place.name('app'), { memberOf: [{ role: group.name }] }, generatePassword().reveal());
    story.changedAt = new Date();
    for (let turn = 0; turn < 3; turn += 1) {
      await story.reconcile();
      expect(await place.loggedIn(story.name, story.password!)).toBe(`${story.name}@%`);
      story.password = generatePassword().reveal();
    }
    // What every login has at once is still no default role of this one.
    await story.edit({ memberOf: [{ role: group.name, inherit: false }] });
    await story.delete();
    await group.delete();
  });

  test('a role that everybody has is nobody’s to drop in passing', async () => {
    const group = place.role(place.name('everybody'), { privileges: { login: false } });
    await group.reconcile();
    await place.sql(`SET GLOBAL mandatory_roles = '\`${group.name}\`@\`%\`'`);
    await expect(group.delete()).rejects.toMatchObject({ message: expect.stringContaining('mandatory') as string });
    const story = place.role(place.name('member'), { memberOf: [{ role: group.name }] }, generatePassword().reveal());
    await story.reconcile();
    await place.sql("SET GLOBAL mandatory_roles = ''");
    await story.delete();
    await group.delete();
  });
});

describe.each([
  ['MySQL 9.7', 'TlsRefused', async () => await startMysql({ settings: { 'read-only': 'OFF' } })],
  // It refuses the login without a word about TLS.
  [
    'MariaDB 10.11',
    'AuthenticationFailed',
    async () => await startMariadb('10.11', { settings: { 'read-only': 'OFF' } }),
  ],
  ['MariaDB 11.8', 'TlsRefused', async () => await startMariadb('11.8', { settings: { 'read-only': 'OFF' } })],
] as const)('%s', (_, withoutTls, start) => {
  let server: MysqlServer;
  let place: Place;
  beforeAll(async () => {
    server = await start();
    place = new Place(server);
  });
  afterEach(async () => {
    await place.sql('SET GLOBAL read_only = OFF');
  });
  afterAll(async () => {
    await place?.close();
    await server?.stop();
  });

  test('that is a replica gets no write, though its administrator might; once promoted it does at once (B159)', async () => {
    const story = place.role(place.name('app'), {}, 'Secret-123');
    const database = place.database(place.name('orders'));
    await story.reconcile();
    await place.sql('SET GLOBAL read_only = ON');
    await place.sql(`CREATE DATABASE ${name(place.name('the server would'))}`);
    story.password = 'Secret-124';
    for (const attempt of [story, database])
      await expect(attempt.change()).rejects.toMatchObject({ reason: 'ReadOnlyServer' });
    expect(await place.loggedIn(story.name, 'Secret-123')).toBe(`${story.name}@%`);
    expect((await database.plan()).exists).toBe(false);
    await place.sql('SET GLOBAL read_only = OFF');
    await story.reconcile();
    await database.reconcile();
  });

  test('that takes no session without TLS says so', async () => {
    await place.sql('SET GLOBAL require_secure_transport = ON');
    const engine = place.engineAs(server.adminUser, server.password);
    try {
      await expect(engine.info()).rejects.toMatchObject({
        reason: withoutTls,
        message: expect.stringContaining('tls.mode') as string,
      });
    } finally {
      await engine.close();
      await place.sql('SET GLOBAL require_secure_transport = OFF');
    }
  });

  test('whose administrator is at the end of a limit of its own says which', async () => {
    const user = place.name('limited');
    await place.sql(`CREATE USER ${text(user)} IDENTIFIED BY 'Limited-1' WITH MAX_USER_CONNECTIONS 1`);
    await place.sql(`GRANT ALL ON *.* TO ${text(user)}`);
    const holder = await server.login({ name: user, password: 'Limited-1' });
    const engine = place.engineAs(user, 'Limited-1');
    try {
      await expect(engine.info()).rejects.toMatchObject({
        reason: 'TooManyConnections',
        message: expect.stringContaining('max_user_connections') as string,
      });
    } finally {
      await engine.close();
      holder.destroy();
    }
  });
});
