/** What takes a server of a test's own: TLS, whose settings hold for the tools too, and a disk that is full. */
import { execFileSync } from 'node:child_process';
import { chown, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Managed } from '../../provider/api/kind.ts';
import type { BackupEngine } from '../../provider/backup/contract.ts';
import type { ToolServer } from '../../provider/backup/tools/tool.ts';
import { tools } from '../../provider/backup/tools/tools.ts';
import { Side } from '../../provider/controllers/jobs/work.ts';
import { MysqlEngine } from '../../provider/engines/mysql/engine.ts';
import { settingsOf } from '../planning/settings.ts';
import { createAuthority } from '../rig/certificates.ts';
import { startMariadb, startMysql } from '../rig/mysql.ts';
import { PostgresClient } from '../rig/postgres-client.ts';
import { startPostgres } from '../rig/postgres.ts';
import { toolPath } from '../rig/tool-path.ts';
import { type Finished, World } from './world.ts';

let world: World;
beforeAll(async () => {
  world = await World.make();
});
afterAll(async () => {
  await world.remove();
});

const servers = {
  postgres: {
    start: () => startPostgres({ major: 18, tls: true }),
    set: 'postgresql-18',
    dataFolder: 'SHOW data_directory',
  },
  mysql: { start: () => startMysql({ tls: true }), set: 'mysql-9.7', dataFolder: 'SELECT @@datadir' },
  mariadb: { start: () => startMariadb('11.8', { tls: true }), set: 'mariadb-11.8', dataFolder: 'SELECT @@datadir' },
} as const;

