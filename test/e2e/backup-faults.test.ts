/** What goes wrong with backups and restores in a cluster: never a backup that is none, never a lost good one, never a second run. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListMultipartUploadsCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../provider/api/kind.ts';
import { waitFor } from '../rig/process.ts';
import { binary } from '../rig/binaries.ts';
import { type FaultyS3, startFaultyS3 } from '../rig/s3-faults.ts';
import { builtProgram } from '../rig/servers.ts';
import { toolPath } from '../rig/tool-path.ts';
import {
  atProvider,
  type BackupWorld,
  contents,
  ended,
  leftOvers,
  s3Secret,
  startBackupWorld,
  toolImage,
} from './backup-world.ts';
import {
  allReady,
  conditionOf,
  get,
  managed,
  namespaceOf,
  providerConfig,
  resourceName,
  run,
  secret,
  untilCondition,
} from './objects.ts';

const namespace = 'faults';
/** Of the tool that stops half-way. */
const SLOW_IMAGE = 'slow-tools:test';
const HALF = 4_000_000;
/** Just enough for one backup. */
const SMALL_DISK = '14m';

let world: BackupWorld;
let folder: string;
let proxy: FaultyS3;
let bucket: string;
let rows: Record<string, string>;
const go = (): string => join(folder, 'slow', 'go');

