/** Which backups a storage holds, and which of them a restore takes. */
import type { Owner, RestoreSource, RetentionRules } from './contract.ts';
import { RunError } from './errors.ts';
import { databaseFolder, isKey, MANIFEST_ENDING, ownerFolder, segment, timeOfName } from './keys.ts';
import { isVerified, type Manifest, manifestKey, parseManifest, readManifest, verifiedKey } from './manifest.ts';
import { expired } from './retention.ts';
import { readAll, type Storage, type StoredFile } from './storage.ts';

/** Manifests that are read at a time. */
const AT_ONCE = 8;

/** One backup as its storage shows it. */
export interface Backup {
  manifest: Manifest;
  /** When it was begun. */
  time: Date;
  /** Where its file is now, below the prefix; the manifest has the place where it was written. */
  key: string;
  /** Whether its file is there, and as long as the manifest says. */
  whole: boolean;
}

/** Everything below a folder that has a manifest, newest first. */
async function manifestsBelow(
  storage: Storage,
  folder: string,
  wanted: (key: string) => boolean,
  signal?: AbortSignal,
): Promise<{ backups: Backup[]; unreadable: string[] }> {
  const sizes = new Map<string, number>();
  const manifests: StoredFile[] = [];
  for await (const file of storage.list(folder, signal)) {
    sizes.set(file.key, file.size);
    if (file.key.endsWith(MANIFEST_ENDING) && wanted(file.key)) manifests.push(file);
  }
  const backups: Backup[] = [];
  const unreadable: string[] = [];
  const queue = manifests.values();
  const work = async (): Promise<void> => {
    for (const file of queue) {
      // The place of a file is where it is now; a folder may have been moved since it was written.
      const key = file.key.slice(0, -MANIFEST_ENDING.length);
      try {
        const content = parseManifest((await readAll(storage, file, signal)).toString('utf8'), file.key);
        const whole = sizes.get(key) === content.storedSize;
        backups.push({ manifest: { ...content, key }, time: new Date(content.finishTime), key, whole });
      } catch (error) {
        if (!(error instanceof RunError && ['ManifestInvalid', 'FileMissing'].includes(error.reason))) throw error;
        unreadable.push(key);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { backups: backups.toSorted((a, b) => b.time.getTime() - a.time.getTime()), unreadable };
}

/**
 * Newest first: the backups of one database of one engine that the source may mean. One whose file is not whole is among
 * them: who asks for the newest must not get an older one without a word.
 */
export async function backupsOf(storage: Storage, source: RestoreSource, signal?: AbortSignal): Promise<Backup[]> {
  return (await found(storage, source, signal)).backups;
}

/** @returns Also the keys of those whose manifest cannot be read. */
async function found(
  storage: Storage,
  source: RestoreSource,
  signal?: AbortSignal,
): Promise<{ backups: Backup[]; unreadable: string[] }> {
  const { namespace, name, database, engine } = source;
  const folder =
    namespace === undefined ? '' : name === undefined ? `${segment(namespace)}/` : ownerFolder({ namespace, name });
  const inDatabase = (key: string): boolean => key.split('/').at(-2) === segment(database);
  const { backups, unreadable } = await manifestsBelow(storage, folder, inDatabase, signal);
  const before = source.before === undefined ? Number.POSITIVE_INFINITY : Date.parse(source.before);
  return {
    unreadable,
    backups: backups.filter(
      ({ manifest, time }) =>
        manifest.database === database &&
        manifest.engine === engine &&
        (name === undefined || manifest.name === name) &&
        isOfKind(manifest, source.kind) &&
        time.getTime() < before,
    ),
  };
}

/** What says no kind may be of any. */
const isOfKind = (manifest: Manifest, kind: Owner['kind']): boolean =>
  manifest.kind === undefined || kind === undefined || manifest.kind === kind;

/** The time in the name of a file; a name that was chosen says none. */
const timeIn = (key: string): number => Date.parse(timeOfName(key.split('/').at(-1) ?? '') ?? '');

/**
 * The backup that a restore takes.
 * @throws RunError NotYours, BackupNotFound, BackupTooOld, ManifestMissing, ManifestInvalid, EngineMismatch or FileMissing
 */
export async function chooseBackup(storage: Storage, source: RestoreSource, signal?: AbortSignal): Promise<Manifest> {
  const chosen =
    source.key === undefined ? await newest(storage, source, signal) : await exact(storage, source, signal);
  if (source.maxAge !== undefined) {
    const age = Math.floor((Date.now() - Date.parse(chosen.finishTime)) / 1000);
    if (age > source.maxAge)
      throw new RunError(
        'BackupTooOld',
        `the newest backup, ${chosen.key}, is ${age} seconds old, and at most ${source.maxAge} are allowed`,
      );
  }
  return chosen;
}

async function newest(storage: Storage, source: RestoreSource, signal?: AbortSignal): Promise<Manifest> {
  const { backups, unreadable } = await found(storage, source, signal);
  for (const { manifest } of backups) {
    if (source.verifiedOnly && !(await isVerified(storage, manifest, signal))) continue;
    if (!source.verifiedOnly) refuseOlder(manifest, unreadable, source);
    return manifest;
  }
  const what = source.verifiedOnly && backups.length > 0 ? 'verified backup' : 'backup';
  const when = source.before === undefined ? '' : ` from before ${source.before}`;
  const where = source.namespace === undefined ? '' : ` of namespace ${source.namespace}`;
  throw new RunError(
    'BackupNotFound',
    `${storage.name} has no ${what}${where} of ${source.engine} database ${JSON.stringify(source.database)}${when}`,
  );
}

/** Who asks for the newest must not get an older one because nobody can tell what the newest is. */
function refuseOlder(chosen: Manifest, unreadable: readonly string[], { before }: RestoreSource): void {
  const limit = before === undefined ? Number.POSITIVE_INFINITY : Date.parse(before);
  const newer = unreadable.find((key) => timeIn(key) > Date.parse(chosen.startTime) && timeIn(key) < limit);
  if (newer !== undefined)
    throw new RunError(
      'ManifestInvalid',
      `${manifestKey(newer)} is not a manifest, and its file is newer than ${chosen.key}; name the one that is meant by its key, or by a time before`,
    );
}

async function exact(storage: Storage, source: RestoreSource, signal?: AbortSignal): Promise<Manifest> {
  const key = source.key ?? '';
  if (!isKey(key)) throw new RunError('InvalidRequest', `${JSON.stringify(key)} is not a key of a file`);
  if (source.namespace !== undefined && !key.startsWith(`${segment(source.namespace)}/`))
    throw new RunError('NotYours', `${key} is not a backup of namespace ${source.namespace}`);
  if ((await storage.head(key, signal)) === undefined)
    throw new RunError('BackupNotFound', `${storage.name} has no file ${key}`);
  const manifest = { ...(await readManifest(storage, key, signal)), key };
  if (manifest.engine !== source.engine)
    throw new RunError(
      'EngineMismatch',
      `${key} is a backup of ${manifest.engine}, which cannot be loaded into ${source.engine}`,
    );
  if (source.verifiedOnly && !(await isVerified(storage, manifest, signal)))
    throw new RunError('BackupNotFound', `${key} has not been verified by a test restore`);
  return manifest;
}

const partsOf = (key: string): string[] => [manifestKey(key), verifiedKey(key), key];

/** Deletes one backup: its manifest first, so that what remains of it, if anything does, is no backup. */
async function removeBackup(storage: Storage, key: string, signal?: AbortSignal): Promise<void> {
  for (const part of partsOf(key)) await storage.remove(part, signal);
}

/**
 * Deletes the backups of one owner that its rules do not keep. Only good ones count and only good ones go: what has no
 * manifest, or is not as long as its manifest says, is left for people to look at.
 * @param made Key of the one that was made just now, which is never among them.
 * @returns Keys that were deleted, how many files were left because they are not good, and the first that could not be
 *   deleted.
 */
export async function prune(
  storage: Storage,
  owner: Owner,
  rules: RetentionRules,
  signal?: AbortSignal,
  made?: string,
): Promise<{ pruned: string[]; bad: number; refused: { key: string; error: Error } | undefined }> {
  const { backups, unreadable } = await manifestsBelow(storage, databaseFolder(owner), () => true, signal);
  const own = backups.filter(
    ({ manifest }) =>
      manifest.engine === owner.engine && manifest.name === owner.name && isOfKind(manifest, owner.kind),
  );
  const pruned: string[] = [];
  const good = own.filter(({ whole }) => whole);
  let refused: { key: string; error: Error } | undefined;
  // One that is held, e.g. by an object lock, keeps none of the others.
  for (const { key } of expired(good, rules, made))
    try {
      await removeBackup(storage, key, signal);
      pruned.push(key);
    } catch (error) {
      signal?.throwIfAborted();
      refused ??= { key, error: error as Error };
    }
  return { pruned, bad: unreadable.length + own.length - good.length, refused };
}

/** Deletes every file of one Backup or BackupSchedule, and none of the other kind of that name. */
export async function removeAll(
  storage: Storage,
  owner: Pick<Owner, 'kind' | 'namespace' | 'name'>,
  signal?: AbortSignal,
): Promise<string[]> {
  const { backups } = await manifestsBelow(storage, ownerFolder(owner), () => true, signal);
  const [own, others] = [true, false].map((is) =>
    backups.filter(({ manifest }) => isOfKind(manifest, owner.kind) === is).flatMap(({ key }) => partsOf(key)),
  ) as [string[], string[]];
  const keys: string[] = [];
  // Beside those of another, a file without a manifest may be one that is just being made.
  for await (const { key } of storage.list(ownerFolder(owner), signal))
    if (others.length === 0 || own.includes(key)) keys.push(key);
  // Manifests first.
  const manifestsFirst = keys.toSorted(
    (a, b) => Number(b.endsWith(MANIFEST_ENDING)) - Number(a.endsWith(MANIFEST_ENDING)),
  );
  for (const key of manifestsFirst) await storage.remove(key, signal);
  return keys;
}
