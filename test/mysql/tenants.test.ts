/**
 * On a server that namespaces share, what a resource may touch carries its mark, on MariaDB as on MySQL: whatever the
 * resource, its annotations or a name that it has chosen say.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileStep } from '../../provider/engines/mysql/compile/steps.ts';
import type { Step } from '../../provider/resources/model/steps.ts';
import { type AccountStory, type Place, servers, text } from './planned.ts';
import { type Namespace, REFUSED, Tenants } from './tenants-world.ts';

describe.each(servers)('namespaces on one %s', (server) => {
  let tenants: Tenants;
  let place: Place;
  beforeAll(() => {
    tenants = new Tenants(server);
    ({ place } = tenants);
  });
  afterAll(async () => {
    await place.close();
  });

  const quoted = (user: string, isRole = false): string =>
    isRole && place.isMariadb ? text(user) : `${text(user)}@'%'`;

  /** As somebody who knows nothing of us. */
  const make = async (user: string, isRole = false) =>
    await place.sql(
      isRole ? `CREATE ROLE ${quoted(user, true)}` : `CREATE USER ${quoted(user)} IDENTIFIED BY 'of the platform'`,
    );

  describe.each([
    ['an account', false],
    ['a role', true],
  ])('%s', (_, isRole) => {
    const made = (namespace: Namespace, name: string, spec: object = {}) =>
      isRole ? tenants.group(namespace, name, spec) : tenants.login(namespace, name, spec);

    test('that is a tenant’s is told from one that is nobody’s, and both lose nothing', async () => {
      const own = made('a', place.name(`own ${String(isRole)}`));
      await own.reconcile();
      own.owned = false;
      expect((await own.plan()).steps).toEqual([]);
      const theirs = made('b', own.name);
      await expect(theirs.plan()).rejects.toMatchObject({ reason: REFUSED });
      // What annotations say proves nothing.
      theirs.owned = true;
      theirs.applied = { adopted: true };
      await expect(theirs.plan()).rejects.toMatchObject({ reason: REFUSED });
      expect((await theirs.planDelete()).steps).toEqual([]);
      await own.delete();
      expect(await tenants.marksOf(own)).toEqual([]);
      await theirs.reconcile();
      await theirs.delete();
    });

    test('of the platform is not taken by saying that it was made', async () => {
      const user = place.name(`platform ${String(isRole)}`);
      await make(user, isRole);
      for (const [owned, creating] of [
        [true, false],
        [false, true],
        [true, true],
      ] as const) {
        const thief = made('a', user);
        thief.owned = owned;
        thief.creating = creating;
        await expect(thief.plan()).rejects.toMatchObject({ reason: 'NotYours' });
        expect((await thief.planDelete()).steps).toEqual([]);
      }
      if (!isRole) expect(await place.loggedIn(user, 'of the platform')).toBe(`${user}@%`);
    });

    test('that was dropped and made anew by somebody else is not a tenant’s any more', async () => {
      const own = made('a', place.name(`replaced ${String(isRole)}`));
      await own.reconcile();
      await place.sql(`DROP ${isRole ? 'ROLE' : 'USER'} ${quoted(own.name, isRole)}`);
      await make(own.name, isRole);
      await expect(own.plan()).rejects.toMatchObject({ reason: 'NotYours' });
      own.creating = true;
      await expect(own.plan()).rejects.toMatchObject({ reason: 'NotYours' });
    });

    test('whose creation was cut off anywhere is made whole by its resource, and by no other', async () => {
      const info = await place.engine.info();
      const one = made('a', place.name('count'));
      const count = await statements(one);
      for (let cut = 1; cut < count; cut += 1) {
        const own = made('a', place.name(`cut ${cut} ${String(isRole)}`));
        const [step] = (await own.plan()).steps as [Step];
        for (const statement of compileStep(step, info, AUTHENTICATED).slice(0, cut)) await place.sql(statement.text);
        own.creating = true;
        const theirs = made('b', own.name);
        theirs.creating = true;
        const exists = (await place.engine.read('role', [{ name: own.name }]))[0] !== undefined;
        if (exists) await expect(theirs.plan()).rejects.toThrow();
        await own.reconcile();
        if (!isRole) expect(await place.loggedIn(own.name, 'secret')).toBe(`${own.name}@%`);
        theirs.owned = true;
        await expect(theirs.plan()).rejects.toMatchObject({ reason: REFUSED });
        await own.delete();
        expect(await tenants.marksOf(own)).toEqual([]);
      }
    });

    async function statements(story: AccountStory): Promise<number> {
      const info = await place.engine.info();
      return (await story.plan()).steps.flatMap((step) => compileStep(step, info)).length;
    }

    test('that somebody else has dropped leaves nothing once its resource is gone', async () => {
      for (const isRemade of [false, true]) {
        const own = made('a', place.name(`by hand ${String(isRemade)} ${String(isRole)}`));
        await own.reconcile();
        await place.sql(`DROP ${isRole ? 'ROLE' : 'USER'} ${quoted(own.name, isRole)}`);
        if (isRemade) await make(own.name, isRole);
        const other = made('b', own.name);
        expect((await other.planDelete()).steps).toEqual([]);
        await own.delete();
        expect(await tenants.marksOf(own)).toEqual([]);
        expect((await place.engine.read('role', [{ name: own.name }]))[0] !== undefined).toBe(isRemade);
      }
    });

    test('that somebody else has made in that very moment stays theirs', async () => {
      const own = made('a', place.name(`race ${String(isRole)}`));
      const { steps } = await own.plan();
      await make(own.name, isRole);
      await expect(place.engine.run(steps)).rejects.toMatchObject({ reason: 'Conflict' });
      own.creating = true;
      await expect(own.plan()).rejects.toMatchObject({ reason: 'NotYours' });
      expect(await tenants.marksOf(own)).toEqual([]);
    });

    test('is handed over with adopt by the platform, and the old mark goes', async () => {
      const old = made('a', place.name(`handed ${String(isRole)}`));
      await old.reconcile();
      const platform = isRole
        ? place.role(old.name, { adopt: true, privileges: { login: false } })
        : place.role(old.name, { adopt: true }, 'new password');
      await platform.reconcile();
      expect(await tenants.marksOf(old)).toEqual([]);
      await expect(old.plan()).rejects.toMatchObject({ reason: REFUSED });
      old.tenant = undefined;
      await expect(old.plan()).rejects.toMatchObject({ reason: 'AlreadyManaged' });
    });
  });

  test('a mark gives no right, and nobody logs in as it, takes it or gives it on', async () => {
    const own = tenants.login('a', place.name('marked'));
    await own.reconcile();
    const observed = (await place.engine.read('role', [{ name: own.name }]))[0];
    expect(observed).toMatchObject({ memberOf: [], mark: { uid: own.uid, resource: `tests/${own.uid}` } });
    expect((await own.plan()).atProvider).toMatchObject({ memberOf: [] });
    const [mark] = await tenants.marksOf(own);
    if (mark === undefined) return;
    const as = async (statement: string) =>
      await place.server.queryAs({ name: own.name, password: 'secret' }, statement);
    await as(`SET ROLE ${text(mark)}`);
    await expect(as('SELECT * FROM mysql.global_priv')).rejects.toThrow('denied');
    for (const statement of [
      `GRANT ${text(mark)} TO 'root'@'%'`,
      `REVOKE ${text(mark)} FROM CURRENT_USER`,
      `DROP ROLE ${text(mark)}`,
    ])
      await expect(as(statement)).rejects.toThrow('denied');
    await expect(place.loggedIn(mark, '')).rejects.toThrow('denied');
    for (const reserved of [mark, 'xdatabase.mark.', 'XDATABASE.anything'])
      await expect(place.role(reserved, { adopt: true }, 'x').plan()).rejects.toMatchObject({ reason: 'ReservedName' });
    // The administrator's own rights are not in the way of thousands of marks.
    expect(JSON.stringify(await place.sql('SHOW GRANTS'))).not.toContain(own.uid);
  });

  test('a mark goes with its account: one that was renamed by hand is nobody’s', async () => {
    const own = tenants.login('a', place.name('old name'));
    await own.reconcile();
    await place.sql(`RENAME USER ${quoted(own.name)} TO ${quoted(place.name('new name'))}`);
    const thief = tenants.login('a', place.name('new name'));
    thief.owned = true;
    await expect(thief.plan()).rejects.toMatchObject({
      reason: REFUSED,
    });
  });

  test('an administrator that may do nothing but make accounts marks them all the same', async () => {
    await place.sql(`CREATE USER ${quoted(place.name('admin'))} IDENTIFIED BY 'admin'`);
    await place.sql(`GRANT CREATE USER ON *.* TO ${quoted(place.name('admin'))} WITH GRANT OPTION`);
    await place.sql(`GRANT SELECT ON mysql.* TO ${quoted(place.name('admin'))}`);
    const engine = place.engineAs(place.name('admin'), 'admin');
    try {
      const own = tenants.login('a', place.name('of a limited one'));
      await engine.run((await own.plan()).steps);
      expect((await place.engine.read('role', [{ name: own.name }]))[0]?.mark?.uid).toBe(own.uid);
      own.owned = true;
      expect((await own.plan()).steps).toEqual([]);
      await engine.run((await own.planDelete()).steps);
      expect(await tenants.marksOf(own)).toEqual([]);
    } finally {
      await engine.close();
    }
  });

  test.each(['10.0.0.%', '127.0.0.1', '%', '10.0.0.0/255.255.255.0'])(
    'an account at %s does not get the rights of another namespace’s account of its name',
    async (host) => {
      const victim = tenants.login('a', place.name(`victim ${host.replaceAll(/[^0-9]/g, '')}`), {
        host: host === '%' ? '127.0.0.1' : '%',
      });
      await victim.reconcile();
      const data = tenants.database('a', place.name(`data ${host.replaceAll(/[^0-9]/g, '')}`));
      await data.reconcile();
      const thief = tenants.login('b', victim.name, { host });
      await expect(thief.plan()).rejects.toMatchObject({
        reason: 'NotYours',
        message: expect.stringContaining('accounts of one name share their rights on databases') as string,
      });
      // Of its own names a namespace has as many as it likes.
      const twin = tenants.login('a', victim.name, { host });
      await twin.reconcile();
    },
  );

  test('an account does not get the rights of one that the platform made for another host', async () => {
    const user = place.name('monitor');
    await place.sql(`CREATE USER ${text(user)}@'localhost' IDENTIFIED BY 'of the platform'`);
    await expect(tenants.login('a', user).plan()).rejects.toMatchObject({ reason: 'NotYours' });
  });

  test('whoever might act as an account may not act as the next one of its name', async () => {
    const first = tenants.login('a', place.name('acted as'));
    const actor = tenants.login('a', place.name('actor'));
    for (const story of [first, actor]) await story.reconcile();
    // MySQL lets only accounts grant this that were given it together with the option, as the administrator may have been.
    const isGranted = await place.sql(`GRANT PROXY ON ${quoted(first.name)} TO ${quoted(actor.name)}`).then(
      () => true,
      () => false,
    );
    if (place.isMariadb) expect(isGranted).toBe(true);
    await first.delete();
    const [left] = await place.sql<{ n: number }>(
      `SELECT COUNT(*) AS n FROM mysql.proxies_priv WHERE Proxied_user = ${text(first.name)}`,
    );
    expect(Number(left?.n)).toBe(0);
  });
});

/** What `compile` shows instead of secrets is nothing that a server takes. */
const AUTHENTICATED = {
  authentication: { plugin: 'mysql_native_password', stored: Buffer.from(`*${'0'.repeat(40)}`) },
};
