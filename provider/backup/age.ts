/**
 * Files of the age format (age-encryption.org/v1). Keys and headers are made by the age library; the payload, which is all
 * of the work, goes through Node's own ChaCha20-Poly1305, several times as fast.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Decrypter, Encrypter } from 'age-encryption';
import { disposable, dispose } from './disposable.ts';
import { RunError } from './errors.ts';

const CHUNK = 64 * 1024;
const TAG = 16;
const NONCE = 16;
/** Of a header: more recipients than anybody has. */
const LONGEST_HEADER = 64 * 1024;

const payloadKey = (fileKey: Uint8Array, nonce: Uint8Array): Buffer =>
  Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));

/** Counter of chunks, then whether it is the last one. */
function chunkNonce(counter: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(counter, 5, 6);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

/** The sealed chunk, and its tag. */
function seal(key: Buffer, counter: number, last: boolean, plain: Buffer): [Buffer, Buffer] {
  const cipher = createCipheriv('chacha20-poly1305', key, chunkNonce(counter, last), { authTagLength: TAG });
  const sealed = cipher.update(plain);
  cipher.final();
  return [sealed, cipher.getAuthTag()];
}

/** A short chunk may lie in memory that others use. */
const wholly = (chunk: Buffer): Buffer => (chunk.length === CHUNK ? disposable(chunk) : chunk);

function unseal(key: Buffer, counter: number, last: boolean, sealed: Buffer): Buffer | undefined {
  if (sealed.length < TAG) return undefined;
  const decipher = createDecipheriv('chacha20-poly1305', key, chunkNonce(counter, last), { authTagLength: TAG });
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
  const plain = decipher.update(sealed.subarray(0, sealed.length - TAG));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}

/**
 * Cuts a stream into pieces of `size` bytes; the last is shorter, but empty only when there was nothing at all. A piece is
 * there until the next one is asked for.
 */
async function* pieces(body: AsyncIterable<Buffer>, size: number): AsyncIterable<{ piece: Buffer; last: boolean }> {
  const piece = Buffer.allocUnsafeSlow(size);
  let length = 0;
  for await (const part of body) {
    for (let offset = 0; offset < part.length; ) {
      // What is exactly full stays here until it is known whether more comes.
      if (length === size) {
        yield { piece, last: false };
        length = 0;
      }
      const copied = part.copy(piece, length, offset);
      offset += copied;
      length += copied;
    }
    dispose(part);
  }
  yield { piece: piece.subarray(0, length), last: true };
}

async function* after(begin: Buffer, rest: AsyncIterator<Buffer>): AsyncIterable<Buffer> {
  yield begin;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/**
 * Header of a new file, and its key.
 * @throws RunError InvalidRequest when a recipient is none.
 */
async function newHeader(recipients: readonly string[]): Promise<{ header: Buffer; fileKey: Uint8Array }> {
  const encrypter = new Encrypter();
  let fileKey: Uint8Array | undefined;
  try {
    for (const recipient of recipients) encrypter.addRecipient(recipient);
  } catch (error) {
    throw new RunError('InvalidRequest', `a recipient is not an age public key: ${(error as Error).message}`, {
      cause: error,
    });
  }
  encrypter.addRecipient({
    wrapFileKey: (key) => {
      fileKey = key.slice();
      return [];
    },
  });
  const empty = Buffer.from(await encrypter.encrypt(new Uint8Array()));
  if (fileKey === undefined) throw new Error('age made no file key');
  return { header: empty.subarray(0, empty.length - NONCE - TAG), fileKey };
}

/** Encrypts for every one of `recipients`. */
export async function* encrypt(body: AsyncIterable<Buffer>, recipients: readonly string[]): AsyncIterable<Buffer> {
  const { header, fileKey } = await newHeader(recipients);
  const nonce = randomBytes(NONCE);
  const key = payloadKey(fileKey, nonce);
  yield Buffer.concat([header, nonce]);
  let counter = 0;
  for await (const { piece, last } of pieces(body, CHUNK)) {
    const [sealed, tag] = seal(key, counter++, last, piece);
    yield wholly(sealed);
    yield tag;
  }
}

/** The header, up to and with the line of its MAC, and what of the payload was read with it. */
async function readHeader(body: AsyncIterator<Buffer>): Promise<{ header: Buffer; rest: Buffer }> {
  let read = Buffer.alloc(0);
  for (;;) {
    const mac = read.indexOf('\n---');
    const end = mac < 0 ? -1 : read.indexOf('\n', mac + 1);
    if (end >= 0 && read.length >= end + 1 + NONCE)
      return { header: read.subarray(0, end + 1), rest: read.subarray(end + 1) };
    const { value, done } = await body.next();
    if (done === true || read.length > LONGEST_HEADER)
      throw new RunError('FileBroken', 'the file is not in the format of age, or it ends within its header');
    read = Buffer.concat([read, value]);
  }
}

/**
 * The identities of a key file: lines that begin with AGE-SECRET-KEY-; comments and blank lines are skipped.
 * @throws RunError IdentityInvalid
 */
export function parseIdentities(text: string): string[] {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (lines.length === 0 || !lines.every((line) => line.startsWith('AGE-SECRET-KEY-')))
    throw new RunError('IdentityInvalid', 'the identity is not an age private key, which begins with AGE-SECRET-KEY-');
  return lines;
}

async function fileKeyOf(header: Buffer, identities: readonly string[]): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  try {
    for (const identity of identities) decrypter.addIdentity(identity);
  } catch (error) {
    throw new RunError('IdentityInvalid', 'the identity is not a valid age private key', { cause: error });
  }
  try {
    return await decrypter.decryptHeader(header);
  } catch (error) {
    const { message } = error as Error;
    if (/no identity matched/.test(message))
      throw new RunError('WrongIdentity', 'the file is encrypted for other keys than the given identity', {
        cause: error,
      });
    throw new RunError('FileBroken', `the header of the encrypted file is broken: ${message}`, { cause: error });
  }
}

/**
 * Decrypts with one of `identities`. A chunk is given out only after its tag was checked.
 * @throws RunError WrongIdentity, IdentityInvalid or FileBroken
 */
export async function* decrypt(body: AsyncIterable<Buffer>, identities: readonly string[]): AsyncIterable<Buffer> {
  const iterator = body[Symbol.asyncIterator]();
  try {
    const { header, rest } = await readHeader(iterator);
    const key = payloadKey(await fileKeyOf(header, identities), rest.subarray(0, NONCE));
    let counter = 0;
    for await (const { piece, last } of pieces(after(rest.subarray(NONCE), iterator), CHUNK + TAG)) {
      const plain = unseal(key, counter, last, piece);
      if (plain === undefined)
        throw new RunError('FileBroken', `the encrypted file is broken or cut off in the chunk at ${counter * CHUNK}`);
      counter += 1;
      yield wholly(plain);
    }
  } finally {
    await iterator.return?.();
  }
}
