/** Extensions at real servers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { circumstances, Place } from './planned.ts';

describe.each(circumstances)('an Extension on PostgreSQL %i as %s', (major, admin) => {
  let place: Place;
  let database: string;
  beforeAll(async () => {
    place = await Place.create(major, admin);
    database = place.name('orders');
    await place.database(database).reconcile();
    await place.schema('ext', { database }).reconcile();
  });
  afterAll(async () => {
    await place.close();
  });

  const facts = async (name: string): Promise<object | undefined> =>
    (
      await place.server.query(
        'SELECT extversion AS version, nspname AS schema FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = $1',
        [name],
        database,
      )
    )[0];

  test('is installed in its schema and version, updated, moved and dropped (B56, B58)', async () => {
    const [old, newer] = place.server.major < 14 ? ['1.4', '1.7'] : ['1.6', '1.8'];
    const story = place.extension({ database, extension: 'hstore', version: old, schema: 'ext' });
    await story.reconcile();
    expect(await facts('hstore')).toEqual({ version: old, schema: 'ext' });
    await story.edit({ version: newer, schema: 'public' });
    expect(await facts('hstore')).toEqual({ version: newer, schema: place.isCloud ? 'ext' : 'public' });
    expect((await story.plan()).unchangeable).toHaveLength(place.isCloud ? 1 : 0);
    await story.edit({ version: undefined, schema: undefined });
    await story.delete();
    expect(await facts('hstore')).toBeUndefined();
  });

  test('in a version that is not there, or not there at all, is named with what is (B58)', async () => {
    const story = place.extension({ database, extension: 'hstore', version: '99' });
    await expect(story.change()).rejects.toMatchObject({
      reason: 'ExtensionNotAvailable',
      message: expect.stringMatching(/the server offers "hstore" in .*1\.7.*, not in 99$/),
    });
    await expect(place.extension({ database, extension: 'no"such' }).change()).rejects.toMatchObject({
      reason: 'ExtensionNotAvailable',
    });
  });

  test('is not dropped while something needs it, which is named', async () => {
    const story = place.extension({ database, extension: 'citext' });
    await story.reconcile();
    await place.sql('CREATE TABLE ext.names (name citext)', database);
    await expect(story.delete()).rejects.toMatchObject({ reason: 'DependentObjects', code: '2BP01' });
    await place.sql('DROP TABLE ext.names', database);
    await story.delete();
  });

  test('that somebody installed is refused, adopted when asked, and then kept', async () => {
    await place.sql('CREATE EXTENSION pg_trgm', database);
    const story = place.extension({ database, extension: 'pg_trgm' });
    await expect(story.change()).rejects.toMatchObject({ reason: 'AlreadyExists' });
    if (place.isCloud) return; // a limited administrator cannot comment on what a superuser owns, and is told so
    await story.edit({ adopt: true });
    expect((await story.delete()).notes).toHaveLength(1);
    expect(await facts('pg_trgm')).toBeDefined();
  });

  test('brings what it needs with cascade', async () => {
    if (place.isCloud) return; // only trusted extensions are for others than superusers
    const story = place.extension({ database, extension: 'earthdistance' });
    await expect(story.change()).rejects.toThrow('cube');
    await story.edit({ cascade: true });
    expect(await facts('cube')).toBeDefined();
  });

  test('waits for its database and its schema, and is gone when its database is', async () => {
    const gone = place.name('gone');
    const story = place.extension({ database: gone, extension: 'hstore', schema: 'later' });
    await expect(story.change()).rejects.toMatchObject({ reason: 'Waiting' });
    await place.database(gone).reconcile();
    await expect(story.change()).rejects.toMatchObject({
      reason: 'Waiting',
      message: expect.stringContaining('"later"'),
    });
    await place.schema('later', { database: gone }).reconcile();
    await story.reconcile();
    await place.sql('DROP DATABASE {gone} WITH (FORCE)');
    expect(await story.delete()).toMatchObject({ exists: false });
  });
});
