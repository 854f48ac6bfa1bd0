/** What stands beside every stored file: written last, so a file without one is no backup. */
import { z } from 'zod';
import { BACKUP_ENGINES, ownerKind, type StoredBackup } from './contract.ts';
import { RunError } from './errors.ts';
import { MANIFEST_ENDING, VERIFIED_ENDING } from './keys.ts';
import { readAll, type Storage } from './storage.ts';

const count = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/);

const manifest = z.object({
  version: z.literal(1),
  /** Of the file, below the prefix at the time of writing: a copied folder keeps working. */
  key: z.string(),
  namespace: z.string(),
  name: z.string(),
  /** Of the resource of that name; absent in what was made without one. */
  kind: ownerKind.optional(),
  database: z.string(),
  engine: z.enum(BACKUP_ENGINES),
  /** The run that made it; a second attempt of the same run finds its own. */
  run: z.string(),
  serverVersion: z.string(),
  toolVersion: z.string(),
  startTime: z.iso.datetime(),
  finishTime: z.iso.datetime(),
  compression: z.enum(['zstd', 'gzip', 'none']),
  /** Public keys that the file is encrypted for; empty when it is not encrypted. */
  recipients: z.array(z.string()),
  /** Bytes and digest of the dump. */
  size: count,
  sha256: digest,
  /** Bytes and digest of the file, compressed and encrypted. */
  storedSize: count,
  storedSha256: digest,
  rows: z
    .object({ total: count, tables: z.array(z.object({ schema: z.string(), table: z.string(), rows: count })) })
    .optional(),
});

export type Manifest = z.infer<typeof manifest>;
export type TableRows = NonNullable<Manifest['rows']>;

/** Longest manifest that is read: ten thousands of tables. */
const LONGEST = 64 * 1024 * 1024;

/** Keys of what stands beside a file. */
export const manifestKey = (key: string): string => `${key}${MANIFEST_ENDING}`;
export const verifiedKey = (key: string): string => `${key}${VERIFIED_ENDING}`;

/**
 * @param where its key, for the message
 * @throws RunError ManifestInvalid
 */
export function parseManifest(text: string, where: string): Manifest {
  try {
    return manifest.parse(JSON.parse(text));
  } catch (error) {
    const detail = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
    throw new RunError('ManifestInvalid', `${where} is not a manifest: ${detail}`, { cause: error });
  }
}

/** @throws RunError ManifestMissing or ManifestInvalid */
export async function readManifest(storage: Storage, key: string, signal?: AbortSignal): Promise<Manifest> {
  const where = manifestKey(key);
  const file = await storage.head(where, signal);
  if (file === undefined)
    throw new RunError(
      'ManifestMissing',
      `${storage.name} has no ${where}: without its manifest a file is not known to be a whole backup`,
    );
  if (file.size > LONGEST) throw new RunError('ManifestInvalid', `${where} is too long for a manifest`);
  return parseManifest((await readAll(storage, file, signal)).toString('utf8'), where);
}

async function* once(content: Buffer): AsyncIterable<Buffer> {
  yield content;
}

/** Writes a manifest and reads it back. */
export async function writeManifest(storage: Storage, content: Manifest, signal?: AbortSignal): Promise<void> {
  const where = manifestKey(content.key);
  const bytes = Buffer.from(`${JSON.stringify(content, null, 2)}\n`);
  const file = await storage.write(where, once(bytes), { once: false, signal, expectedSize: bytes.length });
  if (!(await readAll(storage, file, signal)).equals(bytes))
    throw new RunError('UploadDiffers', `${storage.name} gives ${where} back other than it was written`);
}

/** Marks a backup as proved by a test restore. */
export async function markVerified(storage: Storage, content: Manifest, signal?: AbortSignal): Promise<void> {
  const bytes = Buffer.from(
    `${JSON.stringify({ version: 1, storedSha256: content.storedSha256, time: new Date() })}\n`,
  );
  await storage.write(verifiedKey(content.key), once(bytes), { once: false, signal, expectedSize: bytes.length });
}

const mark = z.object({ version: z.literal(1), storedSha256: digest });

/** Whether a test restore has proved exactly this file. */
export async function isVerified(storage: Storage, content: Manifest, signal?: AbortSignal): Promise<boolean> {
  const file = await storage.head(verifiedKey(content.key), signal);
  if (file === undefined || file.size > 4096) return false;
  try {
    const text = (await readAll(storage, file, signal)).toString('utf8');
    return mark.parse(JSON.parse(text)).storedSha256 === content.storedSha256;
  } catch (error) {
    if (error instanceof RunError) throw error;
    return false;
  }
}

export const storedBackup = (content: Manifest, verified?: boolean): StoredBackup => ({
  key: content.key,
  engine: content.engine,
  database: content.database,
  serverVersion: content.serverVersion,
  toolVersion: content.toolVersion,
  startTime: content.startTime,
  finishTime: content.finishTime,
  size: content.size,
  storedSize: content.storedSize,
  sha256: content.storedSha256,
  plainSha256: content.sha256,
  ...(content.rows === undefined ? {} : { rows: content.rows.total }),
  ...(verified === undefined ? {} : { verified }),
});
