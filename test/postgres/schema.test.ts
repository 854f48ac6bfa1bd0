/** Schemas at real servers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { circumstances, Place } from './planned.ts';

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
  'a\nb',
  '"; DROP TABLE t; --',
];

describe.each(circumstances)('a Schema on PostgreSQL %i as %s', (major, admin) => {
  let place: Place;
  let database: string;
  beforeAll(async () => {
    place = await Place.create(major, admin);
    database = place.name('orders');
    for (const name of ['owner', 'next'])
      await place.role(place.name(name), { privileges: { login: false } }).reconcile();
    await place.database(database, { owner: place.name('owner') }).reconcile();
  });
  afterAll(async () => {
    await place.close();
  });

  const facts = async (name: string): Promise<object | undefined> =>
    (
      await place.server.query(
        `SELECT pg_get_userbyid(nspowner) AS owner, ARRAY(SELECT privilege_type FROM aclexplode(nspacl) WHERE grantee = 0 ORDER BY 1) AS public
         FROM pg_namespace WHERE nspname = $1`,
        [name],
        database,
      )
    )[0];

  test.each(names)('named %j is made, is quiet and is dropped (B92)', async (name) => {
    const story = place.schema(name, { database, owner: place.name('owner') });
    await story.reconcile();
    expect(await facts(name)).toEqual({ owner: place.name('owner'), public: [] });
    expect(await story.delete()).toMatchObject({ notes: [] });
    expect(await facts(name)).toBeUndefined();
  });

  test('gets its owner back, and may get another', async () => {
    const story = place.schema('owned', { database, owner: place.name('owner') });
    await story.reconcile();
    await place.sql('ALTER SCHEMA owned OWNER TO {next}', database);
    await story.reconcile();
    expect(await facts('owned')).toMatchObject({ owner: place.name('owner') });
    await story.edit({ owner: place.name('next') });
    expect(await facts('owned')).toMatchObject({ owner: place.name('next') });
  });

  test('is closed to PUBLIC on exactly this schema (B60)', async () => {
    const story = place.schema('closed', { database, owner: place.name('owner'), revokePublicOnSchema: true });
    await story.reconcile();
    const before = await facts('public');
    await place.sql('GRANT USAGE, CREATE ON SCHEMA closed TO PUBLIC', database);
    await story.reconcile();
    expect(await facts('closed')).toMatchObject({ public: [] });
    expect(await facts('public')).toEqual(before);
  });

  test('public may be given an owner and closed, and is never dropped (B54)', async () => {
    const spec = { database, owner: place.name('owner'), revokePublicOnSchema: true };
    const story = place.schema('public', spec);
    await expect(story.change()).rejects.toMatchObject({ reason: 'AlreadyExists' });
    if (place.isCloud && place.server.major < 15) {
      // There it belongs to the superuser who made the server, until that one gives it away.
      story.spec = { ...spec, adopt: true };
      await expect(story.change()).rejects.toMatchObject({
        reason: 'PermissionDenied',
        message: expect.stringContaining(`would have to be a member of "${place.server.adminUser}"`),
      });
      await place.sql(`ALTER SCHEMA public OWNER TO "${place.admin}"`, database);
    }
    await story.edit({ adopt: true });
    expect(await facts('public')).toEqual({ owner: place.name('owner'), public: [] });
    await story.edit({ dropPolicy: 'Always' });
    expect((await story.delete()).notes?.[0]?.message).toContain('every database has it');
    expect(await facts('public')).toBeDefined();
  });

  test('holding something is kept, and dropped with all of it by dropPolicy Always (F53)', async () => {
    const story = place.schema('filled', { database, owner: place.name('owner') });
    await story.reconcile();
    await place.sql(
      "CREATE TABLE filled.t (id int); CREATE FUNCTION filled.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
      database,
    );
    expect((await story.delete()).notes).toEqual([
      {
        reason: 'KeptExternalResource',
        message: `schema "filled" of database "${database}" kept: it holds 1 routine, 1 table; dropPolicy Always drops it`,
      },
    ]);
    await story.edit({ dropPolicy: 'Always' });
    await story.delete();
    expect(await facts('filled')).toBeUndefined();
  });

  test('of somebody else is left alone (F4, B98)', async () => {
    await place.sql('CREATE SCHEMA theirs', database);
    const story = place.schema('theirs', { database, dropPolicy: 'Always' });
    await expect(story.change()).rejects.toMatchObject({ reason: 'AlreadyExists' });
    await story.delete();
    expect(await facts('theirs')).toBeDefined();
  });

  test('waits for its database, and is gone when its database is (B112)', async () => {
    const gone = place.name('gone');
    const story = place.schema('app', { database: gone });
    await expect(story.change()).rejects.toMatchObject({ reason: 'Waiting' });
    const home = place.database(gone);
    await home.reconcile();
    await story.reconcile();
    await place.sql('DROP DATABASE {gone} WITH (FORCE)');
    expect(await story.delete()).toMatchObject({ exists: false });
    expect(await home.delete()).toMatchObject({ exists: false });
  });
});
