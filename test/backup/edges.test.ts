/** Databases as they come: with any name, with nothing or seldom things in them, gone in the middle, or not all ours to read. */
import { execFileSync } from 'node:child_process';
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

/** Everything as pg_dump writes it, but for the lines that are others each time. */
const dumped = (database: string): string =>
  execFileSync(join(path, 'pg_dump'), ['--no-owner', '--no-privileges', '--dbname', server.url(database)], {
    encoding: 'utf8',
  }).replaceAll(/^\\(un)?restrict .*$/gm, '');

test('what is seldom in a schema comes back as it was, loaded by a login that owns nothing but the target', async () => {
  await server.query('create database "edges-seldom"');
  await server.query(
    `create type mood as enum ('sad', 'happy'); create domain positive as int check (value > 0); create type pair as (a int, b text);
     create extension hstore; create collation german (provider = icu, locale = 'de');
     create table gen (id int generated always as identity primary key, price positive, doubled int generated always as (price * 2) stored,
       mood mood default 'sad', p pair, h hstore, name text collate german) with (fillfactor = 70);
     create table parted (at date not null, n int, primary key (at, n)) partition by range (at);
     create table parted_2026 partition of parted for values from ('2026-01-01') to ('2027-01-01') partition by hash (n);
     create table parted_2026_0 partition of parted_2026 for values with (modulus 1, remainder 0);
     create table parted_rest partition of parted default;
     create table parent (id int primary key); create table heir (extra text) inherits (parent);
     create table hen (id int primary key, egg int); create table egg (id int primary key, hen int references hen deferrable initially deferred);
     alter table hen add foreign key (egg) references egg;
     create table hidden (whose text, n int); alter table hidden enable row level security, force row level security;
     create policy own on hidden using (whose = current_user);
     create materialized view sums as select mood, count(*) from gen group by mood; create view on_sums as select * from sums;
     create rule kept as on delete to parent do instead nothing;
     create function touch() returns trigger language plpgsql as 'begin return new; end';
     create trigger touched before update on gen for each row execute function touch(); alter table gen disable trigger touched;
     create statistics correlated on price, mood from gen; create unique index on gen (lower(name)) where price > 1;
     create text search configuration own (copy = simple); create unlogged table fast (n int);
     create procedure work(inout n int) begin atomic select 1; end;
     create aggregate total (int) (sfunc = int4pl, stype = int); create operator === (leftarg = int, rightarg = int, function = int4eq);
     comment on column gen.h is 'with ''quotes'' and a \\ ';
     insert into gen (price, p, h, name) select n, row(n, 'b')::pair, 'a => 1', 'n' || n from generate_series(1, 5) n;
     insert into parted values ('2026-05-01', 1), ('1999-01-01', 2); insert into heir values (1, 'x');
     begin; insert into egg values (1, 1); insert into hen values (1, 1); commit;
     insert into hidden values ('somebody', 1); insert into fast values (1); refresh materialized view sums`,
    [],
    'edges-seldom',
  );
  await emptyTarget();
  expect(await backupOf('edges-seldom')).toMatchObject({ ok: true });
  const { result } = await restore(world.filesystem('edges'), source('edges-seldom'));
  expect(result).toMatchObject({ ok: true });
  expect(dumped(TARGET)).toBe(dumped('edges-seldom'));
});

test('a database of large objects and nothing else is no empty one', async () => {
  await server.query('create database "edges-large"');
  await server.query("select lo_from_bytea(4711, decode(repeat('0a00ff', 1000000), 'hex'))", [], 'edges-large');
  await emptyTarget();
  expect(await backupOf('edges-large')).toMatchObject({ ok: true, backup: { rows: 0 } });
  expect((await restore(world.filesystem('edges'), source('edges-large'))).result).toMatchObject({ ok: true });
  const digest = 'select oid::int, md5(lo_get(oid)) from pg_largeobject_metadata';
  expect(await server.query(digest, [], TARGET)).toEqual(await server.query(digest, [], 'edges-large'));
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
