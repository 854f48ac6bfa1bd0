import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Place } from '../../provider/backup/contract.ts';
import { postgresTools } from '../../provider/backup/tools/postgres.ts';
import type { LoadOptions } from '../../provider/backup/tools/tool.ts';
import { sharedPostgres, sharedS3 } from '../rig/servers.ts';
import { toolPath } from '../rig/tool-path.ts';
import { contents, fill, ROWS, toolServer } from './postgres-world.ts';
import { type Finished, World } from './world.ts';

const server = sharedPostgres(18);
const SOURCE = 'backup source = "x"';
const OWNER = 'backup-owner';
const LOGIN = { name: 'backup-run', password: 'p:w\\d \'"#' };
let world: World;
let path: string;
let identityFile: string;
let recipient: string;
let before: Record<string, string>;

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

async function emptyDatabase(name: string): Promise<string> {
  await server.query(`drop database if exists ${quoted(name)}`);
  await server.query(`create database ${quoted(name)} owner ${quoted(OWNER)}`);
  return name;
}

const owner = { namespace: 'team-a', name: 'nightly', database: SOURCE, engine: 'postgres' } as const;
const source = { namespace: 'team-a', database: SOURCE, engine: 'postgres' } as const;

async function backup(storage: Place, over: object = {}): Promise<Finished> {
  const folders = world.folders();
  const container = postgresTools.dump(toolServer(server, SOURCE), folders);
  return await world.run(
    {
      action: 'backup',
      storage,
      owner,
      run: `run-${Math.random()}`,
      serverVersion: server.version,
      countRows: true,
      tool: { folder: folders.work },
      ...over,
    },
    [{ container, path }],
  );
}

async function restore(storage: Place, database: string, over: object = {}, options: LoadOptions = {}) {
  const folders = world.folders();
  const container = postgresTools.load(toolServer(server, database, LOGIN), folders, {
    ownerRole: OWNER,
    countRows: true,
    ...options,
  });
  return await world.run({ action: 'restore', storage, source, tool: { folder: folders.work }, ...over }, [
    { container, path },
  ]);
}

beforeAll(async () => {
  world = await World.make();
  path = await toolPath('postgresql-18');
  await server.query(`create role ${quoted(OWNER)}`);
  await server.query(`create role ${quoted(LOGIN.name)} login password '${LOGIN.password.replaceAll("'", "''")}'`);
  await server.query(`grant ${quoted(OWNER)} to ${quoted(LOGIN.name)}`);
  await server.query(`create database ${quoted(SOURCE)}`);
  await fill(server, SOURCE);
  before = await contents(server, SOURCE);
  const identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
  identityFile = await world.file('identity', `# created: today\n${identity}\n`);
});

afterAll(async () => {
  await world.remove();
});

describe.each([
  { name: 'zstd, encrypted, s3', type: 's3', compression: 'zstd', encrypted: true },
  { name: 'gzip, filesystem', type: 'filesystem', compression: 'gzip', encrypted: false },
  { name: 'plain, filesystem', type: 'filesystem', compression: 'none', encrypted: false },
] as const)('$name', ({ type, compression, encrypted }) => {
  let storage: Place;
  let made: Finished;

  beforeAll(async () => {
    const s3 = sharedS3();
    storage = type === 's3' ? await world.s3(s3, await s3.bucket(), '/pre/') : world.filesystem(compression);
    made = await backup(storage, { compression, recipients: encrypted ? [recipient] : [] });
  });

  test('a backup counts its rows and says what it stored', () => {
    expect(made.result).toMatchObject({ ok: true, action: 'backup' });
    expect(made.codes).toEqual([0, 0]);
    const ending = { zstd: 'dump.zst', gzip: 'dump.gz', none: 'dump' }[compression];
    expect(made.result.backup).toMatchObject({
      engine: 'postgres',
      database: SOURCE,
      rows: ROWS,
      serverVersion: server.version,
      toolVersion: expect.stringContaining('pg_dump'),
      key: expect.stringMatching(
        new RegExp(
          `^team-a/nightly/backup%20source%20%3D%20%22x%22/\\d{8}T\\d{6}\\.\\d{3}Z\\.${ending}${encrypted ? '\\.age' : ''}$`,
        ),
      ),
    });
    expect(made.log).not.toContain(server.password);
  });

  test('a login that is nothing but a member of the owner restores all of it, and the owner owns it', async () => {
    const target = await emptyDatabase(`restored-${compression}`);
    await server.query('create extension pgcrypto', [], target);
    const { result, codes } = await restore(storage, target, encrypted ? { identityFile } : {});
    expect(result).toMatchObject({ ok: true, loaded: { rows: ROWS }, countedRows: ROWS });
    expect(result.backup?.key).toBe(made.result.backup?.key);
    expect(codes).toEqual([0, 0]);
    expect(await contents(server, target)).toEqual(before);
    const owners = await server.query(
      `select distinct pg_get_userbyid(relowner) as owner from pg_class c join pg_namespace n on n.oid = relnamespace
        where nspname in ('app1', 'public') and relkind in ('r', 'v', 'S')`,
      [],
      target,
    );
    expect(owners).toEqual([{ owner: OWNER }]);
  });
});

