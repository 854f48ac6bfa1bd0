import { expect, test } from 'vitest';
import { parseDuration } from './duration.ts';

test.each([
  ['1m', 60_000],
  ['1h30m', 5_400_000],
  ['1.5s', 1_500],
  ['250ms', 250],
  ['0', 0],
  ['-2s', -2_000],
])('reads %s as Go does', (text, expected) => {
  expect(parseDuration(text)).toBe(expected);
});

test.each(['', '1', 'm', '1x', '1m!', ' 1m', '1 m', '--1s'])('refuses %j', (text) => {
  expect(() => parseDuration(text)).toThrow(RangeError);
});
