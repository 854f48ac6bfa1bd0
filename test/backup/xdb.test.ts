/** xdb backup, restore and copy, as processes, at real servers. */
import { execFile } from 'node:child_process';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { builtProgram, sharedMysql, sharedPostgres, sharedS3 } from '../rig/servers.ts';
import { toolPath } from '../rig/tool-path.ts';
import { World } from './world.ts';

/** What a script needs, and no tool of a database. */
async function bareFolder(): Promise<string> {
  const folder = join(world.folder, 'bare');
  await mkdir(folder);
  for (const name of ['sh', 'mkdir', 'rm', 'mkfifo', 'mktemp', 'cat', 'sleep', 'cp', 'chmod', 'mv'])
    await symlink(`/bin/${name}`, join(folder, name));
  return folder;
}

const postgres = sharedPostgres(18);
const s3 = sharedS3();
let world: World;

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

const xdb = async (args: readonly string[], env: NodeJS.ProcessEnv): Promise<Result> =>
  await new Promise((resolve) => {
    execFile(
      process.execPath,
      [builtProgram('xdb'), ...args],
      { env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });

beforeAll(async () => {
  world = await World.make();
});
afterAll(async () => {
  await world.remove();
});

describe('PostgreSQL', () => {
  let tools: string;
  const url = (database: string): string =>
    `postgres://${postgres.adminUser}@${postgres.host}:${postgres.port}/${encodeURIComponent(database)}?sslmode=disable`;
  const env = (): NodeJS.ProcessEnv => ({
    XDB_PASSWORD: postgres.password,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
  });
  beforeAll(async () => {
    tools = await toolPath('postgresql-18');
    for (const name of ['xdb source', 'xdb-beside', 'xdb-copied', 'xdb-again'])
      await postgres.query(`create database "${name}"`);
    await postgres.query('create table t as select n from generate_series(1, 1234) n', [], 'xdb source');
  });

  test('backs up into a bucket, encrypted, and restores beside', async () => {
    const place = `s3://${await s3.bucket()}/some/prefix?endpoint=${s3.endpoint}`;
    const identity = await generateX25519Identity();
    const identityFile = await world.file('identity', `${identity}\n`);
    const made = await xdb(
      [
        'backup',
        '--server',
        url('xdb source'),
        '--to',
        place,
        '--tools',
        tools,
        '--json',
        '--recipient',
        await identityToRecipient(identity),
      ],
      env(),
    );
    expect(made.stderr).toBe('');
    expect(made.code).toBe(0);
    const { backup } = JSON.parse(made.stdout) as { backup: Record<string, unknown> };
    expect(backup).toMatchObject({
      rows: 1234,
      key: expect.stringMatching(/^local\/xdb\/xdb%20source\/.*\.dump\.zst\.age$/),
    });
    const restored = await xdb(
      [
        'restore',
        '--server',
        url('xdb-beside'),
        '--from',
        place,
        '--database',
        'xdb source',
        '--identity',
        identityFile,
        '--tools',
        tools,
        '--json',
      ],
      env(),
    );
    expect(restored.stderr).toBe('');
    expect(JSON.parse(restored.stdout)).toMatchObject({ ok: true, countedRows: 1234, backup: { key: backup['key'] } });
  });

  test('a target that is not empty is refused, and stays as it is', async () => {
    const place = join(world.folder, 'files');
    const made = await xdb(['backup', '--server', url('xdb source'), '--to', place, '--tools', tools], env());
    expect(made.stdout).toMatch(/^Backed up xdb source: 1234 rows/);
    await postgres.query('create function only_this() returns int language sql as $$select 1$$', [], 'xdb-again');
    const restore = [
      'restore',
      '--server',
      url('xdb-again'),
      '--from',
      place,
      '--database',
      'xdb source',
      '--tools',
      tools,
    ];
    expect(await xdb(restore, env())).toMatchObject({ code: 1, stderr: expect.stringContaining('TargetNotEmpty') });
    await postgres.query('drop function only_this', [], 'xdb-again');
    expect(await xdb(restore, env())).toMatchObject({ code: 0, stdout: expect.stringContaining('1234 rows') });
    expect(await xdb(restore, env())).toMatchObject({ code: 1, stderr: expect.stringContaining('TargetNotEmpty') });
  });

  test('a script that ends before it begins is not waited for, as on a machine without mkfifo', async () => {
    const path = join(world.folder, 'no-programs');
    await mkdir(path);
    const made = await xdb(['backup', '--server', url('xdb source'), '--to', join(world.folder, 'never')], {
      ...env(),
      PATH: path,
    });
    expect(made).toMatchObject({ code: 1, stderr: expect.stringMatching(/ToolVanished: .* ended with exit code 127/) });
  });

  test('copies and transforms', async () => {
    const transform = await world.file('transform.sql', 'delete from t where n > 1000;');
    const copied = await xdb(
      [
        'copy',
        '--from',
        url('xdb source'),
        '--to',
        url('xdb-copied'),
        '--transform',
        transform,
        '--tools',
        tools,
        '--json',
      ],
      env(),
    );
    expect(copied.stderr).toBe('');
    expect(JSON.parse(copied.stdout)).toMatchObject({ ok: true, loaded: { rows: 1234 }, countedRows: 1000 });
  });

  test('what is missing is named', async () => {
    const nowhere = await xdb(
      ['restore', '--server', url('xdb-copied'), '--from', join(world.folder, 'nothing'), '--tools', tools],
      env(),
    );
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining('BackupNotFound') });
    const toolless = await xdb(['backup', '--server', url('xdb source'), '--to', join(world.folder, 'x')], {
      ...env(),
      PATH: await bareFolder(),
    });
    expect(toolless).toMatchObject({ code: 1, stderr: expect.stringMatching(/pg_dump.*not found/) });
  });
});

