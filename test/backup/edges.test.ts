/** Databases as they come: with any name, with nothing in them, gone in the middle, or not all ours to read. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { postgresTools } from '../../provider/backup/tools/postgres.ts';
import {
  emptyTarget,
  filesBelow,
  LOGIN,
  path,
  restore,
  server,
  slowTools,
  SOURCE,
  startBackup,
  TARGET,
  targetTables,
  useSource,
  whenDumping,
  world,
} from './faults-world.ts';
import { toolServer } from './postgres-world.ts';
import type { Finished } from './world.ts';

useSource('edges');

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

async function backupOf(
  database: string,
  storage = world.filesystem('edges'),
  login?: { name: string; password: string },
): Promise<Finished['result']> {
  const folders = world.folders();
  const { result } = await world.run(
    {
      action: 'backup',
      storage,
      owner: { namespace: 'team-a', name: 'edges', database, engine: 'postgres' },
      run: `run-${Math.random()}`,
      serverVersion: server.version,
      countRows: true,
      tool: { folder: folders.work },
    },
    [{ container: postgresTools.dump(toolServer(server, database, login), folders), path }],
  );
  return result;
}

const source = (database: string) => ({ source: { namespace: 'team-a', database, engine: 'postgres' as const } });

describe('a database of any name', () => {
  test.each(['..', '../up', 'a/b', 'ü "x" \'y\' \\z', 'host=elsewhere dbname=postgres', '--version', '日本/😀'])(
    '%j is backed up below its own folder, found by its name, and restored',
    async (database) => {
      await server.query(`create database ${quoted(database)}`);
      await server.query('create table t as select n from generate_series(1, 7) n', [], database);
      await emptyTarget();
      const storage = world.filesystem('names');
      const made = await backupOf(database, storage);
      expect(made).toMatchObject({ ok: true, backup: { database, rows: 7 } });
      expect(made.backup?.key.split('/')).toHaveLength(4);
      expect((await restore(storage, source(database))).result).toMatchObject({ ok: true, loaded: { rows: 7 } });
      expect(await server.query('select count(*)::int as n from t', [], TARGET)).toEqual([{ n: 7 }]);
    },
  );
});

test('a database with nothing in it is backed up and restored', async () => {
  await server.query('create database "edges-empty"');
  await emptyTarget();
  expect(await backupOf('edges-empty')).toMatchObject({ ok: true, backup: { rows: 0 } });
  const { result } = await restore(world.filesystem('edges'), source('edges-empty'));
  expect(result).toMatchObject({ ok: true, loaded: { rows: 0 } });
});

test('a table that the login may not read fails the backup, by its name', async () => {
  await server.query('create database "edges-rights"');
  await server.query(
    `create table mine (n int); create table "not mine" (n int); grant select on mine to "${LOGIN.name}"`,
    [],
    'edges-rights',
  );
  expect(await backupOf('edges-rights', world.filesystem('rights'), LOGIN)).toMatchObject({
    ok: false,
    failureReason: 'ToolFailed',
    failureMessage: expect.stringContaining('permission denied for table not mine'),
  });
  expect(await filesBelow(world.filesystem('rights'))).toEqual([]);
});

test('an extension that the login may not make fails the restore, by its name, and leaves the target as it was', async () => {
  await server.query('create database "edges-extension"');
  await server.query('create extension pg_stat_statements; create table t (n int)', [], 'edges-extension');
  await emptyTarget();
  expect(await backupOf('edges-extension')).toMatchObject({ ok: true });
  const { result } = await restore(world.filesystem('edges'), source('edges-extension'));
  expect(result).toMatchObject({
    ok: false,
    failureReason: 'ToolFailed',
    failureMessage: expect.stringMatching(/extension "pg_stat_statements"/),
  });
  expect(await targetTables()).toBe(0);
});

// The last one, as it takes the source of this file.
test('a database that is dropped in the middle of its dump leaves no backup', async () => {
  const storage = world.filesystem('dropped');
  const slow = await slowTools(1_500_000);
  const pod = await startBackup({ storage, path: slow });
  await whenDumping(pod);
  await server.query(`drop database ${quoted(SOURCE)} with (force)`);
  await writeFile(join(slow, 'go'), '');
  // A slow tool hides the exit code of the real one: it is the dump itself that is seen to be cut off.
  expect((await pod.finished).result).toMatchObject({ ok: false, failureReason: 'FileBroken' });
  expect(await filesBelow(storage)).toEqual([]);
});
