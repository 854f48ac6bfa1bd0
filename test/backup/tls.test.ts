/** The TLS settings of a configuration hold for the tools too. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupEngine } from '../../provider/backup/contract.ts';
import type { ToolServer } from '../../provider/backup/tools/tool.ts';
import { tools } from '../../provider/backup/tools/tools.ts';
import { createAuthority } from '../rig/certificates.ts';
import { startMariadb, startMysql } from '../rig/mysql.ts';
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
    create: 'create database tls_source',
  },
  mysql: { start: () => startMysql({ tls: true }), set: 'mysql-9.7', create: 'CREATE DATABASE tls_source' },
  mariadb: {
    start: () => startMariadb('11.8', { tls: true }),
    set: 'mariadb-11.8',
    create: 'CREATE DATABASE tls_source',
  },
} as const;

describe.each(['postgres', 'mysql', 'mariadb'] satisfies BackupEngine[])('%s', (engine) => {
  const { start, set, create } = servers[engine];
  let server: Awaited<ReturnType<typeof start>>;
  let path: string;
  let ca: string;

  const backup = async (tls: ToolServer['tls'], host = server.host): Promise<Finished['result']> => {
    const folders = world.folders();
    const container = tools[engine].dump(
      {
        host,
        port: server.port,
        username: server.adminUser,
        password: server.password,
        database: 'tls_source',
        version: '1',
        tls,
      },
      folders,
    );
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
    await server.query(create);
    ca = await readFile(server.caFile ?? '', 'utf8');
  });
  afterAll(async () => {
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
