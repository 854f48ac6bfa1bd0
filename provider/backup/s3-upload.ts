/**
 * An upload whose memory is a few buffers, however long its body and whatever becomes of it. lib-storage of the SDK holds up
 * to five times a part, and neither ends nor waits for the requests that are under way when it is aborted.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { dispose } from './disposable.ts';
import { RunError } from './errors.ts';

/** Of S3. */
const MOST_PARTS = 10_000;
/** So many are sent while the next one fills. */
const AT_ONCE = 2;
/** How long deleting the parts of an upload that failed may take: after SIGTERM there is half a minute for everything. */
const ABORT_MS = 10_000;
const ARRIVAL_MS = 500;

export interface S3Upload {
  /** Key, metadata, encryption and whatever else is said of the object. */
  object: Omit<PutObjectCommandInput, 'Body'>;
  body: AsyncIterable<Buffer>;
  /** Bytes, at least 5 MiB. All parts but the last are so long, which some servers demand. */
  partSize: number;
  signal: AbortSignal;
}

/**
 * Stores all of `body` as one object, in a single request when it is no longer than a part. When it fails there is no object,
 * and its parts are deleted if the server can still be reached.
 * @throws what `body` throws, the reason of `signal`, the failure of the client, or RunError StorageFull for more than 10,000
 *   parts.
 */
export async function upload(client: S3Client, { object, body, partSize, signal }: S3Upload): Promise<void> {
  const parts = new Parts(client, object, signal);
  const pieces = body[Symbol.asyncIterator]();
  try {
    let buffer = await parts.buffer(partSize);
    let length = 0;
    for (;;) {
      const { done, value: piece } = await unlessAborted(pieces.next(), parts.signal);
      if (done === true) break;
      for (let offset = 0; offset < piece.length; ) {
        // What is exactly full stays here until it is known whether more comes.
        if (length === partSize) {
          await parts.send(buffer);
          buffer = await parts.buffer(partSize);
          length = 0;
        }
        const copied = piece.copy(buffer, length, offset);
        offset += copied;
        length += copied;
      }
      dispose(piece);
    }
    await parts.finish(buffer.subarray(0, length));
  } catch (error) {
    // Not waited for: a body that waits for something else would keep us from deleting the parts.
    void Promise.resolve(pieces.return?.()).catch(() => {});
    await parts.abort(error);
    throw error;
  }
}

class Parts {
  readonly #client: S3Client;
  readonly #object: S3Upload['object'];
  readonly #caller: AbortSignal;
  readonly #failed = new AbortController();
  /** Of the caller, or the first part that failed. */
  readonly signal: AbortSignal;
  readonly #free: Buffer[] = [];
  #buffers = 0;
  readonly #sending = new Set<Promise<void>>();
  readonly #done: CompletedPart[] = [];
  #sent = 0;
  #uploadId: string | undefined;

  constructor(client: S3Client, object: S3Upload['object'], signal: AbortSignal) {
    this.#client = client;
    this.#object = object;
    this.#caller = signal;
    this.signal = AbortSignal.any([signal, this.#failed.signal]);
  }

  /** One that nothing is sent from. */
  async buffer(size: number): Promise<Buffer> {
    for (;;) {
      const free = this.#free.pop();
      if (free !== undefined) return free;
      if (this.#buffers <= AT_ONCE) {
        this.#buffers += 1;
        return Buffer.allocUnsafeSlow(size);
      }
      await unlessAborted(Promise.race(this.#sending), this.signal);
    }
  }

  /** Begins to send a part; the buffer is free again when it has been sent. */
  async send(buffer: Buffer): Promise<void> {
    const uploadId = (this.#uploadId ??= await this.#create());
    this.#sent += 1;
    const number = this.#sent;
    if (number > MOST_PARTS)
      throw new RunError('StorageFull', `the file is longer than ${MOST_PARTS} parts of ${buffer.length} bytes`);
    const sending = this.#upload(uploadId, number, buffer).then(
      () => {
        this.#sending.delete(sending);
        this.#free.push(buffer);
      },
      (error: unknown) => {
        this.#sending.delete(sending);
        this.#failed.abort(error);
      },
    );
    this.#sending.add(sending);
  }

  async finish(last: Buffer): Promise<void> {
    if (this.#uploadId === undefined) {
      const whole = new PutObjectCommand({ ...this.#object, Body: last });
      await this.#ask(async (options) => await this.#client.send(whole, options));
      return;
    }
    await this.send(last);
    await unlessAborted(Promise.all(this.#sending), this.signal);
    this.signal.throwIfAborted();
    const { IfNoneMatch } = this.#object;
    const complete = new CompleteMultipartUploadCommand({
      ...this.#target,
      UploadId: this.#uploadId,
      MultipartUpload: { Parts: this.#done.toSorted((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0)) },
      ...(IfNoneMatch === undefined ? {} : { IfNoneMatch }),
    });
    await this.#ask(async (options) => await this.#client.send(complete, options));
  }

  /** Deletes what has arrived. What cannot be deleted is for the bucket's own rule (AbortIncompleteMultipartUpload). */
  async abort(reason: unknown): Promise<void> {
    this.#failed.abort(reason);
    if (this.#uploadId === undefined) return;
    const limit = AbortSignal.timeout(ABORT_MS);
    // A part that arrives after the upload was aborted would stay. Those that a signal cut off may be still arriving.
    const wasCut = this.#caller.aborted && this.#sending.size > 0;
    await unlessAborted(Promise.all(this.#sending), limit).catch(() => {});
    await this.#delete(limit);
    if (!wasCut) return;
    await delay(ARRIVAL_MS);
    await this.#delete(limit);
  }

  async #delete(limit: AbortSignal): Promise<void> {
    const { Bucket, Key } = this.#object;
    const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId: this.#uploadId });
    // Why the upload failed counts more than what else fails.
    await unlessAborted(this.#client.send(abort, { abortSignal: limit }), limit).catch(() => {});
  }

  /** What every request about the object says. */
  get #target() {
    const { Bucket, Key, SSECustomerAlgorithm, SSECustomerKey } = this.#object;
    return { Bucket, Key, ...(SSECustomerKey === undefined ? {} : { SSECustomerAlgorithm, SSECustomerKey }) };
  }

  /** The client waits between two attempts without looking at the signal. */
  async #ask<T>(request: (options: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
    return await unlessAborted(request({ abortSignal: this.#caller }), this.#caller);
  }

  async #create(): Promise<string> {
    const { IfNoneMatch: _, ...object } = this.#object;
    const isChecked = (await this.#client.config.requestChecksumCalculation()) === 'WHEN_SUPPORTED';
    const create = new CreateMultipartUploadCommand({
      ...object,
      ...(isChecked ? { ChecksumAlgorithm: 'CRC32' } : {}),
    });
    const { UploadId } = await this.#ask(async (options) => await this.#client.send(create, options));
    if (UploadId === undefined) throw new Error('the server began an upload and gave it no ID');
    return UploadId;
  }

  async #upload(UploadId: string, PartNumber: number, Body: Buffer): Promise<void> {
    const part = new UploadPartCommand({ ...this.#target, UploadId, PartNumber, Body });
    const { ETag, ChecksumCRC32 } = await this.#ask(async (options) => await this.#client.send(part, options));
    this.#done.push({ PartNumber, ETag, ...(ChecksumCRC32 === undefined ? {} : { ChecksumCRC32 }) });
  }
}

/** `work`, or the reason of the signal when that comes first. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = (): void => {
    reject(signal.reason as Error);
  };
  work.then(resolve, reject);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
