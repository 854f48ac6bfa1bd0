import { expect, test } from 'vitest';
import { fileName } from '../../package/reference.ts';
import { badManifests } from '../../test/kubernetes/bad-manifests.ts';
import { changed, example } from '../../test/kubernetes/manifests.ts';
import { ResourceError } from '../common/errors.ts';
import { DatabaseKind } from './database.ts';
import { GrantKind } from './grant.ts';
import type { KubeObject } from './kind.ts';
import { kindByName, kinds } from './registry.ts';
import { RoleKind } from './role.ts';
import { parse } from './validate.ts';

const definition = (object: KubeObject) => {
  const kind = kindByName(object.apiVersion, object.kind);
  if (kind === undefined) throw new Error(`no kind ${object.kind}`);
  return kind;
};

const refusal = (object: KubeObject, old?: KubeObject): string => {
  try {
    parse(definition(object), object, old);
  } catch (error) {
    expect(error).toBeInstanceOf(ResourceError);
    expect(error).toMatchObject({ reason: 'InvalidSpec', retryable: false });
    return (error as ResourceError).message;
  }
  return expect.fail(`${object.kind} was accepted`);
};

test.each(kinds.map((kind) => [kind.kind, kind] as const))('the example of %s is accepted', (_, kind) => {
  const object = example(fileName(kind, 'yaml').replace('.yaml', ''));
  expect(definition(object)).toBe(kind);
  expect(parse(kind, object)).toMatchObject(object);
});

test.each(kinds.map((kind) => [kind.kind, kind] as const))(
  'defaults of %s are filled in once and then stay',
  (_, kind) => {
    const once = parse(kind, example(fileName(kind, 'yaml').replace('.yaml', '')));
    expect(parse(kind, once, once as unknown as KubeObject)).toEqual(once);
  },
);

test.each(badManifests)(
  '$what is refused, and the message says what is allowed',
  ({ file, change, update, says, parse: own }) => {
    const first = changed(example(file), change);
    const old = update === undefined ? undefined : (parse(definition(first), first) as unknown as KubeObject);
    const message = refusal(update === undefined ? first : changed(first, update), old);
    for (const words of [...says, ...(own === undefined ? [] : [own])]) expect(message).toMatch(words);
    expect(message).not.toContain('\n');
  },
);

test('a message names every field that is wrong, not only the first', () => {
  const message = refusal(
    changed(example('database'), {
      'spec.forProvider.dropPolicy': 'x',
      'spec.forProvider.adopt': 'yes',
      'metadata.name': 'Orders',
    }),
  );
  expect(message).toBe(
    'Database "Orders": metadata.name: "Orders" is not a name; allowed: lower-case letters, digits, - and . (another name on the server goes to the annotation crossplane.io/external-name); ' +
      'spec.forProvider.dropPolicy: "x" is not allowed; allowed: WhenEmpty, Always, Never; spec.forProvider.adopt: "yes" is not true or false',
  );
});

test('an object of another kind is refused by name', () => {
  expect(() => parse(GrantKind, example('role'))).toThrow(
    'apiVersion "sql.m.xdatabase.dev/v1alpha1", kind "Role" is not a Grant; allowed: sql.m.xdatabase.dev/v1alpha1, Grant',
  );
  expect(() => parse(GrantKind, null)).toThrow(/is not a Grant/);
});

test('an empty Database gets the defaults that an API server gives it', () => {
  const object = {
    apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
    kind: 'Database',
    metadata: { name: 'a' },
    spec: { forProvider: {} },
  };
  expect(parse(DatabaseKind, object).spec).toEqual({
    forProvider: { adopt: false, dropPolicy: 'WhenEmpty' },
    providerConfigRef: { kind: 'ClusterProviderConfig', name: 'default' },
    managementPolicies: ['*'],
  });
});

test('initProvider gets no defaults: what the user did not say there does not count', () => {
  const object = changed(example('role'), { 'spec.initProvider': { connectionLimit: 3 } });
  expect(parse(RoleKind, object).spec.initProvider).toEqual({ connectionLimit: 3 });
});

test('a reference may still be resolved into its field after creation', () => {
  const before = parse(GrantKind, example('grant'));
  const after = changed(before, { 'spec.forProvider.schema': 'billing' });
  expect(parse(GrantKind, after, before).spec.forProvider.schema).toBe('billing');
});

test('status is left as it is', () => {
  const status = { conditions: [], anything: true };
  expect(parse(RoleKind, { ...example('role'), status })).toHaveProperty('status', status);
});
