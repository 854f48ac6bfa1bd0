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
  const pluginOf = async (user: string): Promise<string | undefined> =>
    (await place.server.query<{ plugin: string }>('SELECT plugin FROM mysql.user WHERE User = ?', [user]))[0]?.plugin;

  test('log in with their password, and at rest nothing is left to do', async () => {
    const story = place.role(place.name('app'), {}, 'first password');
    await story.reconcile();
    expect(await place.loggedIn(story.name, 'first password')).toBe(`${story.name}@%`);
    await expect(place.loggedIn(story.name, 'another')).rejects.toThrow('Access denied');
    expect(await pluginOf(story.name)).toBe(place.isMariadb ? 'mysql_native_password' : 'caching_sha2_password');
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

  test.each(["o'neil", 'a`b', 'back\\', 'per%cent', 'under_score', '"quoted"', 'ünï', '密码', 'UPPER'])(
    'may be called %j, and nothing else happens (B94, F22)',
    async (of) => {
      const user = `${of} ${randomBytes(4).toString('hex')}`;
      const story = place.role(user, {}, 'secret');
      await story.reconcile();
      expect(await place.loggedIn(user, 'secret')).toBe(`${user}@%`);
      await story.delete();
      await expect(place.loggedIn(user, 'secret')).rejects.toThrow('Access denied');
    },
  );

  test('with an @ in the name say their host, as others could not tell which account they mean (B94)', async () => {
    const user = place.name('a@corp.com');
    await expect(place.role(user, {}, 'secret').plan()).rejects.toMatchObject({
      reason: 'InvalidSpec',
      message: expect.stringContaining(`as other resources call it ${JSON.stringify(`${user}@%`)}`) as string,
    });
    const group = place.role(place.name('of@corp.com'), { privileges: { login: false }, host: '%' });
    if (!place.isMariadb) await group.reconcile();
    const story = place.role(user, { host: '%' }, 'secret');
    await story.reconcile();
    expect(await place.loggedIn(user, 'secret')).toBe(`${user}@%`);
    if (!place.isMariadb) await story.edit({ memberOf: [{ role: `${group.name}@%` }] });
    expect((await story.plan()).steps).toEqual([]);
  });

  test('have the rights of the groups they join as soon as they log in, and lose them with the membership', async () => {
    await place.sql(`CREATE DATABASE ${name(place.name('grouped'))}`);
    await place.sql(`CREATE TABLE ${name(place.name('grouped'))}.t (a int)`);
    const groups = ['g1', 'g2'].map((of) => place.role(place.name(of), { privileges: { login: false } }));
    for (const group of groups) await group.reconcile();
    const [first, second] = groups.map((group) => group.name) as [string, string];
    const grantee = place.isMariadb ? text(first) : `${text(first)}@'%'`;
    await place.sql(`GRANT SELECT ON ${name(place.name('grouped'))}.* TO ${grantee}`);
    const member = place.role(place.name('joins'), { memberOf: [{ role: first }] }, 'secret');
    await member.reconcile();
    const look = async () =>
      await place.server.queryAs(
        { name: member.name, password: 'secret' },
        `SELECT * FROM ${name(place.name('grouped'))}.t`,
      );
    expect(await look()).toEqual([]);
    // The second is joined as well, and on MariaDB, with its one default role, the first stays that.
    await member.edit({ memberOf: [{ role: first }, { role: second }] });
    expect((await member.plan()).atProvider).toMatchObject({ memberOf: [first, second] });
    expect(await look()).toEqual([]);
    await member.edit({ memberOf: [{ role: first, inherit: false }, { role: second }] });
    await expect(look()).rejects.toThrow('denied');
    await member.edit({ memberOf: [{ role: first, admin: true }] });
    expect(await look()).toEqual([]);
    await member.edit({ memberOf: [] });
    await expect(look()).rejects.toThrow('denied');
    expect((await member.plan()).atProvider).toMatchObject({ memberOf: [] });
  });

  test('wait for groups that are not there yet, and refuse what memberships here do not have', async () => {
    const story = place.role(place.name('waits'), {}, 'secret');
    await story.reconcile();
    story.spec = { memberOf: [{ role: place.name('not there') }] };
    await expect(story.plan()).rejects.toMatchObject({ reason: 'Waiting' });
    story.spec = { memberOf: [{ role: place.name('g1'), set: true }] };
    await expect(story.plan()).rejects.toThrow('set means nothing to');
  });

  test('have a host of their own: an account of the same name at another host is another role (F57)', async () => {
    const user = place.name('same@corp.com');
    const here = place.role(user, { host: '127.0.0.%' }, 'here');
    const there = place.role(user, { host: '10.%' }, 'there');
    await here.reconcile();
    expect(await there.plan()).toMatchObject({ exists: false });
    await there.reconcile();
    expect(await place.loggedIn(user, 'here')).toBe(`${user}@127.0.0.%`);
    here.password = 'here now';
    await here.reconcile();
    await here.delete();
    expect(await place.server.query('SELECT Host FROM mysql.user WHERE User = ?', [user])).toEqual([{ Host: '10.%' }]);
    expect((await there.plan()).steps).toEqual([]);
  });

  test('of as many characters as the server takes are made, and of more are refused, never cut', async () => {
    const limit = place.isMariadb ? 128 : 32;
    const user = place.name('u').padEnd(limit, 'ü');
    await place.role(user, {}, 'secret').reconcile();
    expect(await place.loggedIn(user, 'secret')).toBe(`${user}@%`);
    await expect(place.role(`${user}x`, {}, 'secret').plan()).rejects.toMatchObject({ reason: 'InvalidSpec' });
  });

  test.each([' root', 'root ', '\troot', 'root\n', '\u00a0root'])(
    'are never called %j, of which the server would make another name',
    async (user) => {
      await expect(place.role(user, {}, 'secret').change()).rejects.toMatchObject({
        reason: 'InvalidSpec',
        message: expect.stringContaining('which the server drops') as string,
      });
      expect(() => place.engine.compile([{ kind: 'dropRole', name: user }], {} as never)).toThrow(
        'which the server drops',
      );
    },
  );

  test('need something to log in with: an open account is never made', async () => {
    await expect(place.role(place.name('open')).plan()).rejects.toThrow('would let in everybody');
    const byCertificate = place.role(place.name('cert'), { require: { type: 'X509' } });
    await byCertificate.reconcile();
    await expect(place.loggedIn(byCertificate.name, '')).rejects.toThrow('Access denied');
  });

  test.each([
    [{ require: { type: 'SSL' } }, { require: { type: 'X509' } }],
    [
      { require: { type: 'SPECIFIED', subject: "/CN=it's", issuer: '/CN=\\ca' } },
      { require: { type: 'SPECIFIED', cipher: 'ECDHE-RSA-AES256-GCM-SHA384' } },
    ],
    [
      { resourceOptions: { maxQueriesPerHour: 5 } },
      { resourceOptions: { maxQueriesPerHour: 6, maxUpdatesPerHour: 7 } },
    ],
    [{ resourceOptions: { maxUserConnections: 4 } }, { connectionLimit: 5, resourceOptions: {} }],
    [{ accountLocked: true }, { accountLocked: false }],
    [{ passwordLifetimeDays: 30 }, { passwordLifetimeDays: 0 }],
  ])('are made with %j, changed to %j, and put back when the spec no longer speaks of it', async (first, second) => {
    const made = place.role(place.name(`opt ${randomBytes(3).toString('hex')}`), first, 'secret');
    expect(kinds(await made.reconcile())).toEqual(['createRole']);
    expect(kinds(await made.edit(second))).toEqual(['alterRole']);
    made.spec = {};
    const last = kinds(await made.reconcile());
    expect(last).toEqual('accountLocked' in second ? [] : ['alterRole']);
    const plain = place.role(place.name(`plain ${randomBytes(3).toString('hex')}`), {}, 'secret');
    await plain.reconcile();
    const [left, right] = await place.engine.read('role', [{ name: made.name }, { name: plain.name }]);
    const { mark: _a, name: _b, ...of } = left!;
    const { mark: _c, name: _d, ...as } = right!;
    expect(of).toEqual(as);
  });

  test('keep their privileges when the plugin changes, and the password goes on', async () => {
    const story = place.role(place.name('plugin'), {}, 'secret');
    await story.reconcile();
    await place.sql(`CREATE DATABASE ${name(place.name('granted'))}`);
    await place.sql(`GRANT SELECT, INSERT ON ${name(place.name('granted'))}.* TO ${text(story.name)}@'%'`);
    const before = await grantsOf(story.name);
    expect(kinds(await story.edit({ authenticationPlugin: { name: other } }))).toEqual(['setPassword']);
    expect(await pluginOf(story.name)).toBe(other);
    expect(await grantsOf(story.name)).toEqual(before);
    story.password = 'another secret';
    await story.reconcile();
    expect(await pluginOf(story.name)).toBe(other);
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
    expect(await pluginOf(user)).toBe(plugin);
    expect(await place.engine.checkPassword(user, undefined, new Secret('changed'))).toBe('match');
  });

  test('with a plugin that takes no password get none, and no password is published', async () => {
    const plugin = place.isMariadb ? { name: 'unix_socket', authString: 'www-data' } : { name: 'mysql_no_login' };
    if (!place.isMariadb) await place.sql("INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'").catch(() => {});
    const story = place.role(place.name('socket'), { authenticationPlugin: plugin }, 'secret');
    await story.reconcile();
    expect(await pluginOf(story.name)).toBe(plugin.name);
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

  test('that somebody changed by hand are put right in what the spec speaks of, and left alone otherwise', async () => {
    const story = place.role(place.name('drift'), { require: { type: 'SSL' }, accountLocked: false }, 'secret');
    await story.reconcile();
    const account = `${text(story.name)}@'%'`;
    await place.sql(`ALTER USER ${account} REQUIRE NONE`);
    expect(kinds(await story.reconcile())).toEqual(['alterRole']);
    await place.sql(`ALTER USER ${account} ACCOUNT LOCK`);
    expect(kinds(await story.reconcile())).toEqual(['alterRole']);
    await place.sql(`ALTER USER ${account} IDENTIFIED BY 'by hand'`);
    expect(kinds(await story.reconcile())).toEqual(['setPassword']);
    await place.sql(`ALTER USER ${account} WITH MAX_QUERIES_PER_HOUR 9`);
    expect((await story.plan()).steps).toEqual([]);
    await place.sql(`DROP USER ${account}`);
    expect(kinds(await story.reconcile())).toEqual(['createRole']);
  });

  test('that do not log in are roles of the server', async () => {
    const story = place.role(place.name('group'), { privileges: { login: false } });
    await story.reconcile();
    const login = place.role(place.name('member'), {}, 'secret');
    await login.reconcile();
    await place.sql(`GRANT ${text(story.name)} TO ${text(login.name)}@'%'`);
    expect((await login.plan()).atProvider).toMatchObject({ memberOf: [story.name] });
    await story.delete();
    expect(await place.server.query('SELECT User FROM mysql.user WHERE User = ?', [story.name])).toEqual([]);
  });

  test('cannot turn from a role into an account, which is said instead of tried', async () => {
    const story = place.role(place.name('turn'), { privileges: { login: false } }, 'secret');
    await story.reconcile();
    story.spec = { privileges: { login: true } };
    expect(await story.plan()).toMatchObject({
      steps: [],
      unchangeable: [expect.stringContaining('which it cannot turn into an account') as string],
    });
  });

  test('that were there before are taken over only when asked to, and then left behind', async () => {
    const user = place.name('before');
    await place.sql(`CREATE USER ${text(user)}@'%' IDENTIFIED BY 'theirs'`);
    const story = place.role(user, {}, 'ours');
    await expect(story.plan()).rejects.toMatchObject({ reason: 'AlreadyExists' });
    story.spec = { adopt: true };
    await story.reconcile();
    expect(await place.loggedIn(user, 'ours')).toBe(`${user}@%`);
    expect((await story.delete()).notes?.[0]?.reason).toBe('KeptExternalResource');
    expect(await place.loggedIn(user, 'ours')).toBe(`${user}@%`);
  });

  test.each(
    ['root', 'mysql.sys', 'mariadb.sys', 'rdsadmin', 'azure_superuser'].flatMap((of) => [of, of.toUpperCase()]),
  )('never are those of the server itself: %s (B147)', async (of) => {
    const belongs = place.isMariadb ? !of.toLowerCase().startsWith('mysql') : !of.toLowerCase().startsWith('mariadb');
    const story = place.role(of, { adopt: true }, 'secret');
    if (belongs) await expect(story.plan()).rejects.toMatchObject({ reason: 'ReservedName' });
  });

  test.each([
    [{ privileges: { superUser: true } }, 'a Grant on the whole server gives such rights'],
    [{ validUntil: 'infinity' }, 'forProvider.passwordLifetimeDays'],
    [{ configurationParameters: [{ name: 'a', value: 'b' }] }, 'forProvider.configurationParameters'],
    [{ onDelete: { dropOwned: true } }, 'forProvider.onDelete.dropOwned means nothing to'],
    [{ connectionLimit: 3, resourceOptions: { maxUserConnections: 4 } }, 'are the same limit'],
  ])('refuse what they do not have: %j', async (spec, message) => {
    await expect(place.role(place.name('x'), spec, 'secret').plan()).rejects.toMatchObject({
      reason: 'InvalidSpec',
      message: expect.stringContaining(message) as string,
    });
  });

  test('are deleted whatever onDelete says that means nothing here (F52)', async () => {
    const story = place.role(place.name('leaving'), {}, 'secret');
    await story.reconcile();
    story.spec = { onDelete: { dropOwned: true, reassignOwnedTo: 'nobody' } };
    await story.delete();
    expect(await pluginOf(story.name)).toBeUndefined();
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

  test('that the administrator may not see are an error and never absent (B115)', async () => {
    const admin = place.name('blind');
    await place.sql(`CREATE USER ${text(admin)}@'%' IDENTIFIED BY 'blind'`);
    await place.sql(`GRANT CREATE USER ON *.* TO ${text(admin)}@'%'`);
    const engine = place.engineAs(admin, 'blind');
    try {
      await expect(engine.read('role', [{ name: 'anybody' }])).rejects.toMatchObject({
        reason: 'PermissionDenied',
        code: '1142',
        message: expect.stringMatching(/^read: SELECT command denied to user 'blind \w+' for table [^@]*$/) as string,
      });
    } finally {
      await engine.close();
    }
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