describe.each(['MySQL 9.7', 'MariaDB 11.8'] as const)('%s', (name) => {
  const server = sharedMysql(name);
  const url = (database: string): string =>
    `${server.flavour}://${server.adminUser}@${server.host}:${server.port}/${database}?sslmode=disable`;

  test('backs up, restores beside, and refuses a target that is not empty', async () => {
    const tools = await toolPath(name === 'MySQL 9.7' ? 'mysql-9.7' : 'mariadb-11.8');
    const env = { XDB_PASSWORD: server.password };
    for (const statement of [
      'CREATE DATABASE xdb_source',
      'CREATE DATABASE xdb_beside',
      'CREATE TABLE xdb_source.t (id int)',
      'CREATE VIEW xdb_source.v AS SELECT id FROM xdb_source.t',
      'INSERT INTO xdb_source.t VALUES (1), (2), (3)',
    ])
      await server.query(statement);
    const place = join(world.folder, server.flavour);
    const made = await xdb(['backup', '--server', url('xdb_source'), '--to', place, '--tools', tools, '--json'], env);
    expect(made.stderr).toBe('');
    expect(JSON.parse(made.stdout)).toMatchObject({ ok: true, backup: { rows: 3 } });
    const restore = [
      'restore',
      '--server',
      url('xdb_beside'),
      '--from',
      place,
      '--database',
      'xdb_source',
      '--tools',
      tools,
    ];
    expect(await xdb(restore, env)).toMatchObject({ code: 0, stdout: expect.stringContaining('3 rows') });
    expect(await xdb(restore, env)).toMatchObject({ code: 1, stderr: expect.stringContaining('TargetNotEmpty') });
  });
});

test('the demo backs up and restores beside, and both have as many rows', async () => {
  const { stdout, code } = await new Promise<{ stdout: string; code: number }>((resolve) => {
    const demo = join(import.meta.dirname, '../../examples/demo/main.ts');
    execFile(process.execPath, [demo, '--json'], { maxBuffer: 1 << 24 }, (error, out) => {
      resolve({ stdout: out, code: error === null ? 0 : Number(error.code) });
    });
  });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    ok: true,
    backup: { rows: 10_000, bytes: expect.any(Number), sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    restore: { rows: 10_000, database: 'orders_beside' },
  });
});
