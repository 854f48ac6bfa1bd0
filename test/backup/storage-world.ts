/** Storages of both types, the S3 one behind a proxy that does to its answers what a test says. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import type { FailureReason, Place } from '../../provider/backup/contract.ts';
import { RunError } from '../../provider/backup/errors.ts';
import type { Storage } from '../../provider/backup/storage.ts';
import { type FaultyS3, startFaultyS3 } from '../rig/s3-faults.ts';
import { sharedS3 } from '../rig/servers.ts';

export const MB = 1024 * 1024;

export async function* parts(...sizes: number[]): AsyncIterable<Buffer> {
  for (const [index, size] of sizes.entries()) yield Buffer.alloc(size, index + 1);
}

export async function* failing(size: number, error: Error): AsyncIterable<Buffer> {
  yield* parts(size);
  throw error;
}

export const rejection = (promise: Promise<unknown>): Promise<{ reason: FailureReason; message: string }> =>
  promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => {
      if (error instanceof RunError) return { reason: error.reason, message: error.message };
      throw error;
    },
  );

export const keysOf = async (storage: Storage, below = ''): Promise<string[]> => {
  const keys = [];
  for await (const { key } of storage.list(below)) keys.push(key);
  return keys.toSorted();
};

export class StorageWorld {
  readonly s3 = sharedS3();

  /** For files of credentials, and for storages of type filesystem. */
  readonly folder: string;
  /** What stands before the S3 server; it does as its `fault` says. */
  readonly proxy: FaultyS3;
  readonly bucket: string;

  private constructor(folder: string, proxy: FaultyS3, bucket: string) {
    this.folder = folder;
    this.proxy = proxy;
    this.bucket = bucket;
  }

  static async start(): Promise<StorageWorld> {
    const s3 = sharedS3();
    return new StorageWorld(
      await mkdtemp(join(tmpdir(), 'storage-')),
      await startFaultyS3(s3.endpoint),
      await s3.bucket(),
    );
  }

  async stop(): Promise<void> {
    await this.proxy.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  async secrets(address: { accessKeyId: string; secretAccessKey: string }) {
    const accessKeyIdFile = join(this.folder, `id-${address.accessKeyId}`);
    const secretAccessKeyFile = join(this.folder, `secret-${address.accessKeyId}`);
    await writeFile(accessKeyIdFile, address.accessKeyId);
    // As kubectl create secret --from-file leaves it.
    await writeFile(secretAccessKeyFile, `${address.secretAccessKey}\n`);
    return { accessKeyIdFile, secretAccessKeyFile };
  }

  /** In this world's bucket, through the proxy. */
  async s3Place(over: Partial<Extract<Place, { type: 's3' }>> = {}): Promise<Place> {
    return {
      type: 's3',
      bucket: this.bucket,
      region: 'us-east-1',
      endpoint: this.proxy.endpoint,
      prefix: '',
      credentials: await this.secrets(this.s3),
      ...over,
    };
  }

  async uploadsLeft(): Promise<number> {
    const answer = await this.s3.client.send(new ListMultipartUploadsCommand({ Bucket: this.bucket }));
    return answer.Uploads?.length ?? 0;
  }
}
