import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Step } from '../../provider/resources/model/steps.ts';
import { name, Place, servers, text } from './planned.ts';

const kinds = (steps: readonly Step[]): string[] => steps.map(({ kind }) => kind);

describe.each(servers)('roles on %s', (server) => {
  let place: Place;
  beforeAll(() => {
    place = new Place(server);
  });
  afterAll(async () => {
    await place.close();
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
    // One group in two words (B136).
    expect(await member.edit({ memberOf: [{ role: first }, { role: `${first}@%`, admin: true }] })).toEqual([]);
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
    expect(await place.pluginOf(story.name)).toBeUndefined();
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
