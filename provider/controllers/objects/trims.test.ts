import { expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../api/kind.ts';
import { managedKinds } from '../../api/registry.ts';
import { managedIndexers } from './indexes.ts';
import { completed } from './trims.ts';

const ref = { kind: 'ClusterProviderConfig', name: 'default' };
const stored = (spec: unknown): KubeObject => ({
  apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
  kind: 'Database',
  metadata: { namespace: 'a', name: 'b' },
  ...(spec === undefined ? {} : { spec }),
});

test.each([undefined, null, 'text', [], {}, { forProvider: null }, { forProvider: 'text' }, { providerConfigRef: [] }])(
  'a resource that was stored with the spec %j can be read like any other',
  (spec) => {
    const object = completed(stored(spec));
    expect(object).toMatchObject({ spec: { forProvider: {}, providerConfigRef: ref } });
    for (const { kind } of managedKinds)
      for (const index of Object.values(managedIndexers)) expect(Array.isArray(index({ ...object, kind }))).toBe(true);
  },
);

test('what is there stays, and what is whole is not copied', () => {
  const half = completed(stored({ forProvider: { owner: 'x' }, providerConfigRef: { name: 'y' }, initProvider: {} }));
  expect((half as Managed).spec.providerConfigRef).toEqual({ name: 'y' });
  const whole = stored({ forProvider: {}, providerConfigRef: ref });
  expect(completed(whole)).toBe(whole);
  expect(completed(stored({ forProvider: { owner: 'x' } }))['spec']).toEqual({
    forProvider: { owner: 'x' },
    providerConfigRef: ref,
  });
});
