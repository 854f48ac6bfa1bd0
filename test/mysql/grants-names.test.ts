/** Names of any kind in every place of a Grant. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';
import { World } from './grants-world.ts';

/** CI asks for more. */
const RUNS = Number(process.env['XDB_PROPERTY_RUNS'] ?? 30);

/** Pieces that mean something to somebody on the way to the server. */
const PIECES = [
  'a',
  'B',
  '_',
  '%',
  '\\',
  '`',
  "'",
  '"',
  '.',
  '@',
  ' x',
  '*',
  '-',
  '--',
  ';',
  '/*',
  '$',
  '?',
  'é',
  '漢',
  '\n',
  '#',
  'PUBLIC',
  'ALL',
  '{0}',
  '``',
  "''",
];
const piece = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 5 }).map((list) => list.join(''));
/** The id in it keeps the names of one run apart, whatever the server thinks of case and accents. */
const names = fc.record({
  database: piece,
  table: piece,
  column: piece,
  routine: piece,
  // MySQL takes white space off the ends of user names.
  user: piece.map((text) => `u${text}`),
  host: fc.constantFrom('%', 'localhost', '10.0.0.%', '::1'),
});

describe.each(mysqlServers)('%s', (server) => {
  let world: World;

  beforeAll(async () => {
    world = await World.create(sharedMysql(server));
  });
  afterAll(() => world.close());

  let count = 0;
  test('any name is granted on, found again and taken back, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(names, async (parts) => {
        count += 1;
        const unique = (text: string) => `${text}${world.id}${count}`;
        const [database, table, column, routine, user] = [
          parts.database,
          parts.table,
          parts.column,
          parts.routine,
          parts.user,
        ].map(unique) as [string, string, string, string, string];
        const twin = unique(parts.database.replaceAll('_', 'Z').replaceAll('%', 'Y').replaceAll('\\', 'X'));
        const q = (name: string) => `\`${name.replaceAll('`', '``')}\``;
        for (const name of new Set([database, twin])) await world.client.query(`CREATE DATABASE ${q(name)}`);
        await world.client.query(`CREATE TABLE ${q(database)}.${q(table)} (${q(column)} int)`);
        await world.client.query(`CREATE PROCEDURE ${q(database)}.${q(routine)}() SELECT 1`);
        await world.account(user, parts.host);
        const role = `${user}@${parts.host}`;
        const specs: GrantParameters[] = [
          { role, database, privileges: ['SELECT', 'DROP'] },
          { role, database, tables: [table], privileges: ['INSERT'] },
          { role, database, tables: [table], columns: [column], privileges: ['UPDATE'] },
          { role, database, routines: [{ name: routine }], privileges: ['EXECUTE'] },
          { role, system: true, privileges: ['PROCESS'] },
          { role, proxyOf: role },
        ];
        const grants = specs
          .filter((spec) => spec.proxyOf === undefined || !world.isMysql)
          .map((spec) => world.grant(spec));
        for (const grant of grants) {
          if (grant.spec.routines === undefined || /^[\0-\x7f]*$/.test(`${database}${routine}${user}`)) {
            await grant.reconcile();
            continue;
          }
          const { steps } = await grant.plan();
          await expect(world.run(steps)).rejects.toThrow('the server forgets the privilege when it restarts');
        }
        const stored = await world.client.query<{ Db: string }>('SELECT Db FROM mysql.db WHERE User = ?', [user]);
        expect(stored.map(({ Db }) => Db)).toEqual([database.replaceAll(/[\\_%]/g, String.raw`\$&`)]);
        for (const grant of grants) await grant.delete();
        const left = await world.client.query(
          `SELECT 1 FROM mysql.db WHERE User = ? AND Select_priv = 'Y' UNION ALL SELECT 1 FROM mysql.tables_priv WHERE User = ?
           UNION ALL SELECT 1 FROM mysql.columns_priv WHERE User = ? UNION ALL SELECT 1 FROM mysql.procs_priv WHERE User = ?`,
          [user, user, user, user],
        );
        expect(left).toEqual([]);
        for (const name of new Set([database, twin])) await world.client.query(`DROP DATABASE ${q(name)}`);
      }),
      { numRuns: RUNS },
    );
  }, 300_000);
});
