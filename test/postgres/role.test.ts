/** Roles at real servers: attributes, limits, settings, passwords and memberships. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { circumstances, Place } from './planned.ts';

const names = ['Alice', 'a"b', 'a.b', "it's", 'back\\slash', 'ünï', 'select', '$x%', 'new\nline', '"; DROP ROLE x; --'];
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
  // What the server would store as they are, were they what they look like.
  'SCRAM-SHA-256$4096:abc$def:ghi',
  `SCRAM-SHA-256$4096:c2FsdA==$${'A'.repeat(43)}=:c2hvcnQ=`,
  `md5${'A'.repeat(32)}`,
];

describe.each(circumstances)('a Role on PostgreSQL %i as %s', (major, admin) => {
  let place: Place;
  beforeAll(async () => {
    place = await Place.create(major, admin);
  });
  afterAll(async () => {
    await place.close();
  });

  const facts = async (name: string): Promise<Record<string, unknown> | undefined> =>
    (
      await place.server.query(
        `SELECT rolsuper AS super, rolcreatedb AS db, rolcreaterole AS role, rolcanlogin AS login, rolinherit AS inherit,
          rolconnlimit AS limit, rolvaliduntil AS until FROM pg_roles WHERE rolname = $1`,
        [name],
      )
    )[0];
  const groupsOf = async (name: string): Promise<string[]> =>
    (
      await place.server.query<{ role: string }>(
        `SELECT DISTINCT pg_get_userbyid(roleid) AS role FROM pg_auth_members WHERE member = (SELECT oid FROM pg_roles WHERE rolname = $1) ORDER BY 1`,
        [name],
      )
    ).map(({ role }) => role);
  const logsIn = async (name: string, password: string): Promise<boolean> =>
    await place.as(name, password, 'SELECT').then(
      () => true,
      () => false,
    );

  test.each(names)('named %j is made, logs in, is quiet and is dropped (B92)', async (of) => {
    const name = place.name(of);
    const story = place.role(
      name,
      { connectionLimit: 3, configurationParameters: [{ name: 'work_mem', value: '5MB' }] },
      'pw',
    );
    await story.reconcile();
    expect(await place.as(name, 'pw', 'SHOW work_mem')).toEqual([{ work_mem: '5MB' }]);
    await story.edit({ connectionLimit: 4 });
    await story.delete();
    expect(await facts(name)).toBeUndefined();
  });

  test('has what is given, keeps what is not, and gives back what leaves the spec (F23, F59)', async () => {
    const name = place.name('attributes');
    const privileges = { createDb: true, createRole: true, inherit: false };
    const story = place.role(name, { privileges, connectionLimit: 5, validUntil: '2031-01-01T02:00:00+02:00' }, 'pw');
    await story.reconcile();
    expect(await facts(name)).toMatchObject({
      db: true,
      role: true,
      login: true,
      inherit: false,
      limit: 5,
      until: new Date('2031-01-01T00:00:00Z'),
    });
    await place.sql('ALTER ROLE {attributes} NOCREATEDB CONNECTION LIMIT 9');
    await story.reconcile();
    expect(await facts(name)).toMatchObject({ db: true, limit: 5 });
    await story.edit({ privileges: { createDb: false }, connectionLimit: undefined, validUntil: undefined });
    expect(await facts(name)).toMatchObject({ db: false, role: false, inherit: true, limit: -1, until: Infinity });
  });

  test('is a superuser only for as long as the spec says so (F23)', async () => {
    const name = place.name('sjuul');
    const story = place.role(name, { privileges: { superUser: true } });
    if (place.isCloud) {
      await expect(story.change()).rejects.toMatchObject({ reason: 'PermissionDenied', code: '42501' });
      return;
    }
    await story.reconcile();
    expect(await facts(name)).toMatchObject({ super: true });
    await story.edit({ privileges: { superUser: false } });
    expect(await facts(name)).toMatchObject({ super: false });
  });

  test('is altered by what differs alone, so that a limited administrator may (B61)', async () => {
    const name = place.name('bypass');
    const story = place.role(name, { privileges: { login: true } });
    await story.reconcile();
    await place.sql('ALTER ROLE {bypass} BYPASSRLS');
    expect(await story.edit({ connectionLimit: 2 })).toEqual([
      { kind: 'alterRole', name, attributes: {}, connectionLimit: 2 },
    ]);
  });

  test('is a group, which is seen and dropped like any other (F54)', async () => {
    const name = place.name('group');
    const story = place.role(name, { privileges: { login: false } }, 'pw');
    await story.reconcile();
    expect(await logsIn(name, 'pw')).toBe(false);
    await story.edit({ privileges: { login: true } });
    expect(await logsIn(name, 'pw')).toBe(true);
    await story.edit({ privileges: { login: false } });
    await story.delete();
    expect(await facts(name)).toBeUndefined();
  });

  test('has any password that is given, and no other (F29, B68, B74)', async () => {
    const name = place.name('password');
    const story = place.role(name, {}, 'first');
    await story.reconcile();
    for (const password of passwords) {
      const before = story.password!;
      story.password = password;
      expect(await story.reconcile()).toMatchObject([{ kind: 'setPassword' }]);
      expect([await logsIn(name, password), await logsIn(name, before)]).toEqual([true, false]);
    }
  });

  test('whose password has expired is quiet, and can log in when it is valid again', async () => {
    const name = place.name('expired');
    const story = place.role(name, { validUntil: '2020-01-01T00:00:00Z' }, 'first');
    await story.reconcile();
    expect(await logsIn(name, 'first')).toBe(false);
    story.password = 'second';
    await story.edit({ validUntil: '2040-01-01T00:00:00Z' });
    expect(await logsIn(name, 'second')).toBe(true);
    for (const validUntil of ['2040-02-29T23:59:59.999999999+05:30', '9999-12-31T23:59:59.5Z'])
      expect(await story.edit({ validUntil })).toMatchObject([{ kind: 'alterRole' }]);
  });

  describe('settings', () => {
    test('are exactly those that are listed', async () => {
      const name = place.name('settings');
      const parameters = (...list: [string, string][]) => ({
        configurationParameters: list.map(([setting, value]) => ({ name: setting, value })),
      });
      const story = place.role(
        name,
        parameters(
          ['search_path', '"$user", public'],
          ['DateStyle', 'ISO, DMY'],
          ['timezone', 'Europe/Berlin'],
          ['work_mem', '64MB'],
        ),
        'pw',
      );
      await story.reconcile();
      expect(
        await place.as(
          name,
          'pw',
          "SELECT current_setting('search_path') AS path, current_setting('datestyle') AS style, current_setting('timezone') AS zone",
        ),
      ).toEqual([{ path: '"$user", public', style: 'ISO, DMY', zone: 'Europe/Berlin' }]);
      await place.sql("ALTER ROLE {settings} SET statement_timeout TO '1s'");
      await story.edit(parameters(['Search_Path', ''], ['work_mem', '65MB']));
      expect(
        await place.as(name, 'pw', "SELECT current_setting('search_path') AS path, current_setting('work_mem') AS mem"),
      ).toEqual([{ path: '""', mem: '65MB' }]);
      await story.edit({ configurationParameters: undefined });
      expect(await place.as(name, 'pw', 'SHOW search_path')).toEqual([{ search_path: '"$user", public' }]);
    });

    test('hold any path of schemas, and send nothing when nothing changed (B65)', async () => {
      const name = place.name('paths');
      const story = place.role(name, {}, 'pw');
      await story.reconcile();
      const schema = fc.oneof(
        fc.constantFrom(
          '"$user"',
          'public',
          'Mixed',
          '"Mixed"',
          '"odd, one"',
          '"a""b"',
          '"a=b"',
          "it's",
          'back\\slash',
        ),
        fc
          .string({ minLength: 1, maxLength: 20 })
          .map((text) => `"${text.replaceAll('\0', '').replaceAll('"', '""')}x"`),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(schema, { minLength: 1, maxLength: 4 }), async (path) => {
          await story.edit({ configurationParameters: [{ name: 'search_path', value: path.join(', ') }] });
        }),
        { numRuns: 40 },
      );
    });

    test('of an extension hold any text (B65)', async () => {
      if (place.isCloud) return; // takes a superuser, or the right to set that parameter
      const name = place.name('texts');
      const story = place.role(name, {}, 'pw');
      await story.reconcile();
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(fc.constantFrom('a=b', 'a, b', '', "it's", '"'), fc.string({ unit: 'grapheme' })),
          async (text) => {
            const value = text.replaceAll('\0', '');
            await story.edit({ configurationParameters: [{ name: 'app.opts', value }] });
            expect(await place.as(name, 'pw', "SELECT current_setting('app.opts') AS value")).toEqual([{ value }]);
          },
        ),
        { numRuns: 30 },
      );
    });
  });

  describe('memberships', () => {
    beforeAll(async () => {
      for (const of of ['readers', 'writers'])
        await place.role(place.name(of), { privileges: { login: false } }).reconcile();
    });
    const inGroups = (...of: string[]) => ({ memberOf: of.map((group) => ({ role: place.name(group) })) });

    test('are made and taken back, and those that others made are left alone', async () => {
      const name = place.name('member');
      const story = place.role(name, inGroups('readers', 'writers'));
      await place.sql('CREATE ROLE {others}');
      await story.reconcile();
      await place.sql('GRANT {others} TO {member}');
      expect(await groupsOf(name)).toEqual(['others', 'readers', 'writers'].map((of) => place.name(of)));
      await story.edit(inGroups('writers'));
      expect(await groupsOf(name)).toContain(place.name('others'));
      await story.edit(inGroups());
      expect(await groupsOf(name)).not.toContain(place.name('writers'));
      expect(await groupsOf(name)).toContain(place.name('others'));
    });

    test('that others made are enough', async () => {
      const name = place.name('found');
      const story = place.role(name, {});
      await story.reconcile();
      await place.sql('GRANT {readers} TO {found}');
      expect(await story.edit(inGroups('readers'))).toEqual([]);
      await story.edit(inGroups());
      expect(await groupsOf(name)).toEqual([place.name('readers')]);
    });

    test('have the options that are given', async () => {
      const name = place.name('optioned');
      const options = async () =>
        (
          await place.server.query(
            `SELECT bool_or(admin_option) AS admin${major >= 16 ? ', bool_or(inherit_option) AS inherit, bool_or(set_option) AS set' : ''}
             FROM pg_auth_members WHERE member = (SELECT oid FROM pg_roles WHERE rolname = $1)`,
            [name],
          )
        )[0];
      const story = place.role(name, { memberOf: [{ role: place.name('readers'), admin: true }] });
      await story.reconcile();
      expect(await options()).toMatchObject({ admin: true });
      await story.edit({ memberOf: [{ role: place.name('readers'), admin: false }] });
      expect(await options()).toMatchObject({ admin: false });
      const change = story.edit({
        memberOf: [{ role: place.name('readers'), inherit: false, set: false, admin: true }],
      });
      if (major < 16) await expect(change).rejects.toThrow('need PostgreSQL 16');
      else {
        await change;
        expect(await options()).toEqual({ admin: true, inherit: false, set: false });
      }
    });

    test('in a group that is not there yet are made when it is; everything else is applied before', async () => {
      const [name, group] = [place.name('early'), place.name('late')];
      const settings = { configurationParameters: [{ name: 'role', value: group }] };
      const story = place.role(name, { ...inGroups('late'), ...settings }, 'pw');
      await story.change();
      expect(await facts(name)).toBeDefined();
      await expect(story.plan()).rejects.toMatchObject({ reason: 'Waiting' });
      await place.role(group, { privileges: { login: false } }).reconcile();
      await story.reconcile();
      expect(await place.as(name, 'pw', 'SELECT current_user AS me')).toEqual([{ me: group }]);
    });

    test('in a circle are refused, naming it (B97)', async () => {
      const [a, b, c] = ['circle a', 'circle b', 'circle c'].map((of) => place.name(of)) as [string, string, string];
      const first = place.role(a, { memberOf: [{ role: b }] });
      await first.change();
      const third = place.role(c, {});
      await third.reconcile();
      await place.role(b, { memberOf: [{ role: c }] }).reconcile();
      await first.reconcile();
      third.spec = { ...third.spec, memberOf: [{ role: a }] };
      await expect(third.plan()).rejects.toMatchObject({
        reason: 'MembershipCycle',
        message: expect.stringContaining(`${JSON.stringify(a)} in ${JSON.stringify(b)} in ${JSON.stringify(c)}`),
      });
    });

    test('that the administrator may not give are named, after everything else is applied (B38)', async () => {
      const name = place.name('monitor');
      const story = place.role(name, { memberOf: [{ role: 'pg_monitor' }], connectionLimit: 4 });
      // Up to 15, CREATEROLE may give any group that is not a superuser's.
      if (!place.isCloud || major < 16) {
        await story.reconcile();
        expect(await groupsOf(name)).toEqual(['pg_monitor']);
        return;
      }
      await story.change();
      expect(await facts(name)).toMatchObject({ limit: 4 });
      await expect(story.plan()).rejects.toMatchObject({
        reason: 'PermissionDenied',
        message: expect.stringMatching(/"pg_monitor".* has no ADMIN OPTION on it$/),
      });
    });
  });

  test('any series of specs ends as the last one says, with nothing left to do', async () => {
    const story = place.role(place.name('series'), {}, 'pw');
    const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
    const spec = fc.record({
      privileges: fc.record({
        createDb: maybe(fc.boolean()),
        createRole: maybe(fc.boolean()),
        login: maybe(fc.boolean()),
        inherit: maybe(fc.boolean()),
      }),
      connectionLimit: maybe(fc.integer({ min: -1, max: 9 })),
      validUntil: maybe(fc.constantFrom('infinity', '2040-01-01T00:00:00Z', '2041-06-01T12:00:00.5+02:00')),
      configurationParameters: maybe(
        fc.subarray([
          { name: 'work_mem', value: '5MB' },
          { name: 'search_path', value: 'a, "B"' },
        ]),
      ),
      memberOf: maybe(fc.subarray([{ role: place.name('readers') }, { role: place.name('writers') }])),
    });
    await fc.assert(
      fc.asyncProperty(spec, async (next) => {
        await story.edit(next);
        const { privileges, connectionLimit = -1, memberOf = [] } = next;
        expect(await facts(story.name)).toMatchObject({
          db: privileges.createDb ?? false,
          role: privileges.createRole ?? false,
          login: privileges.login ?? true,
          inherit: privileges.inherit ?? true,
          limit: connectionLimit,
        });
        expect(await groupsOf(story.name)).toEqual(memberOf.map(({ role }) => role).toSorted());
      }),
      { numRuns: 25 },
    );
  });
});
