import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DefaultPrivilegesParameters } from '../../provider/api/default-privileges.ts';
import { postgresMajors } from '../rig/servers.ts';
import { World } from './grants-world.ts';
import { propertyRuns } from './property-runs.ts';

type ObjectType = 'table' | 'sequence' | 'function' | 'type' | 'schema';
const TYPES: Readonly<
  Record<
    ObjectType,
    { words: readonly string[]; on: string; letter: string; builtin: string; isPublic: readonly string[] }
  >
> = {
  table: { words: ['SELECT', 'INSERT', 'TRIGGER'], on: 'TABLES', letter: 'r', builtin: 'r', isPublic: [] },
  sequence: { words: ['USAGE', 'SELECT'], on: 'SEQUENCES', letter: 'S', builtin: 's', isPublic: [] },
  function: { words: ['EXECUTE'], on: 'FUNCTIONS', letter: 'f', builtin: 'f', isPublic: ['EXECUTE'] },
  type: { words: ['USAGE'], on: 'TYPES', letter: 'T', builtin: 'T', isPublic: ['USAGE'] },
  schema: { words: ['USAGE', 'CREATE'], on: 'SCHEMAS', letter: 'n', builtin: 'n', isPublic: [] },
};
const names = Object.keys(TYPES) as ObjectType[];

interface Given {
  objectType: ObjectType;
  schema: string | undefined;
  privilege: string;
  grantee: string;
  option: boolean;
  revoke: boolean;
}
interface Spec {
  privileges: string[];
  withOption: boolean;
}

