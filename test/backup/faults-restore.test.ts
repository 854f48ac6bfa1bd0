import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { generateX25519Identity } from 'age-encryption';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Place } from '../../provider/backup/contract.ts';
import { postgresTools } from '../../provider/backup/tools/postgres.ts';
import { waitFor } from '../rig/process.ts';
import { toolServer } from './postgres-world.ts';
import {
  backup,
  emptyTarget,
  identity,
  LOGIN,
  owner,
  path,
  recipient,
  restore,
  server,
  source,
  startRestore,
  TARGET,
  targetTables,
  useSource,
  world,
} from './faults-world.ts';

useSource('faults-restore');

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
    await failsWith('BackupNotFound', { source: { ...source, database: 'faults-restore' } });
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
    `RESET ROLE; ALTER ROLE "${LOGIN.name}" SUPERUSER`,
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
  expect(await server.query(`select rolsuper from pg_roles where rolname = '${LOGIN.name}'`)).toEqual([
    { rolsuper: false },
  ]);
});