/** A pg_dump that stops in the middle of its output until it is told to go on. */
async function slowImage() {
  const image = await toolImage();
  const programs = await toolPath('postgresql-18');
  const slow = join(folder, 'slow');
  await mkdir(slow);
  await writeFile(
    join(slow, 'pg_dump'),
    `#!/bin/sh
case "$*" in *--version*) exec ${programs}/pg_dump --version;; esac
${programs}/pg_dump "$@" | { head -c ${HALF}; while [ ! -e ${go()} ]; do sleep 0.05; done; cat; }
`,
    { mode: 0o755 },
  );
  return { ...image, folders: [...image.folders, slow], path: [slow, ...(image.path ?? [])] };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xdatabase-faults-'));
  const claims = { [`${namespace}/disk`]: join(folder, 'disk'), [`${namespace}/small`]: join(folder, 'small') };
  for (const claim of Object.values(claims)) await mkdir(claim);
  await chmod(folder, 0o755);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SMALL_DISK}`, 'none', join(folder, 'small')]);
  for (const claim of Object.values(claims)) await chmod(claim, 0o777);
  world = await startBackupWorld({ [SLOW_IMAGE]: await slowImage() }, claims);
  proxy = await startFaultyS3(world.s3.endpoint);
  bucket = await world.s3.bucket();
  const { cluster, server } = world;
  const jobs = { concurrency: 4 };
  await cluster.apply([
    namespaceOf(namespace),
    ...providerConfig(namespace, server, 'default', { jobs }),
    ...providerConfig(namespace, server, 'slow', { jobs, images: { engine: SLOW_IMAGE } }),
    s3Secret(world, namespace),
    managed('Database', namespace, 'shop', {}),
    managed('Database', namespace, 'target', {}),
  ]);
  await allReady(cluster, namespace);
  // More than one part of an upload, and nothing that compression makes small.
  await server.query(
    `CREATE TABLE noise AS SELECT n, (SELECT string_agg(md5(random()::text || n || m), '') FROM generate_series(1, 30) m) AS noise
     FROM generate_series(1, 20000) n`,
    [],
    'shop',
  );
  rows = await contents(server, 'shop');
});
beforeEach(async () => {
  await rm(go(), { force: true });
});
afterEach(() => {
  proxy.fault = () => undefined;
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(world?.provider.log() ?? '');
  await proxy?.stop();
  await world?.stop();
  execFileSync('umount', [join(folder, 'small')]);
  await rm(folder, { recursive: true, force: true });
});

const s3 = () => ({
  s3: { bucket, region: world.s3.region, endpoint: proxy.endpoint, credentialsSecretRef: { name: 's3-secret' } },
});
const disk = (claimName: string) => ({ filesystem: { persistentVolumeClaim: { claimName } } });

async function startBackup(name: string, fields: Record<string, unknown>, config = 'default'): Promise<void> {
  await world.cluster.apply(
    run(
      'Backup',
      namespace,
      name,
      { database: 'shop', compression: 'none', backoffLimit: 0, ...fields },
      { kind: 'ProviderConfig', name: config },
    ),
  );
}

const endOf = async (kind: string, name: string): Promise<Record<string, unknown>> =>
  atProvider(await ended(world, kind, namespace, name));

async function restore(name: string, fields: Record<string, unknown>): Promise<Record<string, unknown>> {
  await world.cluster.apply(
    run('Restore', namespace, name, { sourceDatabase: 'shop', targetDatabase: 'target', mode: 'Replace', ...fields }),
  );
  return await endOf('Restore', name);
}

/** Waits until the dump is half-way, and gives the name of the Job. */
async function halfWay(name: string): Promise<string> {
  return await waitFor(`${name} is half-way`, async () => {
    const { jobName } = atProvider(await get(world.cluster, 'Backup', namespace, name)) as { jobName?: string };
    return (
      jobName !== undefined && (await world.kubelet.log(namespace, jobName, 'runner')).includes('"dumping"') && jobName
    );
  });
}

async function inBucket(): Promise<string[]> {
  const { Contents = [] } = await world.s3.client.send(new ListObjectsV2Command({ Bucket: bucket }));
  return Contents.map(({ Key = '' }) => Key).toSorted();
}
const inFolder = async (claim: string): Promise<string[]> =>
  (await readdir(join(folder, claim), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();

const jobsOf = async (): Promise<string[]> =>
  (await world.cluster.get<{ items: KubeObject[] }>('jobs', '-n', namespace)).items
    .map(({ metadata }) => metadata.uid ?? '')
    .toSorted();

describe('a backup', () => {
  let good: string[];
  beforeAll(async () => {
    await startBackup('good', { storage: s3() });
    expect(await endOf('Backup', 'good')).toMatchObject({ phase: 'Succeeded' });
    good = await inBucket();
    expect(good).toHaveLength(2);
  });

  /** It failed, nothing of it is there, and what was there before is. */
  async function fails(name: string, reason: RegExp): Promise<void> {
    const backup = await endOf('Backup', name);
    expect(backup).toMatchObject({ phase: 'Failed', failureReason: expect.stringMatching(reason) });
    expect(backup).not.toHaveProperty('key');
    expect(await inBucket()).toEqual(good);
  }

  test('is none when the container of its tool is killed half-way', async () => {
    await startBackup('tool-killed', { storage: s3() }, 'slow');
    world.kubelet.kill(namespace, await halfWay('tool-killed'), 'tool');
    await fails('tool-killed', /^ToolVanished$/);
  });

  test('is none when the server is restarted half-way', async () => {
    await startBackup('server-restarted', { storage: s3() }, 'slow');
    await halfWay('server-restarted');
    await world.server.restart();
    await writeFile(go(), '');
    await fails('server-restarted', /^(ToolFailed|FileBroken)$/);
  });

  test('is made by the next attempt, once, when its runner is killed half-way', async () => {
    await startBackup('runner-killed', { storage: s3(), backoffLimit: 2 }, 'slow');
    const job = await halfWay('runner-killed');
    world.kubelet.kill(namespace, job, 'runner');
    await writeFile(go(), '');
    expect(await endOf('Backup', 'runner-killed')).toMatchObject({ phase: 'Succeeded', jobName: job });
    expect(world.kubelet.pods().filter(({ metadata }) => metadata.name.startsWith(job))).toHaveLength(2);
    const now = await inBucket();
    expect(now).toHaveLength(good.length + 2);
    expect(now).toEqual(expect.arrayContaining(good));
    good = now;
  });

  test('is none when the storage refuses its second part, and nothing is left of the first', async () => {
    proxy.fault = ({ query }) => (query.get('partNumber') === '2' ? { answer: 403, code: 'AccessDenied' } : undefined);
    await startBackup('part-refused', { storage: s3() });
    await fails('part-refused', /^StorageDenied$/);
    const { Uploads = [] } = await world.s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    expect(Uploads).toEqual([]);
  });

  test('is none when the storage answers 503 to the end', async () => {
    proxy.fault = ({ method }) => (method === 'GET' ? undefined : { answer: 503, code: 'SlowDown' });
    await startBackup('always-503', { storage: s3() });
    await fails('always-503', /^StorageUnavailable$/);
  });

  test('is good when the storage answers 503 now and then, and can be restored through it', async () => {
    let calls = 0;
    proxy.fault = () => {
      calls += 1;
      return calls % 4 === 0 ? { answer: 503, code: 'SlowDown' } : undefined;
    };
    await startBackup('often-503', { storage: s3() });
    expect(await endOf('Backup', 'often-503')).toMatchObject({ phase: 'Succeeded' });
    expect(await restore('through-503', { source: { backupRef: { name: 'often-503' } } })).toMatchObject({
      phase: 'Succeeded',
    });
    expect(await contents(world.server, 'target')).toEqual(rows);
  });

  test('is none on a disk that is full, and the good one there can be restored', async () => {
    await startBackup('fits', { storage: disk('small'), compression: 'zstd' });
    expect(await endOf('Backup', 'fits')).toMatchObject({ phase: 'Succeeded' });
    const before = await inFolder('small');
    expect(before).toHaveLength(2);
    await startBackup('too-much', { storage: disk('small'), compression: 'zstd' });
    expect(await endOf('Backup', 'too-much')).toMatchObject({ phase: 'Failed', failureReason: 'StorageFull' });
    expect(await inFolder('small')).toEqual(before);
    const newest = await restore('from-full-disk', { source: { storage: disk('small') } });
    expect(newest).toMatchObject({ phase: 'Succeeded' });
    expect(await contents(world.server, 'target')).toEqual(rows);
  });
});

describe('files that are to go with their resource, and that the storage keeps,', () => {
  const startDeletion = async (name: string): Promise<string> => {
    await startBackup(name, { storage: s3(), compression: 'zstd', filePolicy: 'Delete' });
    expect(await endOf('Backup', name)).toMatchObject({ phase: 'Succeeded' });
    proxy.fault = ({ method, query }) =>
      method === 'DELETE' || query.has('delete') ? { answer: 403, code: 'AccessDenied' } : undefined;
    await world.cluster.kubectl(['delete', resourceName('Backup'), name, '-n', namespace, '--wait=false']);
    const stays = await untilCondition(world.cluster, 'Backup', namespace, name, 'Synced', 'False', 'StorageDenied');
    const { message = '' } = conditionOf(stays, 'Synced') ?? {};
    expect(message).toMatch(/set filePolicy to Keep to leave them$/);
    return /delete Job [^/]+\/(\S+) to try again/.exec(message)?.[1] ?? '';
  };
  const ownFiles = async (name: string): Promise<string[]> =>
    (await inBucket()).filter((key) => key.includes(`/${name}/`));
  const gone = async (name: string): Promise<void> => {
    await world.cluster.wait('delete', `${resourceName('Backup')}/${name}`, '-n', namespace);
  };

  test('go when somebody deletes the Job that could not delete them', async () => {
    const job = await startDeletion('again');
    proxy.fault = () => undefined;
    await world.cluster.kubectl(['delete', 'job', job, '-n', namespace, '--wait=false']);
    await gone('again');
    expect(await ownFiles('again')).toEqual([]);
  });

  test('stay when somebody says so', async () => {
    await startDeletion('stays');
    await world.cluster.kubectl([
      'patch',
      resourceName('Backup'),
      'stays',
      '-n',
      namespace,
      '--type=merge',
      '-p',
      '{"spec":{"forProvider":{"filePolicy":"Keep"}}}',
    ]);
    await gone('stays');
    expect(await ownFiles('stays')).toHaveLength(2);
  });
});

test('a restore for which the server has no room fails, and leaves its target as it was and nothing beside it', async () => {
  const { server } = world;
  const volume = join(folder, 'server');
  await mkdir(volume);
  const [data] = await server.query<{ data_directory: string }>('SHOW data_directory');
  // Enough for two empty databases.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', volume]);
  try {
    execFileSync('chown', [`--reference=${data!.data_directory}`, volume]);
    await server.query(`CREATE TABLESPACE small LOCATION '${volume}'`);
    await server.query('CREATE DATABASE narrow TABLESPACE small');
    await server.query('CREATE TABLE keep AS SELECT 1 AS it', [], 'narrow');
    expect(await restore('no-room', { source: { storage: s3() }, targetDatabase: 'narrow' })).toMatchObject({
      phase: 'Failed',
      failureReason: 'TargetFull',
      failureMessage: expect.stringContaining('No space left on device'),
    });
    expect(await contents(server, 'narrow')).toEqual({ 'public.keep': expect.stringMatching(/^1 /) });
    await expect.poll(async () => await leftOvers(server)).toEqual([]);
    await server.query('DROP DATABASE narrow WITH (FORCE)');
    await server.query('DROP TABLESPACE small');
  } finally {
    execFileSync('umount', ['--lazy', volume]);
  }
});

describe('a restore from a volume, of an encrypted backup,', () => {
  let [before, file, key]: [Record<string, string>, string, string] = [{}, '', ''];
  let right: string;

  beforeAll(async () => {
    right = await generateX25519Identity();
    const wrong = await generateX25519Identity();
    await world.cluster.apply([
      secret(namespace, 'right', { identity: right }),
      secret(namespace, 'wrong', { identity: wrong }),
    ]);
    await startBackup('sealed', {
      storage: disk('disk'),
      compression: 'gzip',
      encryption: { recipients: [await identityToRecipient(right)] },
    });
    const made = await endOf('Backup', 'sealed');
    expect(made).toMatchObject({ phase: 'Succeeded', key: expect.stringMatching(/\.dump\.gz\.age$/) });
    key = made['key'] as string;
    file = join(folder, 'disk', key);
    await world.server.query('CREATE TABLE keep AS SELECT 1 AS it', [], 'target');
    before = await contents(world.server, 'target');
  });

  const sealed = { source: { backupRef: { name: 'sealed' } } };
  const identity = (name: string) => ({ identitySecretRef: { name, key: 'identity' } });

  async function leavesTarget(name: string, reason: string, fields: Record<string, unknown>): Promise<void> {
    const restored = await restore(name, fields);
    expect(restored).toMatchObject({ phase: 'Failed', failureReason: reason });
    expect(restored['failureMessage']).toEqual(
      expect.stringContaining(reason.startsWith('Identity') ? 'identity' : key),
    );
    expect(await contents(world.server, 'target')).toEqual(before);
  }

  test('fails without the private key, and leaves its target as it was', async () => {
    await leavesTarget('no-key', 'IdentityMissing', sealed);
  });

  test('fails with another key, and leaves its target as it was', async () => {
    const restored = await restore('wrong-key', { ...sealed, ...identity('wrong') });
    expect(restored).toMatchObject({ phase: 'Failed', failureReason: 'WrongIdentity' });
    expect(await contents(world.server, 'target')).toEqual(before);
  });

  test('fails when one byte of the file is another, and leaves its target as it was', async () => {
    const bytes = await readFile(file);
    const flipped = Buffer.from(bytes);
    flipped.writeUInt8(flipped.readUInt8(flipped.length >> 1) ^ 1, flipped.length >> 1);
    await writeFile(file, flipped);
    await leavesTarget('flipped', 'ChecksumMismatch', { ...sealed, ...identity('right') });
    await writeFile(file, bytes);
  });

  test('fails when the manifest is missing, also when it looks for the newest', async () => {
    const manifest = `${file}.manifest.json`;
    await rename(manifest, join(folder, 'aside'));
    await leavesTarget('no-manifest', 'ManifestMissing', { ...sealed, ...identity('right') });
    const newest = await restore('no-newest', { source: { storage: disk('disk') }, ...identity('right') });
    expect(newest).toMatchObject({ phase: 'Failed', failureReason: 'BackupNotFound' });
    expect(await contents(world.server, 'target')).toEqual(before);
    await rename(join(folder, 'aside'), manifest);
  });

  test('needs no cluster: xdb, and the age command line, read what it wrote', async () => {
    const { server } = world;
    const tools = await toolPath('postgresql-18');
    const identityFile = join(folder, 'identity');
    await writeFile(identityFile, `${right}\n`, { mode: 0o600 });
    await server.query('CREATE DATABASE by_xdb');
    await server.query('CREATE DATABASE by_age');
    const env = { ...process.env, PGPASSWORD: server.password, XDB_PASSWORD: server.password };
    const url = (database: string): string =>
      `postgres://${server.adminUser}@${server.host}:${server.port}/${database}?sslmode=disable`;
    const args = ['--from', join(folder, 'disk'), '--database', 'shop', '--identity', identityFile, '--tools', tools];
    const said = execFileSync(
      process.execPath,
      [builtProgram('xdb'), 'restore', '--server', url('by_xdb'), ...args, '--json'],
      { env, encoding: 'utf8' },
    );
    expect(JSON.parse(said)).toMatchObject({ ok: true, backup: { key } });
    expect(await contents(server, 'by_xdb')).toEqual(rows);
    const byHand =
      '"$age" --decrypt -i "$identity" "$file" | gzip --decompress | "$tools/pg_restore" --no-owner --dbname="$url"';
    execFileSync('/bin/bash', ['-euo', 'pipefail', '-c', byHand], {
      env: { ...env, age: await binary('age'), identity: identityFile, file, tools, url: url('by_age') },
    });
    expect(await contents(server, 'by_age')).toEqual(rows);
  });

  test('gives all rows back with the right key', async () => {
    expect(await restore('right-key', { ...sealed, ...identity('right') })).toMatchObject({ phase: 'Succeeded' });
    expect(await contents(world.server, 'target')).toEqual(rows);
  });
});

test('none of all these has run again, or left anything on the server', async () => {
  const before = { jobs: await jobsOf(), bucket: await inBucket(), disk: await inFolder('disk') };
  await world.restartProvider();
  // What the new provider makes of them is known when it has dealt with one that is new.
  await startBackup('last', { storage: disk('small'), database: 'postgres' });
  await endOf('Backup', 'last');
  expect(before.jobs).toEqual((await jobsOf()).filter((uid) => before.jobs.includes(uid)));
  expect((await jobsOf()).length).toBe(before.jobs.length + 1);
  expect(await inBucket()).toEqual(before.bucket);
  expect(await inFolder('disk')).toEqual(before.disk);
  await expect.poll(async () => await leftOvers(world.server)).toEqual([]);
});
