/**
 * MariaDB's parsec plugin (11.6 and newer): a password becomes an Ed25519 key by PBKDF2 with a salt of its own, and the
 * server stores the public key: `P<n>:<salt>:<key>` in base64, where 1024 · 2ⁿ is the number of rounds.
 */
import { createPrivateKey, createPublicKey, type KeyObject, pbkdf2, randomBytes, sign } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);

const SALT_BYTES = 18;
const SCRAMBLE_BYTES = 32;
/** As the server has it: 1024 rounds. */
const FACTOR = 0;
/** An account may set its own string, and could keep us busy with one that takes minutes to compute. */
const MOST_FACTOR = 9;
/** RFC 8410: what comes before the 32 bytes of a private key. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

async function keyOf(password: string, salt: Buffer, factor: number): Promise<KeyObject> {
  const seed = await derive(password, salt, 1024 << factor, 32, 'sha512');
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
}

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');

export async function parsecVerifier(
  password: string,
  salt = randomBytes(SALT_BYTES),
  factor = FACTOR,
): Promise<string> {
  const spki = createPublicKey(await keyOf(password, salt, factor)).export({ format: 'der', type: 'spki' });
  return `P${factor}:${unpadded(salt)}:${unpadded(spki.subarray(-32))}`;
}

/** Whether a stored text is of that form and of that password; undefined when it is of another form. */
export async function matchesParsec(password: string, stored: string): Promise<boolean | undefined> {
  const form = /^P(\d):([A-Za-z0-9+/]+)={0,2}:([A-Za-z0-9+/]+)={0,2}$/.exec(stored);
  const factor = Number(form?.[1]);
  if (form === null || factor > MOST_FACTOR) return undefined;
  const [, , salt = '', key = ''] = form;
  return (await parsecVerifier(password, Buffer.from(salt, 'base64'), factor)) === `P${factor}:${salt}:${key}`;
}

/** What a client answers when the server has told its 32 bytes and then, asked for it, factor and salt. */
export async function parsecAnswer(password: string, challenge: Buffer, told: Buffer): Promise<Buffer> {
  const key = await keyOf(password, told.subarray(2), told.readUInt8(1));
  const own = randomBytes(SCRAMBLE_BYTES);
  return Buffer.concat([own, sign(null, Buffer.concat([challenge.subarray(0, SCRAMBLE_BYTES), own]), key)]);
}
