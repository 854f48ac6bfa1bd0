/** docs/backup-files.md says how a file is read without us: its commands are run, with the age command line. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decrypt, parseIdentities } from '../../provider/backup/age.ts';
import type { RunRequestInput } from '../../provider/backup/contract.ts';
import { mysqlTools } from '../../provider/backup/tools/mysql.ts';
import { postgresTools } from '../../provider/backup/tools/postgres.ts';
import type { ToolContainer, ToolFolders } from '../../provider/backup/tools/tool.ts';
import { binary } from '../rig/binaries.ts';
import { sharedMysql, sharedPostgres } from '../rig/servers.ts';
import { toolPath } from '../rig/tool-path.ts';
import { contents as mysqlContents } from './mysql-world.ts';
import { contents, fill, toolServer } from './postgres-world.ts';
import { World } from './world.ts';

const run = promisify(execFile);
const postgres = sharedPostgres(18);
const mysql = sharedMysql('MySQL 9.7');
let world: World;
/** Of age, on the PATH of the page's reader. */
let bin: string;
let page: { keys: string; postgres: string; mysql: string };

beforeAll(async () => {
  world = await World.make();
  bin = await mkdtemp(join(world.folder, 'bin-'));
  for (const name of ['age', 'age-keygen'] as const) await symlink(await binary(name), join(bin, name));
  const text = await readFile(join(import.meta.dirname, '../../docs/backup-files.md'), 'utf8');
  const [keys, ...commands] = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
  const [first, second, ...others] = commands;
  if (keys === undefined || first === undefined || second === undefined || others.length > 0)
    throw new Error('docs/backup-files.md has other commands than this test knows');
  page = { keys, postgres: first, mysql: second };
});
afterAll(async () => {
  await world.remove();
});

