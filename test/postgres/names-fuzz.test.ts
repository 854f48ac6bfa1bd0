/** Names and passwords of every make, for every kind, from the spec to the login: nothing fails, and nothing else happens. */
import * as fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../provider/common/secret.ts';
import { privilegeTables } from '../../provider/engines/registry.ts';
import { buildConnectionDetails } from '../../provider/resources/connection-details.ts';
import { DefaultPrivilegesPlanner } from '../../provider/resources/default-privileges.ts';
import { GrantPlanner } from '../../provider/resources/grant.ts';
import { circumstances, Place, quoted, Story } from './planned.ts';
import { propertyRuns } from './property-runs.ts';

const FRAGMENTS = [
  '"',
  '""',
  "'",
  "''",
  '.',
  '-',
  '--',
  ';',
  '\\',
  '\\"',
  "\\'",
  '\n',
  '\r\n',
  '\t',
  ' ',
  '$',
  '$$',
  '$1',
  '${x}',
  '%',
  '%s',
  '%I',
  '%20',
  '@',
  ':',
  '/',
  '?',
  '#',
  '&',
  '=',
  ',',
  '*',
  '{}',
  '[0]',
  'A',
  'Żółć',
  '表能',
  '💥',
  'e\u0301',
  '\u202E',
  '\u0085',
  'PUBLIC',
  '"; DROP TABLE public.canary; --',
  "'; DROP TABLE public.canary; --",
  '*/ DROP TABLE public.canary; /*',
  '$$; DROP TABLE public.canary; $$',
  'U&"\\0041"',
  "E'\\''",
];

const text = fc
  .array(fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ unit: 'grapheme', maxLength: 5 })), {
    minLength: 1,
    maxLength: 12,
  })
  .map((parts) => parts.join('').replaceAll('\0', '').toWellFormed())
  .filter((made) => made !== '');

/** Clients agree on how to prepare these (RFC 4013), so every one of them logs in. */
const password = fc
  .array(
    fc.oneof(
      fc.constantFrom(...FRAGMENTS.filter((part) => /^[\x20-\x7E]*$|^(Ż|表|💥)/.test(part))),
      fc.string({ maxLength: 5 }),
    ),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''))
  .filter((made) => made !== '');

/** At most so many bytes, and no half of a character. */
function cut(made: string, bytes: number): string {
  let kept = '';
  for (const character of made) {
    if (Buffer.byteLength(kept + character) > bytes) break;
    kept += character;
  }
  return kept;
}

const WHAT = ['owner', 'app', 'group', 'database', 'schema', 'table', 'column', 'sequence', 'routine', 'type'] as const;
type Names = Record<(typeof WHAT)[number], string>;

/** Names that the server takes whole, of up to 63 bytes; each ends so that none is another's. */
const namesFor = (place: Place): fc.Arbitrary<Names> =>
  fc.tuple(...WHAT.map(() => fc.tuple(text, fc.boolean()))).map((made) => {
    const entries = made.map(([part, isLong], index) => {
      const end = place.name(String(index));
      const room = 63 - Buffer.byteLength(end);
      const start = cut(isLong ? part.repeat(63) : part, room);
      return [WHAT[index]!, start + end] as const;
    });
    return Object.fromEntries(entries) as Names;
  });

/** As libpq and the driver for Java read it. */
function partsOf(url: string): { host: string; port: number; database: string; user: string; password: string } {
  const { hostname, port, pathname, username, password, searchParams } = new URL(url);
  return {
    host: hostname,
    port: Number(port),
    database: decodeURIComponent(pathname.slice(1)),
    user: searchParams.get('user') ?? decodeURIComponent(username),
    password: searchParams.get('password') ?? decodeURIComponent(password),
  };
}

