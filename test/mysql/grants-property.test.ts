import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { mysqlServers, sharedMysql } from '../rig/servers.ts';
import { World } from './grants-world.ts';

/** CI asks for more. */
const RUNS = Number(process.env['XDB_PROPERTY_RUNS'] ?? 60);

const FIELDS = ['system', 'database', 'databasePattern', 'tables', 'columns', 'routines'] as const;
type Field = (typeof FIELDS)[number];

const WORDS: Readonly<Record<Field, readonly string[]>> = {
  system: ['SELECT', 'PROCESS', 'RELOAD', 'CREATE USER'],
  database: ['SELECT', 'INSERT', 'CREATE TEMPORARY TABLES', 'EXECUTE'],
  databasePattern: ['SELECT', 'UPDATE', 'LOCK TABLES'],
  tables: ['SELECT', 'INSERT', 'CREATE VIEW', 'TRIGGER'],
  columns: ['SELECT', 'INSERT', 'REFERENCES'],
  routines: ['EXECUTE', 'ALTER ROUTINE'],
};
const DYNAMIC = ['BACKUP_ADMIN', 'CLONE_ADMIN'];
const OPTION = 'GRANT OPTION';
const NAMES = [['one'], ['two'], ['two', 'one']];

interface Given {
  field: Field;
  name: string;
  column: string;
  privilege: string;
  to: string;
  option: boolean;
}
/** One privilege, wherever it is; `grantable` only where each privilege has an option of its own. */
interface Held {
  field: Field;
  name: string;
  column: string;
  privilege: string;
  grantee: string;
  grantable: boolean;
}
type Spec = Pick<GrantParameters, 'privileges' | 'withOption' | 'exclusive'> & {
  field: Field;
  names: string[];
  columns: string[];
};

const wordsOf = (field: Field, isMysql: boolean): readonly string[] =>
  field === 'system' && isMysql ? [...WORDS.system, ...DYNAMIC] : WORDS[field];

const given = (isMysql: boolean): fc.Arbitrary<Given> =>
  fc.constantFrom(...FIELDS).chain((field) =>
    fc.record({
      field: fc.constant(field),
      name: fc.constantFrom('one', 'two'),
      column: fc.constantFrom('a', 'b'),
      privilege: fc.constantFrom(...wordsOf(field, isMysql)),
      to: fc.constantFrom('app', 'app', 'other'),
      option: fc.boolean(),
    }),
  );

const spec = (field: Field, isMysql: boolean): fc.Arbitrary<Spec> =>
  fc.record<Spec>({
    field: fc.constant(field),
    names: fc.constantFrom(...NAMES.slice(0, field === 'columns' ? 2 : 3)),
    columns: fc.constantFrom<string[]>(['a'], ['b', 'a']),
    privileges: fc.oneof(
      { weight: 4, arbitrary: fc.subarray<string>([...wordsOf(field, isMysql)]) },
      { weight: 1, arbitrary: fc.constant<string[]>(['ALL']) },
      { weight: 1, arbitrary: fc.constant<string[]>(field === 'columns' ? [] : [OPTION]) },
    ),
    withOption: field === 'columns' ? fc.constant(false) : fc.boolean(),
    exclusive: fc.boolean(),
  });

/** Specs of one life are about the same database, or about the server. */
const story = (isMysql: boolean) =>
  fc
    .constantFrom<readonly Field[]>(['system'], ['databasePattern'], ['database', 'tables', 'columns', 'routines'])
    .chain((fields) =>
      fc.record({
        givens: fc.array(given(isMysql), { maxLength: 12 }),
        /** What somebody takes by hand: which of the rows there are. */
        drift: fc.array(fc.nat(), { maxLength: 3 }),
        specs: fc.array(
          fc.constantFrom(...fields).chain((field) => spec(field, isMysql)),
          { minLength: 1, maxLength: 3 },
        ),
      }),
    );

