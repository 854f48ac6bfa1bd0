/**
 * SCRAM-SHA-256 verifiers (RFC 5802, RFC 7677), made here so that a password never travels in SQL text. The form is
 * PostgreSQL's own: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
 */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '../../common/secret.ts';
import { saslprep } from './saslprep.ts';

const derive = promisify(pbkdf2);

/** PostgreSQL's default, scram_iterations. */
const ITERATIONS = 4096;
/** A role may set its own verifier, and could keep us busy with one that takes minutes to compute. */
const MOST_ITERATIONS = 1_000_000;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const FORM = /^SCRAM-SHA-256\$(\d{1,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/;

/** Whether the server stores this text as it is instead of hashing it: such a text cannot be a password. */
export function isVerifier(text: string): boolean {
  const match = FORM.exec(text);
  if (match === null) return /^md5[0-9a-f]{32}$/.test(text);
  const [, , salt = '', ...secrets] = match;
  // The server takes any other for a password that it is to hash, and so would log it.
  return isBase64(salt) && secrets.every((secret) => isBase64(secret, KEY_BYTES));
}

function isBase64(text: string, bytes?: number): boolean {
  const decoded = Buffer.from(text, 'base64');
  return decoded.toString('base64') === text && (bytes === undefined || decoded.length === bytes);
}

export async function scramVerifier(
  password: Secret,
  salt: Buffer = randomBytes(SALT_BYTES),
  iterations = ITERATIONS,
): Promise<Secret> {
  const { storedKey, serverKey } = await keys(password, salt, iterations);
  return new Secret(
    `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey.toString('base64')}:${serverKey.toString('base64')}`,
  );
}

/** What is sent to have that password set: its verifier, or the text itself where it is one already. */
export const verifierOf = async (password: Secret): Promise<Secret> =>
  isVerifier(password.reveal()) ? password : await scramVerifier(password);

/** Whether a stored verifier, SCRAM or md5, is that of this password. */
export async function verifies(password: Secret, role: string, stored: string): Promise<boolean> {
  const match = FORM.exec(stored);
  if (match !== null) {
    const [, iterations = '', salt = '', storedKey = ''] = match;
    if (Number(iterations) > MOST_ITERATIONS) return false;
    const derived = await keys(password, Buffer.from(salt, 'base64'), Number(iterations));
    const expected = Buffer.from(storedKey, 'base64');
    return expected.length === derived.storedKey.length && timingSafeEqual(expected, derived.storedKey);
  }
  if (!stored.startsWith('md5')) return false;
  return stored === `md5${createHash('md5').update(password.reveal()).update(role).digest('hex')}`;
}

async function keys(
  password: Secret,
  salt: Buffer,
  iterations: number,
): Promise<{ storedKey: Buffer; serverKey: Buffer }> {
  const salted = await derive(saslprep(password.reveal()), salt, iterations, KEY_BYTES, 'sha256');
  const clientKey = createHmac('sha256', salted).update('Client Key').digest();
  return {
    storedKey: createHash('sha256').update(clientKey).digest(),
    serverKey: createHmac('sha256', salted).update('Server Key').digest(),
  };
}
