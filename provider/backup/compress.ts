/** Compression as one gzip member or one zstd frame, and back. */
import { Readable, type Transform } from 'node:stream';
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
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
  const source = Readable.from(body, { objectMode: false });
  source.on('error', (error) => transform.destroy(error));
  source.pipe(transform);
  try {
    for await (const part of transform) yield part as Buffer;
  } finally {
    source.destroy();
    transform.destroy();
  }
}

/** Joins small pieces: a dump comes in as pipes give it, and every piece costs a turn of the thread pool. */
async function* gathered(body: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const part of body) {
    held.push(part);
    length += part.length;
    if (length < CHUNK) continue;
    yield Buffer.concat(held);
    held = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(held);
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
