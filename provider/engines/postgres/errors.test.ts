import { expect, test } from 'vitest';
import { toResourceError } from './errors.ts';

const answer = (code: string, message: string, more: object = {}): Error =>
  Object.assign(new Error(message), { code, ...more });

test('what the server advises is told where we have no advice of our own', () => {
  const mismatch = answer('XX000', 'template database "template1" has a collation version mismatch', {
    hint: 'Rebuild all objects in the template database and run ALTER DATABASE template1 REFRESH COLLATION VERSION.\nOr not.',
  });
  expect(toResourceError(mismatch, { tried: 'CREATE DATABASE' })).toMatchObject({
    reason: 'ServerRefused',
    message:
      'CREATE DATABASE: template database "template1" has a collation version mismatch (XX000); Rebuild all objects in the template database and run ALTER DATABASE template1 REFRESH COLLATION VERSION.',
  });
  const locked = answer('55P03', 'canceling statement due to lock timeout', { hint: 'Wait.' });
  expect(toResourceError(locked).message).toContain('; another session holds a lock');
});

test('a text is the same at every try, whatever process the server speaks of', () => {
  const texts = [11, 12].map((pid) =>
    toResourceError(answer('P0001', `blocked by PID ${pid}`, { hint: `end process ${pid}` })),
  );
  expect(texts.map(({ message }) => message)).toEqual([texts[0]?.message, texts[0]?.message]);
});