describe.each(mysqlServers)('%s', (server) => {
  let world: World;
  let pattern: string;

  beforeAll(async () => {
    world = await World.create(sharedMysql(server));
    pattern = `p%${world.id}`;
    await world.users('app', 'other');
    await world.databases('prop');
    for (const n of ['one', 'two'])
      await world.prepare(
        `CREATE TABLE <prop>.${n} (a int, b int)`,
        n === 'one'
          ? `CREATE PROCEDURE <prop>.${n}() SELECT 1`
          : `CREATE FUNCTION <prop>.${n}() RETURNS int DETERMINISTIC RETURN 1`,
      );
  });
  afterAll(() => world.close());

  const exact = () => world.name('prop').replaceAll('_', String.raw`\_`);
  const ON: Readonly<Record<Field, (name: string) => string>> = {
    system: () => '*.*',
    database: () => `\`${exact()}\`.*`,
    databasePattern: () => `\`${pattern}\`.*`,
    tables: (name) => `<prop>.${name}`,
    columns: (name) => `<prop>.${name}`,
    routines: (name) => `${name === 'one' ? 'PROCEDURE' : 'FUNCTION'} <prop>.${name}`,
  };

  async function start(givens: readonly Given[]): Promise<void> {
    for (const user of ['app', 'other']) await world.prepare(`REVOKE ALL PRIVILEGES, GRANT OPTION FROM {${user}}@'%'`);
    for (const { field, name, column, privilege, to, option } of givens)
      await world.prepare(
        `GRANT ${privilege}${field === 'columns' ? `(${column})` : ''} ON ${ON[field](name)} TO {${to}}@'%'${option ? ' WITH GRANT OPTION' : ''}`,
      );
  }

  /** Read from other places than the product reads. */
  async function snapshot(): Promise<Held[]> {
    const rows = await world.sql<{ f: Field; n: string; c: string; p: string; g: string; o: string }>(
      `SELECT 'system' f, '' n, '' c, PRIVILEGE_TYPE p, GRANTEE g, IS_GRANTABLE o FROM information_schema.USER_PRIVILEGES
       UNION ALL SELECT 'database', TABLE_SCHEMA, '', PRIVILEGE_TYPE, GRANTEE, IS_GRANTABLE FROM information_schema.SCHEMA_PRIVILEGES
       UNION ALL SELECT 'tables', Table_name, '', Table_priv, CONCAT('''', User, '''@''', Host, ''''), 'NO' FROM mysql.tables_priv
       UNION ALL SELECT 'columns', TABLE_NAME, COLUMN_NAME, PRIVILEGE_TYPE, GRANTEE, 'NO' FROM information_schema.COLUMN_PRIVILEGES
       UNION ALL SELECT 'routines', Routine_name, '', Proc_priv, CONCAT('''', User, '''@''', Host, ''''), 'NO' FROM mysql.procs_priv`,
    );
    const held = rows
      .filter((row) => row.g.includes(world.id))
      .flatMap((row): Held[] => {
        const grantee = row.g.includes(world.name('app')) ? 'app' : 'other';
        const field = row.f === 'database' && row.n === pattern ? 'databasePattern' : row.f;
        const name = ['tables', 'columns', 'routines'].includes(row.f) ? row.n : '';
        const names = row.p
          .split(',')
          .map((p) => p.toUpperCase())
          // As the tables write them, which is not always as a statement has to.
          .map((p) => (p === 'GRANT' ? OPTION : p === 'DELETE VERSIONING ROWS' ? 'DELETE HISTORY' : p));
        const isDynamic = DYNAMIC.includes(row.p);
        const base = { field, name, column: row.c, grantee };
        return [
          ...names
            .filter((p) => p !== 'USAGE' && p !== '')
            .map((privilege) => ({ ...base, privilege, grantable: isDynamic && row.o === 'YES' })),
          ...(row.o === 'YES' && !isDynamic ? [{ ...base, privilege: OPTION, grantable: false }] : []),
        ];
      });
    return [...new Map(held.map((row) => [show(row), row])).values()];
  }

  const show = ({ field, name, column, privilege, grantee, grantable }: Held) =>
    `${field} ${name}.${column} ${privilege}${grantable ? '*' : ''} to ${grantee}`;

  const parameters = ({ field, names, columns, privileges, withOption, exclusive }: Spec): GrantParameters => {
    const rest = {
      role: world.name('app'),
      privileges,
      ...(withOption ? { withOption } : {}),
      ...(exclusive ? { exclusive } : {}),
    };
    if (field === 'system') return { ...rest, system: true };
    if (field === 'databasePattern') return { ...rest, databasePattern: pattern };
    const place = { ...rest, database: world.name('prop') };
    if (field === 'tables') return { ...place, tables: names };
    if (field === 'columns') return { ...place, tables: names, columns };
    return field === 'routines' ? { ...place, routines: names.map((name) => ({ name })) } : place;
  };

  const covers = ({ field, names, columns }: Spec, row: Held) =>
    field === row.field &&
    (row.name === '' || names.includes(row.name)) &&
    (field !== 'columns' || columns.includes(row.column));
  const speaksOf = ({ privileges, withOption }: Spec, row: Held) =>
    row.privilege === OPTION
      ? privileges!.includes(OPTION) ||
        (withOption === true && !(privileges!.length > 0 && privileges!.every((p) => DYNAMIC.includes(p))))
      : privileges!.includes('ALL') || privileges!.includes(row.privilege);
  /** Rows that no spec of the story speaks of. */
  const undeclared = (rows: readonly Held[], specs: readonly Spec[]) =>
    rows
      .filter(
        (row) => row.grantee !== 'app' || specs.every((s) => !covers(s, row) || (!s.exclusive && !speaksOf(s, row))),
      )
      .map(show)
      .toSorted();

  function expectDeclared(rows: readonly Held[], last: Spec): void {
    const held = rows.filter((row) => row.grantee === 'app' && covers(last, row));
    const isHeld = (privilege: string, name: string, column: string) =>
      held.some(
        (row) =>
          row.privilege === privilege &&
          [row.name, ''].includes(name) &&
          row.column === column &&
          (!last.withOption || !DYNAMIC.includes(privilege) || row.grantable),
      );
    const places = ['tables', 'columns', 'routines'].includes(last.field) ? last.names : [''];
    for (const privilege of last.privileges!.filter((p) => p !== 'ALL'))
      for (const name of places)
        for (const column of last.field === 'columns' ? last.columns : [''])
          expect([privilege, name, column, isHeld(privilege, name, column)]).toEqual([privilege, name, column, true]);
    if (last.exclusive) expect(held.filter((row) => !speaksOf(last, row)).map(show)).toEqual([]);
  }

  /** Revokes some of what the account holds. */
  async function take(rows: readonly Held[], drift: readonly number[]): Promise<void> {
    const mine = rows.filter((row) => row.grantee === 'app' && !(row.field === 'system' && row.privilege === OPTION));
    if (mine.length === 0) return;
    for (const { field, name, column, privilege } of new Set(drift.map((n) => mine[n % mine.length]!)))
      await world
        .sql(`REVOKE ${privilege}${field === 'columns' ? `(${column})` : ''} ON ${ON[field](name)} FROM {app}@'%'`)
        .catch((error: unknown) => {
          // Gone with what was taken before it.
          if (![1141, 1147, 1403].includes((error as { errno: number }).errno)) throw error;
        });
  }

  test('any grants on any rights: what is planned is what is held, then nothing more; the undeclared is untouched', async () => {
    await fc.assert(
      fc.asyncProperty(story(world.isMysql), async ({ givens, specs, drift }) => {
        await start(givens);
        const before = await snapshot();
        const grant = world.grant({});
        for (const s of specs) {
          grant.spec = parameters(s);
          await grant.reconcile();
        }
        const after = await snapshot();
        // What the server remembers is what it wrote down.
        await world.sql('FLUSH PRIVILEGES');
        expect((await snapshot()).map(show).toSorted()).toEqual(after.map(show).toSorted());
        expect(undeclared(after, specs)).toEqual(undeclared(before, specs));
        const last = specs.at(-1)!;
        expectDeclared(after, last);
        await take(after, drift);
        const drifted = await snapshot();
        await grant.reconcile();
        const mended = await snapshot();
        expectDeclared(mended, last);
        expect(undeclared(mended, specs)).toEqual(undeclared(drifted, specs));
        await grant.delete();
        const gone = await snapshot();
        await world.sql('FLUSH PRIVILEGES');
        expect((await snapshot()).map(show).toSorted()).toEqual(gone.map(show).toSorted());
        expect(undeclared(gone, specs)).toEqual(undeclared(drifted, specs));
        expect(
          gone.filter((row) => row.grantee === 'app' && covers(last, row) && speaksOf(last, row)).map(show),
        ).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  }, 300_000);
});
