/** Compression as one gzip member or one zstd frame, and back. */
import type { Transform } from 'node:stream';
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { disposable, dispose } from './disposable.ts';
import { RunError } from './errors.ts';

export type Compression = 'zstd' | 'gzip' | 'none';

const CHUNK = 256 * 1024;

function compressor(compression: 'zstd' | 'gzip', level: number | undefined): Transform {
  if (compression === 'gzip') return createGzip({ level: level ?? 6, chunkSize: CHUNK });
  return createZstdCompress({
    chunkSize: CHUNK,
    params: {
      [constants.ZSTD_c_compressionLevel]: level ?? 3,
      // A checksum of the content at the end of the frame, for those who unpack it by hand.
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
}

/** Runs `body` through a transform; what `body` throws comes out as it was thrown. */
async function* piped(body: AsyncIterable<Buffer>, transform: Transform): AsyncIterable<Buffer> {
  // What goes wrong in it comes out of the transform.
  void feed(body, transform);
  try {
    for await (const part of transform) yield disposable(part as Buffer);
  } finally {
    transform.destroy();
  }
}

/** The next piece is made while one is being worked on. */
async function feed(body: AsyncIterable<Buffer>, transform: Transform): Promise<void> {
  let isTaken: Promise<boolean> = Promise.resolve(true);
  try {
    for await (const piece of body) {
      if (!(await isTaken)) return;
      isTaken = new Promise((resolve) => {
        transform.write(piece, (error) => {
          dispose(piece);
          resolve(error === null || error === undefined);
        });
      });
    }
    if (await isTaken) transform.end();
  } catch (error) {
    transform.destroy(error as Error);
  }
}

/** Joins small pieces: a dump comes in as pipes give it, and every piece costs a turn of the thread pool. */
async function* gathered(body: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const empty = (): Buffer => disposable(Buffer.allocUnsafeSlow(CHUNK));
  let joined = empty();
  let length = 0;
  for await (const piece of body) {
    for (let offset = 0; offset < piece.length; ) {
      const copied = piece.copy(joined, length, offset);
      offset += copied;
      length += copied;
      if (length < CHUNK) continue;
      yield joined;
      joined = empty();
      length = 0;
    }
    dispose(piece);
  }
  if (length > 0) yield joined.subarray(0, length);
}

export const compress = (
  body: AsyncIterable<Buffer>,
  compression: Compression,
  level?: number,
): AsyncIterable<Buffer> =>
  compression === 'none' ? gathered(body) : piped(gathered(body), compressor(compression, level));

/**
 * @throws RunError FileBroken when the data is not what compress made. That nothing is missing at the end is for the caller
 *   to check: a decompressor can stop early without a word.
 */
export async function* decompress(body: AsyncIterable<Buffer>, compression: Compression): AsyncIterable<Buffer> {
  if (compression === 'none') {
    yield* body;
    return;
  }
  const transform =
    compression === 'gzip' ? createGunzip({ chunkSize: CHUNK }) : createZstdDecompress({ chunkSize: CHUNK });
  try {
    yield* piped(body, transform);
  } catch (error) {
    if (/^(Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test((error as NodeJS.ErrnoException).code ?? ''))
      throw new RunError('FileBroken', `the ${compression} data is broken: ${(error as Error).message}`, {
        cause: error,
      });
    throw error;
  }
}
