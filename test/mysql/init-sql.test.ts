/** initSQL on MySQL and MariaDB: once, as a login that may do anything in that database and nothing elsewhere. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Step } from '../../provider/resources/model/steps.ts';
import { type AccountStory, name, Place, servers, text } from './planned.ts';

const SCRIPT = `
CREATE TABLE made (id int PRIMARY KEY, note varchar(40) DEFAULT 'a; b');
INSERT INTO made VALUES (1, 'it''s; fine'), (2, "two");
-- a comment; with a semicolon
CREATE VIEW seen AS SELECT id FROM made;
CREATE PROCEDURE twice(IN n int) BEGIN DECLARE m int; SET m = n * 2; SELECT m AS m; END;
CREATE TRIGGER counted BEFORE INSERT ON made FOR EACH ROW BEGIN SET NEW.note = 'x'; SET NEW.id = NEW.id; END;
CREATE EVENT later ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO INSERT INTO made VALUES (9, 'late');`;

describe.each(servers)('initSQL on %s', (server) => {
  let place: Place;
  beforeAll(() => {
    place = new Place(server);
  });
  afterAll(async () => {
    await place.close();
  });

  const initial = (of: string, initSQL: string): AccountStory => place.database(place.name(of), { initSQL });
  const ids = async (of: AccountStory) =>
    (await place.sql<{ id: number }>(`SELECT id FROM ${name(of.name)}.made ORDER BY 1`)).map(({ id }) => id);
  /** Logins that a run has left for this database. */
  const loginsFor = async (of: AccountStory): Promise<string[]> => {
    const pattern = of.name.replaceAll(/[\\_%]/g, String.raw`\$&`);
    const rows = await place.sql<{ User: string }>(`SELECT User FROM mysql.db WHERE Db = ${text(pattern)}`);
    return rows.map(({ User }) => User);
  };

  test('runs once, all statements of it, and leaves no login behind', async () => {
    const story = initial(
      'plain',
      'CREATE TABLE made (id int); INSERT INTO made VALUES (1); INSERT INTO made VALUES (2)',
    );
    await story.reconcile();
    expect(await ids(story)).toEqual([1, 2]);
    expect((await story.plan()).atProvider).toMatchObject({ initSQL: 'Succeeded' });
    expect(await loginsFor(story)).toEqual([]);
    await story.edit({ initSQL: 'DROP TABLE made' });
    expect(await ids(story)).toEqual([1, 2]);
    await story.edit({ dropPolicy: 'Always' });
    await story.delete();
  });

  test('takes routines, triggers, views and events as they are written, and they go on working', async () => {
    const story = initial('programs', SCRIPT);
    await story.reconcile();
    expect(await ids(story)).toEqual([1, 2]);
    const [login = ''] = await loginsFor(story);
    expect(login).toMatch(/^xdatabase_run_init_[0-9a-f]{12}$/);
    await place.sql(`CREATE USER ${text(place.name('app'))} IDENTIFIED BY 'app'`);
    const pattern = story.name.replaceAll(/[\\_%]/g, String.raw`\$&`);
    await place.sql(`GRANT SELECT, INSERT, EXECUTE ON ${name(pattern)}.* TO ${text(place.name('app'))}`);
    const as = async (statement: string) =>
      await place.server.queryAs({ name: place.name('app'), password: 'app' }, statement, story.name);
    expect(await as('SELECT id FROM seen ORDER BY 1')).toEqual([{ id: 1 }, { id: 2 }]);
    expect(JSON.stringify(await as('CALL twice(4)'))).toContain('"m":8');
    await as("INSERT INTO made VALUES (3, 'mine')");
    expect(await as('SELECT note FROM made WHERE id = 3')).toEqual([{ note: 'x' }]);
    // Their definer lets nobody in, and may do nothing elsewhere.
    await expect(place.loggedIn(login, '')).rejects.toThrow(/denied|locked/i);
    const grants = (await place.sql<Record<string, string>>(`SHOW GRANTS FOR ${text(login)}`)).map(
      (row) => Object.values(row)[0] ?? '',
    );
    expect(grants.filter((grant) => !grant.includes(name(pattern)) && !grant.startsWith('GRANT USAGE'))).toEqual([]);
    // It goes with the database.
    await story.edit({ dropPolicy: 'Always' });
    await story.delete();
    expect(await place.sql(`SELECT 1 FROM mysql.user WHERE User = ${text(login)}`)).toEqual([]);
  });

  test('tells that it failed, does not repeat it, and runs it again with another text', async () => {
    const story = initial('failing', 'CREATE TABLE made (id int); INSERT INTO made VALUES (1); SELECT nonsense');
    await expect(story.change()).rejects.toMatchObject({ message: expect.stringContaining('nonsense') as string });
    expect(await loginsFor(story)).toEqual([]);
    story.owned = true;
    for (let pass = 0; pass < 2; pass += 1) {
      const plan = await story.plan();
      expect(plan).toMatchObject({ exists: true, steps: [], unready: { reason: 'InitSQLFailed' } });
      expect(plan.atProvider).toMatchObject({ initSQL: 'Failed' });
      await story.change();
    }
    expect(await ids(story)).toEqual([1]);
    await story.edit({ initSQL: 'INSERT INTO made VALUES (2)' });
    expect(await ids(story)).toEqual([1, 2]);
    expect((await story.plan()).atProvider).toMatchObject({ initSQL: 'Succeeded' });
  });

  test('is run when the process died before it began, and told when it died in the middle', async () => {
    const early = initial('died early', 'CREATE TABLE made (id int); INSERT INTO made VALUES (1)');
    const begun = await early.plan();
    early.applied = begun.applied;
    await place.engine.run(begun.steps.slice(0, 1));
    await early.reconcile();
    expect(await ids(early)).toEqual([1]);
    const late = initial('died late', 'CREATE TABLE made (id int)');
    const { steps, applied } = await late.plan();
    late.applied = applied;
    const upTo = steps.findIndex(({ kind }) => kind === 'initSQL');
    await place.engine.run(steps.slice(0, upTo));
    late.owned = true;
    expect(await late.plan()).toMatchObject({ steps: [], unready: { reason: 'InitSQLFailed' } });
  });

  test.each<[string, (other: string, user: string) => string]>([
    ['read another database', (other) => `SELECT * FROM ${name(other)}.t`],
    ['write into another database', (other) => `INSERT INTO ${name(other)}.t VALUES (1)`],
    ['make an account', (_, user) => `CREATE USER ${text(user)} IDENTIFIED BY 'x'`],
    ['grant what it has', (_, user) => `GRANT SELECT ON * TO ${text(user)}`],
    ['define something for the administrator', () => "CREATE DEFINER = 'root'@'%' PROCEDURE p() SELECT 1"],
    ['change a setting of the server', () => 'SET GLOBAL max_connections = 7'],
    ['read accounts', () => 'SELECT * FROM mysql.user'],
    ['read files', () => "LOAD DATA INFILE '/etc/passwd' INTO TABLE t"],
    ['drop another database', (other) => `DROP DATABASE ${name(other)}`],
  ])('cannot %s', async (of, attempt) => {
    const other = place.name('other');
    await place.sql(`CREATE DATABASE IF NOT EXISTS ${name(other)}`);
    await place.sql(`CREATE TABLE IF NOT EXISTS ${name(other)}.t (id int)`);
    const story = initial(of.slice(0, 20), `CREATE TABLE t (id int); ${attempt(other, place.name('evil'))}`);
    await expect(story.change()).rejects.toMatchObject({ reason: 'PermissionDenied' });
    expect(await place.sql(`SELECT 1 FROM mysql.user WHERE User = ${text(place.name('evil'))}`)).toEqual([]);
  });

  test('the name of a database that looks like others’ gives the script no way into them', async () => {
    await place.sql(`CREATE DATABASE ${name(place.name('aXb'))}`);
    await place.sql(`CREATE TABLE ${name(place.name('aXb'))}.t (id int)`);
    const story = initial('a_b', `SELECT * FROM ${name(place.name('aXb'))}.t`);
    await expect(story.change()).rejects.toMatchObject({ reason: 'PermissionDenied' });
  });

  test('has the settings of the server and not those of our sessions', async () => {
    const story = initial(
      'settings',
      'CREATE TABLE made (id int); CREATE PROCEDURE p() SELECT 1; INSERT INTO made SELECT @@sql_mode = @@GLOBAL.sql_mode',
    );
    await story.reconcile();
    expect(await ids(story)).toEqual([1]);
    const [mode] = await place.sql<{ made: string; servers: string }>(
      `SELECT SQL_MODE AS made, @@GLOBAL.sql_mode AS servers FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${text(story.name)}`,
    );
    expect(mode?.made).toBe(mode?.servers);
  });

  test('a plan shows the text, and no name in it is taken for ours', async () => {
    const story = initial('shown', 'CREATE TABLE made (id int)');
    const { steps } = await story.plan();
    const shown = place.engine.compile(steps, await place.engine.info()).map((one) => one.text);
    expect(shown).toContain('CREATE TABLE made (id int)');
    const reserved: Step = { kind: 'createRole', name: 'xdatabase_run_init_x', attributes: { login: true } };
    await expect(place.role(reserved.name, {}, 'x').plan()).rejects.toMatchObject({ reason: 'ReservedName' });
  });
});
