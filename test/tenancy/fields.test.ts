/** No field can be added to a kind without somebody having asked what a tenant could reach by it. */
import { expect, test } from 'vitest';
import { type JsonSchema, openApiSchema } from '../../provider/api/crd.ts';
import { GROUPS } from '../../provider/api/kind.ts';
import { managedKinds } from '../../provider/api/registry.ts';
import { harmless, tries } from './tries.ts';

const kinds = managedKinds.filter(({ group }) => group === GROUPS.sql);

/** The fields that hold a value; a reference and a selector are one each. */
function fieldsOf(schema: JsonSchema, path = ''): string[] {
  if (/(Ref|Selector)$/.test(path) && !path.endsWith('SecretRef')) return [path];
  if (schema.items !== undefined) {
    const inner = fieldsOf(schema.items, `${path}[]`);
    return inner.length === 1 && inner[0] === `${path}[]` ? [path] : inner;
  }
  if (schema.properties === undefined) return [path];
  return Object.entries(schema.properties).flatMap(([name, field]) =>
    fieldsOf(field, path === '' ? name : `${path}.${name}`),
  );
}

test.each(kinds.map((definition) => [definition.kind, definition] as const))(
  'every field of %s is tried, or known to be harmless',
  (kind, definition) => {
    const schema = openApiSchema(definition) as { properties: { spec: { properties: { forProvider: JsonSchema } } } };
    const fields = fieldsOf(schema.properties.spec.properties.forProvider);
    const tried = new Set(tries.filter((one) => one.kind === kind).flatMap((one) => one.fields));
    const [, ...safe] = harmless[kind] ?? [''];
    expect(fields.length).toBeGreaterThan(3);
    expect(fields.filter((field) => !tried.has(field) && !safe.includes(field))).toEqual([]);
    expect([...tried, ...safe].filter((field) => field !== 'metadata' && !fields.includes(field))).toEqual([]);
  },
);
