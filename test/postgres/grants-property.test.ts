import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GrantParameters } from '../../provider/api/grant.ts';
import { postgresMajors } from '../rig/servers.ts';
import { World } from './grants-world.ts';
import { propertyRuns } from './property-runs.ts';

type Field = 'tables' | 'sequences' | 'routines' | 'types' | 'schema' | 'database';
const WORDS: Readonly<Record<Field, readonly string[]>> = {
  tables: ['SELECT', 'INSERT', 'UPDATE', 'TRIGGER'],
  sequences: ['USAGE', 'SELECT', 'UPDATE'],
  routines: ['EXECUTE'],
  types: ['USAGE'],
  schema: ['USAGE', 'CREATE'],
  database: ['CREATE', 'CONNECT', 'TEMPORARY'],
};
const ON: Readonly<Record<Field, string>> = {
  tables: 'TABLE s.{n}',
  sequences: 'SEQUENCE s.{n}',
  routines: 'FUNCTION s.{n}(int)',
  types: 'TYPE s.{n}',
  schema: 'SCHEMA s',
  database: 'DATABASE {database}',
};
const FIELDS = Object.keys(WORDS) as Field[];
const COLUMN_WORDS = ['SELECT', 'INSERT', 'UPDATE'];

interface Given {
  field: Field;
  name: string;
  privilege: string;
  column: string | undefined;
  to: string;
  option: boolean;
  by: string;
  /** Takes from PUBLIC what it has by default. */
  revoke: boolean;
}
/** One row of an ACL, wherever it is. */
interface Row {
  field: Field;
  name: string;
  column: string | null;
  privilege: string;
  grantee: string;
  grantor: string;
  grantable: boolean;
}

const given: fc.Arbitrary<Given> = fc.constantFrom(...FIELDS).chain((field) =>
  fc
    .record({
      field: fc.constant(field),
      name: fc.constantFrom('one', 'two'),
      privilege: fc.constantFrom(...WORDS[field]),
      column: fc.constantFrom(undefined, undefined, 'a', 'b'),
      to: fc.constantFrom('app', 'app', 'other', 'PUBLIC'),
      option: fc.boolean(),
      by: fc.constantFrom('owner', 'owner', 'giver'),
      revoke: fc.boolean(),
    })
    .map((g) => ({
      ...g,
      column: field === 'tables' && COLUMN_WORDS.includes(g.privilege) ? g.column : undefined,
      // PostgreSQL refuses an option on a column whose grantor has its own on the table.
      option: g.option && g.to !== 'PUBLIC' && (g.column === undefined || g.by === 'owner'),
    })),
);

type Spec = Pick<GrantParameters, 'privileges' | 'withOption' | 'exclusive' | 'columns'> & {
  field: Field;
  names: string[];
  /** Said under `also` of a Grant on the database, which wants nothing of the database itself. */
  isNested: boolean;
};
const spec = (inSchema: boolean, isPublic: boolean): fc.Arbitrary<Spec> =>
  fc.constantFrom(...FIELDS.filter((field) => (field === 'database') !== inSchema)).chain((field) =>
    fc
      .record({
        names: fc.constantFrom<string[]>(['*'], ['one'], ['two'], ['two', 'one']),
        columns: fc.constantFrom<(string[] | undefined)[]>(undefined, ['a'], ['b', 'a']),
        privileges: fc.oneof(fc.subarray<string>([...WORDS[field]]), fc.constant<string[]>(['ALL'])),
        withOption: fc.boolean(),
        exclusive: fc.boolean(),
        isNested: fc.boolean(),
      })
      .map(({ names, columns, privileges, withOption, exclusive, isNested }) => {
        const byColumn = field === 'tables' && columns !== undefined && names.length === 1 && names[0] !== '*';
        return {
          field,
          names,
          // `exclusive` would empty the database too.
          isNested: isNested && field !== 'database' && !exclusive,
          privileges: byColumn ? privileges.filter((p) => p === 'ALL' || COLUMN_WORDS.includes(p)) : privileges,
          ...(byColumn ? { columns } : {}),
          ...(withOption && !isPublic ? { withOption } : {}),
          ...(exclusive ? { exclusive } : {}),
        };
      }),
  );