test('what only an administrator can make is left out and named', async () => {
  const database = 'backup-administrators';
  await server.query(`create database ${quoted(database)}`);
  await server.query(
    `create table t (id int primary key); insert into t values (1);
     create function f() returns event_trigger language plpgsql as 'begin end';
     create event trigger audit on ddl_command_start execute function f();
     comment on event trigger audit is 'watches';
     create publication p for table t;`,
    [],
    database,
  );
  const from = world.folders();
  const to = world.folders();
  const target = await emptyDatabase('backup-administrators-copy');
  const { result } = await world.run(
    { action: 'copy', engine: 'postgres', countRows: true, from: { folder: from.work }, to: { folder: to.work } },
    [
      { container: postgresTools.dump(toolServer(server, database), from), path },
      { container: postgresTools.load(toolServer(server, target, LOGIN), to, { ownerRole: OWNER }), path },
    ],
  );
  expect(result).toMatchObject({ ok: true, loaded: { rows: 1 } });
  expect(result.skipped?.toSorted()).toEqual(['EVENT TRIGGER audit', 'PUBLICATION TABLE p t', 'PUBLICATION p']);
  expect(await server.query('select * from t', [], target)).toEqual([{ id: 1 }]);
});

test('a copy runs the transformation as the owner before it is done', async () => {
  const from = world.folders();
  const to = world.folders();
  const target = await emptyDatabase('backup-transformed');
  await server.query('create extension pgcrypto', [], target);
  const { result } = await world.run(
    { action: 'copy', engine: 'postgres', from: { folder: from.work }, to: { folder: to.work } },
    [
      { container: postgresTools.dump(toolServer(server, SOURCE), from), path },
      {
        container: postgresTools.load(toolServer(server, target, LOGIN), to, {
          ownerRole: OWNER,
          transformSQL: "update public.people set name = 'nobody';\nupdate app1.events set payload = '{}';",
        }),
        path,
      },
    ],
  );
  expect(result).toMatchObject({ ok: true });
  expect(await server.query('select distinct name from people', [], target)).toEqual([{ name: 'nobody' }]);
});

test('a transformation is no command of psql, and one that fails fails the copy', async () => {
  const from = world.folders();
  const to = world.folders();
  const target = await emptyDatabase('backup-not-transformed');
  await server.query('create extension pgcrypto', [], target);
  const mark = join(world.folder, 'was-here');
  const { result } = await world.run(
    { action: 'copy', engine: 'postgres', from: { folder: from.work }, to: { folder: to.work } },
    [
      { container: postgresTools.dump(toolServer(server, SOURCE), from), path },
      {
        container: postgresTools.load(toolServer(server, target, LOGIN), to, {
          ownerRole: OWNER,
          transformSQL: `\\! touch ${mark}`,
        }),
        path,
      },
    ],
  );
  expect(result).toMatchObject({ ok: false, failureReason: 'ToolFailed', failureMessage: /syntax error/ });
});