/** Runs commands of the page in a folder, as somebody who copies them into a shell does. */
async function shell(
  commands: string,
  folder: string,
  { tools, env = {} }: { tools?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const PATH = [bin, tools, process.env['PATH']].filter((part) => part !== undefined).join(':');
  const { stdout, stderr } = await run('/bin/bash', ['-euo', 'pipefail', '-c', commands], {
    cwd: folder,
    env: { ...process.env, HOME: folder, ...env, PATH },
  });
  return stdout + stderr;
}

/** A folder with a key in it, and its public key. */
async function keyFolder(change: (commands: string) => string = (text) => text) {
  const folder = await mkdtemp(join(world.folder, 'hand-'));
  const said = await shell(change(page.keys), folder);
  const recipient = /^age1\S+$/m.exec(said)?.[0] ?? '';
  return { folder, recipient };
}

interface Made {
  folder: string;
  file: string;
  plainSha256: string;
  storedSha256: string;
}

/** Backs up as a pod does, and puts the file into the folder of its reader. */
async function stored(
  folder: string,
  tool: (folders: ToolFolders) => ToolContainer,
  tools: string,
  request: Pick<Extract<RunRequestInput, { action: 'backup' }>, 'owner' | 'recipients' | 'compression'>,
): Promise<Made> {
  const folders = world.folders();
  const storage = world.filesystem();
  if (storage.type !== 'filesystem') throw new Error('of folders only');
  const { result } = await world.run(
    { action: 'backup', storage, run: folder, serverVersion: '1', tool: { folder: folders.work }, ...request },
    [{ container: tool(folders), path: tools }],
  );
  expect(result).toMatchObject({ ok: true });
  const key = result.backup?.key ?? '';
  const file = key.split('/').at(-1) ?? '';
  await symlink(join(storage.path, key), join(folder, file));
  return {
    folder,
    file,
    plainSha256: result.backup?.plainSha256 ?? '',
    storedSha256: result.backup?.sha256 ?? '',
  };
}

/** The page's commands for this file and this database. */
const commandsFor = (commands: string, { file }: Made, database: string): string =>
  commands.replace(/^file=.*$/m, `file=${file}`).replaceAll('orders', database);

describe.each([
  { keys: 'of today', change: (text: string) => text },
  { keys: 'that withstand quantum computers', change: (text: string) => text.replace('-o', '-pq -o') },
])('keys $keys', ({ change }) => {
  const database = `by_hand_${change('-o') === '-o' ? 'x' : 'pq'}`;

  test('a dump of PostgreSQL is read by age, zstd and pg_restore, with all its rows', async () => {
    const tools = await toolPath('postgresql-18');
    const { folder, recipient } = await keyFolder(change);
    await postgres.query(`create database "${database}_source"`);
    await fill(postgres, `${database}_source`, 1000);
    await postgres.query(`create role ${database}_owner`);
    await postgres.query(`create database ${database} owner ${database}_owner`);
    await postgres.query('create extension pgcrypto', [], database);
    const made = await stored(
      folder,
      (folders) => postgresTools.dump(toolServer(postgres, `${database}_source`), folders),
      tools,
      {
        owner: { namespace: 'a', name: 'b', database: `${database}_source`, engine: 'postgres' },
        recipients: [recipient],
        compression: 'zstd',
      },
    );
    expect(made.file).toMatch(/\.dump\.zst\.age$/);
    const said = await shell(
      // As the page says for a database with an extension.
      commandsFor(page.postgres, made, database).replace(
        'pg_restore --no-owner',
        'pg_restore --no-comments --no-owner',
      ),
      folder,
      {
        tools,
        env: {
          PGHOST: postgres.host,
          PGPORT: String(postgres.port),
          PGUSER: postgres.adminUser,
          PGPASSWORD: postgres.password,
        },
      },
    );
    expect(said).toContain(`${made.storedSha256}  ${made.file}`);
    expect(said).toContain(`${made.plainSha256}  ${database}.dump`);
    expect(said).toMatch(/TABLE DATA public people/);
    expect(await contents(postgres, database)).toEqual(await contents(postgres, `${database}_source`));
  });
});

test('a dump of MySQL is read by age, gzip and mysql, with all its rows', async () => {
  const tools = await toolPath('mysql-9.7');
  const { folder, recipient } = await keyFolder();
  const database = 'by_hand_source';
  for (const statement of [
    `CREATE DATABASE ${database}`,
    'CREATE DATABASE by_hand',
    `CREATE TABLE ${database}.t (id int PRIMARY KEY, text varchar(100), data blob)`,
    `INSERT INTO ${database}.t VALUES (1, 'ü 😀 \\\\! sh', x'00ff0a'), (2, NULL, NULL)`,
    `CREATE PROCEDURE ${database}.p() SELECT 1`,
  ])
    await mysql.query(statement);
  const server = {
    host: mysql.host,
    port: mysql.port,
    username: mysql.adminUser,
    password: mysql.password,
    database,
    version: mysql.version,
    tls: { mode: 'disable' as const },
  };
  const made = await stored(folder, (folders) => mysqlTools.dump(server, folders), tools, {
    owner: { namespace: 'a', name: 'b', database, engine: 'mysql' },
    recipients: [recipient],
    compression: 'gzip',
  });
  expect(made.file).toMatch(/\.sql\.gz\.age$/);
  await writeFile(
    join(folder, '.my.cnf'),
    `[client]\nhost=${mysql.host}\nport=${mysql.port}\nuser=${mysql.adminUser}\npassword="${mysql.password}"\nget-server-public-key\n`,
    { mode: 0o600 },
  );
  await shell(commandsFor(page.mysql, made, 'by_hand'), folder, { tools });
  expect(await mysqlContents(mysql, 'by_hand')).toEqual(await mysqlContents(mysql, database));
});

test('what the age command line encrypts, with several recipients, we read with any of their key files', async () => {
  const [one, other] = [await keyFolder(), await keyFolder((text) => text.replace('-o', '-pq -o'))];
  const plain = Buffer.from('PGDMP'.repeat(100_000));
  await writeFile(join(one.folder, 'plain'), plain);
  const sealed = async (...keys: { recipient: string }[]): Promise<Buffer> => {
    const recipients = keys.map(({ recipient }) => `-r ${recipient}`).join(' ');
    await shell(`age ${recipients} -o sealed plain`, one.folder);
    return await readFile(join(one.folder, 'sealed'));
  };
  // age refuses to mix keys that withstand quantum computers with those that do not.
  const third = await keyFolder();
  for (const [keys, file] of [
    [[one, third], await sealed(one, third)],
    [[other], await sealed(other)],
  ] as const)
    for (const { folder } of keys) {
      const identities = parseIdentities(await readFile(join(folder, 'key.txt'), 'utf8'));
      const hash = createHash('sha256');
      const whole = async function* (): AsyncIterable<Buffer> {
        yield file;
      };
      for await (const part of decrypt(whole(), identities)) hash.update(part);
      expect(hash.digest('hex')).toBe(createHash('sha256').update(plain).digest('hex'));
    }
});

test('recipients that age knows and we do not offer are refused by name', async () => {
  const { result } = await world.run(
    {
      action: 'backup',
      storage: world.filesystem('refused'),
      run: 'ssh',
      serverVersion: '1',
      owner: { namespace: 'a', name: 'b', database: 'postgres', engine: 'postgres' },
      recipients: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
      tool: { folder: join(world.folder, 'work-ssh') },
    },
    [
      {
        container: postgresTools.dump(toolServer(postgres, 'postgres'), {
          work: join(world.folder, 'work-ssh'),
          secrets: join(world.folder, 'secrets-ssh'),
        }),
        path: await toolPath('postgresql-18'),
      },
    ],
  );
  expect(result).toMatchObject({
    ok: false,
    failureReason: 'InvalidRequest',
    failureMessage: expect.stringContaining('not an age public key'),
  });
});