const subject = fc.constantFrom(...names).chain((objectType) =>
  fc.record({
    objectType: fc.constant(objectType),
    schema: objectType === 'schema' ? fc.constant(undefined) : fc.constantFrom(undefined, undefined, 'a', 'b'),
  }),
);
const given: fc.Arbitrary<Given> = subject.chain(({ objectType, schema }) =>
  fc
    .record({
      objectType: fc.constant(objectType),
      schema: fc.constant(schema),
      privilege: fc.constantFrom(...TYPES[objectType].words),
      grantee: fc.constantFrom('app', 'app', 'other', 'PUBLIC'),
      option: fc.boolean(),
      revoke: fc.boolean(),
    })
    .map((g) => ({ ...g, option: g.option && g.grantee !== 'PUBLIC' })),
);
const story = fc
  .record({ subject, role: fc.constantFrom('app', 'app', 'PUBLIC', 'maker') })
  .chain(({ subject: of, role }) =>
    fc.record({
      subject: fc.constant(of),
      role: fc.constant(role),
      givens: fc.array(given, { maxLength: 8 }),
      specs: fc.array(
        fc.record({
          privileges: fc.oneof(fc.subarray<string>([...TYPES[of.objectType].words]), fc.constant<string[]>(['ALL'])),
          withOption: role === 'PUBLIC' ? fc.constant(false) : fc.boolean(),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
  );

describe.each(postgresMajors)('PostgreSQL %i', (major) => {
  let world: World;

  beforeAll(async () => {
    world = await World.create(major);
    await world.roles('maker', 'app', 'other');
    await world.sql('CREATE SCHEMA a; CREATE SCHEMA b');
  });
  afterAll(() => world.close());

  async function start(givens: readonly Given[]): Promise<void> {
    await world.sql('DROP OWNED BY {maker}');
    for (const { objectType, schema, privilege, grantee, option, revoke } of givens) {
      const to = grantee === 'PUBLIC' ? grantee : `{${grantee}}`;
      const head = `ALTER DEFAULT PRIVILEGES FOR ROLE {maker} ${schema === undefined ? '' : `IN SCHEMA ${schema}`}`;
      await world.sql(
        revoke
          ? `${head} REVOKE ${privilege} ON ${TYPES[objectType].on} FROM ${to}`
          : `${head} GRANT ${privilege} ON ${TYPES[objectType].on} TO ${to} ${option ? 'WITH GRANT OPTION' : ''}`,
      );
    }
  }

  /** Every right in every layer, the built-in ones included. */
  async function snapshot(): Promise<string[]> {
    const layers = names.flatMap((name) =>
      (name === 'schema' ? [undefined] : [undefined, 'a', 'b']).map(
        (
          schema,
        ) => `SELECT '${name} ${schema ?? ''}' AS layer, coalesce((SELECT defaclacl FROM pg_default_acl WHERE defaclrole = {maker}::regrole
          AND defaclnamespace = ${schema === undefined ? '0' : `'${schema}'::regnamespace`} AND defaclobjtype = '${TYPES[name].letter}'),
          ${schema === undefined ? `acldefault('${TYPES[name].builtin}', {maker}::regrole::oid)` : 'NULL::aclitem[]'}) AS acl`,
      ),
    );
    const rows = await world.sql<{ row: string }>(
      `SELECT layer || ' ' || a.privilege_type || ' ' || coalesce(split_part(g.rolname, ' ', 1), 'PUBLIC') || CASE WHEN a.is_grantable THEN ' *' ELSE '' END AS row
       FROM (${layers.join(' UNION ALL ').replaceAll('{maker}', `'"${world.name('maker')}"'`)}) l, aclexplode(l.acl) a LEFT JOIN pg_roles g ON g.oid = a.grantee`,
    );
    return rows.map(({ row }) => row).toSorted();
  }

  test('any rule on any layers: what is planned is what is held, then nothing more; the undeclared is untouched', async () => {
    await fc.assert(
      fc.asyncProperty(story, async ({ subject: { objectType, schema }, role, givens, specs }) => {
        await start(givens);
        const before = await snapshot();
        const rule = world.defaults({} as DefaultPrivilegesParameters);
        const layer = `${objectType} ${schema ?? ''} `;
        const declared = new Set(specs.flatMap((spec) => wordsOf(spec, objectType)));
        const isTaken = (word: string) =>
          role === 'PUBLIC' && schema === undefined && TYPES[objectType].isPublic.includes(word);
        const isDeclared = (row: string) => {
          const [word, grantee] = row.slice(layer.length).split(' ');
          return (
            row.startsWith(layer) && grantee === role && (declared.has(word!) || declared.has('ALL') || isTaken(word!))
          );
        };
        for (const spec of specs) {
          rule.spec = {
            database: world.database,
            targetRole: world.name('maker'),
            role: role === 'PUBLIC' ? role : world.name(role),
            ...(schema === undefined ? {} : { schema }),
            objectType,
            ...spec,
          };
          await rule.reconcile();
        }
        const after = await snapshot();
        const rest = (rows: string[]) => rows.filter((row) => !isDeclared(row));
        expect(rest(after)).toEqual(rest(before));
        const last = specs.at(-1)!;
        for (const word of wordsOf(last, objectType).filter((w) => w !== 'ALL'))
          expect(after.some((row) => row.startsWith(`${layer}${word} ${role}`))).toBe(true);
        await rule.delete();
        const gone = await snapshot();
        expect(rest(gone)).toEqual(rest(before));
        // What PUBLIC had before by the server's defaults, it has again.
        if (role === 'PUBLIC' && schema === undefined)
          for (const word of TYPES[objectType].isPublic)
            expect(gone.includes(`${layer}${word} PUBLIC`)).toBe(before.includes(`${layer}${word} PUBLIC`));
        if (role === 'app')
          for (const word of wordsOf(last, objectType))
            expect(gone.some((row) => row.startsWith(`${layer}${word} app`))).toBe(false);
      }),
      { numRuns: propertyRuns(major) },
    );
  }, 300_000);
});

const wordsOf = ({ privileges }: Spec, objectType: ObjectType): string[] =>
  privileges.includes('ALL') ? ['ALL', ...TYPES[objectType].words] : privileges;
