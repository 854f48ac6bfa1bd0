/** An account that views and programs run as is not dropped under them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AccountStory, name, Place, servers, text } from './planned.ts';

describe.each(servers)('definers on %s', (server) => {
  let place: Place;
  beforeAll(() => {
    place = new Place(server);
  });
  afterAll(async () => {
    await place.close();
  });

  async function home(of: string): Promise<string> {
    const database = place.name(of);
    await place.sql(`CREATE DATABASE ${name(database)}`);
    await place.sql(`CREATE TABLE ${name(database)}.t (id int)`);
    return database;
  }

  async function definer(of: string, database: string, spec: object = {}): Promise<AccountStory> {
    const story = place.role(place.name(of), spec, 'secret');
    await story.reconcile();
    await place.sql(`GRANT ALL ON ${name(database)}.* TO ${text(story.name)}`);
    return story;
  }

  const define = async (story: AccountStory, database: string, ...statements: string[]) => {
    for (const statement of statements)
      await place.server.queryAs({ name: story.name, password: 'secret' }, statement, database);
  };

  const PROGRAMS = [
    ['view v', 'CREATE VIEW v AS SELECT * FROM t', 'DROP VIEW v'],
    ['procedure p', 'CREATE PROCEDURE p() SELECT 1', 'DROP PROCEDURE p'],
    ['function f', 'CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1', 'DROP FUNCTION f'],
    ['trigger g', 'CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.id = 1', 'DROP TRIGGER g'],
    ['event e', 'CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1', 'DROP EVENT e'],
  ] as const;

  test.each(PROGRAMS)('of a %s stay, and the condition names it', async (what, create, drop) => {
    const database = await home(`of ${what}`);
    const story = await definer(`d ${what}`, database);
    await define(story, database, create);
    await expect(story.planDelete()).rejects.toMatchObject({
      reason: 'DependentObjects',
      message: expect.stringContaining(`is the definer of ${what} in database ${JSON.stringify(database)}`) as string,
    });
    expect(await place.loggedIn(story.name, 'secret')).toBe(`${story.name}@%`);
    await define(story, database, drop);
    await story.delete();
    await expect(place.loggedIn(story.name, 'secret')).rejects.toThrow('denied');
  });

  test('with many are told in a few words', async () => {
    const database = await home('many');
    const story = await definer('d many', database);
    for (let n = 0; n < 8; n += 1) await define(story, database, `CREATE VIEW v${n} AS SELECT 1 AS one`);
    await expect(story.planDelete()).rejects.toThrow(
      `view v0, view v1, view v2, view v3, view v4 and 3 other objects in database ${JSON.stringify(database)}`,
    );
  });

  test('stay locked with keepIfOwner, once it is known what becomes of the database', async () => {
    const database = await home('kept');
    const story = await definer('d kept', database, { onDelete: { keepIfOwner: true } });
    await define(story, database, 'CREATE VIEW v AS SELECT COUNT(*) AS n FROM t');
    story.isManaged = ({ kind, name: managed }) => kind === 'Database' && managed === database;
    await expect(story.planDelete()).rejects.toMatchObject({
      reason: 'Waiting',
      message: expect.stringContaining(JSON.stringify(database)) as string,
    });
    story.isManaged = () => false;
    const { notes } = await story.delete();
    expect(notes?.[0]?.message).toBe(
      `role ${JSON.stringify(story.name)} kept: it is the definer of view v in database ${JSON.stringify(database)}`,
    );
    await expect(place.loggedIn(story.name, 'secret')).rejects.toThrow(/locked|denied/i);
    expect(await place.sql(`SELECT n FROM ${name(database)}.v`)).toHaveLength(1);
  });

  test('that define nothing any more go, with keepIfOwner too', async () => {
    const database = await home('gone');
    const story = await definer('d gone', database, { onDelete: { keepIfOwner: true } });
    await define(story, database, 'CREATE VIEW v AS SELECT * FROM t');
    await place.sql(`DROP DATABASE ${name(database)}`);
    expect((await story.delete()).notes).toEqual([]);
    expect(await place.sql(`SELECT 1 FROM mysql.user WHERE User = ${text(story.name)}`)).toEqual([]);
  });

  test('are told apart by their letters and their hosts', async () => {
    const database = await home('apart');
    const upper = await definer('WHO', database);
    await define(upper, database, 'CREATE VIEW v AS SELECT * FROM t');
    for (const [of, spec] of [
      [place.name('who'), {}],
      [place.name('WHO'), { host: '10.%' }],
    ] as const) {
      const other = place.role(of, spec, 'secret');
      await other.reconcile();
      await other.delete();
    }
    expect(await place.sql(`SELECT * FROM ${name(database)}.v`)).toEqual([]);
  });
});
