import { expect, test } from 'vitest';
import { fingerprint, isAsWanted, timed, timedSince } from './cron-diff.ts';

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

test('a schedule has been due at its times since they were last changed, and not since anything else was', () => {
  const [first, later] = [new Date('2026-01-01T00:00:00.5Z'), new Date('2026-02-01T00:00:00Z')];
  const made = timed(wanted, undefined, first);
  expect(timedSince(made)).toBe('2026-01-01T00:00:00Z');
  expect(isAsWanted(made, wanted)).toBe(true);
  const edited = (edit: object): string =>
    timedSince(timed({ ...wanted, spec: { ...(wanted['spec'] as object), ...edit } }, made, later));
  expect(edited({ list: [] })).toBe('2026-01-01T00:00:00Z');
  for (const edit of [{ schedule: '1 * * * *' }, { timeZone: 'Europe/Berlin' }, { suspend: true }])
    expect(edited(edit)).toBe('2026-02-01T00:00:00Z');
});