describe.each(['postgres', 'mysql', 'mariadb'] satisfies BackupEngine[])('%s', (engine) => {
  const { start, set, dataFolder } = servers[engine];
  let server: Awaited<ReturnType<typeof start>>;
  let path: string;
  let ca: string;
  let disk: string | undefined;

  const toolServer = (tls: ToolServer['tls'], database: string, host = server.host): ToolServer => ({
    host,
    port: server.port,
    username: server.adminUser,
    password: server.password,
    database,
    version: '1',
    tls,
  });

  const backup = async (tls: ToolServer['tls'], host = server.host): Promise<Finished['result']> => {
    const folders = world.folders();
    const container = tools[engine].dump(toolServer(tls, 'tls_source', host), folders);
    const { result } = await world.run(
      {
        action: 'backup',
        storage: world.filesystem(engine),
        owner: { namespace: 'a', name: 'b', database: 'tls_source', engine },
        run: String(Math.random()),
        serverVersion: '1',
        tool: { folder: folders.work },
      },
      [{ container, path }],
    );
    return result;
  };

  beforeAll(async () => {
    path = await toolPath(set);
    server = await start();
    await server.query('CREATE DATABASE tls_source');
    // Twelve megabytes.
    if (server instanceof PostgresClient)
      await server.query(
        "CREATE TABLE t (noise text STORAGE EXTERNAL); INSERT INTO t SELECT repeat(md5('x'), 1000) || n FROM generate_series(1, 400) n",
        [],
        'tls_source',
      );
    else {
      await server.query('CREATE TABLE tls_source.t (noise longtext)');
      await server.query(
        "INSERT INTO tls_source.t SELECT REPEAT('x', 1000) FROM information_schema.COLLATIONS a, information_schema.COLLATIONS b LIMIT 12000",
      );
    }
    ca = await readFile(server.caFile ?? '', 'utf8');
  });
  afterAll(async () => {
    // The server may still have files open there.
    if (disk !== undefined) execFileSync('umount', ['--lazy', disk]);
    await server.stop();
  });

  test('with the authority of the server it is verified', async () => {
    for (const mode of ['verify-full', 'verify-ca', 'require'] as const)
      expect(await backup({ mode, ca }), mode).toMatchObject({ ok: true });
  });

  test('with another authority, or none, it is refused', async () => {
    const other = createAuthority().certificate;
    for (const tls of [
      { mode: 'verify-full', ca: other },
      { mode: 'verify-full' },
      { mode: 'verify-ca', ca: other },
    ] as const)
      expect(await backup(tls)).toMatchObject({
        ok: false,
        failureReason: 'ToolFailed',
        failureMessage: expect.stringMatching(/certificate|TLS|SSL/i),
      });
  });

  /** A disk with room for an empty database and little more, where the server keeps the one that is restored into. */
  const smallDisk = async (database: string): Promise<void> => {
    const [row] = await server.query(dataFolder);
    const data = Object.values(row ?? {})[0] as string;
    const folder = engine === 'postgres' ? join(world.folder, 'disk') : join(data, database);
    if (engine === 'postgres') await mkdir(folder);
    else await server.query(`CREATE DATABASE ${database}`);
    // Of MariaDB the first statement with rows of a table fails already, which it stores in bulk when that is committed.
    const size = { postgres: '12m', mysql: '5m', mariadb: '512k' }[engine];
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', folder]);
    disk = folder;
    const { uid, gid } = await stat(data);
    await chown(disk, uid, gid);
    if (engine !== 'postgres') return;
    execFileSync('chmod', ['755', world.folder]);
    await server.query(`CREATE TABLESPACE small LOCATION '${disk}'`);
    await server.query(`CREATE DATABASE "${database}" TABLESPACE small`);
  };

  test.skipIf(process.getuid?.() !== 0)('a disk that is full while it loads is told from other refusals', async () => {
    const made = await backup({ mode: 'require', ca });
    expect(made).toMatchObject({ ok: true, backup: { size: expect.toSatisfy((size: number) => size > 10_000_000) } });
    await smallDisk('full');
    const folders = world.folders();
    const { result } = await world.run(
      {
        action: 'restore',
        storage: world.filesystem(engine),
        source: { database: 'tls_source', engine },
        tool: { folder: folders.work },
      },
      [{ container: tools[engine].load(toolServer({ mode: 'require', ca }, 'full'), folders), path }],
    );
    expect(result).toMatchObject({
      ok: false,
      failureReason: 'TargetFull',
      failureMessage: expect.stringMatching(/No space left on device|table '\w+' is full|during COMMIT/i),
    });
    // MariaDB repeats the statement, rows and all.
    expect(result.failureMessage).not.toContain('xxx');
  });

  if (engine !== 'postgres')
    test('a name of the certificate that the tools cannot be told is refused before anything runs, with the remedy', async () => {
      const tls = { mode: 'verify-full' as const, ca, serverName: 'localhost' };
      const settings = settingsOf(server, { tls });
      const own = new MysqlEngine(settings, engine);
      const connect = async () => await Promise.resolve({ engine: own, settings });
      // The server is there by that name; it is the tools that are not told of it.
      const side = await Side.connect(
        { kind: 'Backup' } as Managed,
        { connect } as never,
        new AbortController().signal,
      );
      for (const run of [() => side.dump('tool', { name: 'x' }, 'd'), () => side.load('tool', { name: 'x' }, 'd')])
        expect(run).toThrow(
          expect.objectContaining({
            reason: 'NotSupported',
            retryable: false,
            message: expect.stringMatching(
              /^tls\.serverName: .*let the endpoint be the name that the certificate has$/,
            ),
          }),
        );
      await own.close();
    });

  // The tools of the others cannot be told one, and runs are refused there.
  if (engine === 'postgres')
    test('the certificate may be of another name, which is then the one that counts', async () => {
      expect(await backup({ mode: 'verify-full', ca, serverName: 'localhost' })).toMatchObject({ ok: true });
      expect(await backup({ mode: 'verify-full', ca, serverName: 'localhost' }, 'localhost')).toMatchObject({
        ok: true,
      });
      for (const [serverName, host, said] of [
        ['elsewhere.example', server.host, /elsewhere\.example/],
        ['localhost', 'no-such-host.invalid', /no address of no-such-host\.invalid is known/],
      ] as const)
        expect(await backup({ mode: 'verify-full', ca, serverName }, host)).toMatchObject({
          ok: false,
          failureReason: 'ToolFailed',
          failureMessage: expect.stringMatching(said),
        });
    });
});
