import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { name, Place, servers, text } from './planned.ts';

describe.each(servers)('databases on %s', (server) => {
  let place: Place;
  beforeAll(() => {
    place = new Place(server);
  });
  afterAll(async () => {
    await place.close();
  });

  const defaultsOf = async (database: string) =>
    (
      await place.server.query<{ charset: string; collation: string; comment: string | null }>(
        `SELECT DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation,
           ${place.isMariadb ? 'SCHEMA_COMMENT' : 'NULL'} AS comment
         FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?`,
        [database],
      )
    )[0];

  test('speak utf8mb4 when nobody says otherwise (B119)', async () => {
    const story = place.database(place.name('plain'));
    await story.reconcile();
    expect(await defaultsOf(story.name)).toMatchObject({ charset: 'utf8mb4' });
    expect((await story.plan()).atProvider).toMatchObject({ encoding: 'utf8mb4' });
  });

  test.each([
    'a`b',
    "it's",
    'x; DROP DATABASE mysql; --',
    'ünïcode',
    'back\\slash',
    'per%cent_',
    '"quoted"',
    'a.b',
    '$',
  ])('may be called %j, and nothing else happens (F22)', async (of) => {
    const story = place.database(place.name(of), { dropPolicy: 'Always' });
    await story.reconcile();
    expect(await defaultsOf(story.name)).toBeDefined();
    await story.delete();
    expect(await defaultsOf(story.name)).toBeUndefined();
  });

  test.each([
    ['a character set', { characterSet: 'latin1' }, { charset: 'latin1' }],
    ['a collation', { collation: 'utf8mb4_bin' }, { charset: 'utf8mb4', collation: 'utf8mb4_bin' }],
    ['a collation of another character set', { collation: 'latin1_german2_ci' }, { charset: 'latin1' }],
    ['an old name of a character set', { characterSet: 'utf8' }, { charset: 'utf8mb3' }],
    [
      'both in capitals',
      { characterSet: 'UTF8MB4', collation: 'UTF8MB4_UNICODE_CI' },
      { collation: 'utf8mb4_unicode_ci' },
    ],
  ])('are made with %s, and are changed to it', async (_, wanted, is) => {
    const made = place.database(place.name('made with'), wanted);
    await made.reconcile();
    expect(await defaultsOf(made.name)).toMatchObject(is);
    await place.sql(`DROP DATABASE ${name(made.name)}`);
    const changed = place.database(place.name('changed to'));
    await changed.reconcile();
    expect(await changed.edit(wanted)).toMatchObject([{ kind: 'alterDatabase', name: changed.name }]);
    expect(await defaultsOf(changed.name)).toMatchObject(is);
    await place.sql(`DROP DATABASE ${name(changed.name)}`);
  });

  test('that somebody altered by hand are put right, and only in what the spec speaks of', async () => {
    const story = place.database(place.name('drift'), { characterSet: 'utf8mb4', collation: 'utf8mb4_bin' });
    await story.reconcile();
    await place.sql(`ALTER DATABASE ${name(story.name)} CHARACTER SET latin1`);
    await story.reconcile();
    expect(await defaultsOf(story.name)).toMatchObject({ charset: 'utf8mb4', collation: 'utf8mb4_bin' });
    const silent = place.database(place.name('silent'));
    await silent.reconcile();
    await place.sql(`ALTER DATABASE ${name(silent.name)} CHARACTER SET latin1`);
    expect((await silent.plan()).steps).toEqual([]);
  });

  test('that somebody dropped are made anew', async () => {
    const story = place.database(place.name('dropped'));
    await story.reconcile();
    await place.sql(`DROP DATABASE ${name(story.name)}`);
    expect(await story.plan()).toMatchObject({ exists: false, steps: [{ kind: 'createDatabase' }] });
    await story.reconcile();
    expect(await defaultsOf(story.name)).toBeDefined();
  });

  test('that are not empty are kept by dropPolicy WhenEmpty, and the event says what is in them', async () => {
    const story = place.database(place.name('full'), { dropPolicy: 'WhenEmpty' });
    await story.reconcile();
    await place.sql(`CREATE TABLE ${name(story.name)}.t (a int)`);
    await place.sql(`CREATE VIEW ${name(story.name)}.v AS SELECT a FROM ${name(story.name)}.t`);
    await place.sql(`CREATE PROCEDURE ${name(story.name)}.p() SELECT 1`);
    await place.sql(`CREATE EVENT ${name(story.name)}.e ON SCHEDULE EVERY 1 DAY DO SELECT 1`);
    expect((await story.delete()).notes?.[0]?.message).toBe(
      `database ${JSON.stringify(story.name)} kept: it holds 1 event, 1 procedure, 1 table, 1 view; dropPolicy Always drops it`,
    );
    for (const [what, of] of [
      ['TABLE', 't'],
      ['VIEW', 'v'],
      ['PROCEDURE', 'p'],
      ['EVENT', 'e'],
    ])
      await place.sql(`DROP ${what} ${name(story.name)}.${of}`);
    await story.delete();
    expect(await defaultsOf(story.name)).toBeUndefined();
  });

  test('that were there before are taken over only when asked to', async () => {
    const of = place.name('before');
    await place.sql(`CREATE DATABASE ${name(of)}`);
    const story = place.database(of);
    await expect(story.plan()).rejects.toMatchObject({ reason: 'AlreadyExists' });
    story.spec = { adopt: true };
    await story.reconcile();
    expect((await story.delete()).notes?.[0]?.message).toContain('it was there before this resource');
    expect(await defaultsOf(of)).toBeDefined();
  });

  test.each([
    [{ owner: 'app' }, 'forProvider.owner means nothing to'],
    [{ encoding: 'UTF8' }, 'give forProvider.characterSet'],
  ])('refuse what they do not have: %j', async (spec, message) => {
    await expect(place.database(place.name('x'), spec).plan()).rejects.toMatchObject({
      reason: 'InvalidSpec',
      message: expect.stringContaining(message) as string,
    });
  });

  test.each(['mysql', 'MySQL', 'information_schema', 'performance_schema', 'sys'])('never include %s', async (of) => {
    await expect(place.database(of, { adopt: true }).plan()).rejects.toMatchObject({ reason: 'ReservedName' });
  });

  test('and accounts whose names no server can hold are refused, and go without asking for them', async () => {
    for (const story of [place.database('a😀'), place.role('a😀', {}, 'x')]) {
      await expect(story.plan()).rejects.toMatchObject({ reason: 'InvalidSpec', retryable: false });
      expect(await story.planDelete()).toMatchObject({ exists: false, steps: [] });
    }
  });

  test('of an unknown character set or collation are refused by the server, with its number', async () => {
    await expect(place.database(place.name('x'), { characterSet: 'klingon' }).change()).rejects.toMatchObject({
      reason: 'InvalidSpec',
      code: '1115',
    });
    await expect(place.database(place.name('x'), { collation: 'klingon_ci' }).change()).rejects.toMatchObject({
      reason: 'InvalidSpec',
      code: '1273',
    });
    await expect(
      place.database(place.name('x'), { characterSet: 'utf8mb4 DEFAULT', collation: "x' y" }).change(),
    ).rejects.toMatchObject({
      reason: 'InvalidSpec',
      message: expect.stringContaining('is no character set') as string,
    });
  });
});

