/**
 * The predecessor's scenarios on PostgreSQL and MySQL, from its own manifests: converted by xdb, applied as they come out, and
 * looked at on the server: what is there, who may log in, what the jobs carried, and that nothing is left at the end.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { parseManifests } from '../../provider/local/manifests.ts';
import { type MysqlServer, startMysql } from '../rig/mysql.ts';
import { waitFor } from '../rig/process.ts';
import { atProvider, type BackupWorld, ended, startBackupWorld, toolImage } from './backup-world.ts';
import { allReady, conditionOf, get, namespaceOf, resourceName } from './objects.ts';
import { mysqlSide, postgresSide, type Side } from './scenario-servers.ts';

const SCENARIOS = join(import.meta.dirname, '../scenarios');
const xdb = join(import.meta.dirname, '../../provider/cli/main.ts');
const files = (await readdir(SCENARIOS)).filter((name) => /^(pg|my)/.test(name)).toSorted();

let world: BackupWorld;
let mysql: MysqlServer;
let folder: string;

beforeAll(async () => {
  mysql = await startMysql();
  world = await startBackupWorld({ [`mysql:${/^[\d.]+/.exec(mysql.version)?.[0]}`]: await toolImage('mysql-9.7') });
  folder = await mkdtemp(join(tmpdir(), 'xdatabase-scenarios-'));
});
afterAll(async () => {
  if (process.env['XDB_TEST_SHOW_LOG']) process.stderr.write(world?.provider.log() ?? '');
  await world?.stop();
  await mysql?.stop();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const convert = async (file: string): Promise<string> =>
  await new Promise((resolve, reject) => {
    execFile(process.execPath, [xdb, 'convert', '-f', file], (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stderr));
    });
  });

/** The scenario's manifests with the servers of the rig in the place of those that they were written for. */
function here(text: string, { host, port, adminUser, password }: Side, namespace: string, bucket: string): string {
  const { endpoint, region, accessKeyId, secretAccessKey } = world.s3;
  const replaced: [RegExp, string][] = [
    [/namespace: scenario/g, `namespace: ${namespace}`],
    [/address: .*/g, `address: ${host}`],
    [/port: \d+/g, `port: ${port}`],
    [/(?<=port: \d+\n {2})user_name: .*/g, `user_name: ${adminUser}`],
    [/postgresqlPassword|mysqlPassword/g, JSON.stringify(password)],
    [/bucket_name: .*/g, `bucket_name: ${bucket}`],
    [/region: .*/g, `region: ${region}`],
    [/endpoint: .*/g, `endpoint: ${endpoint}`],
    [/MYKEY/g, accessKeyId],
    [/MYSECRET/g, secretAccessKey],
  ];
  return replaced.reduce((so, [what, by]) => so.replaceAll(what, by), text);
}

const isRun = ({ apiVersion }: KubeObject): boolean => apiVersion.startsWith('backup.');
const forProvider = (object: KubeObject): Record<string, unknown> =>
  (object['spec'] as { forProvider: Record<string, unknown> }).forProvider;

const until = async (
  kind: string,
  namespace: string,
  name: string,
  what: string,
  is: (object: Managed) => boolean,
): Promise<Managed> =>
  await waitFor(`${kind} ${name} ${what}`, async () => {
    const object = await get(world.cluster, kind, namespace, name);
    if (is(object)) return object;
    throw new Error(JSON.stringify(object.status));
  });

/** Runs it, by hand where it is a schedule, until it has succeeded. */
async function succeeds(run: KubeObject, namespace: string): Promise<Record<string, unknown>> {
  const { kind } = run;
  const { name } = run.metadata;
  await world.cluster.apply(run);
  if (!kind.endsWith('Schedule')) {
    const status = atProvider(await ended(world, kind, namespace, name));
    expect(status).toMatchObject({ phase: 'Succeeded' });
    return status;
  }
  const found = await until(kind, namespace, name, 'has a CronJob', (o) => conditionOf(o, 'Ready')?.status === 'True');
  const { cronJobName } = atProvider(found);
  await world.cluster.kubectl(['create', 'job', name, `--from=cronjob/${String(cronJobName)}`, '-n', namespace]);
  return atProvider(
    await until(kind, namespace, name, 'has run', (o) => {
      const { lastSuccessTime, lastFailureMessage } = atProvider(o);
      expect(lastFailureMessage).toBeUndefined();
      return lastSuccessTime !== undefined;
    }),
  );
}

