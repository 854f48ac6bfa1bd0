import { tmpdir } from 'node:os';
import { expect, test, vi } from 'vitest';
import { isRoomy, type Room, serverFolder } from './server-folder.ts';

const GIB = 1024 ** 3;
const plenty: Room = { chosen: undefined, folder: 12 * GIB, memory: 20 * GIB };

test('servers keep their data in memory where there is plenty of it', () => {
  expect(isRoomy(plenty)).toBe(true);
});

test.each<[string, Partial<Room>]>([
  ['no file system in memory', { folder: undefined }],
  ['a small one, as containers have', { folder: 64 * 1024 ** 2 }],
  ['little memory left', { memory: 7 * GIB }],
  ['a place chosen by TMPDIR', { chosen: '/var/tmp' }],
])('servers keep their data on the disk where there is %s', (_, less) => {
  expect(isRoomy({ ...plenty, ...less })).toBe(false);
});

test('a place that TMPDIR names is used', async () => {
  vi.stubEnv('TMPDIR', tmpdir());
  expect(await serverFolder()).toBe(tmpdir());
  vi.unstubAllEnvs();
});
