/** Deleting roles that own things and hold privileges, at real servers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { circumstances, Place, type Story } from './planned.ts';

describe.each(circumstances)('deleting a Role on PostgreSQL %i as %s', (major, admin) => {
  let place: Place;
  const databases = (): [string, string] => [place.name('one'), place.name('two')];
  beforeAll(async () => {
    place = await Place.create(major, admin);
    await place.role(place.name('heir'), { privileges: { login: false } }).reconcile();
    for (const name of databases()) {
      await place.database(name).reconcile();
      await place.sql('GRANT CREATE ON SCHEMA public TO PUBLIC', name);
    }
  });
  afterAll(async () => {
    await place.close();
  });

  const exists = async (name: string): Promise<boolean> =>
    (await place.server.query('SELECT FROM pg_roles WHERE rolname = $1', [name])).length > 0;
  const ownerOf = async (table: string, database: string): Promise<string | undefined> =>
    (
      await place.server.query<{ owner: string }>(
        'SELECT tableowner AS owner FROM pg_tables WHERE tablename = $1',
        [table],
        database,
      )
    )[0]?.owner;

  /** A role that owns a table in each of two databases, and has made a grant with it. */
  const owning = async (of: string, onDelete: object): Promise<Story> => {
    const name = place.name(of);
    const story = place.role(name, { onDelete }, 'pw');
    await story.reconcile();
    for (const database of databases())
      await place.as(
        name,
        'pw',
        `CREATE TABLE ${of} (id int); GRANT SELECT ON ${of} TO "${place.name('heir')}"`,
        database,
      );
    return story;
  };

  test('that owns something is refused, naming it, the databases and the remedy (B102, F50, F51)', async () => {
    const story = await owning('blocked', {});
    const [one, two] = databases();
    await expect(story.delete()).rejects.toMatchObject({ reason: 'DependentObjects', retryable: true });
    await expect(story.delete()).rejects.toThrow(
      `role "${story.name}" owns table public.blocked in database "${one}"; table public.blocked in database "${two}"; set forProvider.onDelete.reassignOwnedTo or reassignOwnedToAdmin to give it away, or dropOwned to drop it`,
    );
    expect(await exists(story.name)).toBe(true);
    for (const name of databases()) expect(await ownerOf('blocked', name)).toBe(story.name);
  });

  test('that has only default privileges is dropped with them: they are no objects', async () => {
    const name = place.name('giver');
    const story = place.role(name, { onDelete: {} }, 'pw');
    await story.reconcile();
    await place.as(
      name,
      'pw',
      `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO "${place.name('heir')}"`,
      databases()[0],
    );
    await story.delete();
    expect(await exists(name)).toBe(false);
  });

  test.each([
    ['to another role', 'gift', () => ({ reassignOwnedTo: place.name('heir') }), () => place.name('heir')],
    ['to the administrator', 'estate', () => ({ reassignOwnedToAdmin: true }), () => place.admin],
  ] as const)('gives what it owns %s, in every database (B108)', async (_, of, onDelete, owner) => {
    const story = await owning(of, onDelete());
    await story.delete();
    expect(await exists(story.name)).toBe(false);
    for (const name of databases()) expect(await ownerOf(of, name)).toBe(owner());
  });

  test('drops what it owns only when told so, in every database', async () => {
    const story = await owning('wiped', { dropOwned: true });
    await story.delete();
    expect(await exists(story.name)).toBe(false);
    for (const name of databases()) expect(await ownerOf('wiped', name)).toBeUndefined();
  });

  test('ends with privileges of every kind revoked, and nothing of others lost (F50)', async () => {
    const name = place.name('granted');
    const story = place.role(name, { memberOf: [{ role: place.name('heir') }] }, 'pw');
    await story.reconcile();
    for (const database of databases())
      await place.sql(
        `SET ROLE {heir}; CREATE TABLE kept (id int); GRANT SELECT ON kept TO {granted};
         ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {granted}; RESET ROLE;
         GRANT CREATE ON SCHEMA public TO {granted}; GRANT ALL ON DATABASE "${database}" TO {granted} WITH GRANT OPTION`,
        database,
      );
    if (place.isCloud && place.server.major < 15) {
      // What a superuser's schema has given is not the administrator's to take: said with the place, and kept.
      await expect(story.delete()).rejects.toMatchObject({
        reason: 'DependentObjects',
        message: expect.stringContaining('privileges for schema public'),
      });
      for (const database of databases()) await place.sql('REVOKE CREATE ON SCHEMA public FROM {granted}', database);
    }
    await story.delete();
    expect(await exists(name)).toBe(false);
    for (const database of databases()) expect(await ownerOf('kept', database)).toBe(place.name('heir'));
  });

  test('that owns a database is refused with dropOwned, and gives it away otherwise', async () => {
    const name = place.name('landlord');
    const story = place.role(name, { onDelete: { dropOwned: true } });
    await story.reconcile();
    const house = place.database(place.name('house'), { owner: name });
    await house.reconcile();
    await expect(story.delete()).rejects.toThrow(
      `role "${name}" owns database ${place.name('house')}, which forProvider.onDelete.dropOwned does not drop`,
    );
    story.spec = { onDelete: { reassignOwnedToAdmin: true } };
    await story.delete();
    expect(await exists(name)).toBe(false);
    await house.edit({ owner: undefined });
    expect((await house.plan()).atProvider).toMatchObject({ owner: place.admin });
  });

  test('that somebody has dropped already, or that is not ours, sends nothing', async () => {
    const story = place.role(place.name('gone'), {});
    await story.reconcile();
    await place.sql('DROP ROLE {gone}');
    expect(await story.delete()).toMatchObject({ exists: false, steps: [] });
    await place.sql('CREATE ROLE {theirs}');
    expect(await place.role(place.name('theirs'), {}).delete()).toMatchObject({ exists: false, steps: [] });
    expect(await exists(place.name('theirs'))).toBe(true);
  });

  test('that was adopted leaves it there, without the memberships that we gave it', async () => {
    const name = place.name('adopted');
    await place.sql(
      `CREATE ROLE {adopted}; ${place.isCloud && major >= 16 ? 'GRANT {adopted} TO {admin} WITH ADMIN OPTION' : ''}`,
    );
    const story = place.role(name, { adopt: true, memberOf: [{ role: place.name('heir') }] });
    await story.reconcile();
    expect((await story.delete()).notes?.[0]?.message).toContain('it was there before this resource');
    expect(await exists(name)).toBe(true);
    expect(
      await place.server.query(
        'SELECT FROM pg_auth_members WHERE member = (SELECT oid FROM pg_roles WHERE rolname = $1)',
        [name],
      ),
    ).toEqual([]);
  });
});
