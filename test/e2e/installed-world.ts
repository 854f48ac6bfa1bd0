/**
 * A platform as the quick start makes it, command by command: the packages and images of `npm run package`, installed by
 * Crossplane core and run by the Deployments that core makes of them, each as its own service account, whose rights are those
 * of Crossplane's RBAC manager and of examples/install. Only what cannot be the same is changed, and it is all here:
 * addresses, as pods have the network of this machine, and where packages come from.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { OWN_ARCHITECTURE } from '../../package/image/runtime.ts';
import { type Built, buildPackages } from '../../package/package.ts';
import type { KubeObject } from '../../provider/api/kind.ts';
import { parseManifests } from '../../provider/local/manifests.ts';
import { binary } from '../rig/binaries.ts';
import { type Crossplane, startCrossplane } from '../rig/crossplane.ts';
import { unpackImage, wholeImage } from '../rig/image.ts';
import { Kubelet } from '../rig/kubelet.ts';
import type { Image } from '../rig/kubelet-sandbox.ts';
import { type Cluster, startKubernetes } from '../rig/kubernetes.ts';
import { filledIn, paste, shellBlocks } from '../rig/pages.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { freePorts } from '../rig/process.ts';
import { type S3Server, startS3 } from '../rig/s3.ts';
import { builtProgram } from '../rig/servers.ts';
import { startServiceProxy } from '../rig/services.ts';
import { toolImage } from './backup-world.ts';

const run = promisify(execFile);
const INSTALL = join(import.meta.dirname, '../../examples/install');
/** By digest, so that core need not ask a registry what a tag means. */
const SOURCE = 'registry.example.org/xdatabase';
/** Where Crossplane runs packages, and where our examples have their Secrets. */
export const SYSTEM = 'crossplane-system';

export interface InstalledWorld {
  cluster: Cluster;
  crossplane: Crossplane;
  kubelet: Kubelet;
  server: PostgresServer;
  s3: S3Server;
  /** What the last commands of the quick start printed. */
  said: string;
  /** Runs commands of the documentation where those of the quick start were run. */
  paste(block: string): Promise<string>;
  stop(): Promise<void>;
}

/** Core names what it has in its cache so: fifty characters of the source, twelve of the digest. */
const cached = (source: string, digest: string): string =>
  `${source.slice(0, 50)}-${digest.slice(0, 12)}`.replaceAll(/[./:]/g, '-');

/** Puts the packages where core finds them, and gives `source@digest` of each by its name. */
async function provide(built: readonly Built[], crossplane: Crossplane): Promise<Map<string, string>> {
  const packages = new Map<string, string>();
  for (const { path, sha256 } of built.filter((one) => one.path.endsWith('.xpkg'))) {
    const [name = ''] = /^\w+-xdatabase/.exec(basename(path)) ?? [];
    const source = `${SOURCE}/${name}`;
    const digest = `sha256:${sha256}`;
    const target = join(crossplane.packages, `${cached(source, digest)}.gz`);
    await run(await binary('crossplane'), ['xpkg', 'extract', '--from-xpkg', path, '-o', target]);
    packages.set(name, `${source}@${digest}`);
  }
  return packages;
}

async function imagesOf(
  built: readonly Built[],
  folder: string,
  packages: Map<string, string>,
): Promise<Record<string, Image>> {
  const images: Record<string, Image> = {};
  for (const name of ['function', 'provider', 'runner']) {
    const archive = built.find(({ path }) => basename(path) === `${name}-${OWN_ARCHITECTURE}.tar`)?.path ?? '';
    const image = await wholeImage(await unpackImage(archive, join(folder, name)));
    images[packages.get(`${name}-xdatabase`) ?? 'ghcr.io/xdatabase/runner:v0.1.0'] = image;
  }
  return images;
}

/** Objects of examples/install, with `change` made to those of a kind. */
async function example(file: string, change: (object: KubeObject) => void): Promise<KubeObject[]> {
  const objects = parseManifests(await readFile(join(INSTALL, file), 'utf8'), file);
  for (const object of objects) change(object);
  return objects;
}

interface RuntimeConfig {
  deploymentTemplate: {
    spec: {
      replicas: number;
      template: {
        spec: { containers: { args?: string[]; ports?: { name: string; containerPort: number }[] }[] };
      };
    };
  };
}

/** A second replica would want the same ports. */
async function runtimeConfigs(): Promise<KubeObject[]> {
  const [metrics = 0, health = 0, grpc = 0] = await freePorts(3);
  return await example('10-runtime.yaml', ({ metadata, ...object }) => {
    const { spec } = (object['spec'] as RuntimeConfig).deploymentTemplate;
    const [container] = spec.template.spec.containers;
    if (container === undefined) throw new Error('10-runtime.yaml has no container');
    spec.replicas = 1;
    if (metadata.name === 'function-xdatabase') {
      container.args = ['--address', `127.0.0.1:${grpc}`];
      container.ports = [{ name: 'grpc', containerPort: grpc }];
      return;
    }
    container.args?.push(`--metrics-bind-address=127.0.0.1:${metrics}`, `--health-bind-address=127.0.0.1:${health}`);
    container.ports = [
      { name: 'metrics', containerPort: metrics },
      { name: 'health', containerPort: health },
    ];
  });
}

