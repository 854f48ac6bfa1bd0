/** How accounts log in: passwords of every kind, the plugins that keep them, and their rotation. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import { name, Place, servers, text } from './planned.ts';

const kinds = (steps: readonly Step[]): string[] => steps.map(({ kind }) => kind);

describe.each(servers)('roles on %s', (server) => {
  let place: Place;
  let other: string;
  beforeAll(async () => {
    place = new Place(server);
    other = place.isMariadb ? 'ed25519' : 'sha256_password';
    if (place.isMariadb) await place.sql("INSTALL SONAME 'auth_ed25519'").catch(() => {});
  });
  afterAll(async () => {
    await place.close();
  });

  const grantsOf = async (user: string): Promise<string[]> =>
    (await place.sql<Record<string, string>>(`SHOW GRANTS FOR ${text(user)}@'%'`)).map((row) =>
      (Object.values(row)[0] ?? '').replace(/ IDENTIFIED (BY|VIA) .*$/, ''),
    );

  test('log in with their password, and at rest nothing is left to do', async () => {
    const story = place.role(place.name('app'), {}, 'first password');
    await story.reconcile();
    expect(await place.loggedIn(story.name, 'first password')).toBe(`${story.name}@%`);
    await expect(place.loggedIn(story.name, 'another')).rejects.toThrow('Access denied');
    expect(await place.pluginOf(story.name)).toBe(place.isMariadb ? 'mysql_native_password' : 'caching_sha2_password');
  });

  test.each([
    `asda"cvvv`,
    `it's`,
    'back\\slash\\',
    `'; DROP USER root; --`,
    '%s %d %n',
    '$A$005$ not a stored string',
    '*not a stored string',
    'ünïcödé 密码 😀',
    ' spaces around ',
    '`ticks` and $dollars',
    'x'.repeat(70),
  ])('log in with the password %j, and with its successor (B76, F22)', async (password) => {
    const story = place.role(place.name(`pw ${randomBytes(3).toString('hex')}`), {}, password);
    await story.reconcile();
    expect(await place.loggedIn(story.name, password)).toBe(`${story.name}@%`);
    story.password = `${password}!`;
    expect(kinds(await story.reconcile())).toEqual(['setPassword']);
    expect(await place.loggedIn(story.name, `${password}!`)).toBe(`${story.name}@%`);
    await expect(place.loggedIn(story.name, password)).rejects.toThrow('Access denied');
  });

  test('keep their privileges when the plugin changes, and the password goes on', async () => {
    const story = place.role(place.name('plugin'), {}, 'secret');
    await story.reconcile();
    await place.sql(`CREATE DATABASE ${name(place.name('granted'))}`);
    await place.sql(`GRANT SELECT, INSERT ON ${name(place.name('granted'))}.* TO ${text(story.name)}@'%'`);
    const before = await grantsOf(story.name);
    expect(kinds(await story.edit({ authenticationPlugin: { name: other } }))).toEqual(['setPassword']);
    expect(await place.pluginOf(story.name)).toBe(other);
    expect(await grantsOf(story.name)).toEqual(before);
    story.password = 'another secret';
    await story.reconcile();
    expect(await place.pluginOf(story.name)).toBe(other);
    expect(await place.engine.checkPassword(story.name, undefined, new Secret('another secret'))).toBe('match');
    const usual = place.isMariadb ? 'mysql_native_password' : 'caching_sha2_password';
    await story.edit({ authenticationPlugin: { name: usual } });
    expect(await place.loggedIn(story.name, 'another secret')).toBe(`${story.name}@%`);
    expect(await grantsOf(story.name)).toEqual(before);
    // A plugin that nobody asks for any more stays: another would be no better.
    story.spec = {};
    expect((await story.plan()).steps).toEqual([]);
  });

  test('whose plugin the server chose are at rest (B78)', async () => {
    const user = place.name('chosen');
    const plugin = place.isMariadb ? 'ed25519' : 'sha256_password';
    await place.sql(
      place.isMariadb
        ? `CREATE USER ${text(user)}@'%' IDENTIFIED VIA ed25519 USING PASSWORD('chosen')`
        : `CREATE USER ${text(user)}@'%' IDENTIFIED WITH sha256_password BY 'chosen'`,
    );
    const story = place.role(user, { adopt: true }, 'chosen');
    expect(kinds(await story.reconcile())).toEqual(['mark']);
    story.password = 'changed';
    await story.reconcile();
    expect(await place.pluginOf(user)).toBe(plugin);
    expect(await place.engine.checkPassword(user, undefined, new Secret('changed'))).toBe('match');
  });

  test('with a plugin that takes no password get none, and no password is published', async () => {
    const plugin = place.isMariadb ? { name: 'unix_socket', authString: 'www-data' } : { name: 'mysql_no_login' };
    if (!place.isMariadb) await place.sql("INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'").catch(() => {});
    const story = place.role(place.name('socket'), { authenticationPlugin: plugin }, 'secret');
    await story.reconcile();
    expect(await place.pluginOf(story.name)).toBe(plugin.name);
    expect(await story.plan()).toMatchObject({ passwordless: true, steps: [] });
    await expect(place.loggedIn(story.name, 'secret')).rejects.toThrow();
    story.spec = {};
    expect(kinds(await story.reconcile())).toEqual(['setPassword']);
    expect(await place.loggedIn(story.name, 'secret')).toBe(`${story.name}@%`);
  });

  test('with a stored string from elsewhere log in with the password that it is of', async () => {
    const source = place.role(place.name('source'), {}, 'imported');
    await source.reconcile();
    const [row] = await place.server.query<{ verifier: string; plugin: string }>(
      'SELECT authentication_string AS verifier, plugin FROM mysql.user WHERE User = ?',
      [source.name],
    );
    const { verifier: stored = '', plugin = '' } = row ?? {};
    const story = place.role(
      place.name('imported'),
      { authenticationPlugin: { name: plugin, authString: stored } },
      'x',
    );
    await story.reconcile();
    expect(await place.loggedIn(story.name, 'imported')).toBe(`${story.name}@%`);
    // The same string in a Secret is a stored string too, not a password.
    const bySecret = place.role(place.name('by secret'), {}, stored);
    await bySecret.reconcile();
    expect(await place.loggedIn(bySecret.name, 'imported')).toBe(`${bySecret.name}@%`);
  });

  test('of a plugin that the server has not loaded say which ones it has (B79)', async () => {
    const story = place.role(
      place.name('x'),
      { authenticationPlugin: { name: 'no_such_plugin', authString: 'x' } },
      'secret',
    );
    await expect(story.change()).rejects.toMatchObject({
      reason: 'PluginNotLoaded',
      code: '1524',
      message: expect.stringMatching(
        /the server has .*(caching_sha2|mysql_native)_password.*: choose another/,
      ) as string,
    });
  });
});

test('accounts of MariaDB with parsec get a password that the server itself would store, and the engine logs in with it', async () => {
  const place = new Place('MariaDB 11.8');
  try {
    await place.sql("INSTALL SONAME 'auth_parsec'").catch(() => {});
    const theirs = place.name('theirs');
    await place.sql(`CREATE USER ${text(theirs)} IDENTIFIED VIA parsec USING PASSWORD('by the server')`);
    const read = async (password: string) => await place.engine.checkPassword(theirs, undefined, new Secret(password));
    expect(await read('by the server')).toBe('match');
    expect(await read('by nobody')).toBe('mismatch');
    const story = place.role(place.name('parsec'), { authenticationPlugin: { name: 'parsec' } }, 'first');
    await story.reconcile();
    story.password = 'second';
    await story.reconcile();
    const engine = place.engineAs(story.name, 'second');
    expect((await engine.info()).admin.name).toBe(story.name);
    await engine.close();
    const wrong = place.engineAs(story.name, 'first');
    await expect(wrong.info()).rejects.toMatchObject({ reason: 'AuthenticationFailed' });
    await wrong.close();
  } finally {
    await place.close();
  }
});

describe.each(servers)('rotation on %s', (server) => {
  const place = new Place(server);
  afterAll(async () => {
    await place.close();
  });

  test('lets the password before it log in until the overlap is over, and then no more (B72)', async () => {
    const story = place.role(place.name('rotated'), {}, 'first');
    story.changedAt = new Date('2026-06-01T12:00:00Z');
    story.now = story.changedAt;
    await story.reconcile();
    story.password = 'second';
    story.changedAt = new Date('2026-06-02T12:00:00Z');
    story.now = story.changedAt;
    expect(await story.reconcile()).toMatchObject([{ kind: 'setPassword', retain: true }]);
    for (const password of ['first', 'second']) expect(await place.loggedIn(story.name, password)).toBeDefined();
    story.now = new Date('2026-06-02T12:09:00Z');
    expect((await story.plan()).steps).toEqual([]);
    story.now = new Date('2026-06-02T12:10:00Z');
    expect(await story.reconcile()).toMatchObject([{ kind: 'alterRole', discardOldPassword: true }]);
    await expect(place.loggedIn(story.name, 'first')).rejects.toThrow('Access denied');
    expect(await place.loggedIn(story.name, 'second')).toBeDefined();
  });

  test('of a password that a person gave ends the old one at once', async () => {
    const story = place.role(place.name('given'), {}, 'first');
    await story.reconcile();
    story.password = 'second';
    expect(await story.reconcile()).toMatchObject([{ kind: 'setPassword' }]);
    await expect(place.loggedIn(story.name, 'first')).rejects.toThrow('Access denied');
  });

  test('never ends a second password that somebody else let in', async () => {
    const story = place.role(place.name('theirs'), {}, 'first');
    story.changedAt = new Date('2026-06-01T12:00:00Z');
    await story.reconcile();
    await place.sql(
      place.isMariadb
        ? `ALTER USER ${text(story.name)} IDENTIFIED VIA mysql_native_password USING PASSWORD('second') OR mysql_native_password USING PASSWORD('first')`
        : `ALTER USER ${text(story.name)} IDENTIFIED BY 'second' RETAIN CURRENT PASSWORD`,
    );
    story.password = 'second';
    expect((await story.plan()).steps).toEqual([]);
  });

  test('leaves the other ways in which an account logs in as they are', async () => {
    if (!place.isMariadb) return;
    const user = place.name('ways');
    await place.sql(
      `CREATE USER ${text(user)} IDENTIFIED VIA unix_socket OR mysql_native_password USING PASSWORD('first') OR unix_socket USING 'x'`,
    );
    const story = place.role(user, { adopt: true }, 'first');
    await story.reconcile();
    story.changedAt = new Date('2026-06-02T12:00:00Z');
    story.now = story.changedAt;
    for (const password of ['second', 'third']) {
      story.password = password;
      expect(await story.reconcile()).toMatchObject([{ kind: 'setPassword', retain: true }]);
    }
    const waysOf = async () => {
      const [row] = await place.sql<{ priv: string }>(
        `SELECT CAST(Priv AS CHAR) AS priv FROM mysql.global_priv WHERE User = ${text(user)}`,
      );
      const priv = JSON.parse(row?.priv ?? '{}') as { plugin: string; auth_or: { plugin?: string }[] };
      return priv.auth_or.map(({ plugin }) => plugin ?? priv.plugin);
    };
    const native = 'mysql_native_password';
    expect(await waysOf()).toEqual(['unix_socket', native, native, 'unix_socket']);
    for (const password of ['second', 'third']) expect(await place.loggedIn(user, password)).toBeDefined();
    await expect(place.loggedIn(user, 'first')).rejects.toThrow('Access denied');
    story.now = new Date('2026-06-02T13:00:00Z');
    await story.reconcile();
    expect(await waysOf()).toEqual(['unix_socket', native, 'unix_socket']);
    await expect(place.loggedIn(user, 'second')).rejects.toThrow('Access denied');
  });

  test('the attributes that people gave an account stay beside our mark', async () => {
    if (place.isMariadb) return;
    const user = place.name('attributes');
    await place.sql(`CREATE USER ${text(user)} IDENTIFIED BY 'x' ATTRIBUTE '{"team": "a", "xdatabase": "theirs"}'`);
    const story = place.role(user, { adopt: true }, 'x');
    await story.reconcile();
    const [row] = await place.server.query<{ attribute: unknown }>(
      'SELECT ATTRIBUTE AS attribute FROM information_schema.USER_ATTRIBUTES WHERE USER = ?',
      [user],
    );
    const attributes = (typeof row?.attribute === 'string' ? JSON.parse(row.attribute) : row?.attribute) as object;
    expect(attributes).toEqual({ team: 'a', xdatabase: { uid: story.uid, resource: `tests/${story.uid}` } });
    await expect(place.role(user, {}, 'x').plan()).rejects.toThrow(`managed by tests/${story.uid}`);
  });
});
