/**
 * Authentication plugins whose stored string we can make and recognise, so that no password travels in SQL text.
 * What is made here is exactly what the server itself would store.
 */
import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import { ResourceError } from '../../common/errors.ts';
import { ed25519Verifier } from './ed25519.ts';
import type { Flavour } from './flavour.ts';
import { matchesParsec, parsecVerifier } from './parsec.ts';
import { sha256Crypt } from './sha256-crypt.ts';

/** The server's own numbers. */
const ROUNDS = 5_000;
const SALT_LENGTH = 20;
/** An account may set its own string, and could keep us busy with one that takes minutes to compute. */
const MOST_ROUNDS = 100_000;
const SALT_ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

interface Plugin {
  /** The string to store for a password. */
  make(password: string): Promise<Buffer>;
  /** Whether the stored string is that of the password; undefined when it has no form that is known. */
  matches(password: string, stored: Buffer): Promise<boolean | undefined>;
  /** Whether a text is such a string rather than a password. */
  isStored(text: string): boolean;
}

const newSalt = (): Buffer =>
  Buffer.from(
    Array.from({ length: SALT_LENGTH }, () => SALT_ALPHABET[randomInt(SALT_ALPHABET.length)]).join(''),
    'latin1',
  );

const isSame = (made: Buffer, stored: Buffer): boolean =>
  made.length === stored.length && timingSafeEqual(made, stored);

/** `$A$005$`, the salt and the digest; the number counts thousands of rounds, in hexadecimal. */
const cachingSha2: Plugin = {
  make: async (password) => await cachingSha2String(password, newSalt(), ROUNDS),
  matches: async (password, stored) => {
    const form = /^\$A\$([0-9A-F]{3})\$/.exec(stored.toString('latin1'));
    const rounds = Number.parseInt(form?.[1] ?? '', 16) * 1_000;
    if (!(rounds > 0) || rounds > MOST_ROUNDS) return undefined;
    return isSame(await cachingSha2String(password, stored.subarray(7, 7 + SALT_LENGTH), rounds), stored);
  },
  isStored: (text) => /^\$A\$[0-9A-F]{3}\$[^]{20}[./0-9A-Za-z]{43}$/.test(text),
};

async function cachingSha2String(password: string, salt: Buffer, rounds: number): Promise<Buffer> {
  const head = `$A$${(rounds / 1_000).toString(16).toUpperCase().padStart(3, '0')}$`;
  const digest = await sha256Crypt(password, salt, rounds);
  return Buffer.concat([Buffer.from(head), salt, Buffer.from(digest)]);
}

/** `$5$`, the salt, `$` and the digest. */
const sha256Password: Plugin = {
  make: async (password) => await sha256PasswordString(password, newSalt()),
  matches: async (password, stored) =>
    stored.subarray(0, 3).toString('latin1') === '$5$'
      ? isSame(await sha256PasswordString(password, stored.subarray(3, 3 + SALT_LENGTH)), stored)
      : undefined,
  isStored: (text) => /^\$5\$[^]{20}\$[./0-9A-Za-z]{43}$/.test(text),
};

const sha256PasswordString = async (password: string, salt: Buffer): Promise<Buffer> =>
  Buffer.concat([Buffer.from('$5$'), salt, Buffer.from(`$${await sha256Crypt(password, salt, ROUNDS)}`)]);

const sha1 = (data: Buffer): Buffer => createHash('sha1').update(data).digest();

const nativePassword: Plugin = {
  make: async (password) =>
    await Promise.resolve(
      Buffer.from(
        `*${sha1(sha1(Buffer.from(password)))
          .toString('hex')
          .toUpperCase()}`,
      ),
    ),
  matches: async (password, stored) => isSame(await nativePassword.make(password), stored),
  isStored: (text) => /^\*[0-9A-F]{40}$/.test(text),
};

const ed25519: Plugin = {
  make: async (password) => await Promise.resolve(Buffer.from(ed25519Verifier(password))),
  matches: async (password, stored) => isSame(await ed25519.make(password), stored),
  // 43 characters that may as well be a password.
  isStored: () => false,
};

const parsec: Plugin = {
  make: async (password) => Buffer.from(await parsecVerifier(password)),
  matches: async (password, stored) => await matchesParsec(password, stored.toString('latin1')),
  isStored: (text) => /^P\d:[A-Za-z0-9+/]{24}:[A-Za-z0-9+/]{43}$/.test(text),
};

const PLUGINS: Record<string, Plugin> = {
  caching_sha2_password: cachingSha2,
  sha256_password: sha256Password,
  mysql_native_password: nativePassword,
  ed25519,
  parsec,
};

/** Those that each server knows. */
export const PASSWORD_PLUGINS: Record<Flavour, readonly string[]> = {
  mysql: ['caching_sha2_password', 'sha256_password', 'mysql_native_password'],
  mariadb: ['parsec', 'ed25519', 'mysql_native_password'],
};

/** Whether an account with this plugin has a password that can be set and compared. */
export const takesPassword = (plugin: string): boolean => Object.hasOwn(PLUGINS, plugin);

/** Plugins of which `text` is a stored string, and so no password. */
export const isStoredString = (plugin: string, text: string): boolean => PLUGINS[plugin]?.isStored(text) ?? false;

/** The string that the server is to store. A password that is such a string already is taken as it is. */
export async function storedString(plugin: string, password: string): Promise<Buffer> {
  const known = PLUGINS[plugin];
  if (known === undefined)
    throw new ResourceError(
      'NotSupported',
      `the authentication plugin ${JSON.stringify(plugin)} takes no password of ours; it can be one of ${Object.keys(PLUGINS).join(', ')}`,
      { retryable: false },
    );
  return known.isStored(password) ? Buffer.from(password, 'latin1') : await known.make(password);
}

/** Whether the stored string is that of the password; undefined when that cannot be told. */
export async function matchesStored(plugin: string, password: string, stored: Buffer): Promise<boolean | undefined> {
  const known = PLUGINS[plugin];
  // What a spec gives as the plugin's string is there when it is there to the letter.
  if (isSame(Buffer.from(password, 'latin1'), stored)) return true;
  if (known === undefined) return undefined;
  if (known.isStored(password)) return false;
  return stored.length === 0 ? false : await known.matches(password, stored);
}
