import { randomBytes } from 'node:crypto';
import {
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from 'age-encryption';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { decrypt, encrypt, parseIdentities } from './age.ts';

let identity: string;
let other: string;
let recipient: string;

beforeAll(async () => {
  identity = await generateX25519Identity();
  other = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
});

async function* cut(bytes: Buffer, size: number): AsyncIterable<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

const lengths = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000];

describe.each(lengths)('%i bytes', (length) => {
  const plain = randomBytes(length);

  test('what we encrypt, the age library decrypts', async () => {
    const sealed = await all(encrypt(cut(plain, 10_000), [recipient, await identityToRecipient(other)]));
    for (const key of [identity, other]) {
      const decrypter = new Decrypter();
      decrypter.addIdentity(key);
      expect(Buffer.from(await decrypter.decrypt(sealed)).equals(plain)).toBe(true);
    }
  });

  test('what the age library encrypts, we decrypt', async () => {
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    const sealed = Buffer.from(await encrypter.encrypt(plain));
    for (const size of [1_000_000, 777])
      expect((await all(decrypt(cut(sealed, size), [other, identity]))).equals(plain)).toBe(true);
  });

  test('cut off anywhere, it is broken', async () => {
    const sealed = await all(encrypt(cut(plain, 65_536), [recipient]));
    for (const end of [0, 10, 180, sealed.length - 65_552, sealed.length - 16, sealed.length - 1])
      if (end >= 0 && end < sealed.length)
        await expect(all(decrypt(cut(sealed.subarray(0, end), 5000), [identity]))).rejects.toMatchObject({
          reason: 'FileBroken',
        });
  });
});

test('however it is cut into parts, it comes back', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 200_000 }),
      fc.integer({ min: 1, max: 140_000 }),
      async (length, size) => {
        const plain = randomBytes(length);
        const sealed = await all(encrypt(cut(plain, size), [recipient]));
        expect((await all(decrypt(cut(sealed, size), [identity]))).equals(plain)).toBe(true);
      },
    ),
    { numRuns: 20 },
  );
});

test('keys that withstand quantum computers work too', async () => {
  const hybrid = await generateHybridIdentity();
  const sealed = await all(encrypt(cut(Buffer.from('hello'), 9), [await identityToRecipient(hybrid)]));
  expect((await all(decrypt(cut(sealed, 100), [hybrid]))).toString()).toBe('hello');
});

test('another key is told from a broken file', async () => {
  const sealed = await all(encrypt(cut(Buffer.from('hello'), 9), [recipient]));
  await expect(all(decrypt(cut(sealed, 100), [other]))).rejects.toMatchObject({ reason: 'WrongIdentity' });
  await expect(all(decrypt(cut(Buffer.from('PGDMP and more'), 5), [identity]))).rejects.toMatchObject({
    reason: 'FileBroken',
  });
});

test('a key file may have comments, and nothing else beside keys', () => {
  expect(parseIdentities(`# created: now\r\n\n${identity}\n`)).toEqual([identity]);
  for (const text of ['', '# only a comment', recipient]) expect(() => parseIdentities(text)).toThrow(/private key/);
});
