/**
 * A platform as examples/install makes it: the packages and images of `npm run package`, installed by Crossplane core and run
 * by the Deployments that core makes of them, each as its own service account, whose rights are those of Crossplane's RBAC
 * manager and of examples/install. Only what cannot be the same is changed, and it is all here: addresses, as pods have the
 * network of this machine, and where packages come from.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
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
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { freePorts } from '../rig/process.ts';
import { type S3Server, startS3 } from '../rig/s3.ts';
import { startServiceProxy } from '../rig/services.ts';
import { toolImage } from './backup-world.ts';
import { secret } from './objects.ts';

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

async function install(world: Omit<InstalledWorld, 'kubelet' | 'stop'>, packages: Map<string, string>): Promise<void> {
  const { cluster, server, s3 } = world;
  await cluster.apply(await runtimeConfigs());
  await cluster.apply(
    await example('20-packages.yaml', (object) => {
      const spec = object['spec'] as { package: string; skipDependencyResolution?: boolean };
      const [name = ''] = /\w+-xdatabase(?=:)/.exec(spec.package) ?? [];
      spec.package = packages.get(name) ?? '';
      // What it depends on is beside it, from the same place.
      spec.skipDependencyResolution = true;
    }),
  );
  await cluster.apply(join(INSTALL, '30-rbac.yaml'));
  const bucket = await s3.bucket();
  await cluster.apply([
    secret(SYSTEM, 'pg-admin', { username: server.adminUser, password: server.password }),
    secret(SYSTEM, 'pg-ca', { 'ca.crt': await readFile(server.caFile ?? '', 'utf8') }),
    secret(SYSTEM, 'backups', { AWS_ACCESS_KEY_ID: s3.accessKeyId, AWS_SECRET_ACCESS_KEY: s3.secretAccessKey }),
  ]);
  await cluster.wait('create', 'crd/clusterproviderconfigs.m.xdatabase.dev');
  await cluster.wait('condition=Established', 'crd/clusterproviderconfigs.m.xdatabase.dev');
  await cluster.apply(
    await example('40-server.yaml', (object) => {
      const spec = object['spec'] as {
        endpoint: string;
        port: number;
        storages: { s3: Record<string, unknown> }[];
      };
      Object.assign(spec, { endpoint: server.host, port: server.port });
      for (const storage of spec.storages)
        Object.assign(storage.s3, { bucket, region: s3.region, endpoint: s3.endpoint });
    }),
  );
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
    await install({ cluster, crossplane, server, s3 }, packages);
    return { cluster, crossplane, kubelet, server, s3, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