describe.each(files)('%s', (file) => {
  const namespace = file.split('-')[0]!;
  let side: Side;
  let bucket: string;
  let input: KubeObject[];
  let output: KubeObject[];
  let runs: KubeObject[];
  const old = (kind: string): Record<string, unknown>[] =>
    input.filter((object) => object.kind === kind).map((object) => object['spec'] as Record<string, unknown>);
  const names = (kind: string, field: string): string[] => old(kind).map((spec) => String(spec[field]));

  beforeAll(async () => {
    side = namespace.startsWith('pg') ? postgresSide(world.server) : mysqlSide(mysql);
    bucket = await world.s3.bucket();
    const path = join(folder, file);
    const text = here(await readFile(join(SCENARIOS, file), 'utf8'), side, namespace, bucket);
    await writeFile(path, text);
    input = parseManifests(text, file);
    output = parseManifests(await convert(path), 'xdb convert');
    runs = output.filter(isRun);
    await world.cluster.apply([namespaceOf(namespace), ...input.filter(({ kind }) => kind === 'Secret')]);
    await world.cluster.apply(output.filter((object) => !isRun(object)));
  });

  test('the server is reached, and holds exactly what is asked for', async () => {
    await waitFor('the server is reached', async () => {
      const config = await world.cluster.get<Managed>(
        'providerconfigs.m.xdatabase.dev',
        'example-host',
        '-n',
        namespace,
      );
      if (conditionOf(config, 'Available')?.status === 'True') return true;
      throw new Error(JSON.stringify(config.status));
    });
    if (old('Db').length + old('User').length > 0) await allReady(world.cluster, namespace);
    expect(await side.databases()).toEqual(names('Db', 'db_name').toSorted());
    expect(await side.users()).toEqual([side.adminUser, ...names('User', 'user_name')].toSorted());
  });

  test('every role logs in with the password of its Secret, and with no other', async () => {
    for (const { user_name: user, secret_name: secretName } of old('User')) {
      const secret = input.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === secretName);
      const { password = '' } = (secret?.['stringData'] ?? {}) as Record<string, string>;
      const name = String(user);
      await side.login({ name, password: password.trimEnd() });
      await expect(side.login({ name, password: 'wrong' })).rejects.toMatchObject({ code: side.wrongPassword });
    }
  });

  test('its jobs carry all rows', async () => {
    if (runs.length === 0) return;
    for (const run of runs) {
      const { databaseRef, sourceDatabaseRef, targetDatabaseRef } = forProvider(run) as Record<
        string,
        { name: string } | undefined
      >;
      const nameOf = (ref: { name: string } | undefined): string =>
        input.find(({ kind, metadata }) => kind === 'Db' && metadata.name === ref?.name)?.['spec']?.[
          'db_name' as never
        ] ?? '';
      if (databaseRef !== undefined) {
        await side.fill(nameOf(databaseRef));
        const status = await succeeds(run, namespace);
        const { key } = (run.kind === 'Backup' ? status : status['lastBackup']) as { key: string };
        expect(key.startsWith(`${side.prefix}/`)).toBe(true);
        const { Contents = [] } = await world.s3.client.send(new ListObjectsV2Command({ Bucket: bucket }));
        expect(new Set(Contents.map(({ Key }) => Key))).toEqual(new Set([key, `${key}.manifest.json`]));
      } else if (sourceDatabaseRef !== undefined) {
        const [source, target] = [nameOf(sourceDatabaseRef), nameOf(targetDatabaseRef)];
        await side.fill(source);
        const before = await side.contents(source);
        await succeeds(run, namespace);
        expect(await side.contents(target)).toEqual(before);
        expect(await side.contents(source)).toEqual(before);
      } else {
        const target = nameOf(targetDatabaseRef);
        await side.fill(target);
        const before = await side.contents(target);
        const { source } = forProvider(run) as unknown as { source: { storage: unknown } };
        await succeeds(
          {
            ...run,
            kind: 'Backup',
            metadata: { namespace, name: 'before' },
            spec: {
              ...(run['spec'] as object),
              forProvider: { databaseRef: targetDatabaseRef, storage: source.storage },
            },
          },
          namespace,
        );
        await side.spoil(target);
        expect(await side.contents(target)).not.toEqual(before);
        await succeeds(run, namespace);
        expect(await side.contents(target)).toEqual(before);
      }
    }
    // Whatever a run made for itself is gone, and the grants of the roles are still as they are wanted.
    await allReady(world.cluster, namespace);
    await expect
      .poll(async () => await side.users(), { timeout: 20_000 })
      .toEqual([side.adminUser, ...names('User', 'user_name')].toSorted());
    expect(await side.databases()).toEqual(names('Db', 'db_name').toSorted());
  });

  test.runIf(namespace === 'pg9')('each of the three roles may do what it is for, and no more', async () => {
    const { server } = world;
    const as = async (name: string, password: string, sql: string): Promise<unknown> =>
      await server.queryAs({ name, password }, 'example-db', sql);
    const application = async (sql: string): Promise<unknown> => await as('application-user', 'applicationpw', sql);
    const migration = async (sql: string): Promise<unknown> => await as('migration-user', 'migrationpw', sql);
    const human = async (sql: string): Promise<unknown> => await as('human-user', 'humanpw', sql);
    const refused = { code: '42501' };
    await expect(application('CREATE TABLE sometable (some_id serial PRIMARY KEY)')).rejects.toMatchObject(refused);
    await migration('CREATE TABLE app1.sometable (some_id int PRIMARY KEY, some_name varchar(255))');
    await application(
      "INSERT INTO app1.sometable VALUES (1, 'one'), (2, 'two'); UPDATE app1.sometable SET some_name = 'x'; DELETE FROM app1.sometable WHERE some_id = 2",
    );
    expect(await human('SELECT count(*)::int AS n FROM app1.sometable')).toEqual([{ n: 1 }]);
    await expect(human("INSERT INTO app1.sometable VALUES (3, 'three')")).rejects.toMatchObject(refused);
  });

  test.runIf(namespace === 'my8')('the role reads its one table and what is global, and writes nothing', async () => {
    await mysql.query('CREATE TABLE `example-db`.SomeTable (id int)');
    const user = { name: 'sjuul', password: 'bla' };
    expect(await mysql.queryAs(user, 'SELECT COUNT(*) AS n FROM `example-db`.SomeTable')).toEqual([{ n: 0 }]);
    await expect(mysql.queryAs(user, 'INSERT INTO `example-db`.SomeTable VALUES (1)')).rejects.toMatchObject({
      code: 'ER_TABLEACCESS_DENIED_ERROR',
    });
  });

  test('what is deleted is gone, and nothing is left behind', async () => {
    const { cluster } = world;
    for (const kinds of [runs.map(({ kind }) => kind), ['Database'], ['Role', 'Schema', 'Grant', 'DefaultPrivileges']])
      for (const kind of new Set(kinds))
        await cluster.kubectl(['delete', resourceName(kind), '--all', '-n', namespace, '--timeout=60s']);
    if (runs.length > 0)
      await cluster.kubectl(['delete', resourceName('Backup'), '--all', '-n', namespace, '--timeout=60s']);
    expect(await side.databases()).toEqual([]);
    expect(await side.users()).toEqual([side.adminUser]);
    await cluster.kubectl(['delete', 'providerconfigs.m.xdatabase.dev', '--all', '-n', namespace, '--timeout=60s']);
    await waitFor('no job is left', async () => {
      const { items } = await cluster.get<{ items: KubeObject[] }>('cronjobs,jobs,pods', '-n', namespace);
      if (items.length === 0) return true;
      throw new Error(items.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join(', '));
    });
  });
});