const story = fc.tuple(fc.constantFrom('app', 'app', 'PUBLIC', 'owner'), fc.boolean()).chain(([role, inSchema]) =>
  fc.record({
    role: fc.constant(role),
    givens: fc.array(given, { maxLength: 12 }),
    specs: fc.array(spec(inSchema, role === 'PUBLIC'), { minLength: 1, maxLength: 3 }),
  }),
);

describe.each(postgresMajors)('PostgreSQL %i', (major) => {
  let world: World;

  beforeAll(async () => {
    world = await World.create(major);
    await world.roles('app', 'other', 'owner', 'giver');
  });
  afterAll(() => world.close());

  async function start(givens: readonly Given[]): Promise<void> {
    const database = `"${world.database}"`;
    const all = FIELDS.flatMap((field) =>
      ['one', 'two'].map((name) => `GRANT ALL ON ${on(field, name)} TO {giver} WITH GRANT OPTION`),
    );
    const rights = givens.map(({ field, name, privilege, column, to, option, by, revoke }) =>
      [
        `SET ROLE {${by}}`,
        to === 'PUBLIC' && revoke
          ? `REVOKE ${privilege} ON ${on(field, name)} FROM PUBLIC`
          : `GRANT ${privilege}${column === undefined ? '' : `(${column})`} ON ${on(field, name)} TO ${to === 'PUBLIC' ? to : `{${to}}`}${option ? ' WITH GRANT OPTION' : ''}`,
      ].join(';'),
    );
    await world.sql(`RESET ROLE; DROP SCHEMA IF EXISTS s CASCADE; ALTER DATABASE ${database} OWNER TO {owner};
      REVOKE ALL ON DATABASE ${database} FROM {app}, {other}, {giver}, PUBLIC CASCADE; GRANT ALL ON DATABASE ${database} TO {owner};
      GRANT CONNECT, TEMPORARY ON DATABASE ${database} TO PUBLIC;
      SET ROLE {owner}; CREATE SCHEMA s;
      CREATE TABLE s.one (a int, b int); CREATE VIEW s.two AS SELECT 1 AS a, 2 AS b;
      ${['one', 'two'].map((n) => `CREATE SEQUENCE s.seq_${n}; CREATE FUNCTION s.${n}(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE DOMAIN s.dom_${n} AS int`).join(';')};
      ${[...all, ...rights].join(';')}; RESET ROLE`);
  }

  const nameOf = (field: Field, name: string) =>
    ({
      tables: name,
      sequences: `seq_${name}`,
      routines: name,
      types: `dom_${name}`,
      schema: 's',
      database: world.database,
    })[field];
  const on = (field: Field, name: string) =>
    ON[field].replace('{n}', nameOf(field, name)).replace('{database}', `"${world.database}"`);

  async function snapshot(): Promise<Row[]> {
    return await world
      .sql<Row>(`SELECT o.field, o.name, o.col AS column, a.privilege_type AS privilege, a.is_grantable AS grantable,
        split_part(coalesce(g.rolname, 'PUBLIC'), ' ', 1) AS grantee, split_part(b.rolname, ' ', 1) AS grantor FROM (
      SELECT CASE relkind WHEN 'S' THEN 'sequences' ELSE 'tables' END AS field, relname::text AS name, NULL::text AS col,
        coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) AS acl
        FROM pg_class WHERE relnamespace = 's'::regnamespace
      UNION ALL SELECT 'tables', attrelid::regclass::text, attname, attacl FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 's'::regnamespace AND attacl IS NOT NULL
      UNION ALL SELECT 'routines', proname, NULL, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc WHERE pronamespace = 's'::regnamespace
      UNION ALL SELECT 'types', typname, NULL, coalesce(typacl, acldefault('T', typowner)) FROM pg_type WHERE typnamespace = 's'::regnamespace AND typtype = 'd'
      UNION ALL SELECT 'schema', nspname, NULL, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace WHERE nspname = 's'
      UNION ALL SELECT 'database', datname, NULL, coalesce(datacl, acldefault('d', datdba)) FROM pg_database WHERE datname = current_database()
    ) o, aclexplode(o.acl) a LEFT JOIN pg_roles g ON g.oid = a.grantee JOIN pg_roles b ON b.oid = a.grantor`)
      .then((rows) => rows.map((row) => ({ ...row, name: row.name.replace(/^s\./, '') })));
  }

  const parameters = (role: string, { isNested, ...said }: Spec): GrantParameters => {
    const whole = partOf(role, said);
    if (!isNested) return whole;
    const { role: grantee, database, withOption, ...part } = whole;
    const option = withOption === undefined ? {} : { withOption };
    return {
      role: grantee,
      database,
      privileges: [],
      ...option,
      also: [{ ...part, privileges: part.privileges ?? [] }],
    };
  };
  const partOf = (role: string, { field, names, ...rest }: Omit<Spec, 'isNested'>): GrantParameters => {
    const place = { role: role === 'PUBLIC' ? role : world.name(role), database: world.database };
    if (field === 'database') return { ...place, ...rest };
    if (field === 'schema') return { ...place, schema: 's', ...rest };
    const list = names.map((name) => (name === '*' ? name : nameOf(field, name)));
    const objects = field === 'routines' ? { routines: list.map((name) => ({ name })) } : { [field]: list };
    return { ...place, schema: 's', ...objects, ...rest };
  };

  function covers({ field, names, columns }: Spec, row: Row): boolean {
    if (field !== row.field) return false;
    const isNamed =
      field === 'schema' ||
      field === 'database' ||
      names.includes('*') ||
      names.some((n) => nameOf(field, n) === row.name);
    return (
      isNamed && (columns === undefined ? row.column === null : row.column !== null && columns.includes(row.column))
    );
  }
  const words = ({ field, privileges, columns }: Spec, row: Row) =>
    privileges!.includes('ALL')
      ? columns === undefined
        ? field === 'tables' || WORDS[field].includes(row.privilege)
        : true
      : privileges!.includes(row.privilege);
  const show = (row: Row) =>
    `${row.field} ${row.name}.${row.column ?? ''} ${row.privilege}${row.grantable ? '*' : ''} to ${row.grantee} by ${row.grantor}`;

  /** Rows that no spec of the story speaks of. */
  const undeclared = (rows: readonly Row[], role: string, specs: readonly Spec[]) =>
    rows
      .filter(
        (row) =>
          row.grantee !== role ||
          role === 'owner' ||
          specs.every((s) => !covers(s, row) || (s.exclusive !== true && !(words(s, row) && row.grantor === 'owner'))),
      )
      .map(show)
      .toSorted();

  const defaultsOf = (rows: readonly Row[]) =>
    rows
      .filter((row) => row.grantee === 'PUBLIC' && row.grantor === 'owner' && row.privilege !== 'CREATE')
      .filter((row) => ['routines', 'types', 'database'].includes(row.field))
      .map(show)
      .toSorted();

  test('any grants on any rights: what is planned is what is held, then nothing more; the undeclared is untouched', async () => {
    await fc.assert(
      fc.asyncProperty(story, async ({ role, givens, specs }) => {
        await start(givens);
        const before = await snapshot();
        const grant = world.grant({});
        for (const s of specs) {
          grant.spec = parameters(role, s);
          await grant.reconcile();
        }
        const after = await snapshot();
        expect(undeclared(after, role, specs)).toEqual(undeclared(before, role, specs));
        const last = specs.at(-1)!;
        const held = after.filter((row) => row.grantee === role && covers(last, row));
        if (last.exclusive === true && role !== 'owner') {
          expect(held.filter((row) => !words(last, row)).map(show)).toEqual([]);
          if (last.withOption !== true) expect(held.filter((row) => row.grantable).map(show)).toEqual([]);
        }
        await grant.delete();
        const gone = await snapshot();
        expect(undeclared(gone, role, specs)).toEqual(undeclared(before, role, specs));
        if (role === 'app')
          expect(
            gone
              .filter((row) => row.grantee === role && row.grantor === 'owner' && covers(last, row) && words(last, row))
              .map(show),
          ).toEqual([]);
        // PUBLIC has its defaults again, and only where it had them.
        if (role === 'PUBLIC') expect(defaultsOf(gone)).toEqual(defaultsOf(before));
      }),
      { numRuns: propertyRuns(major) },
    );
  }, 300_000);
});