test.each(['MariaDB 10.11', 'MariaDB 11.8'] as const)(
  'on %s a comment is what people read beside the mark, and it is changed and taken away',
  async (server) => {
    const place = new Place(server);
    try {
      const commentOf = async (database: string) =>
        (
          await place.server.query<{ comment: string }>(
            'SELECT SCHEMA_COMMENT AS comment FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?',
            [database],
          )
        )[0]?.comment;
      const story = place.database(place.name('commented'), { comment: "it's \\ mine" });
      await story.reconcile();
      const mark = `managed by xdatabase: tests/${story.uid} (${story.uid})`;
      expect(await commentOf(story.name)).toBe(`it's \\ mine\n${mark}`);
      await story.edit({ comment: 'yours' });
      expect(await commentOf(story.name)).toBe(`yours\n${mark}`);
      story.spec = {};
      await story.reconcile();
      expect(await commentOf(story.name)).toBe(mark);
      const other = place.database(story.name);
      await expect(other.plan()).rejects.toMatchObject({
        reason: 'AlreadyExists',
        message: expect.stringContaining(`managed by tests/${story.uid}`) as string,
      });
    } finally {
      await place.close();
    }
  },
);

test.each(['uca1400_ai_ci', 'utf8mb4_uca1400_as_cs', 'utf8mb4_0900_ai_ci'])(
  'on MariaDB 11.8 the collation %s is one name of several, and the database is at rest with it',
  async (collation) => {
    const place = new Place('MariaDB 11.8');
    try {
      await place.database(place.name('made'), { collation, characterSet: 'utf8mb4' }).reconcile();
      const changed = place.database(place.name('changed'), { collation: 'utf8mb4_bin' });
      await changed.reconcile();
      await changed.edit({ collation });
    } finally {
      await place.close();
    }
  },
);

test('on MySQL, whose databases have no comments, the mark stands in the attributes of a role for nothing else', async () => {
  const place = new Place('MySQL 9.7');
  try {
    const [first, second] = [place.database(place.name("o'ne")), place.database(place.name('two'))];
    await first.reconcile();
    await second.reconcile();
    const observed = await place.engine.read('database', [{ name: first.name }, { name: second.name }]);
    expect(observed.map((one) => one?.mark?.uid)).toEqual([first.uid, second.uid]);
    await expect(place.database(first.name).plan()).rejects.toThrow(`managed by tests/${first.uid}`);
    first.spec = { dropPolicy: 'Always' };
    await first.delete();
    await place.sql(`CREATE DATABASE ${name(first.name)}`);
    expect((await place.engine.read('database', [{ name: first.name }]))[0]?.mark).toBeUndefined();
    expect((await place.engine.read('database', [{ name: second.name }]))[0]?.mark?.uid).toBe(second.uid);
    const adopted = place.database(first.name, { adopt: true });
    await adopted.reconcile();
    expect((await place.engine.read('database', [{ name: first.name }]))[0]?.mark?.uid).toBe(adopted.uid);
    await expect(place.loggedIn('xdatabase.marks', '')).rejects.toThrow();
    await expect(place.role('xdatabase.marks', { adopt: true }, 'x').plan()).rejects.toMatchObject({
      reason: 'ReservedName',
    });
    // Who may not alter accounts may still make databases.
    await place.sql(`CREATE USER ${text(place.name('plain'))} IDENTIFIED BY 'plain'`);
    await place.sql(`GRANT CREATE, DROP, SELECT ON *.* TO ${text(place.name('plain'))}`);
    const engine = place.engineAs(place.name('plain'), 'plain');
    await engine.run([{ kind: 'createDatabase', name: place.name('three'), mark: { uid: 'u', resource: 'r' } }]);
    await engine.run([{ kind: 'dropDatabase', name: place.name('three') }]);
    await engine.close();
  } finally {
    await place.close();
  }
});

test('on MySQL a comment is refused', async () => {
  const place = new Place('MySQL 9.7');
  await expect(place.database('x', { comment: 'y' }).plan()).rejects.toThrow('only MariaDB has comments of databases');
  await place.close();
});
