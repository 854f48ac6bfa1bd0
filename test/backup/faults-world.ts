/** A source, a target, and backups and restores between them for a test to disturb. */
import { spawnSync } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll } from 'vitest';
import type { Place } from '../../provider/backup/contract.ts';
import { postgresTools } from '../../provider/backup/tools/postgres.ts';
import type { PostgresClient } from '../rig/postgres-client.ts';
import { sharedPostgres } from '../rig/servers.ts';
import { toolPath } from '../rig/tool-path.ts';
import { toolServer } from './postgres-world.ts';
import { type Finished, type Pod, World } from './world.ts';

export const server = sharedPostgres(18);
export let SOURCE: string;
export let TARGET: string;
/** Owns the target, and nothing else. */
export let LOGIN: { name: string; password: string };
export let owner: { namespace: string; name: string; database: string; engine: 'postgres' };
export let source: { namespace: string; database: string; engine: 'postgres' };
export let world: World;
export let path: string;
export let identity: string;
export let recipient: string;

/** Does not compress, so that it takes its time and several parts. */
export const NOISE = `insert into t select n, (select string_agg(md5(random()::text || n || m), '') from generate_series(1, 30) m)
  from generate_series(1, 60000) n`;

/** Makes a source that is worth a backup, for the tests of one file. */
export function useSource(name: string): void {
  SOURCE = `${name}-source`;
  TARGET = `${name}-target`;
  LOGIN = { name: `${name}-run`, password: 'secret' };
  owner = { namespace: 'team-a', name: 'nightly', database: SOURCE, engine: 'postgres' };
  source = { namespace: 'team-a', database: SOURCE, engine: 'postgres' };
  beforeAll(async () => {
    world = await World.make();
    path = await toolPath('postgresql-18');
    identity = await generateX25519Identity();
    recipient = await identityToRecipient(identity);
    await server.query(`create role "${LOGIN.name}" login password 'secret'`);
    await server.query(`create database "${SOURCE}"`);
    await server.query('create table t (id int primary key, noise text)', [], SOURCE);
    await server.query(NOISE, [], SOURCE);
  });
  afterAll(async () => {
    await world.remove();
  });
}

interface Options {
  from?: PostgresClient;
  storage: Place;
  over?: object;
  path?: string;
}

export async function startBackup({ from = server, storage, over = {}, path: tools = path }: Options): Promise<Pod> {
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

export const backup = async (options: Options): Promise<Finished> => await (await startBackup(options)).finished;

export async function startRestore(storage: Place, over: object = {}): Promise<Pod> {
  const folders = world.folders();
  return await world.start({ action: 'restore', storage, source, tool: { folder: folders.work }, ...over }, [
    { container: postgresTools.load(toolServer(server, TARGET, LOGIN), folders), path },
  ]);
}

export const restore = async (storage: Place, over: object = {}): Promise<Finished> =>
  await (await startRestore(storage, over)).finished;

/** Whether anything has come into the target. */
export async function targetTables(): Promise<number> {
  const [row] = await server.query<{ n: number }>(
    `select count(*)::int as n from pg_tables where schemaname = 'public'`,
    [],
    TARGET,
  );
  return row?.n ?? -1;
}

export async function emptyTarget(): Promise<void> {
  await server.query(`drop database if exists "${TARGET}" with (force)`);
  await server.query(`create database "${TARGET}" owner "${LOGIN.name}"`);
}

export const filesBelow = async (place: Place): Promise<string[]> => {
  if (place.type !== 'filesystem') throw new Error('of folders only');
  const found = await readdir(join(place.path, place.prefix), { recursive: true, withFileTypes: true }).catch(() => []);
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
};

export const whenDumping = async (pod: Pod): Promise<void> => {
  await new Promise<void>((resolve) => {
    pod.runner.stdout?.on('data', (text: string) => {
      if (text.includes('"dumping"')) resolve();
    });
  });
};

/** A tool that stops in the middle of its output, until it is told to go on or is killed. */
export async function slowTools(bytes: number): Promise<string> {
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
