import { expect, test } from 'vitest';
import { isMarkRole, MARK_KEY_CHARACTERS, markKey, markRole, readMarkRole } from './mark.ts';

const uid = 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6';
const account = { name: 'app', host: '%' };

test('a mark that is a role says whose it is, and for which account', () => {
  const role = markRole(account, { uid, resource: 'team-a/app' });
  expect(isMarkRole(role)).toBe(true);
  expect(role.slice(0, MARK_KEY_CHARACTERS)).toBe(markKey(account));
  expect(readMarkRole(role)).toEqual({ uid, resource: 'team-a/app' });
});

test('its name is short enough for the server, and reads the same when it was cut', () => {
  const role = markRole(account, { uid, resource: `${'n'.repeat(63)}/${'r'.repeat(253)}` });
  expect(role.length).toBeLessThanOrEqual(128);
  const mark = readMarkRole(role);
  expect(mark?.uid).toBe(uid);
  expect(markRole(account, mark!)).toBe(role);
});

test('accounts that differ in anything but the letters of their host have marks of their own', () => {
  const keys = [
    account,
    { name: 'App', host: '%' },
    { name: 'app', host: '' },
    { name: 'app', host: '10.%' },
    { name: 'app@', host: '10.%' },
    { name: 'app%', host: '' },
  ].map(markKey);
  expect(new Set(keys).size).toBe(keys.length);
  expect(markKey({ name: 'app', host: 'DB.Example' })).toBe(markKey({ name: 'app', host: 'db.example' }));
});

test.each(['app', 'xdatabase.mark.', 'xdatabase.mark.0123456789abcdef', 'xdatabase.marks', `${markKey(account)}.uid`])(
  'the role %j is no mark',
  (role) => {
    expect(readMarkRole(role)).toBeUndefined();
  },
);
