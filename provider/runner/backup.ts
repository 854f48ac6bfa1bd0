import { encrypt } from '../backup/age.ts';
import { prune } from '../backup/catalogue.ts';
import { compress } from '../backup/compress.ts';
import type { RequestOf } from '../backup/contract.ts';
import { formats } from '../backup/dumps/formats.ts';
import { RunError } from '../backup/errors.ts';
import { databaseFolder, ending, MANIFEST_ENDING, timeName } from '../backup/keys.ts';
import { type Manifest, parseManifest, storedBackup, type TableRows, writeManifest } from '../backup/manifest.ts';
import { Measure } from '../backup/measure.ts';
import { openStorage } from '../backup/open-storage.ts';
import { readAll, type Storage } from '../backup/storage.ts';
import { tools } from '../backup/tools/tools.ts';
import { Meeting } from './meeting.ts';
import type { Outcome } from './outcome.ts';
import type { RunContext } from './progress.ts';

/** So many of the newest manifests are looked at for one of an earlier attempt. */
const RECENT = 5;
/** How long it may take to delete a file whose manifest cannot be written: after SIGTERM there is half a minute for all. */
const REMOVAL_MS = 10_000;

export async function backup(request: RequestOf<'backup'>, context: RunContext): Promise<Outcome> {
  const meeting = new Meeting(request.tool.folder);
  let storage: Storage | undefined;
  try {
    context.onProgress({ phase: 'waiting', bytes: 0 });
    // First of all: a tool that nobody meets would wait.
    await meeting.join(context.signal);
    storage = openStorage(request.storage);
    const made =
      (await earlier(storage, request, context.signal)) ?? (await dumpTo(storage, meeting, request, context));
    return { backup: storedBackup(made), ...(await pruned(storage, made.key, request, context)) };
  } finally {
    meeting.leave();
    storage?.close();
  }
}

const isOf = (request: RequestOf<'backup'>, manifest: Manifest): boolean =>
  manifest.run === request.run && manifest.name === request.owner.name && manifest.engine === request.owner.engine;

/** What an earlier attempt of this run has finished, and was killed before it could say so. */
async function earlier(
  storage: Storage,
  request: RequestOf<'backup'>,
  signal: AbortSignal,
): Promise<Manifest | undefined> {
  const manifests = [];
  for await (const file of storage.list(databaseFolder(request.owner), signal))
    if (file.key.endsWith(MANIFEST_ENDING)) manifests.push(file);
  const newest = manifests.toSorted((a, b) => (a.key < b.key ? 1 : -1));
  const fixed = request.fileName;
  const likely = newest.filter(
    ({ key }, index) => index < RECENT || (fixed !== undefined && key.split('/').at(-1)?.startsWith(`${fixed}.`)),
  );
  for (const file of likely) {
    const manifest = await readAll(storage, file, signal).then(
      (bytes) => parseManifest(bytes.toString('utf8'), file.key),
      () => undefined,
    );
    if (manifest === undefined || !isOf(request, manifest)) continue;
    if ((await storage.head(manifest.key, signal))?.size === manifest.storedSize) return manifest;
  }
  return undefined;
}

async function dumpTo(
  storage: Storage,
  meeting: Meeting,
  request: RequestOf<'backup'>,
  { signal, onProgress }: RunContext,
): Promise<Manifest> {
  const { owner, compression, recipients } = request;
  const startTime = new Date();
  const { extension } = tools[owner.engine];
  const key = `${databaseFolder(owner)}${request.fileName ?? timeName(startTime)}${ending(extension, compression, recipients.length > 0)}`;
  await refuseExisting(storage, key, signal);
  const plain = new Measure();
  const stored = new Measure();
  const reader = formats[owner.engine].reader(request.countRows);
  let rows: TableRows | undefined;
  // Ends without an error only when the tool ended well and the dump is whole; before that the upload cannot be completed.
  const dump = async function* (): AsyncIterable<Buffer> {
    for await (const part of meeting.dump(signal)) {
      plain.update(part);
      reader.update(part);
      onProgress({ phase: 'dumping', bytes: plain.bytes });
      yield part;
    }
    rows = reader.end();
  };
  const packed = compress(dump(), compression, request.compressionLevel);
  const file = recipients.length === 0 ? packed : encrypt(packed, recipients);
  await storage.write(key, stored.through(file), { once: true, signal, expectedSize: request.expectedSize });
  onProgress({ phase: 'finishing', bytes: plain.bytes });
  const manifest: Manifest = {
    version: 1,
    key,
    ...owner,
    run: request.run,
    serverVersion: request.serverVersion,
    toolVersion: await meeting.toolVersion(),
    startTime: startTime.toISOString(),
    finishTime: new Date().toISOString(),
    compression,
    recipients,
    size: plain.bytes,
    sha256: plain.sha256,
    storedSize: stored.bytes,
    storedSha256: stored.sha256,
    ...(rows === undefined ? {} : { rows }),
  };
  try {
    await writeManifest(storage, manifest, signal);
  } catch (error) {
    // A file without manifest is no backup; if it cannot be deleted either, it is at least never taken for one.
    await storage.remove(key, AbortSignal.timeout(REMOVAL_MS)).catch(() => {});
    throw error;
  }
  return manifest;
}

async function refuseExisting(storage: Storage, key: string, signal: AbortSignal): Promise<void> {
  if ((await storage.head(key, signal)) === undefined) return;
  const whole = (await storage.head(`${key}${MANIFEST_ENDING}`, signal)) !== undefined;
  throw new RunError(
    'AlreadyExists',
    `${storage.name} has ${key} already${whole ? '' : ', without a manifest'}; nothing is overwritten`,
  );
}

/** Pruning happens after a good backup only, and does not make it a bad one when it fails. */
async function pruned(
  storage: Storage,
  made: string,
  { owner, retention }: RequestOf<'backup'>,
  { signal, onProgress }: RunContext,
): Promise<Outcome> {
  if (retention === undefined) return {};
  onProgress({ phase: 'pruning', bytes: 0 });
  try {
    const result = await prune(storage, owner, retention, signal, made);
    const { pruned: keys, bad, refused } = result;
    const warnings = [
      ...(refused === undefined ? [] : [`old backups could not be deleted: ${refused.key}: ${refused.error.message}`]),
      ...(bad === 0 ? [] : [`${bad} files beside it are no whole backups, and were left`]),
    ];
    return {
      pruned: keys,
      prunedCount: keys.length,
      ...(warnings.length === 0 ? {} : { warning: warnings.join('; ') }),
    };
  } catch (error) {
    signal.throwIfAborted();
    return { warning: `old backups could not be deleted: ${(error as Error).message}` };
  }
}