type Servers = Pick<InstalledWorld, 'cluster' | 'server' | 's3'>;

/** The folder that somebody is in who follows the quick start, with what it tells them to change. */
async function checkout(folder: string, world: Servers, packages: Map<string, string>): Promise<void> {
  const { server, s3 } = world;
  await cp(join(INSTALL, '..'), join(folder, 'examples'), { recursive: true });
  const write = async (file: string, items: readonly KubeObject[]): Promise<void> => {
    const list = { apiVersion: 'v1', kind: 'List', items };
    await writeFile(join(folder, 'examples/install', file), JSON.stringify(list));
  };
  await write('10-runtime.yaml', await runtimeConfigs());
  const sources = await example('20-packages.yaml', (object) => {
    const spec = object['spec'] as { package: string; skipDependencyResolution?: boolean };
    const [name = ''] = /\w+-xdatabase(?=:)/.exec(spec.package) ?? [];
    spec.package = packages.get(name) ?? '';
    // What it depends on is beside it, from the same place.
    spec.skipDependencyResolution = true;
  });
  await write('20-packages.yaml', sources);
  const bucket = await s3.bucket();
  const configs = await example('40-server.yaml', (object) => {
    const spec = object['spec'] as { endpoint: string; port: number; storages: { s3: Record<string, unknown> }[] };
    Object.assign(spec, { endpoint: server.host, port: server.port });
    for (const storage of spec.storages)
      Object.assign(storage.s3, { bucket, region: s3.region, endpoint: s3.endpoint });
  });
  await write('40-server.yaml', configs);
  await cp(server.caFile ?? '', join(folder, 'pg-ca.crt'));
}

/** Puts the programs on the PATH of whoever is in the folder. */
async function shellIn(folder: string, { cluster, server }: Servers): Promise<(block: string) => Promise<string>> {
  const programs = join(folder, 'programs');
  await mkdir(programs);
  await symlink(cluster.command, join(programs, 'kubectl'));
  const xdb = `#!/bin/sh\nexec '${process.execPath}' '${builtProgram('xdb')}' "$@"\n`;
  await writeFile(join(programs, 'xdb'), xdb, { mode: 0o755 });
  const env = {
    KUBECONFIG: cluster.kubeconfig,
    PATH: `${programs}:${process.env['PATH'] ?? ''}`,
    XDB_SERVER: `postgres://${server.adminUser}@${server.host}:${server.port}/postgres?sslmode=verify-full&sslrootcert=pg-ca.crt`,
    XDB_PASSWORD: server.password,
  };
  return async (block) => await paste(block, folder, env);
}

/** Follows the quick start to its end, and gives what its last commands said. */
async function followQuickStart(run: InstalledWorld['paste'], { server, s3 }: Servers): Promise<string> {
  const [prepare = '', apply = '', look = ''] = shellBlocks(
    'docs/quick-start.md',
    'In a cluster with Crossplane ≥ 2.2',
  );
  const secrets = filledIn(prepare, [
    ['username=admin', `username='${server.adminUser}'`],
    ["password='…'", `password='${server.password}'`],
    ["AWS_ACCESS_KEY_ID='…'", `AWS_ACCESS_KEY_ID='${s3.accessKeyId}'`],
    ["AWS_SECRET_ACCESS_KEY='…'", `AWS_SECRET_ACCESS_KEY='${s3.secretAccessKey}'`],
  ]);
  for (const block of [secrets, apply]) await run(block);
  return await run(look);
}

export async function startInstalledWorld(): Promise<InstalledWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-installed-'));
  const ends: (() => Promise<void>)[] = [async () => await rm(folder, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const end of ends.toReversed()) await end();
  };
  const starting = async <T extends { stop(): Promise<void> }>(started: Promise<T>): Promise<T> => {
    const it = await started;
    ends.push(async () => await it.stop());
    return it;
  };
  try {
    const cluster = await starting(startKubernetes());
    const proxy = await starting(startServiceProxy(cluster));
    const crossplane = await starting(
      startCrossplane(cluster, { pollInterval: '10s', proxy: proxy.url, rbacManager: true }),
    );
    const server = await starting(startPostgres({ major: 18, tls: true }));
    const s3 = await starting(startS3());
    const built = await buildPackages(folder, 'v0.1.0', [OWN_ARCHITECTURE]);
    const packages = await provide(built, crossplane);
    const images = await imagesOf(built, folder, packages);
    const kubelet = await starting(
      Kubelet.start({
        kubeconfig: cluster.kubeconfig,
        images: { ...images, [`postgres:${server.version}`]: await toolImage() },
      }),
    );
    const servers = { cluster, server, s3 };
    await checkout(folder, servers, packages);
    const shell = await shellIn(folder, servers);
    const said = await followQuickStart(shell, servers);
    return { cluster, crossplane, kubelet, server, s3, said, paste: shell, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
