/**
 * SHA-256 crypt (Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512"), on which caching_sha2_password and
 * sha256_password are built; unlike in a passwd file the salt is 20 bytes.
 */
import { hash } from 'node:crypto';

const DIGEST = 32;
const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Which bytes of the digest become four characters, first to last; the last two become three. */
const ORDER = [
  [0, 10, 20],
  [21, 1, 11],
  [12, 22, 2],
  [3, 13, 23],
  [24, 4, 14],
  [15, 25, 5],
  [6, 16, 26],
  [27, 7, 17],
  [18, 28, 8],
  [9, 19, 29],
] as const;
/** Rounds after which others get their turn. */
const BREATH = 1_000;

const sha256 = (...parts: readonly Buffer[]): Buffer => hash('sha256', Buffer.concat(parts), 'buffer');

/** `digest` repeated to `length` bytes. */
const stretched = (digest: Buffer, length: number): Buffer => Buffer.alloc(length, digest);

/** The 43 characters that stand for the digest. */
export async function sha256Crypt(password: string, salt: Buffer, rounds: number): Promise<string> {
  const key = Buffer.from(password, 'utf8');
  const alternate = sha256(key, salt, key);
  const first = [key, salt, stretched(alternate, key.length)];
  for (let bits = key.length; bits > 0; bits >>= 1) first.push((bits & 1) === 1 ? alternate : key);
  let digest = sha256(...first);
  const keyDigest = sha256(...Array.from({ length: key.length }, () => key));
  const keys = stretched(keyDigest, key.length);
  const saltDigest = sha256(...Array.from({ length: 16 + digest.readUInt8(0) }, () => salt));
  const salts = stretched(saltDigest, salt.length);
  for (let round = 0; round < rounds; round += 1) {
    const odd = (round & 1) === 1;
    const parts = [odd ? keys : digest];
    if (round % 3 !== 0) parts.push(salts);
    if (round % 7 !== 0) parts.push(keys);
    parts.push(odd ? digest : keys);
    digest = sha256(...parts);
    if (round % BREATH === BREATH - 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return encode(digest);
}

function encode(digest: Buffer): string {
  if (digest.length !== DIGEST) throw new TypeError('not a digest of SHA-256');
  const characters = (value: number, count: number): string =>
    Array.from({ length: count }, (_, i) => ALPHABET[(value >> (6 * i)) & 63]).join('');
  const byte = (index: number): number => digest.readUInt8(index);
  const groups = ORDER.map(([a, b, c]) => characters((byte(a) << 16) | (byte(b) << 8) | byte(c), 4));
  return `${groups.join('')}${characters((byte(31) << 8) | byte(30), 3)}`;
}
