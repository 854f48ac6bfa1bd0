/** Names of files: `<prefix>/<namespace>/<name>/<database>/<UTC time>.<ending>`, and of what stands beside them. */
import { createHash } from 'node:crypto';
import type { Owner } from './contract.ts';
import { RunError } from './errors.ts';

export const MANIFEST_ENDING = '.manifest.json';
/** Written when a test restore has proved a backup good. */
export const VERIFIED_ENDING = '.verified.json';

/** Longest name of a file that filesystems take is 255 bytes, endings included. */
const LONGEST_SEGMENT = 200;

/**
 * `a`, `/a`, `a/` and `/a/` are the same; the result is empty or ends in a slash.
 * @throws RunError InvalidRequest for one that leads out of the folder of the storage
 */
export function normalPrefix(prefix: string): string {
  const segments = prefix.split('/').filter((segment) => segment !== '');
  if (segments.some((segment) => segment === '.' || segment === '..'))
    throw new RunError(
      'InvalidRequest',
      `the prefix ${JSON.stringify(prefix)} has "." or ".." in it, which no key may have`,
    );
  return segments.length === 0 ? '' : `${segments.join('/')}/`;
}

/** Any name as one segment of a key: letters, digits, - _ and . stay, all else is percent-encoded. No two names give one segment. */
export function segment(name: string): string {
  const encoded = [...Buffer.from(name, 'utf8')]
    .map((byte, index) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9_-]/.test(char) || (char === '.' && index > 0)
        ? char
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
  if (encoded.length <= LONGEST_SEGMENT) return encoded;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return `${encoded.slice(0, LONGEST_SEGMENT - 40).replace(/%.?$/, '')}~${digest}`;
}

export const ownerFolder = (owner: Pick<Owner, 'namespace' | 'name'>): string =>
  `${segment(owner.namespace)}/${segment(owner.name)}/`;

export const databaseFolder = (owner: Pick<Owner, 'namespace' | 'name' | 'database'>): string =>
  `${ownerFolder(owner)}${segment(owner.database)}/`;

/** Milliseconds, so that two runs in one minute are two files; sorts by time. */
export const timeName = (time: Date): string => time.toISOString().replaceAll('-', '').replaceAll(':', '');

/** The time that a name begins with, where `timeName` made it. */
export function timeOfName(name: string): string | undefined {
  const parts = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2}\.\d{3}Z)\./.exec(name);
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, rest] = parts.slice(1);
  return `${year}-${month}-${day}T${hour}:${minute}:${rest}`;
}

/** Endings in the order in which the layers were put on: `dump`, `dump.zst`, `dump.zst.age`. */
export function ending(extension: string, compression: 'zstd' | 'gzip' | 'none', encrypted: boolean): string {
  const compressed = { zstd: '.zst', gzip: '.gz', none: '' }[compression];
  return `.${extension}${compressed}${encrypted ? '.age' : ''}`;
}

/** Whether a key stays below the folder it begins in: no empty, `.` or `..` segment, no character that paths cannot have. */
export const isKey = (key: string): boolean =>
  key.length <= 1024 &&
  !key.includes('\0') &&
  key.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
