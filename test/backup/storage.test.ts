import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListMultipartUploadsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { FailureReason, Place } from '../../provider/backup/contract.ts';
import { RunError } from '../../provider/backup/errors.ts';
import { openStorage } from '../../provider/backup/open-storage.ts';
import { readAll, type Storage } from '../../provider/backup/storage.ts';
import { type FaultyS3, startFaultyS3 } from '../rig/s3-faults.ts';
import { startS3 } from '../rig/s3.ts';
import { sharedS3 } from '../rig/servers.ts';

const MB = 1024 * 1024;
const s3 = sharedS3();
let folder: string;
let proxy: FaultyS3;
let bucket: string;

async function* parts(...sizes: number[]): AsyncIterable<Buffer> {
  for (const [index, size] of sizes.entries()) yield Buffer.alloc(size, index + 1);
}

async function* failing(size: number, error: Error): AsyncIterable<Buffer> {
  yield* parts(size);
  throw error;
}

async function secrets(address: { accessKeyId: string; secretAccessKey: string }) {
  const accessKeyIdFile = join(folder, `id-${address.accessKeyId}`);
  const secretAccessKeyFile = join(folder, `secret-${address.accessKeyId}`);
  await writeFile(accessKeyIdFile, address.accessKeyId);
  // As kubectl create secret --from-file leaves it.
  await writeFile(secretAccessKeyFile, `${address.secretAccessKey}\n`);
  return { accessKeyIdFile, secretAccessKeyFile };
}

const s3Place = async (over: Partial<Extract<Place, { type: 's3' }>> = {}): Promise<Place> => ({
  type: 's3',
  bucket,
  region: 'us-east-1',
  endpoint: proxy.endpoint,
  prefix: '',
  credentials: await secrets(s3),
  ...over,
});

const rejection = (promise: Promise<unknown>): Promise<{ reason: FailureReason; message: string }> =>
  promise.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => {
      if (error instanceof RunError) return { reason: error.reason, message: error.message };
      throw error;
    },
  );

const keysOf = async (storage: Storage, below = ''): Promise<string[]> => {
  const keys = [];
  for await (const { key } of storage.list(below)) keys.push(key);
  return keys.toSorted();
};

const uploadsLeft = async (): Promise<number> =>
  (await s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads?.length ?? 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'storage-'));
  proxy = await startFaultyS3(s3.endpoint);
  bucket = await s3.bucket();
});
afterEach(() => {
  proxy.fault = () => undefined;
});
afterAll(async () => {
  await proxy.stop();
  await rm(folder, { recursive: true, force: true });
});

