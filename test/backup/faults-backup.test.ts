import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Place } from '../../provider/backup/contract.ts';
import { postgresTools } from '../../provider/backup/tools/postgres.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';
import { type FaultyS3, startFaultyS3 } from '../rig/s3-faults.ts';
import { builtProgram, sharedS3 } from '../rig/servers.ts';
import { toolServer } from './postgres-world.ts';
import {
  backup,
  emptyTarget,
  filesBelow,
  NOISE,
  owner,
  path,
  restore,
  server,
  slowTools,
  SOURCE,
  startBackup,
  useSource,
  whenDumping,
  world,
} from './faults-world.ts';

const s3 = sharedS3();
useSource('faults-backup');

describe('a backup that goes wrong is no backup', () => {
  let place: Place;
  let at = 0;
  beforeEach(() => {
    at += 1;
    place = world.filesystem(`wrong-${at}`);
  });

  test('the dump tool is killed half-way', async () => {
    const pod = await startBackup({ storage: place, path: await slowTools(1_000_000) });
    await whenDumping(pod);
    // As the kernel does when memory runs out: the tool, not its script.
    const children = spawnSync('pgrep', ['-P', String(pod.tools[0]?.pid)], { encoding: 'utf8' }).stdout.split('\n');
    for (const child of children.filter((line) => line !== '')) {
      const { stdout } = spawnSync('ps', ['-o', 'args=', '-p', child], { encoding: 'utf8' });
      if (stdout.includes('pg_dump')) process.kill(Number(child), 'SIGKILL');
    }
    await writeFile(join(world.folder, 'slow-1000000', 'go'), '');
    const { result } = await pod.finished;
    expect(result).toMatchObject({ ok: false, failureReason: 'ToolFailed' });
    expect(await filesBelow(place)).toEqual([]);
  });

  test('the container of the tool is killed half-way', async () => {
    const pod = await startBackup({ storage: place, path: await slowTools(1_100_000) });
    await whenDumping(pod);
    const tool = pod.tools[0];
    tool?.kill('SIGKILL');
    await writeFile(join(world.folder, 'slow-1100000', 'go'), '');
    const { result } = await pod.finished;
    expect(result).toMatchObject({ ok: false, failureReason: 'ToolVanished' });
    expect(await filesBelow(place)).toEqual([]);
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)('the runner gets %s half-way', async (signal) => {
    const slow = await slowTools(signal === 'SIGTERM' ? 1_200_000 : 1_300_000);
    const pod = await startBackup({ storage: place, path: slow });
    await whenDumping(pod);
    pod.runner.kill(signal);
    await writeFile(join(slow, 'go'), '');
    const { result, codes } = await pod.finished;
    expect(result).toMatchObject({ ok: false, failureReason: 'Interrupted' });
    expect(codes[1]).not.toBe(0);
    expect((await filesBelow(place)).filter((file) => !file.includes('/.xdatabase-draft-'))).toEqual([]);
    // The next one finds nothing of it in its way.
    expect((await backup({ storage: place })).result).toMatchObject({ ok: true });
  });

  test('the disk is full', async () => {
    // A limit on the size of files is the disk that a test can fill without a disk.
    const folders = world.folders();
    const container = postgresTools.dump(toolServer(server, SOURCE), folders);
    const request = {
      action: 'backup',
      storage: place,
      owner,
      run: 'full',
      serverVersion: server.version,
      compression: 'none',
      tool: { folder: folders.work },
    } as const;
    const requestFile = await world.file('full.json', JSON.stringify(request));
    const tool = await world.tool(container, path);
    const result = join(world.folder, 'full-result.json');
    const runner = builtProgram('runner');
    // Node ignores SIGXFSZ no more than others do; a write beyond the limit must be an error, so the shell ignores it first.
    const shell = `trap '' XFSZ; ulimit -f 2048; exec "$0" "$@"`;
    spawnSync('/bin/sh', ['-c', shell, process.execPath, runner, '--request', requestFile, '--result', result]);
    await new Promise((resolve) => (tool.exitCode === null ? tool.once('close', resolve) : resolve(undefined)));
    expect(JSON.parse(await readFile(result, 'utf8'))).toMatchObject({ ok: false, failureReason: 'StorageFull' });
    expect(await filesBelow(place)).toEqual([]);
  });

  test('the server is restarted during the dump', async () => {
    const own: PostgresServer = await startPostgres({ major: 18 });
    try {
      await own.query(`create database "${SOURCE}"`);
      await own.query('create table t (id int primary key, noise text)', [], SOURCE);
      await own.query(NOISE, [], SOURCE);
      const slow = await slowTools(1_400_000);
      const pod = await startBackup({ from: own, storage: place, path: slow });
      await whenDumping(pod);
      await own.restart();
      await writeFile(join(slow, 'go'), '');
      const { result } = await pod.finished;
      expect(result).toMatchObject({ ok: false });
      expect(await filesBelow(place)).toEqual([]);
    } finally {
      await own.stop();
    }
  });

  test('a good one stays when the next one goes wrong, whatever retention says', async () => {
    const good = await backup({ storage: place });
    const bad = await backup({
      storage: place,
      over: { retention: { keepLast: 1 } },
      from: Object.assign(Object.create(server), { password: 'wrong' }) as PostgresClient,
    });
    expect(bad.result).toMatchObject({ ok: false, failureReason: 'ToolFailed' });
    expect((await filesBelow(place)).some((file) => file.endsWith(good.result.backup?.key ?? '?'))).toBe(true);
    const next = await backup({ storage: place, over: { retention: { keepLast: 1 } } });
    expect(next.result).toMatchObject({ ok: true, pruned: [good.result.backup?.key] });
    expect((await filesBelow(place)).length).toBe(2);
  });

  test('a good one is not deleted by its own run because the clock of an earlier one was ahead', async () => {
    const early = await backup({ storage: place });
    const manifest = (await filesBelow(place)).find((file) => file.endsWith('.manifest.json')) ?? '';
    const ahead = { ...(JSON.parse(await readFile(manifest, 'utf8')) as object), finishTime: '2099-01-01T00:00:00Z' };
    await writeFile(manifest, JSON.stringify(ahead));
    const { result } = await backup({ storage: place, over: { retention: { keepLast: 1 } } });
    expect(result).toMatchObject({ ok: true, prunedCount: 0 });
    for (const key of [early.result.backup?.key, result.backup?.key])
      expect((await filesBelow(place)).some((file) => file.endsWith(key ?? '?'))).toBe(true);
  });

  test('a second attempt of one run finds what the first has made', async () => {
    const first = await backup({ storage: place, over: { run: 'same' } });
    const second = await backup({ storage: place, over: { run: 'same' } });
    expect(second.result).toMatchObject({ ok: true, backup: { key: first.result.backup?.key } });
    expect((await filesBelow(place)).length).toBe(2);
  });

  test('a fixed name is honoured, and never written over', async () => {
    const first = await backup({ storage: place, over: { fileName: 'before-upgrade' } });
    expect(first.result.backup?.key).toBe('team-a/nightly/faults-backup-source/before-upgrade.dump');
    const second = await backup({ storage: place, over: { fileName: 'before-upgrade' } });
    expect(second.result).toMatchObject({ ok: false, failureReason: 'AlreadyExists' });
  });
});

describe('S3', () => {
  let proxy: FaultyS3;
  beforeAll(async () => {
    proxy = await startFaultyS3(s3.endpoint);
  });
  afterEach(() => {
    proxy.fault = () => undefined;
  });
  afterAll(async () => {
    await proxy.stop();
  });

  test('refuses the second part: no file, no parts, and the tool is ended', async () => {
    const place = await world.s3({ ...s3, endpoint: proxy.endpoint }, await s3.bucket());
    proxy.fault = ({ query }) => (query.get('partNumber') === '2' ? { answer: 403, code: 'AccessDenied' } : undefined);
    const { result, codes } = await backup({ storage: place });
    expect(result).toMatchObject({ ok: false, failureReason: 'StorageDenied' });
    expect(codes[1]).not.toBe(0);
    proxy.fault = () => undefined;
    expect((await restore(place)).result).toMatchObject({ ok: false, failureReason: 'BackupNotFound' });
  });

  test('answers 503 now and then: the backup is good', async () => {
    await emptyTarget();
    const place = await world.s3({ ...s3, endpoint: proxy.endpoint }, await s3.bucket());
    let calls = 0;
    proxy.fault = () => {
      calls += 1;
      return calls % 4 === 0 ? { answer: 503, code: 'SlowDown' } : undefined;
    };
    expect((await backup({ storage: place })).result).toMatchObject({ ok: true });
    expect((await restore(place)).result).toMatchObject({ ok: true });
  });

  test('will not delete one that is held: the others go, and it is said', async () => {
    const place = await world.s3({ ...s3, endpoint: proxy.endpoint }, await s3.bucket());
    const keys: string[] = [];
    for (let made = 0; made < 3; made += 1) keys.push((await backup({ storage: place })).result.backup?.key ?? '');
    const [held = '', ...others] = keys;
    proxy.fault = ({ method, path: at }) =>
      method === 'DELETE' && at.includes(held) ? { answer: 403, code: 'AccessDenied' } : undefined;
    const { result } = await backup({ storage: place, over: { retention: { keepLast: 1 } } });
    expect(result).toMatchObject({ ok: true, pruned: others, warning: expect.stringContaining(held) });
  });
});
