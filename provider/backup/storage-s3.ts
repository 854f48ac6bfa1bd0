import { randomUUID } from 'node:crypto';
import { addAbortSignal, type Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { S3Place } from './contract.ts';
import { RunError } from './errors.ts';
import { isKey, normalPrefix } from './keys.ts';
import { s3Client, secretFile } from './s3-client.ts';
import { s3Error, statusOf } from './s3-errors.ts';
import { upload } from './s3-upload.ts';
import type { Storage, StoredFile, WriteOptions } from './storage.ts';

const MEBIBYTE = 1024 * 1024;
/** Most parts that an upload can have are 10,000; some are kept for a body that is longer than expected. */
const PARTS = 8000;
/** Of a body of which nothing is known: enough for 160 GB. */
const USUAL_PART = 16 * MEBIBYTE;
const SMALLEST_PART = 8 * MEBIBYTE;
/** Parts are held in memory. */
const partSize = (expected: number | undefined): number =>
  expected === undefined ? USUAL_PART : Math.max(SMALLEST_PART, Math.ceil(expected / PARTS / MEBIBYTE) * MEBIBYTE);
/** How often a download is taken up again without having come any further. */
const RESUMES = 5;
/** Says whose upload an object is, to tell our own from another's when an answer was lost. */
const UPLOAD_ID = 'xdatabase-upload';

const abortable = (signal: AbortSignal | undefined): { abortSignal?: AbortSignal } =>
  signal === undefined ? {} : { abortSignal: signal };

/** Objects of a bucket. */
export class S3Storage implements Storage {
  readonly name: string;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #client: S3Client;
  readonly #write: Partial<PutObjectCommandInput>;
  readonly #customerKey: { SSECustomerAlgorithm?: string; SSECustomerKey?: string };

  constructor(place: S3Place) {
    this.#bucket = place.bucket;
    this.#prefix = normalPrefix(place.prefix);
    this.name = `bucket ${JSON.stringify(place.bucket)}`;
    this.#client = s3Client(place);
    const sse = place.serverSideEncryption;
    this.#customerKey =
      sse?.type === 'SSE-C'
        ? { SSECustomerAlgorithm: 'AES256', SSECustomerKey: secretFile(sse.customerKeyFile, 'the SSE-C key') }
        : {};
    this.#write = {
      ...this.#customerKey,
      ...(sse?.type === 'SSE-S3' ? { ServerSideEncryption: 'AES256' } : {}),
      ...(sse?.type === 'SSE-KMS' ? { ServerSideEncryption: 'aws:kms' } : {}),
      ...(sse?.type === 'SSE-KMS' && sse.kmsKeyId !== undefined ? { SSEKMSKeyId: sse.kmsKeyId } : {}),
      ...(place.storageClass === undefined
        ? {}
        : { StorageClass: place.storageClass as NonNullable<PutObjectCommandInput['StorageClass']> }),
    };
  }

  #object(key: string): { Bucket: string; Key: string } {
    if (!isKey(key)) throw new RunError('InvalidRequest', `${JSON.stringify(key)} is not a key of a file`);
    return { Bucket: this.#bucket, Key: this.#prefix + key };
  }

  async write(
    key: string,
    body: AsyncIterable<Buffer>,
    { once, signal, expectedSize }: WriteOptions,
  ): Promise<StoredFile> {
    const object = this.#object(key);
    const id = randomUUID();
    let size = 0;
    let ended = false;
    // What the source of the body threw is what the caller must see, not what the client makes of it.
    let broken: { error: unknown } | undefined;
    const counted = async function* (): AsyncIterable<Buffer> {
      const parts = body[Symbol.asyncIterator]();
      try {
        for (;;) {
          // Only this throws for the body; at `yield` it is the client that gives up.
          const next = await parts.next().catch((error: unknown) => {
            broken = { error };
            throw error;
          });
          if (next.done === true) break;
          size += next.value.length;
          yield next.value;
        }
        ended = true;
      } finally {
        await parts.return?.();
      }
    };
    try {
      await upload(this.#client, {
        object: {
          ...object,
          ...this.#write,
          Metadata: { [UPLOAD_ID]: id },
          ContentType: key.endsWith('.json') ? 'application/json' : 'application/octet-stream',
          ...(once ? { IfNoneMatch: '*' } : {}),
        },
        body: counted(),
        partSize: partSize(expectedSize),
        signal: signal ?? new AbortController().signal,
      });
    } catch (error) {
      if (broken !== undefined) throw broken.error;
      signal?.throwIfAborted();
      const failure = s3Error(error, this.name, `uploading ${key} (s3:PutObject)`);
      // The answer to an attempt may have been lost: then the object is there, and is our own.
      if (!ended || !(await this.#isOurs(key, id, signal))) throw failure;
    }
    const stored = await this.head(key, signal);
    if (stored?.size !== size)
      throw new RunError(
        'UploadDiffers',
        `${this.name}: ${size} bytes of ${key} were sent, and the storage holds ${stored?.size ?? 'none'}`,
      );
    return stored;
  }

  async #isOurs(key: string, id: string, signal: AbortSignal | undefined): Promise<boolean> {
    const answer = await this.#client
      .send(new HeadObjectCommand({ ...this.#object(key), ...this.#customerKey }), abortable(signal))
      .catch(() => undefined);
    return answer?.Metadata?.[UPLOAD_ID] === id;
  }

  async head(key: string, signal?: AbortSignal): Promise<StoredFile | undefined> {
    const object = this.#object(key);
    try {
      const answer = await this.#client.send(
        new HeadObjectCommand({ ...object, ...this.#customerKey }),
        abortable(signal),
      );
      return { key, size: answer.ContentLength ?? 0, version: answer.ETag ?? '' };
    } catch (error) {
      if (statusOf(error) !== 404) throw s3Error(error, this.name, `looking for ${key} (s3:GetObject)`);
      return await this.#listed(key, signal);
    }
  }

  /** An answer to HEAD has no text: a missing bucket looks like a missing object, and must not be taken for one. */
  async #listed(key: string, signal?: AbortSignal): Promise<StoredFile | undefined> {
    for await (const file of this.list(key, signal)) if (file.key === key) return file;
    return undefined;
  }

  async *read(file: StoredFile, signal?: AbortSignal): AsyncIterable<Buffer> {
    const object = this.#object(file.key);
    let offset = 0;
    let left = RESUMES;
    while (offset < file.size) {
      const begin = offset;
      try {
        const answer = await this.#client.send(
          new GetObjectCommand({
            ...object,
            ...this.#customerKey,
            ...(file.version === '' ? {} : { IfMatch: file.version }),
            ...(offset === 0 ? {} : { Range: `bytes=${offset}-` }),
          }),
          abortable(signal),
        );
        const content = answer.Body as Readable;
        // The client looks at the signal until the answer begins, and no longer.
        if (signal !== undefined) addAbortSignal(signal, content);
        for await (const part of content) {
          offset += (part as Buffer).length;
          yield part as Buffer;
        }
        if (offset < file.size)
          throw new RunError('FileTruncated', `${this.name}: ${file.key} ended after ${offset} of ${file.size} bytes`);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        if (statusOf(error) === 412)
          throw new RunError('ChecksumMismatch', `${this.name}: ${file.key} was changed while it was being read`);
        const failure = s3Error(error, this.name, `reading ${file.key} (s3:GetObject)`);
        left = offset > begin ? RESUMES : left - 1;
        const passing =
          !(failure instanceof RunError) ||
          failure.reason === 'StorageUnavailable' ||
          failure.reason === 'FileTruncated';
        if (!passing || left <= 0 || statusOf(error) !== undefined) throw failure;
      }
    }
  }

  async *list(folder: string, signal?: AbortSignal): AsyncIterable<StoredFile> {
    let token: string | undefined;
    do {
      const answer = await this.#client
        .send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#prefix + folder,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          abortable(signal),
        )
        .catch((error: unknown) => {
          throw s3Error(error, this.name, 'listing (s3:ListBucket)');
        });
      for (const { Key, Size, ETag } of answer.Contents ?? []) {
        const key = Key?.slice(this.#prefix.length) ?? '';
        // Folders that a console made, and whatever else could not be a key of ours.
        if (isKey(key)) yield { key, size: Size ?? 0, version: ETag ?? '' };
      }
      token = answer.IsTruncated === true ? answer.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async remove(key: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.#client.send(new DeleteObjectCommand(this.#object(key)), abortable(signal));
    } catch (error) {
      if (statusOf(error) === 404 && (error as Error).name !== 'NoSuchBucket') return;
      throw s3Error(error, this.name, `deleting ${key} (s3:DeleteObject)`);
    }
  }

  close(): void {
    this.#client.destroy();
  }
}