describe.each(['s3', 'filesystem'] as const)('%s', (type) => {
  let at = 0;
  const open = async (prefix?: string): Promise<Storage> => {
    at += 1;
    const own = prefix ?? `${type}-${at}`;
    return openStorage(
      type === 's3' ? await s3Place({ prefix: own }) : { type, path: join(folder, 'files'), prefix: own },
    );
  };

  test('gives back what was written, small and of several parts', async () => {
    const storage = await open();
    for (const sizes of [[], [5], [40 * MB, 3]]) {
      const key = `a/b c/ü%41/${sizes.length}.dump`;
      const file = await storage.write(key, parts(...sizes), { once: true });
      expect(file.size).toBe(sizes.reduce((sum, size) => sum + size, 0));
      expect(await storage.head(key)).toEqual(file);
      const bytes = await readAll(storage, file);
      const expected = [];
      for await (const part of parts(...sizes)) expected.push(part);
      expect(bytes.equals(Buffer.concat(expected))).toBe(true);
    }
  });

  test('a prefix means the same with and without slashes', async () => {
    await (await open('pre/fix')).write('x/one', parts(1), { once: true });
    for (const prefix of ['/pre/fix', 'pre/fix/', '/pre//fix/'])
      expect(await keysOf(await open(prefix))).toEqual(['x/one']);
    expect(await keysOf(await open('pre'))).toEqual(['fix/x/one']);
  });

  test.each(['ü ä/ö', 'a+b&c=d?e#f', '100%/%2F%41', `'"<>\\`, '日本/😀'])(
    'the prefix %j is taken as it is',
    async (prefix) => {
      const storage = await open(prefix);
      const file = await storage.write('a b/ü%41.dump', parts(3), { once: true });
      expect(await keysOf(storage)).toEqual(['a b/ü%41.dump']);
      expect(await readAll(storage, file)).toHaveLength(3);
      await storage.remove('a b/ü%41.dump');
      expect(await keysOf(storage)).toEqual([]);
    },
  );

  test('a file is never written over when it must be new', async () => {
    const storage = await open();
    const file = await storage.write('k', parts(3), { once: true });
    expect(await rejection(storage.write('k', parts(4), { once: true }))).toMatchObject({ reason: 'AlreadyExists' });
    expect(await rejection(storage.write('k', parts(40 * MB), { once: true }))).toMatchObject({
      reason: 'AlreadyExists',
    });
    expect(await storage.head('k')).toEqual(file);
    expect((await storage.write('k', parts(4), { once: false })).size).toBe(4);
  });

  test.each([1, 40 * MB])('a source that fails after %i bytes leaves nothing behind', async (size) => {
    const storage = await open();
    const error = new Error('the tool failed');
    await expect(storage.write('k', failing(size, error), { once: true })).rejects.toBe(error);
    expect(await keysOf(storage)).toEqual([]);
    if (type === 's3') expect(await uploadsLeft()).toBe(0);
    else expect((await readdir(join(folder, 'files', `filesystem-${at}`))).length).toBe(0);
  });

  test('a signal ends a write and leaves nothing behind', async () => {
    const storage = await open();
    const abort = new AbortController();
    const body = async function* (): AsyncIterable<Buffer> {
      yield* parts(40 * MB);
      abort.abort(new RunError('Interrupted', 'now'));
      yield* parts(40 * MB);
    };
    expect(await rejection(storage.write('k', body(), { once: true, signal: abort.signal }))).toMatchObject({
      reason: 'Interrupted',
    });
    expect(await keysOf(storage)).toEqual([]);
    if (type === 's3') expect(await uploadsLeft()).toBe(0);
  });

  test('reading a file that was changed since fails', async () => {
    const storage = await open();
    const file = await storage.write('k', parts(3), { once: true });
    await storage.write('k', parts(0, 3), { once: false });
    expect(await rejection(readAll(storage, file))).toMatchObject({ reason: 'ChecksumMismatch' });
    await storage.remove('k');
    expect(await rejection(readAll(storage, file))).toMatchObject({ reason: 'FileMissing' });
    await storage.remove('k');
    expect(await storage.head('k')).toBeUndefined();
  });

  test.each(['../k', 'a//b', '/k', 'a/./b', ''])('the key %j leads nowhere', async (key) => {
    const storage = await open();
    expect(await rejection(storage.write(key, parts(1), { once: true }))).toMatchObject({ reason: 'InvalidRequest' });
    expect(await rejection(storage.head(key))).toMatchObject({ reason: 'InvalidRequest' });
  });
});

describe('filesystem', () => {
  test('a folder that may not be written is denied', async () => {
    // A file in the place of the folder refuses the administrator too.
    const path = join(folder, 'file');
    await writeFile(path, '');
    await chmod(path, 0o400);
    const storage = openStorage({ type: 'filesystem', path: join(path, 'x'), prefix: '' });
    expect(await rejection(storage.write('k', parts(1), { once: true }))).toMatchObject({
      reason: 'StorageUnavailable',
    });
  });

  test('a file that is being written is not listed', async () => {
    const storage = openStorage({ type: 'filesystem', path: join(folder, 'drafts'), prefix: '' });
    const seen: string[][] = [];
    const body = async function* (): AsyncIterable<Buffer> {
      yield* parts(1);
      seen.push(await keysOf(storage));
    };
    await storage.write('a/k', body(), { once: true });
    expect(seen).toEqual([[]]);
    expect(await keysOf(storage)).toEqual(['a/k']);
  });
});

