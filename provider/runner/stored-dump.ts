/** One stored backup as the dump that it was made of. It is kept nowhere: to check it and to load it, it is fetched twice. */
import { decrypt } from '../backup/age.ts';
import { decompress } from '../backup/compress.ts';
import { dispose } from '../backup/disposable.ts';
import { formats } from '../backup/dumps/formats.ts';
import { RunError } from '../backup/errors.ts';
import type { Manifest, TableRows } from '../backup/manifest.ts';
import { Measure } from '../backup/measure.ts';
import type { Storage, StoredFile } from '../backup/storage.ts';
import type { Progress, RunContext } from './progress.ts';

export class StoredDump {
  readonly #storage: Storage;
  readonly #manifest: Manifest;
  readonly #identities: readonly string[];
  #file: StoredFile | undefined;

  constructor(storage: Storage, manifest: Manifest, identities: readonly string[]) {
    this.#storage = storage;
    this.#manifest = manifest;
    this.#identities = identities;
  }

  /**
   * Reads all of it and compares it with its manifest.
   * @returns Rows of its tables.
   * @throws RunError FileMissing, FileTruncated, ChecksumMismatch, FileBroken, WrongIdentity or IdentityInvalid
   */
  async check(context: RunContext): Promise<TableRows | undefined> {
    const { key, storedSize, engine } = this.#manifest;
    this.#file = await this.#storage.head(key, context.signal);
    if (this.#file === undefined) throw new RunError('FileMissing', `${this.#storage.name} has no ${key}`);
    if (this.#file.size !== storedSize)
      throw new RunError(
        this.#file.size < storedSize ? 'FileTruncated' : 'ChecksumMismatch',
        `${key} has ${this.#file.size} bytes, and ${storedSize} by its manifest`,
      );
    const stored = new Measure();
    const source = this.#stored(stored, 'checking', context);
    const reader = formats[engine].reader(true);
    try {
      for await (const part of this.#decoded(unreturned(source), new Measure(), stored)) {
        reader.update(part);
        dispose(part);
      }
      return reader.end();
    } catch (error) {
      if (!(error instanceof RunError) || !['FileBroken', 'WrongIdentity'].includes(error.reason)) throw error;
      // Whether the file is not what it was, or was made so, is told by the rest of it.
      for (let next = await source.next(); next.done !== true; next = await source.next()) void next;
      if (stored.sha256 !== this.#manifest.storedSha256) throw this.#mismatch('file', error);
      throw error;
    } finally {
      await source.return(undefined);
    }
  }

  /** The dump, after `check`. It ends without an error only if all of it is what was checked. */
  async *read(phase: Progress['phase'], context: RunContext): AsyncIterable<Buffer> {
    const stored = new Measure();
    yield* this.#decoded(this.#stored(stored, phase, context), new Measure(), stored);
  }

  async *#stored(
    measure: Measure,
    phase: Progress['phase'],
    { signal, onProgress }: RunContext,
  ): AsyncGenerator<Buffer, void, undefined> {
    if (this.#file === undefined) throw new Error('check comes first');
    for await (const part of this.#storage.read(this.#file, signal)) {
      signal.throwIfAborted();
      measure.update(part);
      onProgress({ phase, bytes: measure.bytes, total: this.#file.size });
      yield part;
    }
  }

  async *#decoded(body: AsyncIterable<Buffer>, plain: Measure, stored: Measure): AsyncIterable<Buffer> {
    const { recipients, compression, size, sha256, storedSha256 } = this.#manifest;
    const packed = recipients.length === 0 ? body : decrypt(body, this.#identities);
    yield* plain.through(decompress(packed, compression));
    // A decompressor that is satisfied early leaves the rest unread.
    for await (const rest of body) void rest;
    if (stored.sha256 !== storedSha256) throw this.#mismatch('file');
    if (plain.bytes !== size || plain.sha256 !== sha256) throw this.#mismatch('dump inside');
  }

  #mismatch(what: string, cause?: unknown): RunError {
    return new RunError(
      'ChecksumMismatch',
      `${this.#manifest.key}: the ${what} is not what its manifest says (SHA-256 differs)`,
      { cause },
    );
  }
}

/** As `source`, but left open when its reader stops early. */
const unreturned = (source: AsyncIterator<Buffer>): AsyncIterable<Buffer> => ({
  [Symbol.asyncIterator]: () => ({ next: () => source.next() }),
});
