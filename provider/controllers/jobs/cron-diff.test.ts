import { expect, test } from 'vitest';
import { fingerprint, isAsWanted } from './cron-diff.ts';

const wanted = fingerprint({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'x', annotations: { note: 'y' } },
  spec: { schedule: '* * * * *', suspend: false, list: [{ name: 'a', env: '' }], resources: { cpu: '1000m' } },
});

test('defaults that the server adds, and quantities that it writes in its own way, are no difference', () => {
  const there = structuredClone(wanted);
  there['spec'] = { schedule: '* * * * *', list: [{ name: 'a', more: 1 }], resources: { cpu: '1' }, extra: true };
  expect(isAsWanted(there, wanted)).toBe(true);
});

test.each([
  [{ schedule: '1 * * * *' }],
  [{ suspend: true }],
  [{ list: [] }],
  [{ list: [{ name: 'a' }, { name: 'b' }] }],
])('an edit %j is a difference', (edit) => {
  const there = structuredClone(wanted);
  there['spec'] = { ...(there['spec'] as object), ...edit };
  expect(isAsWanted(there, wanted)).toBe(false);
});

test('what left the description is a difference, although all that is in it is there', () => {
  const { list: _list, ...spec } = wanted['spec'] as Record<string, unknown>;
  expect(isAsWanted(wanted, fingerprint({ ...wanted, spec }))).toBe(false);
});