describe.each(circumstances)('any names and passwords on PostgreSQL %i as %s', (major, admin) => {
  let place: Place;
  beforeAll(async () => {
    place = await Place.create(major, admin);
  });
  afterAll(async () => {
    await place.close();
  });

  const left = async (): Promise<unknown> => [
    await place.server.query('SELECT datname FROM pg_database WHERE strpos(datname, $1) > 0', [place.name('').trim()]),
    await place.server.query('SELECT rolname FROM pg_roles WHERE strpos(rolname, $1) > 0 AND rolname <> $2', [
      place.name('').trim(),
      place.admin,
    ]),
  ];

  /** What a client makes of the connection Secret. */
  async function loginBy(config: ConstructorParameters<typeof Client>[0], query: string): Promise<unknown[]> {
    const client = new Client(config);
    await client.connect();
    try {
      return (await client.query(query)).rows;
    } finally {
      await client.end();
    }
  }

  test('are made, granted on, logged in with and dropped, and nothing else happens', async () => {
    await fc.assert(
      fc.asyncProperty(namesFor(place), password, text, async (n, secret, odd) => {
        const database = { database: n.database };
        const made: Story[] = [];
        const reconcile = async (story: Story): Promise<void> => {
          made.unshift(story);
          await story.reconcile();
        };
        await reconcile(place.role(n.owner, { privileges: { login: false } }));
        await reconcile(place.role(n.group, { privileges: { login: false } }));
        const path = `${quoted(n.schema)}, public`;
        await reconcile(
          place.role(
            n.app,
            {
              memberOf: [{ role: n.owner }],
              configurationParameters: [{ name: 'search_path', value: path }],
              onDelete: { revokeGrants: true },
            },
            secret,
          ),
        );
        await reconcile(
          place.database(n.database, {
            owner: n.owner,
            dropPolicy: 'Always',
            settings: [{ name: 'search_path', value: path }],
          }),
        );
        await reconcile(place.schema(n.schema, { ...database, owner: n.owner, dropPolicy: 'Always' }));
        await reconcile(place.extension({ ...database, extension: 'citext', schema: n.schema }));
        const inSchema = (name: string): string => `${quoted(n.schema)}.${quoted(name)}`;
        await place.server.query(
          `SET ROLE ${quoted(n.owner)}; CREATE TYPE ${inSchema(n.type)} AS ENUM ('x');
           CREATE TABLE ${inSchema(n.table)} (${quoted(n.column)} int, other int); CREATE SEQUENCE ${inSchema(n.sequence)};
           CREATE FUNCTION ${inSchema(n.routine)}(${inSchema(n.type)}[], int) RETURNS int LANGUAGE sql AS 'SELECT 1';
           RESET ROLE; CREATE TABLE public.canary (id int)`,
          [],
          n.database,
        );
        const grant = (spec: object): Story => new Story(place, new GrantPlanner(privilegeTables), 'grant', spec);
        await reconcile(
          grant({
            ...database,
            role: n.group,
            privileges: ['CONNECT'],
            also: [
              { schema: n.schema, privileges: ['USAGE'] },
              { schema: n.schema, tables: [n.table], columns: [n.column], privileges: ['SELECT', 'UPDATE'] },
              { schema: n.schema, sequences: [n.sequence], privileges: ['USAGE'] },
              {
                schema: n.schema,
                routines: [{ name: n.routine, args: [`${inSchema(n.type)}[]`, 'int'] }],
                privileges: ['EXECUTE'],
              },
              { schema: n.schema, types: [n.type], privileges: ['USAGE'] },
            ],
          }),
        );
        await reconcile(grant({ ...database, schema: n.schema, role: n.group, tables: ['*'], privileges: ['DELETE'] }));
        await reconcile(grant({ role: n.app, memberOf: n.group }));
        await reconcile(
          new Story(place, new DefaultPrivilegesPlanner(privilegeTables), 'defaults', {
            ...database,
            targetRole: n.owner,
            role: n.group,
            schema: n.schema,
            objectType: 'table',
            privileges: ['SELECT'],
          }),
        );

        const { uri, jdbcUrl } = buildConnectionDetails({
          engine: 'postgres',
          host: place.server.host,
          port: place.server.port,
          tlsMode: 'disable',
          username: n.app,
          password: new Secret(secret),
          database: n.database,
        }) as Record<string, Secret>;
        const query = `SELECT current_user AS name, current_database() AS database, (SELECT count(*)::int FROM ${quoted(n.table)}) AS rows`;
        const answer = [{ name: n.app, database: n.database, rows: 0 }];
        const [fromUri, fromJdbc] = [partsOf(uri!.reveal()), partsOf(jdbcUrl!.reveal().replace('jdbc:', ''))];
        expect(fromUri).toMatchObject({ user: n.app, password: secret, database: n.database });
        expect(await loginBy(fromUri, query)).toEqual(answer);
        // The driver itself leaves these three as they are encoded.
        if (!/[#?/]/.test(n.database))
          expect(await loginBy({ connectionString: uri!.reveal() }, query)).toEqual(answer);
        expect(fromJdbc).toMatchObject({ user: n.app, password: secret, database: n.database });
        expect(await loginBy(fromJdbc, query)).toEqual(answer);

        expect(
          await place.server.query("SELECT to_regclass('public.canary') IS NOT NULL AS there", [], n.database),
        ).toEqual([{ there: true }]);
        // A password that clients prepare each in their own way is set once, and then left alone.
        const app = made.find(({ name }) => name === n.app)!;
        app.password = odd;
        await app.reconcile();
        for (const story of made) await story.delete();
        expect(await left()).toEqual([[], []]);
      }),
      {
        endOnFailure: true,
        numRuns: propertyRuns(major, 4),
      },
    );
  }, 300_000);
});
