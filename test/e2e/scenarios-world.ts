/** Scenarios of the predecessor: its manifests, through the command line, to a cluster and real servers. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { parseManifests } from '../../provider/local/manifests.ts';
import { waitFor } from '../rig/process.ts';
import { builtProgram } from '../rig/servers.ts';
import { atProvider, type BackupWorld } from './backup-world.ts';
import { allReady, get, namespaceOf } from './objects.ts';

const run = promisify(execFile);
const FOLDER = join(import.meta.dirname, '../scenarios');

/** What the manifests call databases and users, whose names every server has only once. */
const NAMES = /\b(example-db|source-db|destination-db|sjuul)(?=\.|$)/gm;

/** Kinds whose objects do something once or again and again. */
const RUNS = ['Backup', 'BackupSchedule', 'Restore', 'RestoreSchedule', 'Copy', 'CopySchedule'];

interface Server {
  host: string;
  port: number;
  adminUser: string;
  password: string;
}

export interface Scenario {
  namespace: string;
  /** What a database or a user of the manifests is called here. */
  called(name: string): string;
  /** All that `xdb convert` gave. */
  objects: readonly KubeObject[];
  /** Of that kind and name, as `xdb convert` gave it. */
  object(kind: string, name: string): KubeObject;
  apply(...objects: readonly KubeObject[]): Promise<void>;
  /** Everything but what runs, until it is ready. */
  base(): Promise<void>;
  /** What came of a run that happens once. */
  once(kind: string, name: string): Promise<Record<string, unknown>>;
  /** Starts a run of a schedule by hand, as its users did, and gives the status after it succeeded. */
  byHand(kind: string, name: string, job: string): Promise<Record<string, unknown>>;
  patch(kind: string, name: string, patch: object): Promise<void>;
  /** Deletes it all, at once and in no order; nothing of it is left in the cluster. */
  end(): Promise<void>;
}

/** The manifests with our addresses in the place of those that they had. */
async function inputOf(
  file: string,
  namespace: string,
  server: Server,
  world: BackupWorld,
  bucket: string,
  suffix: string,
): Promise<string> {
  const text = (await readFile(join(FOLDER, file), 'utf8')).replaceAll(NAMES, `$1${suffix}`);
  const replaced: readonly [RegExp, string][] = [
    [/namespace: scenario/g, `namespace: ${namespace}`],
    [/address: (postgres|mysql)\S+/g, `address: ${server.host}`],
    [/port: (5432|3306)/g, `port: ${server.port}`],
    [/user_name: (postgres|root)$/gm, `user_name: ${server.adminUser}`],
    [/(postgresqlPassword|mysqlPassword)/g, JSON.stringify(server.password)],
    [/testbucket/g, bucket],
    [/eu-west-1/g, world.s3.region],
    [/http:\/\/minio[^"]*/g, world.s3.endpoint],
    [/MYKEY/g, world.s3.accessKeyId],
    [/MYSECRET/g, world.s3.secretAccessKey],
  ];
  return replaced.reduce((all, [from, to]) => all.replaceAll(from, () => to), text);
}

async function converted(text: string): Promise<KubeObject[]> {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-scenario-'));
  try {
    const file = join(folder, 'old.yaml');
    await writeFile(file, text);
    const { stdout } = await run(process.execPath, [builtProgram('xdb'), 'convert', '-f', file]);
    return parseManifests(stdout, 'converted');
  } finally {
    await rm(folder, { recursive: true });
  }
}

/**
 * @param file In test/scenarios.
 * @param shared Others use the server meanwhile, so the names of databases and users end in that of the scenario.
 */
export async function scenario(
  world: BackupWorld,
  file: string,
  server: Server,
  bucket: string,
  shared = false,
): Promise<Scenario> {
  const { cluster } = world;
  const [namespace = ''] = file.split('-');
  const suffix = shared ? `-${namespace}` : '';
  const objects = await converted(await inputOf(file, namespace, server, world, bucket, suffix));
  await cluster.apply(namespaceOf(namespace));
  const applied: KubeObject[] = [];
  const apply = async (...list: readonly KubeObject[]): Promise<void> => {
    applied.push(...list);
    await cluster.apply(list);
  };
  const object = (kind: string, name: string): KubeObject => {
    const found = objects.find((one) => one.kind === kind && one.metadata.name === name);
    if (found === undefined) throw new Error(`${file} has no ${kind} ${name}`);
    return found;
  };
  const until = async (
    kind: string,
    name: string,
    what: string,
    is: (status: Record<string, unknown>) => boolean,
  ): Promise<Record<string, unknown>> =>
    await waitFor(
      `${namespace}: ${kind} ${name} ${what}`,
      async () => {
        const status = atProvider(await get(cluster, kind, namespace, name));
        if (is(status)) return status;
        throw new Error(JSON.stringify(status));
      },
      { timeout: 90_000, interval: 200 },
    );
  return {
    namespace,
    called: (name) => `${name}${suffix}`,
    objects,
    object,
    apply,
    base: async () => {
      await apply(...objects.filter(({ kind }) => !RUNS.includes(kind)));
      if (objects.some(({ kind }) => kind === 'Database')) await allReady(cluster, namespace);
    },
    once: async (kind, name) => {
      await apply(object(kind, name));
      return await until(kind, name, 'has ended', ({ phase }) => phase === 'Succeeded' || phase === 'Failed');
    },
    byHand: async (kind, name, job) => {
      const before = atProvider(await get(cluster, kind, namespace, name))['lastSuccessTime'];
      const { cronJobName } = await until(kind, name, 'has a CronJob', (status) => status['cronJobName'] !== undefined);
      await waitFor(
        'the CronJob is there',
        async () => await cluster.get('cronjob', String(cronJobName), '-n', namespace),
      );
      await cluster.kubectl(['create', 'job', job, `--from=cronjob/${String(cronJobName)}`, '-n', namespace]);
      return await until(kind, name, 'has run', (status) => {
        if (status['lastFailureMessage'] !== undefined) throw new Error(JSON.stringify(status));
        return status['lastSuccessTime'] !== undefined && status['lastSuccessTime'] !== before;
      });
    },
    patch: async (kind, name, patch) => {
      const { apiVersion } = object(kind, name);
      const resource = `${kind}.${apiVersion.slice(apiVersion.indexOf('/') + 1)}.${apiVersion.split('/')[0]}`;
      await cluster.kubectl(['patch', resource, name, '-n', namespace, '--type=merge', '-p', JSON.stringify(patch)]);
    },
    end: async () => {
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: applied });
      await cluster.kubectl(['delete', '-f', '-', '--ignore-not-found', '--timeout=90s'], { input });
      await waitFor('nothing is left in the cluster', async () => {
        const { items } = await cluster.get<{ items: Managed[] }>('jobs,cronjobs,pods,secrets', '-n', namespace);
        if (items.length > 0) throw new Error(items.map(({ kind, metadata }) => `${kind} ${metadata.name}`).join());
        return true;
      });
    },
  };
}