describe('s3', () => {
  const isPart =
    (number: number) =>
    ({ method, query }: { method: string; query: URLSearchParams }): boolean =>
      method === 'PUT' && query.get('partNumber') === String(number);

  test('a part that is refused for good fails the upload, and its parts are deleted', async () => {
    const storage = openStorage(await s3Place({ prefix: 'refused' }));
    proxy.fault = (request) => (isPart(3)(request) ? { answer: 403, code: 'AccessDenied' } : undefined);
    expect(await rejection(storage.write('k', parts(60 * MB), { once: true }))).toMatchObject({
      reason: 'StorageDenied',
    });
    proxy.fault = () => undefined;
    expect(await keysOf(storage)).toEqual([]);
    expect(await uploadsLeft()).toBe(0);
  });

  test('a server that answers 503 twice is asked again', async () => {
    const storage = openStorage(await s3Place({ prefix: 'busy' }));
    let left = 2;
    proxy.fault = (request) => (isPart(2)(request) && left-- > 0 ? { answer: 503, code: 'SlowDown' } : undefined);
    const file = await storage.write('k', parts(40 * MB), { once: true });
    expect(file.size).toBe(40 * MB);
    expect(left).toBeLessThan(0);
    expect((await readAll(storage, file)).length).toBe(40 * MB);
  });

  const isCompletion = ({ method, query }: { method: string; query: URLSearchParams }): boolean =>
    method === 'POST' && query.has('uploadId');

  test.each([
    { answer: 403, code: 'AccessDenied', reason: 'StorageDenied' },
    // S3 answers 200 before it knows, and says in the body what became of it.
    { answer: 200, code: 'InternalError', reason: 'StorageUnavailable' },
    { answer: 400, code: 'InvalidPart', reason: 'StorageUnavailable' },
  ])(
    'an upload whose end is answered by $answer $code is none, and its parts are deleted',
    async ({ reason, ...fault }) => {
      const storage = openStorage(await s3Place({ prefix: `end-${fault.code}` }));
      proxy.fault = (request) => (isCompletion(request) ? fault : undefined);
      expect(await rejection(storage.write('k', parts(40 * MB), { once: true }))).toMatchObject({
        reason,
        message: expect.stringContaining(fault.code),
      });
      proxy.fault = () => undefined;
      expect(await keysOf(storage)).toEqual([]);
      expect(await uploadsLeft()).toBe(0);
    },
  );

  test('an upload whose end fails once in the body of a 200 is asked for again', async () => {
    const storage = openStorage(await s3Place({ prefix: 'end-once' }));
    let left = 1;
    proxy.fault = (request) =>
      isCompletion(request) && left-- > 0 ? { answer: 200, code: 'InternalError' } : undefined;
    expect((await storage.write('k', parts(40 * MB), { once: true })).size).toBe(40 * MB);
    expect(left).toBeLessThan(0);
  });

  test('a part whose connection breaks is sent again', async () => {
    const storage = openStorage(await s3Place({ prefix: 'reset' }));
    let left = 2;
    proxy.fault = (request) => (isPart(2)(request) && left-- > 0 ? { lose: true } : undefined);
    const file = await storage.write('k', parts(40 * MB), { once: true });
    expect(left).toBeLessThan(0);
    expect((await readAll(storage, file)).length).toBe(40 * MB);
  });

  test('a clock that differs from that of the server is set right, and named where it cannot be', async () => {
    const storage = openStorage(await s3Place({ prefix: 'clock' }));
    const signedAt = (date: unknown): number =>
      Date.parse(String(date).replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'));
    const ahead = new Date(Date.now() + 3_600_000);
    const isBehind = (date: unknown): boolean => signedAt(date) < ahead.getTime() - 600_000;
    proxy.fault = ({ headers }) =>
      isBehind(headers['x-amz-date']) ? { answer: 403, code: 'RequestTimeTooSkewed', date: ahead } : { forget: true };
    await storage.remove('k');
    proxy.fault = () => ({ answer: 403, code: 'RequestTimeTooSkewed' });
    expect(await rejection(storage.remove('k'))).toMatchObject({
      reason: 'StorageDenied',
      message: expect.stringContaining('RequestTimeTooSkewed'),
    });
  });

  test('a right that the key lacks is named', async () => {
    const storage = openStorage(await s3Place({ prefix: 'rights' }));
    const file = await storage.write('k', parts(1), { once: true });
    proxy.fault = () => ({ answer: 403, code: 'AccessDenied' });
    for (const [work, right] of [
      [() => storage.write('l', parts(1), { once: true }), 's3:PutObject'],
      [() => keysOf(storage), 's3:ListBucket'],
      [() => storage.head('k'), 's3:GetObject'],
      [() => readAll(storage, file), 's3:GetObject'],
      [() => storage.remove('k'), 's3:DeleteObject'],
    ] as const)
      expect(await rejection(work())).toMatchObject({
        reason: 'StorageDenied',
        message: expect.stringContaining(right),
      });
  });

  test('a server that answers 503 for ever is unavailable', async () => {
    const storage = openStorage(await s3Place({ prefix: 'down' }));
    proxy.fault = () => ({ answer: 503, code: 'SlowDown' });
    expect(await rejection(storage.write('k', parts(1), { once: true }))).toMatchObject({
      reason: 'StorageUnavailable',
      message: expect.stringContaining('SlowDown'),
    });
  });

  test.each([1, 40 * MB])('an answer that is lost after %i bytes were taken is no second file', async (size) => {
    const prefix = `lost-${size}`;
    const storage = openStorage(await s3Place({ prefix }));
    let left = 1;
    proxy.fault = ({ method, query }) => {
      const last = size === 1 ? method === 'PUT' : method === 'POST' && query.has('uploadId');
      return last && left-- > 0 ? { lose: true } : undefined;
    };
    const result = await storage.write('k', parts(size), { once: true }).then(
      (file) => file.size,
      (error: unknown) => (error as RunError).reason,
    );
    expect(result).toBe(size);
    expect(await keysOf(storage)).toEqual(['k']);
  });

  test('a storage that keeps something else than was sent is found out', async () => {
    const storage = openStorage(await s3Place({ prefix: 'liar' }));
    proxy.fault = ({ method }) => (method === 'PUT' ? { forget: true } : undefined);
    expect(await rejection(storage.write('k', parts(10), { once: true }))).toMatchObject({ reason: 'UploadDiffers' });
  });

  test('a download that breaks is taken up where it broke', async () => {
    const storage = openStorage(await s3Place({ prefix: 'broken' }));
    const file = await storage.write('k', parts(20 * MB, 20 * MB), { once: true });
    let left = 3;
    proxy.fault = ({ method }) => (method === 'GET' && left-- > 0 ? { cut: 5 * MB } : undefined);
    const bytes = await readAll(storage, file);
    expect(bytes.length).toBe(40 * MB);
    expect(bytes.equals(Buffer.concat([Buffer.alloc(20 * MB, 1), Buffer.alloc(20 * MB, 2)]))).toBe(true);
    expect(left).toBeLessThan(0);
  });

  test('more files than one answer holds are all listed', async () => {
    const storage = openStorage(await s3Place({ prefix: 'many' }));
    const numbers = Array.from({ length: 1003 }, (_, index) => index).values();
    const work = async (): Promise<void> => {
      for (const number of numbers)
        await s3.client.send(new PutObjectCommand({ Bucket: bucket, Key: `many/n/${number} ü`, Body: 'x' }));
    };
    await Promise.all(Array.from({ length: 20 }, work));
    expect((await keysOf(storage, 'n/')).length).toBe(1003);
  });

  test('a wrong secret is denied, a wrong bucket is not found', async () => {
    const credentials = await secrets({ accessKeyId: s3.accessKeyId.replace(/^./, 'Z'), secretAccessKey: 'no' });
    const stranger = openStorage(await s3Place({ credentials }));
    expect(await rejection(stranger.write('k', parts(1), { once: true }))).toMatchObject({ reason: 'StorageDenied' });
    expect(await rejection(stranger.head('k'))).toMatchObject({ reason: 'StorageDenied' });
    const nowhere = openStorage(await s3Place({ bucket: 'no-such-bucket' }));
    expect(await rejection(nowhere.write('k', parts(1), { once: true }))).toMatchObject({ reason: 'BucketNotFound' });
    expect(await rejection(nowhere.head('k'))).toMatchObject({ reason: 'BucketNotFound' });
    expect(await rejection(keysOf(nowhere))).toMatchObject({ reason: 'BucketNotFound' });
  });

  test('a server with a certificate of its own authority is reached with that authority only', async () => {
    const server = await startS3({ tls: true });
    try {
      const place = await s3Place({ endpoint: server.endpoint, credentials: await secrets(server) });
      expect(await rejection(keysOf(openStorage(place)))).toMatchObject({
        reason: 'StorageUnavailable',
        message: expect.stringMatching(/certificate/i),
      });
      const trusted = openStorage({ ...place, caFile: server.caFile } as Place);
      expect(await rejection(keysOf(trusted))).toMatchObject({ reason: 'BucketNotFound' });
    } finally {
      await server.stop();
    }
  });
});
