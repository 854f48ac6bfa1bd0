import { createPublicKey, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isStoredString, matchesStored, storedString, takesPassword } from './authentication.ts';
import { ed25519Sign, ed25519Verifier } from './ed25519.ts';
import { matchesParsec, parsecVerifier } from './parsec.ts';
import { sha256Crypt } from './sha256-crypt.ts';

const plugins = ['caching_sha2_password', 'sha256_password', 'mysql_native_password', 'ed25519', 'parsec'];

describe.each(plugins)('the stored string of %s', (plugin) => {
  test('is recognised with its password and with no other', async () => {
    expect(takesPassword(plugin)).toBe(true);
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, maxLength: 80 }), async (password) => {
        const stored = await storedString(plugin, password);
        expect(await matchesStored(plugin, password, stored)).toBe(true);
        expect(await matchesStored(plugin, `${password}x`, stored)).toBe(false);
        // A Secret may hold it instead of the password, where it cannot be mistaken for one.
        expect(isStoredString(plugin, stored.toString('latin1'))).toBe(plugin !== 'ed25519');
        expect(await matchesStored(plugin, stored.toString('latin1'), stored)).toBe(true);
      }),
      { numRuns: 8 },
    );
  });

  test('that is empty is no password at all', async () => {
    expect(await matchesStored(plugin, 'anything', Buffer.alloc(0))).toBe(false);
  });
});

test('a stored string is used as it is, unless it is one of another plugin', async () => {
  const stored = `*${'A'.repeat(40)}`;
  expect((await storedString('mysql_native_password', stored)).toString()).toBe(stored);
  expect((await storedString('caching_sha2_password', stored)).toString('latin1')).toMatch(/^\$A\$005\$/);
});

test('what takes minutes to compute is not computed', async () => {
  const slow = Buffer.from(`$A$FFF$${'s'.repeat(20)}${'d'.repeat(43)}`);
  expect(await matchesStored('caching_sha2_password', 'x', slow)).toBeUndefined();
  expect(await matchesParsec('x', `P9:${'A'.repeat(24)}:${'A'.repeat(43)}`)).toBe(false);
});

test('other plugins take no password of ours', async () => {
  expect(takesPassword('unix_socket')).toBe(false);
  expect(takesPassword('__proto__')).toBe(false);
  expect(await matchesStored('unix_socket', 'x', Buffer.from('y'))).toBeUndefined();
  await expect(storedString('unix_socket', 'x')).rejects.toMatchObject({ reason: 'NotSupported' });
});

describe('the algorithms give what others say they give', () => {
  test('SHA-256 crypt, of glibc', async () => {
    expect(await sha256Crypt('Hello world!', Buffer.from('saltstring'), 5_000)).toBe(
      '5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5',
    );
  });

  test('ed25519, of the documentation of MariaDB', () => {
    expect(ed25519Verifier('secret')).toBe('ZIgUREUg5PVgQ6LskhXmO+eZLS0nC8be6HPjYWR4YJY');
  });

  test('signatures of ed25519 are those that everybody verifies', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.uint8Array({ minLength: 32, maxLength: 32 }), (password, message) => {
        const key = Buffer.concat([
          Buffer.from('302a300506032b6570032100', 'hex'),
          Buffer.from(ed25519Verifier(password), 'base64'),
        ]);
        const publicKey = createPublicKey({ key, format: 'der', type: 'spki' });
        expect(verify(null, message, publicKey, ed25519Sign(password, Buffer.from(message)))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test('parsec, as MariaDB 11.8 stored it', async () => {
    const stored = 'P0:2zysPVVXk4fAckzuTGfN53RR:HM4s6SKFinNh0aXL2OAkqud/Ds1uOpDz03R1bwOY09s';
    expect(await matchesParsec('new', stored)).toBe(true);
    expect(await matchesParsec('old', stored)).toBe(false);
    expect(await parsecVerifier('new', Buffer.from('2zysPVVXk4fAckzuTGfN53RR', 'base64'))).toBe(stored);
  });
});
