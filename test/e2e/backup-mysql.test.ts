/** Backup, Restore and Copy of MySQL and MariaDB in a cluster: 200,000 rows and everything that belongs to a database. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contents, fill, ROWS } from '../backup/mysql-world.ts';
import type { ToolSetName } from '../rig/debian.ts';
import { type MysqlServer, startMariadb, startMysql } from '../rig/mysql.ts';
import { waitFor } from '../rig/process.ts';
import {
  atProvider,
  type BackupWorld,
  ended,
  s3Secret,
  s3Storage,
  startBackupWorld,
  toolImage,
} from './backup-world.ts';
import { allReady, get, managed, namespaceOf, run, secret } from './objects.ts';

const servers: { engine: 'mysql' | 'mariadb'; tools: ToolSetName; start: () => Promise<MysqlServer> }[] = [
  { engine: 'mysql', tools: 'mysql-9.7', start: startMysql },
  { engine: 'mariadb', tools: 'mariadb-11.8', start: async () => await startMariadb('11.8') },
];

let world: BackupWorld;
let bucket: string;
const started = new Map<string, MysqlServer>();

beforeAll(async () => {
  const images: Parameters<typeof startBackupWorld>[0] = {};
  for (const { engine, tools, start } of servers) {
    const server = await start();
    started.set(engine, server);
    const [row] = await server.query<{ version: string }>('SELECT VERSION() AS version');
    images[`${engine}:${/^[\d.]+/.exec(row?.version ?? '')?.[0]}`] = await toolImage(tools);
  }
  world = await startBackupWorld(images);
  bucket = await world.s3.bucket();
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(world?.provider.log() ?? '');
  await world?.stop();
  for (const server of started.values()) await server.stop();
});

describe.each(servers)('$engine', ({ engine }) => {
  const namespace = engine;
  let server: MysqlServer;
  let before: Record<string, unknown>;

  beforeAll(async () => {
    server = started.get(engine)!;
    const { cluster } = world;
    await cluster.apply([
      namespaceOf(namespace),
      secret(namespace, 'admin', { username: server.adminUser, password: server.password }),
      s3Secret(world, namespace),
      {
        apiVersion: 'm.xdatabase.dev/v1alpha1',
        kind: 'ProviderConfig',
        metadata: { namespace, name: 'default' },
        spec: {
          engine,
          endpoint: server.host,
          port: server.port,
          credentials: { secretRef: { name: 'admin' } },
          tls: { mode: 'disable' },
        },
      },
    ]);
    await cluster.apply(['shop', 'fresh', 'copied'].map((name) => managed('Database', namespace, name, {})));
    await allReady(cluster, namespace);
    await fill(server, 'shop');
    before = await contents(server, 'shop');
  });

  test('a schedule backs it up, with its rows', async () => {
    await world.cluster.apply(
      run('BackupSchedule', namespace, 'nightly', {
        databaseRef: { name: 'shop' },
        storage: s3Storage(world, bucket),
        schedule: '0 0 30 2 *',
        countRows: true,
      }),
    );
    const status = async () => atProvider(await get(world.cluster, 'BackupSchedule', namespace, 'nightly'));
    const name = await waitFor('there is a CronJob', async () => {
      const { cronJobName } = await status();
      await world.cluster.get('cronjob', String(cronJobName), '-n', namespace);
      return String(cronJobName);
    });
    await world.cluster.kubectl(['create', 'job', 'by-hand', `--from=cronjob/${name}`, '-n', namespace]);
    const backup = await waitFor('it has succeeded', async () => {
      const { lastBackup, lastFailureMessage } = await status();
      if (lastFailureMessage !== undefined) throw new Error(JSON.stringify(lastFailureMessage));
      return lastBackup as Record<string, unknown> | undefined;
    });
    expect(backup).toMatchObject({ engine });
    expect(backup['rows']).toBeGreaterThanOrEqual(ROWS);
  });

  test('it comes back whole in a new database, and over one that has changed', async () => {
    const spec = {
      source: { storage: s3Storage(world, bucket) },
      sourceDatabase: 'shop',
      targetDatabaseRef: { name: 'fresh' },
    };
    await world.cluster.apply(run('Restore', namespace, 'first', spec));
    expect(atProvider(await ended(world, 'Restore', namespace, 'first'))).toMatchObject({ phase: 'Succeeded' });
    expect(await contents(server, 'fresh')).toEqual(before);
    await server.query('DELETE FROM fresh.people WHERE id % 2 = 0');
    await world.cluster.apply(run('Restore', namespace, 'careful', spec));
    expect(atProvider(await ended(world, 'Restore', namespace, 'careful'))).toMatchObject({
      failureReason: 'TargetNotEmpty',
    });
    await world.cluster.apply(run('Restore', namespace, 'over', { ...spec, mode: 'Replace' }));
    expect(atProvider(await ended(world, 'Restore', namespace, 'over'))).toMatchObject({ phase: 'Succeeded' });
    expect(await contents(server, 'fresh')).toEqual(before);
    expect(await server.query('SELECT COUNT(*) AS n FROM fresh.names_of_names')).toEqual(
      await server.query('SELECT COUNT(*) AS n FROM shop.people'),
    );
  });

  test('a copy arrives anonymised', async () => {
    await world.cluster.apply(
      run('Copy', namespace, 'anonymous', {
        sourceDatabaseRef: { name: 'shop' },
        targetDatabaseRef: { name: 'copied' },
        transformSQL: "UPDATE people SET name = 'somebody'",
      }),
    );
    expect(atProvider(await ended(world, 'Copy', namespace, 'anonymous'))).toMatchObject({ phase: 'Succeeded' });
    expect(await server.query('SELECT DISTINCT name FROM copied.people')).toEqual([{ name: 'somebody' }]);
    expect(await contents(server, 'shop')).toEqual(before);
    const { people: _a, ...copied } = await contents(server, 'copied');
    const { people: _b, ...original } = before;
    expect(copied).toEqual(original);
  });

  test('no database and no usable login of a run is left', async () => {
    await expect
      .poll(
        async () =>
          await server.query(
            "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'xdatabase%'",
          ),
        { timeout: 20_000 },
      )
      .toEqual([]);
  });
});
