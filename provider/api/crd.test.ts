import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generatedFiles, leftovers } from '../../package/generate.ts';
import { fileName } from '../../package/reference.ts';
import { type JsonSchema, openApiSchema, toCrd } from './crd.ts';
import { apiVersion } from './kind.ts';
import { kindByName, kinds, managedKinds } from './registry.ts';

const ROOT = join(import.meta.dirname, '../..');
const every = kinds.map((kind) => [kind.kind, kind] as const);

test.each([...generatedFiles()])('%s is up to date: otherwise run npm run generate', (path, text) => {
  expect(existsSync(join(ROOT, path)) && readFileSync(join(ROOT, path), 'utf8') === text).toBe(true);
});

test('no file is left of a kind that is gone', () => {
  expect(leftovers()).toEqual([]);
});

test.each(every)('%s has an example', (_, kind) => {
  expect(existsSync(join(ROOT, 'examples/kinds', fileName(kind, 'yaml')))).toBe(true);
});

/** Every node with the path to it. */
function nodes(schema: JsonSchema, path: string): [string, JsonSchema][] {
  return [
    [path, schema],
    ...Object.entries(schema.properties ?? {}).flatMap(([name, child]) => nodes(child, `${path}.${name}`)),
    ...(schema.items === undefined ? [] : nodes(schema.items, `${path}[]`)),
    ...(schema.additionalProperties === undefined ? [] : nodes(schema.additionalProperties, `${path}{}`)),
  ];
}

test.each(every)('every field of %s is described, in a sentence', (_, kind) => {
  for (const [path, node] of nodes(openApiSchema(kind), kind.kind)) {
    if (path.endsWith('.metadata') || path.endsWith('[]') || path.endsWith('{}')) continue;
    expect(node.description, path).toMatch(/^["A-Z].*[.):]$/s);
  }
});

test.each(every)('the schema of %s speaks of no limit of JavaScript', (_, kind) => {
  const text = JSON.stringify(toCrd(kind));
  expect(text).not.toContain(String(Number.MAX_SAFE_INTEGER));
  expect(text).not.toContain('"additionalProperties":false');
  expect(text).not.toContain('anyOf');
});

test.each(managedKinds.map((kind) => [kind.kind, kind] as const))(
  '%s has the shape of a managed resource',
  (_, kind) => {
    const crd = toCrd(kind).spec as {
      scope: string;
      names: { categories: string[] };
      versions: [{ additionalPrinterColumns: { name: string }[] }];
    };
    expect(crd.scope).toBe('Namespaced');
    expect(crd.names.categories).toEqual(['crossplane', 'managed', 'xdatabase']);
    expect(crd.versions[0]).toMatchObject({ subresources: { status: {} } });
    const columns = crd.versions[0].additionalPrinterColumns.map(({ name }) => name);
    expect(columns.slice(0, 3)).toEqual(['READY', 'SYNCED', 'EXTERNAL-NAME']);
    expect(columns.at(-1)).toBe('AGE');
    const spec = openApiSchema(kind).properties?.['spec']?.properties ?? {};
    expect(Object.keys(spec)).toEqual([
      'forProvider',
      'initProvider',
      'providerConfigRef',
      'managementPolicies',
      'writeConnectionSecretToRef',
    ]);
  },
);

test.each(managedKinds.map((kind) => [kind.kind, kind] as const))(
  'every reference of %s has its three spellings',
  (_, kind) => {
    const fields = Object.keys(openApiSchema(kind).properties?.['spec']?.properties?.['forProvider']?.properties ?? {});
    for (const { field, kind: other } of kind.references) {
      expect(fields).toEqual(expect.arrayContaining([field, `${field}Ref`, `${field}Selector`]));
      expect(managedKinds.map((candidate) => candidate.kind)).toContain(other);
    }
  },
);

test('a field has no default where initProvider repeats it', () => {
  for (const kind of managedKinds) {
    const init = openApiSchema(kind).properties?.['spec']?.properties?.['initProvider'];
    for (const [name, field] of Object.entries(init?.properties ?? {}))
      expect(field.default, `${kind.kind} ${name}`).toBeUndefined();
    expect(init?.required, kind.kind).toBeUndefined();
  }
});

test('only kinds with the names that Crossplane knows are no managed resources', () => {
  const others = kinds.filter((kind) => !kind.managed).map((kind) => kind.kind);
  expect(others).toEqual(['ProviderConfig', 'ClusterProviderConfig', 'ProviderConfigUsage']);
});

test('a kind is found by what a manifest says', () => {
  for (const kind of kinds) expect(kindByName(apiVersion(kind), kind.kind)).toBe(kind);
  expect(kindByName('v1', 'Secret')).toBeUndefined();
  expect(kindByName('backup.m.xdatabase.dev/v1alpha1', 'Database')).toBeUndefined();
});

test('names of CRDs are unique', () => {
  const names = kinds.map((kind) => toCrd(kind).metadata.name);
  expect(new Set(names).size).toBe(names.length);
});
