import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  compositeOf,
  documents,
  manifest,
  observe,
  OURS,
  type Package,
  type Rendered,
  type Renderer,
  ROOT,
  startRenderer,
} from './crossplane-render.ts';
import { matchesGolden } from './golden.ts';

let renderer: Renderer;
beforeAll(async () => {
  renderer = await startRenderer();
});
afterAll(async () => {
  await renderer?.stop();
});

/** The composite of an example, as Crossplane has it, whatever the file holds. */
async function load(path: string): Promise<Rendered> {
  const example = await manifest(path);
  if (example.apiVersion.startsWith('claim.')) return compositeOf(example);
  return { ...example, metadata: { ...example.metadata, uid: '7c7d4a3c-0000-4000-8000-000000000002' } };
}

const packageOf = (path: string): Package => OURS[basename(path).startsWith('claim') ? 'v1' : 'v2'];

async function firstCall(path: string): Promise<{ xr: Rendered; text: string }> {
  const xr = await load(path);
  const { code, stdout, stderr } = await renderer.render(xr, packageOf(path));
  expect(stderr).toBe('');
  expect(code).toBe(0);
  return { xr, text: stdout };
}

const EXAMPLES = globSync('examples/{claim,xr}*.yaml', { cwd: ROOT }).toSorted();

describe.each(EXAMPLES)('%s', (path) => {
  test('the first call composes everything, ready nothing', async () => {
    await matchesGolden(`${basename(path, '.yaml')}-first`, (await firstCall(path)).text);
  });

  test('it is what the definition allows, and what it composes is what the CRDs allow', async () => {
    const { text } = await firstCall(path);
    const example = await readFile(join(ROOT, path), 'utf8');
    const composed = text.split(/^---$/m).filter((one) => !/^kind: (XDatabase|CompositeXDatabase)$/m.test(one));
    const { code, stdout, stderr } = await renderer.validate([example, ...composed].join('\n---\n'));
    expect(stdout + stderr).toMatch(/0 missing schemas, \d+ success cases, 0 failure cases/);
    expect(code).toBe(0);
  });
});

const withRoles = (xr: Rendered, keep: (role: { name: string }) => boolean): Rendered => ({
  ...xr,
  spec: { ...xr.spec, roles: (xr.spec['roles'] as { name: string }[]).filter(keep) },
});

/** Everything but the composite, which render prints first. */
const composedOf = (text: string): Rendered[] => documents(text).slice(1);

describe.each([
  { name: 'claim', version: OURS.v1 },
  { name: 'xr', version: OURS.v2 },
])('the example $name', ({ name, version }) => {
  const path = `examples/${name}.yaml`;

  test('with everything observed ready the composite is ready and gives the credentials', async () => {
    const { xr, text } = await firstCall(path);
    const { observed, secrets } = observe(composedOf(text), xr);
    const { code, stdout, stderr } = await renderer.render(xr, version, { observed, required: secrets });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    await matchesGolden(`${name}-ready`, stdout);
  });

  test('while something is awaited the composite says what', async () => {
    const { xr, text } = await firstCall(path);
    const { observed, secrets } = observe(composedOf(text), xr);
    const made = observed.filter((one) => (one['kind'] as string) !== 'Grant');
    const { stdout } = await renderer.render(xr, version, { observed: made, required: secrets });
    await matchesGolden(`${name}-waiting`, stdout.split(/^---$/m).slice(0, 2).join('---'));
  });

  test('what cannot be made is named, in the words of the provider', async () => {
    const { xr, text } = await firstCall(path);
    const message = 'create failed: database "orders" exists already: set adopt to take it over';
    const failing = ({ kind }: Rendered): Record<string, string> => (kind === 'Database' ? { message } : {});
    const { observed, secrets } = observe(composedOf(text), xr, failing);
    const { stdout } = await renderer.render(xr, version, { observed, required: secrets });
    await matchesGolden(`${name}-failing`, stdout.split(/^---$/m).slice(0, 2).join('---'));
  });

  test('a role taken from the list takes its own resources with it and no others', async () => {
    const { xr, text } = await firstCall(path);
    const { observed, secrets } = observe(composedOf(text), xr);
    const smaller = withRoles(xr, (role) => role.name !== 'report');
    const { stdout } = await renderer.render(smaller, version, { observed, required: secrets });
    const key = ({ metadata }: Rendered) => metadata.annotations?.['crossplane.io/composition-resource-name'] ?? '';
    const before = composedOf(text).map(key);
    const after = composedOf(stdout)
      .map(key)
      .filter((one) => one !== 'connection-secret');
    // The last of its group takes the group along.
    expect(after).toEqual(before.filter((one) => !/-report|-group-readers/.test(one)));
    await matchesGolden(`${name}-role-removed`, stdout);
  });

  test('a role moved in the list changes nothing', async () => {
    const { xr, text } = await firstCall(path);
    const moved = { ...xr, spec: { ...xr.spec, roles: (xr.spec['roles'] as unknown[]).toReversed() } };
    const { stdout } = await renderer.render(moved, version);
    expect(composedOf(stdout)).toEqual(composedOf(text));
  });

  test.each([
    [{ databaseName: 'postgres' }, 'spec.databaseName: "postgres" belongs to the server itself'],
    [{ class: 'gold', serverRef: undefined }, 'spec.class: "gold" is not known; allowed: shared'],
    [{ engine: 'mysql' }, 'spec.schemas: are not known to mysql'],
    [{ connectionRole: 'nobody' }, 'spec.connectionRole: "nobody" is not one of the roles; allowed: migrate, app'],
  ])('%j is refused by name, and nothing is composed', async (change, message) => {
    const xr = await load(path);
    const { code, stdout, stderr } = await renderer.render({ ...xr, spec: { ...xr.spec, ...change } }, version);
    expect(stderr).toContain(message);
    expect(code).toBe(1);
    expect(stdout).toBe('');
  });

  test('a database is not left behind for another name', async () => {
    const { xr, text } = await firstCall(path);
    const { observed } = observe(composedOf(text), xr);
    const moved = { ...xr, spec: { ...xr.spec, databaseName: 'elsewhere' } };
    const { code, stderr } = await renderer.render(moved, version, { observed });
    expect(stderr).toContain('spec.databaseName: cannot be changed: the database is "orders"');
    expect(code).toBe(1);
  });
});
