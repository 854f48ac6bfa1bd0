import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Place } from '../../provider/backup/contract.ts';
import { postgresTools } from '../../provider/backup/tools/postgres.ts';
import { waitFor } from '../rig/process.ts';
import { type FaultyS3, startFaultyS3 } from '../rig/s3-faults.ts';
import { sharedPostgres, sharedS3 } from '../rig/servers.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';
import { toolPath } from '../rig/tool-path.ts';
import { toolServer } from './postgres-world.ts';
import { type Finished, type Pod, World } from './world.ts';

const server = sharedPostgres(18);
const s3 = sharedS3();
const SOURCE = 'faults-source';
const TARGET = 'faults-target';
const LOGIN = { name: 'faults-run', password: 'secret' };
const owner = { namespace: 'team-a', name: 'nightly', database: SOURCE, engine: 'postgres' } as const;
const source = { namespace: 'team-a', database: SOURCE, engine: 'postgres' } as const;
let world: World;
let path: string;
let identity: string;
let recipient: string;

/** Does not compress, so that it takes its time and several parts. */
const NOISE = `insert into t select n, (select string_agg(md5(random()::text || n || m), '') from generate_series(1, 30) m)
  from generate_series(1, 60000) n`;

beforeAll(async () => {
  world = await World.make();
  path = await toolPath('postgresql-18');
  identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
  await server.query(`create role "faults-run" login password 'secret'`);
  await server.query(`create database "${SOURCE}"`);
  await server.query('create table t (id int primary key, noise text)', [], SOURCE);
  await server.query(NOISE, [], SOURCE);
});
afterAll(async () => {
  await world.remove();
});

interface Options {
  from?: PostgresClient;
  storage: Place;
  over?: object;
  path?: string;
}

async function startBackup({ from = server, storage, over = {}, path: tools = path }: Options): Promise<Pod> {
  const folders = world.folders();
  return await world.start(
    {
      action: 'backup',
      storage,
      owner,
      run: `run-${Math.random()}`,
      serverVersion: from.version,
      compression: 'none',
      tool: { folder: folders.work },
      ...over,
    },
    [{ container: postgresTools.dump(toolServer(from, SOURCE), folders), path: tools }],
  );
}

const backup = async (options: Options): Promise<Finished> => await (await startBackup(options)).finished;

async function startRestore(storage: Place, over: object = {}): Promise<Pod> {
  const folders = world.folders();
  return await world.start({ action: 'restore', storage, source, tool: { folder: folders.work }, ...over }, [
    { container: postgresTools.load(toolServer(server, TARGET, LOGIN), folders), path },
  ]);
}

const restore = async (storage: Place, over: object = {}): Promise<Finished> =>
  await (await startRestore(storage, over)).finished;

/** Whether anything has come into the target. */
async function targetTables(): Promise<number> {
  const [row] = await server.query<{ n: number }>(
    `select count(*)::int as n from pg_tables where schemaname = 'public'`,
    [],
    TARGET,
  );
  return row?.n ?? -1;
}

async function emptyTarget(): Promise<void> {
  await server.query(`drop database if exists "${TARGET}" with (force)`);
  await server.query(`create database "${TARGET}" owner "faults-run"`);
}

