import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Place } from '../../provider/backup/contract.ts';
import { RunError } from '../../provider/backup/errors.ts';
import { openStorage } from '../../provider/backup/open-storage.ts';
import { readAll } from '../../provider/backup/storage.ts';
import { startS3 } from '../rig/s3.ts';
import { keysOf, MB, parts, rejection, StorageWorld } from './storage-world.ts';

let world: StorageWorld;

beforeAll(async () => {
  world = await StorageWorld.start();
});
afterEach(() => {
  world.proxy.fault = () => undefined;
});
afterAll(async () => {
  await world.stop();
});

describe('s3', () => {
  const isPart =
    (number: number) =>
    ({ method, query }: { method: string; query: URLSearchParams }): boolean =>
      method === 'PUT' && query.get('partNumber') === String(number);

  test('a part that is refused for good fails the upload, and its parts are deleted', async () => {
    const storage = openStorage(await world.s3Place({ prefix: 'refused' }));
    world.proxy.fault = (request) => (isPart(3)(request) ? { answer: 403, code: 'AccessDenied' } : undefined);
    expect(await rejection(storage.write('k', parts(60 * MB), { once: true }))).toMatchObject({
      reason: 'StorageDenied',
    });
    world.proxy.fault = () => undefined;
    expect(await keysOf(storage)).toEqual([]);
    expect(await world.uploadsLeft()).toBe(0);
  });

  test('a server that answers 503 twice is asked again', async () => {
    const storage = openStorage(await world.s3Place({ prefix: 'busy' }));
    let left = 2;
    world.proxy.fault = (request) => (isPart(2)(request) && left-- > 0 ? { answer: 503, code: 'SlowDown' } : undefined);
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
      const storage = openStorage(await world.s3Place({ prefix: `end-${fault.code}` }));
      world.proxy.fault = (request) => (isCompletion(request) ? fault : undefined);
      expect(await rejection(storage.write('k', parts(40 * MB), { once: true }))).toMatchObject({
        reason,
        message: expect.stringContaining(fault.code),
      });
      world.proxy.fault = () => undefined;
      expect(await keysOf(storage)).toEqual([]);
      expect(await world.uploadsLeft()).toBe(0);
    },
  );

  test('an upload whose end fails once in the body of a 200 is asked for again', async () => {
    const storage = openStorage(await world.s3Place({ prefix: 'end-once' }));
    let left = 1;
    world.proxy.fault = (request) =>
      isCompletion(request) && left-- > 0 ? { answer: 200, code: 'InternalError' } : undefined;
    expect((await storage.write('k', parts(40 * MB), { once: true })).size).toBe(40 * MB);
    expect(left).toBeLessThan(0);
  });

  test('a part whose connection breaks is sent again', async () => {
    const storage = openStorage(await world.s3Place({ prefix: 'reset' }));
    let left = 2;
    world.proxy.fault = (request) => (isPart(2)(request) && left-- > 0 ? { lose: true } : undefined);
    const file = await storage.write('k', parts(40 * MB), { once: true });
    expect(left).toBeLessThan(0);
    expect((await readAll(storage, file)).length).toBe(40 * MB);
  });

  test('a clock that differs from that of the server is set right, and named where it cannot be', async () => {
    const storage = openStorage(await world.s3Place({ prefix: 'clock' }));
    const signedAt = (date: unknown): number =>
      Date.parse(String(date).replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'));
    const ahead = new Date(Date.now() + 3_600_000);
    const isBehind = (date: unknown): boolean => signedAt(date) < ahead.getTime() - 600_000;
    world.proxy.fault = ({ headers }) =>
      isBehind(headers['x-amz-date']) ? { answer: 403, code: 'RequestTimeTooSkewed', date: ahead } : { forget: true };
    await storage.remove('k');
    world.proxy.fault = () => ({ answer: 403, code: 'RequestTimeTooSkewed' });
    expect(await rejection(storage.remove('k'))).toMatchObject({
      reason: 'StorageDenied',
      message: expect.stringContaining('RequestTimeTooSkewed'),
    });
  });

  test('a right that the key lacks is named', async () => {
    const storage = openStorage(await world.s3Place({ prefix: 'rights' }));
    const file = await storage.write('k', parts(1), { once: true });
    world.proxy.fault = () => ({ answer: 403, code: 'AccessDenied' });
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
    const storage = openStorage(await world.s3Place({ prefix: 'down' }));
    world.proxy.fault = () => ({ answer: 503, code: 'SlowDown' });
    expect(await rejection(storage.write('k', parts(1), { once: true }))).toMatchObject({
      reason: 'StorageUnavailable',
      message: expect.stringContaining('SlowDown'),
    });
  });

  test.each([1, 40 * MB])('an answer that is lost after %i bytes were taken is no second file', async (size) => {
    const prefix = `lost-${size}`;
    const storage = openStorage(await world.s3Place({ prefix }));
    let left = 1;
    world.proxy.fault = ({ method, query }) => {
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
    const storage = openStorage(await world.s3Place({ prefix: 'liar' }));
    world.proxy.fault = ({ method }) => (method === 'PUT' ? { forget: true } : undefined);
    expect(await rejection(storage.write('k', parts(10), { once: true }))).toMatchObject({ reason: 'UploadDiffers' });
  });

  test('a download that breaks is taken up where it broke', async () => {
    const storage = openStorage(await world.s3Place({ prefix: 'broken' }));
    const file = await storage.write('k', parts(20 * MB, 20 * MB), { once: true });
    let left = 3;
    world.proxy.fault = ({ method }) => (method === 'GET' && left-- > 0 ? { cut: 5 * MB } : undefined);
    const bytes = await readAll(storage, file);
    expect(bytes.length).toBe(40 * MB);
    expect(bytes.equals(Buffer.concat([Buffer.alloc(20 * MB, 1), Buffer.alloc(20 * MB, 2)]))).toBe(true);
    expect(left).toBeLessThan(0);
  });

  test('more files than one answer holds are all listed', async () => {
    const storage = openStorage(await world.s3Place({ prefix: 'many' }));
    const numbers = Array.from({ length: 1003 }, (_, index) => index).values();
    const work = async (): Promise<void> => {
      for (const number of numbers)
        await world.s3.client.send(
          new PutObjectCommand({ Bucket: world.bucket, Key: `many/n/${number} ü`, Body: 'x' }),
        );
    };
    await Promise.all(Array.from({ length: 20 }, work));
    expect((await keysOf(storage, 'n/')).length).toBe(1003);
  });

  test('a wrong secret is denied, a wrong bucket is not found', async () => {
    const credentials = await world.secrets({
      accessKeyId: world.s3.accessKeyId.replace(/^./, 'Z'),
      secretAccessKey: 'no',
    });
    const stranger = openStorage(await world.s3Place({ credentials }));
    expect(await rejection(stranger.write('k', parts(1), { once: true }))).toMatchObject({ reason: 'StorageDenied' });
    expect(await rejection(stranger.head('k'))).toMatchObject({ reason: 'StorageDenied' });
    const nowhere = openStorage(await world.s3Place({ bucket: 'no-such-bucket' }));
    expect(await rejection(nowhere.write('k', parts(1), { once: true }))).toMatchObject({ reason: 'BucketNotFound' });
    expect(await rejection(nowhere.head('k'))).toMatchObject({ reason: 'BucketNotFound' });
    expect(await rejection(keysOf(nowhere))).toMatchObject({ reason: 'BucketNotFound' });
  });

  test('a server with a certificate of its own authority is reached with that authority only', async () => {
    const server = await startS3({ tls: true });
    try {
      const place = await world.s3Place({ endpoint: server.endpoint, credentials: await world.secrets(server) });
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
