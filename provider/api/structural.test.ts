import { assert, constantFrom, jsonValue, property } from 'fast-check';
import { expect, test } from 'vitest';
import { changed, example } from '../../test/kubernetes/manifests.ts';
import { ResourceError } from '../common/errors.ts';
import { type JsonSchema, openApiSchema } from './crd.ts';
import { kindByName, kinds } from './registry.ts';
import { problems, withDefaults } from './structural.ts';
import { parse } from './validate.ts';

const nested: JsonSchema = {
  type: 'object',
  properties: {
    outer: { type: 'object', default: {}, properties: { inner: { type: 'string', default: 'x' } } },
    items: { type: 'array', items: { type: 'object', properties: { on: { type: 'boolean', default: true } } } },
    map: {
      type: 'object',
      additionalProperties: { type: 'object', properties: { n: { type: 'integer', default: 1 } } },
    },
  },
};

test('defaults are filled in from the outside in: an object that is itself a default gets those of its fields', () => {
  expect(withDefaults(nested, {})).toEqual({ outer: { inner: 'x' } });
  expect(withDefaults(nested, { items: [{}, { on: false }], map: { a: {} } })).toEqual({
    outer: { inner: 'x' },
    items: [{ on: true }, { on: false }],
    map: { a: { n: 1 } },
  });
});

test('defaults leave their input, and later objects, alone', () => {
  const input = {};
  const first = withDefaults(nested, input) as { outer: { inner: string } };
  first.outer.inner = 'changed';
  expect(input).toEqual({});
  expect(withDefaults(nested, {})).toEqual({ outer: { inner: 'x' } });
});

test('whatever stands anywhere in a manifest: defaults twice are defaults once, and the verdict is an answer, not a crash', () => {
  const files = ['database', 'role', 'grant', 'backup-schedule', 'restore', 'cluster-provider-config'];
  const paths = [
    'spec',
    'metadata',
    'spec.forProvider',
    'spec.providerConfigRef',
    'spec.forProvider.storage',
    'spec.tls',
  ];
  const more = ['spec.forProvider.memberOf', 'spec.storages', 'spec.forProvider.source', 'spec.forProvider.privileges'];
  assert(
    property(constantFrom(...files), constantFrom(...paths, ...more), jsonValue(), (file, path, value) => {
      const object = changed(example(file), { [path]: value });
      const kind = kindByName(object.apiVersion, object.kind)!;
      const once = withDefaults(openApiSchema(kind), object);
      expect(withDefaults(openApiSchema(kind), once)).toEqual(once);
      try {
        parse(kind, object);
      } catch (error) {
        if (!(error instanceof ResourceError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});

test.each<[JsonSchema, unknown, string]>([
  [{ type: 'integer', minimum: 1 }, 0, '0 is out of range; allowed: at least 1'],
  [{ type: 'integer', minimum: 1, maximum: 9 }, 10, '10 is out of range; allowed: 1 to 9'],
  [{ type: 'integer' }, 1.5, '1.5 is not an integer'],
  [{ type: 'boolean' }, 'yes', '"yes" is not true or false'],
  [{ type: 'string', minLength: 1 }, '', 'must not be empty'],
  [{ type: 'string', maxLength: 2 }, 'é€x', '"é€x" has 3 characters; allowed: at most 2'],
  [{ type: 'array', maxItems: 1 }, [1, 2], 'has 2 items; allowed: at most 1'],
  [{ type: 'array', items: { type: 'string' } }, null, 'null is not a list'],
  [{ type: 'object', maxProperties: 0 }, { a: 1 }, 'has 1 entries; allowed: at most 0'],
  [
    { type: 'string', format: 'date-time' },
    '2026-01-01',
    '"2026-01-01" is not a time; allowed: RFC 3339, e.g. 2026-01-31T12:00:00Z',
  ],
  [{ 'x-kubernetes-int-or-string': true }, true, 'true is not an integer or a string'],
])('%j refuses %j with words', (schema, value, message) => {
  expect(problems(schema, value, 'field')).toEqual([{ path: 'field', message }]);
});

test('a long value is shortened in a message', () => {
  const [problem] = problems({ type: 'integer' }, 'x'.repeat(1000), 'field');
  expect(problem?.message.length).toBeLessThan(120);
});

test('the nearest names come first when a field is misspelt', () => {
  const role = openApiSchema(kinds.find(({ kind }) => kind === 'Role')!);
  const forProvider = role.properties?.['spec']?.properties?.['forProvider'] ?? {};
  const [problem] = problems(forProvider, { passwordSecret: {} }, '');
  expect(problem?.message).toMatch(
    /^is not a field; allowed: passwordSecretRef, passwordLifetimeDays, passwordRotation,/,
  );
});