const filesBelow = async (place: Place): Promise<string[]> => {
  if (place.type !== 'filesystem') throw new Error('of folders only');
  const found = await readdir(join(place.path, place.prefix), { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
};

const whenDumping = async (pod: Pod): Promise<void> => {
  await new Promise<void>((resolve) => {
    pod.runner.stdout?.on('data', (text: string) => {
      if (text.includes('"dumping"')) resolve();
    });
  });
};

/** A tool that stops in the middle of its output, until it is told to go on or is killed. */
async function slowTools(bytes: number): Promise<string> {
  const folder = join(world.folder, `slow-${bytes}`);
  spawnSync('mkdir', ['-p', folder]);
  await writeFile(
    join(folder, 'pg_dump'),
    `#!/bin/sh
case "$*" in *--version*) exec ${path}/pg_dump --version;; esac
${path}/pg_dump "$@" | { head -c ${bytes}; while [ ! -e ${folder}/go ]; do sleep 0.05; done; cat; }
`,
    { mode: 0o755 },
  );
  return folder;
}

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
    const runner = join(import.meta.dirname, '../../provider/runner/main.ts');
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

  test('a second attempt of one run finds what the first has made', async () => {
    const first = await backup({ storage: place, over: { run: 'same' } });
    const second = await backup({ storage: place, over: { run: 'same' } });
    expect(second.result).toMatchObject({ ok: true, backup: { key: first.result.backup?.key } });
    expect((await filesBelow(place)).length).toBe(2);
  });

  test('a fixed name is honoured, and never written over', async () => {
    const first = await backup({ storage: place, over: { fileName: 'before-upgrade' } });
    expect(first.result.backup?.key).toBe('team-a/nightly/faults-source/before-upgrade.dump');
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
});

describe('a restore of what is not whole changes nothing', () => {
  let place: Extract<Place, { type: 'filesystem' }>;
  let key: string;
  let file: string;
  let at = 0;

  beforeEach(async () => {
    at += 1;
    place = world.filesystem(`broken-${at}`) as typeof place;
    const made = await backup({ storage: place, over: { recipients: [recipient], compression: 'zstd' } });
    key = made.result.backup?.key ?? '';
    file = join(place.path, place.prefix, key);
    await emptyTarget();
  });

  const failsWith = async (failureReason: string, over: object = {}): Promise<string> => {
    const identityFile = await world.file('identity', identity);
    const { result, codes } = await restore(place, { identityFile, ...over });
    expect(result).toMatchObject({ ok: false, failureReason });
    expect(codes[1]).not.toBe(0);
    expect(await targetTables()).toBe(0);
    return result.failureMessage ?? '';
  };

  test('it is cut off', async () => {
    await truncate(file, (await stat(file)).size - 1);
    expect(await failsWith('FileTruncated')).toContain(key);
  });

  test.each([0, 30, 0.5, 1])('one byte is another (at %d)', async (where) => {
    const bytes = await readFile(file);
    const index = where < 1 ? Math.floor(where * bytes.length) : where === 1 ? bytes.length - 1 : where;
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    await writeFile(file, bytes);
    expect(await failsWith('ChecksumMismatch')).toContain(key);
  });

  test('its manifest is missing', async () => {
    await rm(`${file}.manifest.json`);
    await failsWith('BackupNotFound');
    await failsWith('ManifestMissing', { source: { ...source, key } });
  });

  test('its manifest is none', async () => {
    await writeFile(`${file}.manifest.json`, '{"version": 1}');
    await failsWith('BackupNotFound');
    await failsWith('ManifestInvalid', { source: { ...source, key } });
  });

  test('it is gone', async () => {
    await rm(file);
    expect(await failsWith('FileMissing')).toContain(key);
    await failsWith('BackupNotFound', { source: { ...source, key } });
  });

  test('the identity is another, none, or no identity', async () => {
    const other = await world.file('other', await generateX25519Identity());
    expect(await failsWith('WrongIdentity', { identityFile: other })).toContain('other keys');
    await failsWith('IdentityMissing', { identityFile: undefined });
    await failsWith('IdentityInvalid', { identityFile: await world.file('no-identity', 'hello') });
  });

  test('it is of another namespace, engine, age or time', async () => {
    await failsWith('NotYours', { source: { ...source, key, namespace: 'team-b' } });
    await failsWith('NotYours', { source: { ...source, key: `team-a-b/${key.slice(7)}`, namespace: 'team-a' } });
    await failsWith('InvalidRequest', { source: { ...source, key: `team-a/../${key}` } });
    await failsWith('BackupNotFound', { source: { ...source, namespace: 'team-b' } });
    await failsWith('BackupNotFound', { source: { ...source, database: 'faults' } });
    await failsWith('BackupNotFound', { source: { ...source, before: '2020-01-01T00:00:00Z' } });
    await failsWith('BackupNotFound', { source: { ...source, verifiedOnly: true } });
    await failsWith('EngineMismatch', { source: { ...source, engine: 'mysql', key } });
    await delay(1100);
    await failsWith('BackupTooOld', { source: { ...source, maxAge: 1 } });
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)('the runner gets %s while it loads', async (signal) => {
    const identityFile = await world.file('identity', identity);
    // A load that waits for this lock is in the middle of its transaction.
    const pod = await startRestore(place, { identityFile });
    await waitFor('the load has begun', () =>
      server
        .query(`select 1 from pg_stat_activity where datname = '${TARGET}' and query ilike 'copy%'`)
        .then((rows) => rows.length > 0 || pod.runner.exitCode !== null),
    );
    expect(pod.runner.exitCode).toBeNull();
    pod.runner.kill(signal);
    const { result, codes } = await pod.finished;
    expect(result).toMatchObject({ ok: false, failureReason: 'Interrupted' });
    expect(codes[1]).not.toBe(0);
    expect(await targetTables()).toBe(0);
  });

  test('a good one is verified by a test restore, and then found as verified', async () => {
    const identityFile = await world.file('identity', identity);
    const { result } = await restore(place, { identityFile, verify: true });
    expect(result).toMatchObject({ ok: true, backup: { key, verified: true } });
    await emptyTarget();
    expect((await restore(place, { identityFile, source: { ...source, verifiedOnly: true } })).result).toMatchObject({
      ok: true,
      backup: { key },
    });
    expect(await targetTables()).toBe(1);
  });
});

test('a dump is a program of a tenant, and can do no more than its login', async () => {
  const place = world.filesystem('hostile');
  const victim = 'faults-victim';
  const database = 'faults-hostile';
  const mark = join(world.folder, 'was-here');
  await server.query(`create database "${victim}"`);
  await server.query(`revoke connect on database "${victim}" from public`);
  await server.query(`create database "${database}"`);
  const attempts = [
    'RESET ROLE; ALTER ROLE "faults-run" SUPERUSER',
    `COPY public.t FROM PROGRAM 'touch ${mark}'`,
    `\\! touch ${mark}`,
    `\\c ${victim}`,
  ];
  for (const attempt of attempts) {
    await emptyTarget();
    await server.query(`drop table if exists t; create table t (id text default '${'x'.repeat(300)}')`, [], database);
    const folders = world.folders();
    const made = await world.run(
      {
        action: 'backup',
        storage: place,
        owner: { ...owner, database },
        run: attempt,
        serverVersion: server.version,
        compression: 'none',
        tool: { folder: folders.work },
      },
      [{ container: postgresTools.dump(toolServer(server, database), folders), path }],
    );
    const file = join(world.folder, 'files/hostile', made.result.backup?.key ?? '');
    // The statement takes the place of as many bytes, so the archive stays one; its manifest is made to fit.
    const bytes = await readFile(file);
    const end = bytes.indexOf(`'${'x'.repeat(300)}'::text\n);`);
    const statement = Buffer.from(`''); ${attempt}\n; SELECT (''`.padEnd(302, ' '));
    expect(end).toBeGreaterThan(0);
    statement.copy(bytes, end);
    await writeFile(file, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const manifest = JSON.parse(await readFile(`${file}.manifest.json`, 'utf8')) as object;
    await writeFile(`${file}.manifest.json`, JSON.stringify({ ...manifest, sha256, storedSha256: sha256 }));
    const { result } = await restore(place, { source: { ...source, database } });
    expect(result, attempt).toMatchObject({ ok: false, failureReason: 'ToolFailed' });
    expect(result.failureMessage, attempt).toMatch(/permission denied|syntax error|must be|superuser/);
    expect(await targetTables(), attempt).toBe(0);
  }
  expect(spawnSync('test', ['-e', mark]).status).toBe(1);
  expect(await server.query(`select rolsuper from pg_roles where rolname = 'faults-run'`)).toEqual([
    { rolsuper: false },
  ]);
});
