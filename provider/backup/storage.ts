/** A place for files. Keys are below its prefix, with slashes; what is read is never a file that is still being written. */
export interface StoredFile {
  key: string;
  /** Bytes. */
  size: number;
  /** Changes whenever the content does. */
  version: string;
}

export interface WriteOptions {
  /** Refuses with AlreadyExists when there is a file of this key. */
  once: boolean;
  /** About how many bytes the body will have at most, where that is known: an upload's parts are chosen by it. */
  expectedSize?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** All but `write` and `read` throw RunError StorageUnavailable, StorageDenied or BucketNotFound too. */
export interface Storage {
  /** For messages, e.g. `bucket "backups"`. */
  readonly name: string;
  /**
   * Stores all of `body` under `key`, and looks at the result. When `body` fails, nothing is stored.
   * @throws RunError StorageUnavailable, StorageDenied, BucketNotFound, StorageFull, AlreadyExists or UploadDiffers, or what
   *   `body` throws.
   */
  write(key: string, body: AsyncIterable<Buffer>, options: WriteOptions): Promise<StoredFile>;
  /** @returns undefined when there is no such file. */
  head(key: string, signal?: AbortSignal): Promise<StoredFile | undefined>;
  /**
   * The content of exactly this version. A connection that breaks is taken up again where it broke.
   * @throws RunError FileMissing when the file is gone, ChecksumMismatch when it is another by now.
   */
  read(file: StoredFile, signal?: AbortSignal): AsyncIterable<Buffer>;
  /** Every file below `folder` (which ends in a slash, or is empty), in no particular order. */
  list(folder: string, signal?: AbortSignal): AsyncIterable<StoredFile>;
  /** A file that is not there is deleted already. */
  remove(key: string, signal?: AbortSignal): Promise<void>;
  /** Lets go of connections; nothing may be asked afterwards. */
  close(): void;
}

/** A whole small file. */
export async function readAll(storage: Storage, file: StoredFile, signal?: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of storage.read(file, signal)) parts.push(part);
  return Buffer.concat(parts);
}
