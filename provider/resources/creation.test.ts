import { expect, test } from 'vitest';
import type { Managed } from '../api/kind.ts';
import { defined, forCreation } from './creation.ts';

const wanted = (forProvider: object, initProvider?: object): unknown =>
  forCreation({ spec: { forProvider, initProvider } } as unknown as Managed<object>);

test('initProvider fills in what forProvider does not say, field by field', () => {
  expect(wanted({ privileges: { login: false } }, { privileges: { login: true, createDb: true }, owner: 'a' })).toEqual(
    {
      privileges: { login: false, createDb: true },
      owner: 'a',
    },
  );
});

test('a default of forProvider that says nothing hides nothing', () => {
  expect(wanted({ privileges: {} }, { privileges: { createDb: true } })).toEqual({ privileges: { createDb: true } });
});

test('a list is taken whole', () => {
  expect(wanted({ memberOf: [{ role: 'a' }] }, { memberOf: [{ role: 'b' }] })).toEqual({ memberOf: [{ role: 'a' }] });
});

test('without initProvider it is forProvider', () => {
  expect(wanted({ owner: 'a' })).toEqual({ owner: 'a' });
});

test('keys that are undefined are left out, and no others', () => {
  expect(defined({ a: undefined, b: null, c: 0, d: '' })).toEqual({ b: null, c: 0, d: '' });
});
