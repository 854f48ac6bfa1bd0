import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, link, mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { FilesystemPlace } from './contract.ts';
import { dispose } from './disposable.ts';
import { RunError } from './errors.ts';
import { isKey, normalPrefix } from './keys.ts';
import type { Storage, StoredFile, WriteOptions } from './storage.ts';

/** Files that are being written; one that nobody has written to for so long was left by a run that was killed. */
const DRAFT = '.xdatabase-draft-';
const DRAFT_AGE_MS = 24 * 3600 * 1000;
const READ_BYTES = 1024 * 1024;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | undefined)?.code;

/** The error of a system call as ours; what is not one of a system call stays as it is. */
function translated(error: unknown, what: string): unknown {
  const code = codeOf(error);
  if (code === undefined || error instanceof RunError || (error as NodeJS.ErrnoException).syscall === undefined)
    return error;
  const message = `${what}: ${(error as Error).message}`;
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)) return new RunError('StorageFull', message, { cause: error });
  if (['EACCES', 'EPERM', 'EROFS'].includes(code)) return new RunError('StorageDenied', message, { cause: error });
  return new RunError('StorageUnavailable', message, { cause: error });
}

/** Files in a folder. A file has its name only when all of it is on the disk. */
export class FilesystemStorage implements Storage {
  readonly name: string;
  readonly #root: string;

  constructor(place: FilesystemPlace) {
    this.#root = resolve(place.path, normalPrefix(place.prefix));
    this.name = `folder ${JSON.stringify(this.#root)}`;
  }

  #path(key: string): string {
    if (!isKey(key)) throw new RunError('InvalidRequest', `${JSON.stringify(key)} is not a key of a file`);
    return join(this.#root, key);
  }

  async write(key: string, body: AsyncIterable<Buffer>, { once, signal }: WriteOptions): Promise<StoredFile> {
    const path = this.#path(key);
    const folder = dirname(path);
    const draft = join(folder, `${DRAFT}${randomUUID()}`);
    let file: FileHandle | undefined;
    try {
      await mkdir(folder, { recursive: true });
      await removeOldDrafts(folder);
      file = await open(draft, 'wx', 0o640);
      let size = 0;
      for await (const part of body) {
        signal?.throwIfAborted();
        await writeWhole(file, part);
        size += part.length;
        dispose(part);
      }
      await file.sync();
      const { size: written } = await file.stat();
      await file.close();
      file = undefined;
      if (written !== size)
        throw new RunError(
          'UploadDiffers',
          `${this.name}: ${key} has ${written} bytes on the disk, ${size} were written`,
        );
      signal?.throwIfAborted();
      await publish(draft, path, once);
      await syncFolders(folder, this.#root);
      return await this.#stat(key);
    } catch (error) {
      if (codeOf(error) === 'EEXIST')
        throw new RunError('AlreadyExists', `${this.name}: ${key} exists already`, { cause: error });
      throw translated(error, this.name);
    } finally {
      await file?.close().catch(() => {});
      await rm(draft, { force: true }).catch(() => {});
    }
  }

  async #stat(key: string): Promise<StoredFile> {
    const stats = await stat(this.#path(key), { bigint: true });
    return { key, size: Number(stats.size), version: `${stats.ino}-${stats.mtimeNs}-${stats.size}` };
  }

  async head(key: string): Promise<StoredFile | undefined> {
    try {
      return await this.#stat(key);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ENAMETOOLONG'].includes(codeOf(error) ?? '')) return undefined;
      throw translated(error, this.name);
    }
  }

  async *read(expected: StoredFile, signal?: AbortSignal): AsyncIterable<Buffer> {
    const { key } = expected;
    let file: FileHandle | undefined;
    try {
      file = await open(this.#path(key), 'r');
      if ((await this.#stat(key)).version !== expected.version)
        throw new RunError('ChecksumMismatch', `${this.name}: ${key} was changed while it was being read`);
      for (;;) {
        signal?.throwIfAborted();
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES);
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT')
        throw new RunError('FileMissing', `${this.name}: there is no ${key}`, { cause: error });
      throw translated(error, this.name);
    } finally {
      await file?.close();
    }
  }

  async *list(folder: string): AsyncIterable<StoredFile> {
    try {
      await access(this.#root, constants.R_OK);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw translated(error, this.name);
    }
    yield* this.#walk(folder);
  }

  async *#walk(folder: string): AsyncIterable<StoredFile> {
    const entries: { name: string; isFolder: boolean }[] = [];
    try {
      for await (const entry of await opendir(join(this.#root, folder)))
        entries.push({ name: entry.name, isFolder: entry.isDirectory() });
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw translated(error, this.name);
    }
    for (const { name, isFolder } of entries) {
      if (isFolder) yield* this.#walk(`${folder}${name}/`);
      else if (!name.startsWith(DRAFT)) {
        const file = await this.head(`${folder}${name}`);
        if (file !== undefined) yield file;
      }
    }
  }

  async remove(key: string): Promise<void> {
    try {
      await rm(this.#path(key), { force: true });
      await syncFolders(dirname(this.#path(key)), dirname(this.#path(key)));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw translated(error, this.name);
    }
  }

  close(): void {}
}

async function writeWhole(file: FileHandle, part: Buffer): Promise<void> {
  for (let offset = 0; offset < part.length; ) {
    const { bytesWritten } = await file.write(part, offset);
    offset += bytesWritten;
  }
}

/** Gives the draft its name; with `once` a file of that name is never replaced. */
async function publish(draft: string, path: string, once: boolean): Promise<void> {
  if (once) {
    try {
      await link(draft, path);
      return;
    } catch (error) {
      // Some volumes know no hard links: then the name is taken first, and its empty file replaced.
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(codeOf(error) ?? '')) throw error;
      await (await open(path, 'wx')).close();
    }
  }
  await rename(draft, path);
}

/** Names are on the disk when their folders are. */
async function syncFolders(folder: string, root: string): Promise<void> {
  for (let current = folder; ; current = dirname(current)) {
    const handle = await open(current, 'r');
    // Some network volumes refuse to sync a folder; they do so on their own.
    await handle.sync().catch(() => {});
    await handle.close();
    if (current === root || dirname(current) === current) return;
  }
}

async function removeOldDrafts(folder: string): Promise<void> {
  for await (const entry of await opendir(folder)) {
    if (!entry.name.startsWith(DRAFT)) continue;
    const path = join(folder, entry.name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs > DRAFT_AGE_MS) await rm(path, { force: true }).catch(() => {});
  }
}
