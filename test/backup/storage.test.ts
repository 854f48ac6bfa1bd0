import { chmod, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunError } from '../../provider/backup/errors.ts';
import { openStorage } from '../../provider/backup/open-storage.ts';
import { readAll, type Storage } from '../../provider/backup/storage.ts';
import { failing, keysOf, MB, parts, rejection, StorageWorld } from './storage-world.ts';

let world: StorageWorld;

beforeAll(async () => {
  world = await StorageWorld.start();
});
afterAll(async () => {
  await world.stop();
});

describe.each(['s3', 'filesystem'] as const)('%s', (type) => {
  let at = 0;
  const open = async (prefix?: string): Promise<Storage> => {
    at += 1;
    const own = prefix ?? `${type}-${at}`;
    return openStorage(
      type === 's3' ? await world.s3Place({ prefix: own }) : { type, path: join(world.folder, 'files'), prefix: own },
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
    if (type === 's3') expect(await world.uploadsLeft()).toBe(0);
    else expect((await readdir(join(world.folder, 'files', `filesystem-${at}`))).length).toBe(0);
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
    if (type === 's3') expect(await world.uploadsLeft()).toBe(0);
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
    const path = join(world.folder, 'file');
    await writeFile(path, '');
    await chmod(path, 0o400);
    const storage = openStorage({ type: 'filesystem', path: join(path, 'x'), prefix: '' });
    expect(await rejection(storage.write('k', parts(1), { once: true }))).toMatchObject({
      reason: 'StorageUnavailable',
    });
  });

  test('a file that is being written is not listed', async () => {
    const storage = openStorage({ type: 'filesystem', path: join(world.folder, 'drafts'), prefix: '' });
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
