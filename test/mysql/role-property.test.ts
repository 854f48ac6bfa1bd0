/** Whatever the names, passwords and options are: applying the plan gives what was wanted, and a second plan is empty. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { name, Place, servers } from './planned.ts';

const RUNS = 25;

/** Characters that mean something to a server, a shell or a URI, and some that take two or three bytes. */
const character = fc.oneof(
  fc.constantFrom(
    "'",
    '"',
    '`',
    '\\',
    '%',
    '_',
    '$',
    ';',
    '-',
    '#',
    '*',
    '/',
    '@',
    ':',
    '&',
    ' ',
    '\n',
    '\t',
    '\u0001',
  ),
  fc.constantFrom('ä', 'ß', 'ñ', 'Ж', '中', '文', 'あ', '€', '\u00a0'),
  fc.string({ minLength: 1, maxLength: 1, unit: 'grapheme-ascii' }),
);
const texts = (least: number, most: number) =>
  fc.array(character, { minLength: least, maxLength: most }).map((parts) => parts.join(''));
/** Passwords may have any character but NUL. */
const password = fc.oneof(
  texts(1, 40),
  fc.string({ minLength: 1, maxLength: 40, unit: 'binary' }).filter((s) => !s.includes('\0') && s.isWellFormed()),
);
const host = fc.constantFrom(undefined, '%', '127.0.0.1', '127.0.0.%');
const options = fc.record(
  {
    require: fc.oneof(
      fc.constant({ type: 'NONE' }),
      fc.record({ type: fc.constant('SPECIFIED'), subject: texts(1, 10), issuer: texts(1, 10) }),
    ),
    resourceOptions: fc.record(
      {
        maxQueriesPerHour: fc.nat(5_000),
        maxUpdatesPerHour: fc.nat(5_000),
        maxConnectionsPerHour: fc.nat(5_000),
        maxUserConnections: fc.nat(500),
      },
      { requiredKeys: [] },
    ),
    accountLocked: fc.boolean(),
    passwordLifetimeDays: fc.nat(3_000),
  },
  { requiredKeys: [] },
);

describe.each(servers)('on %s', (server) => {
  let place: Place;
  beforeAll(() => {
    place = new Place(server);
  });
  afterAll(async () => {
    await place.close();
  });

  test('any account logs in with any password, under exactly its name, and disappears with nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        texts(0, 18).map((text) => text.trimStart()),
        host,
        password,
        password,
        async (of, at, first, second) => {
          const id = randomBytes(4).toString('hex');
          const user = `${of}${id}`;
          // Other tests make accounts on this server too.
          const named = async (): Promise<string[]> =>
            (
              await place.sql<{ User: string }>(
                `SELECT User FROM mysql.user WHERE User LIKE '%${id}%' OR User = 'root'`,
              )
            ).map(({ User }) => User);
          const story = place.role(
            user,
            user.includes('@') ? { host: at ?? '%' } : at === undefined ? {} : { host: at },
            first,
          );
          await story.reconcile();
          expect(await place.loggedIn(user, first)).toBe(`${user}@${at ?? '%'}`);
          story.password = second;
          await story.reconcile();
          expect(await place.loggedIn(user, second)).toBe(`${user}@${at ?? '%'}`);
          expect((await named()).toSorted()).toEqual(['root', user].toSorted());
          await story.delete();
          expect(await named()).toEqual(['root']);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('any options become any others, and a second plan is empty', async () => {
    await fc.assert(
      fc.asyncProperty(options, options, async (first, second) => {
        const story = place.role(place.name(randomBytes(4).toString('hex')), first, 'secret');
        await story.reconcile();
        story.spec = second;
        await story.reconcile();
        story.spec = {};
        await story.reconcile();
        await story.delete();
      }),
      { numRuns: RUNS },
    );
  });

  test('any database is made under exactly its name, and goes with nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        texts(1, 40).map((text) => text.trimStart()),
        async (of) => {
          const id = randomBytes(4).toString('hex');
          const database = `${of}${id}`;
          const named = async (): Promise<string[]> =>
            (
              await place.sql<{ d: string }>(
                `SELECT SCHEMA_NAME AS d FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '%${id}%' OR SCHEMA_NAME = 'mysql'`,
              )
            ).map(({ d }) => d);
          const story = place.database(database, { dropPolicy: 'Always' });
          await story.reconcile();
          expect((await named()).toSorted()).toEqual([database, 'mysql'].toSorted());
          await place.sql(`USE ${name(database)}`);
          await story.delete();
          expect(await named()).toEqual(['mysql']);
        },
      ),
      { numRuns: RUNS },
    );
  });
});
