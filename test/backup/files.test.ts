/** The actions that only look at files or delete them, on files of several owners in one storage. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Place, RunRequestInput, RunResult } from '../../provider/backup/contract.ts';
import { databaseFolder, timeName } from '../../provider/backup/keys.ts';
import { World } from './world.ts';

let world: World;
let place: Extract<Place, { type: 'filesystem' }>;
let at = 0;

beforeAll(async () => {
  world = await World.make();
});
afterAll(async () => {
  await world.remove();
});
beforeEach(() => {
  at += 1;
  place = world.filesystem(`files-${at}`) as typeof place;
});

interface Made {
  namespace?: string;
  name?: string;
  kind?: 'Backup' | 'BackupSchedule';
  database?: string;
  engine?: 'postgres' | 'mysql';
  time: string;
}

async function make({
  namespace = 'team-a',
  name = 'nightly',
  kind,
  database = 'app',
  engine = 'postgres',
  time,
}: Made) {
  const key = `${databaseFolder({ namespace, name, database })}${timeName(new Date(time))}.dump`;
  const file = join(place.path, place.prefix, key);
  const sha256 = createHash('sha256').update('dump').digest('hex');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, 'dump');
  await writeFile(
    `${file}.manifest.json`,
    JSON.stringify({
      version: 1,
      key,
      namespace,
      name,
      ...(kind === undefined ? {} : { kind }),
      database,
      engine,
      run: time,
      serverVersion: '1',
      toolVersion: '1',
      startTime: time,
      finishTime: time,
      compression: 'none',
      recipients: [],
      size: 4,
      sha256,
      storedSize: 4,
      storedSha256: sha256,
    }),
  );
  return key;
}

const run = async (request: RunRequestInput): Promise<RunResult> => (await world.run(request)).result;
const source = { namespace: 'team-a', database: 'app', engine: 'postgres' } as const;

const left = async (): Promise<string[]> =>
  (await readdir(join(place.path, place.prefix), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.json'))
    .map((entry) => entry.name.replace('.dump', ''))
    .toSorted();

test('latest is the newest of exactly that database, engine and namespace', async () => {
  const wanted = await make({ time: '2026-01-02T00:00:00.000Z' });
  const older = await make({ time: '2026-01-01T00:00:00.000Z', name: 'once' });
  for (const other of [
    { database: 'app2' },
    { engine: 'mysql' },
    { namespace: 'team-b' },
    { namespace: 'team-a-b' },
  ] as const)
    await make({ time: '2026-02-01T00:00:00.000Z', ...other });
  expect(await run({ action: 'latest', storage: place, source })).toMatchObject({
    ok: true,
    backup: { key: wanted, verified: false },
  });
  const before = { ...source, before: '2026-01-02T00:00:00Z' };
  expect(await run({ action: 'latest', storage: place, source: before })).toMatchObject({ backup: { key: older } });
  expect(await run({ action: 'latest', storage: place, source: { ...source, name: 'once' } })).toMatchObject({
    backup: { key: older },
  });
  const { backups } = await run({ action: 'list', storage: place, source });
  expect(backups?.map(({ key }) => key)).toEqual([wanted, older]);
});

test('latest is never an older one because the manifest of the newest cannot be read', async () => {
  const oldest = await make({ time: '2026-01-01T00:00:00.000Z' });
  const good = await make({ time: '2026-01-02T00:00:00.000Z' });
  const newest = await make({ time: '2026-01-03T00:00:00.000Z' });
  const manifest = (key: string): string => join(place.path, place.prefix, `${key}.manifest.json`);
  await truncate(manifest(oldest), 40);
  const latest = { action: 'latest', storage: place, source } as const;
  expect(await run(latest)).toMatchObject({ ok: true, backup: { key: newest } });
  await truncate(manifest(newest), 40);
  expect(await run(latest)).toMatchObject({
    ok: false,
    failureReason: 'ManifestInvalid',
    failureMessage: expect.stringContaining(newest),
  });
  for (const chosen of [{ key: good }, { before: '2026-01-03T00:00:00Z' }])
    expect(await run({ ...latest, source: { ...source, ...chosen } })).toMatchObject({
      ok: true,
      backup: { key: good },
    });
});

test('pruning deletes what no rule keeps, of its owner and database only, and nothing that is not good', async () => {
  for (const day of [1, 2, 3, 4]) await make({ time: `2026-01-0${day}T00:00:00.000Z` });
  await make({ time: '2025-01-01T00:00:00.000Z', name: 'once' });
  await make({ time: '2025-01-02T00:00:00.000Z', database: 'app2' });
  // The newest is not whole, and so keeps no place from a good one.
  const broken = await make({ time: '2026-01-05T00:00:00.000Z' });
  await writeFile(join(place.path, place.prefix, broken), 'du');
  const owner = { namespace: 'team-a', name: 'nightly', database: 'app', engine: 'postgres' } as const;
  const result = await run({ action: 'prune', storage: place, owner, retention: { keepLast: 2 } });
  expect(result).toMatchObject({ ok: true, prunedCount: 2 });
  expect(await left()).toEqual([
    '20250101T000000.000Z',
    '20250102T000000.000Z',
    '20260103T000000.000Z',
    '20260104T000000.000Z',
    '20260105T000000.000Z',
  ]);
});

test('deleting takes the files of one owner, and of no other whose name begins the same', async () => {
  await make({ time: '2026-01-01T00:00:00.000Z' });
  await make({ time: '2026-01-02T00:00:00.000Z', database: 'app2' });
  await make({ time: '2026-01-03T00:00:00.000Z', name: 'nightly-2' });
  const owner = { namespace: 'team-a', name: 'nightly' };
  expect(await run({ action: 'delete', storage: place, owner })).toMatchObject({ ok: true, prunedCount: 4 });
  expect(await left()).toEqual(['20260103T000000.000Z']);
  expect(await run({ action: 'delete', storage: place, owner })).toMatchObject({ ok: true, prunedCount: 0 });
});

test('a Backup and a BackupSchedule of one name keep out of each other’s files', async () => {
  const once = await make({ kind: 'Backup', time: '2026-01-01T00:00:00.000Z' });
  for (const day of [2, 3, 4]) await make({ kind: 'BackupSchedule', time: `2026-01-0${day}T00:00:00.000Z` });
  const [folder, name] = [{ namespace: 'team-a', name: 'nightly' }, { database: 'app', engine: 'postgres' } as const];
  const schedule = { ...folder, ...name, kind: 'BackupSchedule' } as const;
  const pruned = await run({ action: 'prune', storage: place, owner: schedule, retention: { keepLast: 2 } });
  expect(pruned).toMatchObject({ ok: true, prunedCount: 1 });
  const latest = { action: 'latest', storage: place, source: { ...folder, ...name, kind: 'Backup' } } as const;
  expect(await run(latest)).toMatchObject({ ok: true, backup: { key: once } });
  // One that the schedule is just making has no manifest yet.
  const making = `${databaseFolder({ ...folder, database: 'app' })}${timeName(new Date('2026-01-05T00:00:00Z'))}.dump`;
  await writeFile(join(place.path, place.prefix, making), 'half');
  expect(await run({ action: 'delete', storage: place, owner: { ...folder, kind: 'Backup' } })).toMatchObject({
    ok: true,
    prunedCount: 2,
  });
  expect(await left()).toEqual(['20260103T000000.000Z', '20260104T000000.000Z', '20260105T000000.000Z']);
  expect(await run({ action: 'delete', storage: place, owner: { ...folder, kind: 'BackupSchedule' } })).toMatchObject({
    ok: true,
  });
  expect(await left()).toEqual([]);
});

test('a request that is none is refused, and says where', async () => {
  const result = await run({ action: 'prune', storage: place } as unknown as RunRequestInput);
  expect(result).toMatchObject({ ok: false, failureReason: 'InvalidRequest', failureMessage: /owner/ });
});
