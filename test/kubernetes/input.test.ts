/** The CRD of the Composition's input, by which tools check a platform's files, and the function say the same of any input. */
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { INPUT_GROUP, INPUT_KIND, parseInput } from '../../function/input.ts';
import { type KubeObject, VERSION } from '../../provider/api/kind.ts';
import { sharedCluster } from '../rig/servers.ts';

const cluster = sharedCluster();
const INPUTS = 300;

beforeAll(async () => {
  await cluster.apply(join(import.meta.dirname, '../../package/function/input'));
  return async () => {
    await cluster.kubectl(['delete', 'crd', `inputs.${INPUT_GROUP}`, '--wait=false']);
  };
});

/** Mostly what is allowed, at its edges, and now and then what is not. */
const either = (good: readonly unknown[], ...bad: readonly unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 60, arbitrary: fc.constantFrom(...good) },
    { weight: 1, arbitrary: fc.constantFrom(...bad, { x: 1 }, [], 'x'.repeat(300)) },
  );
const some = (fields: Record<string, fc.Arbitrary<unknown>>, ...required: string[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 60, arbitrary: fc.record(fields, { requiredKeys: required }) },
    { weight: 1, arbitrary: fc.constantFrom<unknown>('text', 7, true, { unknown: 1 }) },
  );
const listOf = (entry: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.array(entry, { maxLength: 2 });

const name = either(['small', 'large', 'ü', 'x'.repeat(63)], '', 'x'.repeat(64), 7);
const duration = either(['1h', '1h30m', '0.5s', '10ms'], '', '1d', '-1h', '1', 3600);
const path = either(['spec.size', 'a', 'database.connectionLimit', 'roles'], '', '.a', 'a..b', 'a b', '__proto__.x');
const server = fc.oneof(
  { weight: 10, arbitrary: fc.constant({ name: 'shared' }) },
  {
    weight: 2,
    arbitrary: some({ kind: either(['ProviderConfig', 'ClusterProviderConfig'], 'Server', ''), name }, 'name'),
  },
);
const cron = either(['0 3 * * *', '@daily', '*/5 1-3 * * MON'], '', '* * *', '@never');
const defaults = some({
  backup: some({
    schedule: cron,
    storage: name,
    retention: some({ keepLast: either([1, 7], -1, 1.5, '7'), keepDaily: either([7], -1) }),
    suspend: either([true, false], 'yes'),
  }),
  database: some({ connectionLimit: either([-1, 0, 5], -2, 2 ** 31), encoding: either(['UTF8'], '') }),
  roles: listOf(
    some(
      { name: either(['app', 'a-b', 'x'.repeat(40)], 'App', 'a-', '1a'), access: either(['owner', 'none'], 'all') },
      'name',
      'access',
    ),
  ),
  expiresAfter: duration,
  dropPolicy: either(['Always', 'Never', 'WhenEmpty'], 'Sometimes'),
});
const ceilings = {
  maxRoles: either([0, 5, 32], -1, 33, 1.5, '5'),
  maxSchemas: either([0, 20], 21, -1),
  allowedExtensions: either([[], ['citext']], ['a', 'a'], [''], [7]),
  allowedPrivileges: either([['SELECT', 'ALL'], []], ['SELECT', 'SELECT'], ['1'], ['DROP;']),
  requireBackup: either([true, false], 'true', 1),
  minBackupInterval: duration,
  maxExpiresAfter: duration,
};
const engine = either(['postgres', 'mysql', 'mariadb', 'cockroachdb'], 'oracle', '');
const serverClass = fc
  .tuple(some({ name, engine, connectionLimit: either([1, 20], 0, -1), defaults, ...ceilings }), server)
  .map(([fields, serverRef]) =>
    typeof fields === 'object' ? { name: 'small', serverRef, ...(fields as object) } : fields,
  );
const template = (...good: string[]): fc.Arbitrary<unknown> =>
  either(good, '', '{nothing}', '{', 'plain', '{database}');
const item = some(
  { field: path, from: path, values: either([{ ro: 'readOnly' }, {}], { ro: 7 }, 'text') },
  'field',
  'from',
);
const fields = some({
  classes: listOf(serverClass),
  allowServerRef: either([true, false], 'no'),
  allowedEngines: either([['postgres'], ['mysql', 'mariadb']], [], ['postgres', 'postgres'], ['oracle']),
  ...ceilings,
  defaults,
  naming: some({
    database: template('{name}', '{namespace}_{name}'),
    username: template('x_{role}', '{database}-{role}'),
    secret: template('{name}-{role}'),
    allowOwnNames: either([true, false], 'no'),
  }),
  fieldPaths: listOf(
    some({ field: path, from: path, values: either([{ a: 'b' }], { a: 1 }), items: listOf(item) }, 'field', 'from'),
  ),
  statusPath: either(['status', 'status.database'], 'spec', 'status.', 'status.1'),
});

/** At most one of the two is allowed, and the class has to be there. */
const standard = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom({}, { defaultServerRef: { name: 'shared' } }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ defaultClass: 'small' }, { defaultClass: 'a', defaultServerRef: { name: 'b' } }),
  },
);
const input = fc
  .tuple(fields, standard)
  .map(([given, more]) => (typeof given === 'object' ? { ...given, ...more } : { unknown: given }));

/** What the API server says against it, or ''. */
const byApiServer = async (object: KubeObject): Promise<string> => await cluster.apply(object).then(() => '', String);

const byFunction = (object: object): string => {
  try {
    parseInput(object);
    return '';
  } catch (error) {
    return String(error);
  }
};

test('of any input', async () => {
  let taken = 0;
  for (const [index, given] of fc.sample(input, INPUTS).entries()) {
    const object: KubeObject = {
      apiVersion: `${INPUT_GROUP}/${VERSION}`,
      kind: INPUT_KIND,
      ...given,
      metadata: { name: `input-${index}` },
    };
    const said = { server: await byApiServer(object), function: byFunction(object) };
    expect(said.server === '', JSON.stringify({ said, object })).toBe(said.function === '');
    if (said.server === '') taken += 1;
  }
  // Both kinds are among them, or this would say little.
  expect(taken).toBeGreaterThan(INPUTS / 10);
  expect(taken).toBeLessThan((INPUTS * 9) / 10);
});
