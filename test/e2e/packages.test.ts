/** Crossplane core installs the packages of `npm run package`, from its cache instead of a registry. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildPackages } from '../../package/package.ts';
import type { KubeObject, Managed } from '../../provider/api/kind.ts';
import { managedKinds } from '../../provider/api/registry.ts';
import { binary } from '../rig/binaries.ts';
import { startCrossplane } from '../rig/crossplane.ts';
import { startKubernetes } from '../rig/kubernetes.ts';
import { waitFor } from '../rig/process.ts';
import { conditionOf } from './objects.ts';

const run = promisify(execFile);
const cluster = await startKubernetes();
const crossplane = await startCrossplane(cluster, { pollInterval: '10s' });
let folder: string;

/** By digest, so that core need not ask a registry what a tag means. */
const SOURCE = 'registry.example.org/xdatabase';
/** Core names what it has in its cache so: fifty characters of the source, twelve of the digest. */
const cached = (source: string, digest: string): string =>
  `${source.slice(0, 50)}-${digest.slice(0, 12)}`.replaceAll(/[./:]/g, '-');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xdatabase-packages-'));
  const built = await buildPackages(folder, 'v0.0.0');
  for (const { path, sha256 } of built.filter((one) => one.path.endsWith('.xpkg'))) {
    const [, name = ''] = /(\w+)-xdatabase/.exec(path) ?? [];
    const source = `${SOURCE}/${name}-xdatabase`;
    const digest = `sha256:${sha256}`;
    const target = join(crossplane.packages, `${cached(source, digest)}.gz`);
    await run(await binary('crossplane'), ['xpkg', 'extract', '--from-xpkg', path, '-o', target]);
    await cluster.apply({
      apiVersion: 'pkg.crossplane.io/v1',
      kind: name === 'provider' ? 'Provider' : name === 'function' ? 'Function' : 'Configuration',
      metadata: { name: `${name}-xdatabase` },
      // What it depends on is beside it, from the same place.
      spec: { package: `${source}@${digest}`, skipDependencyResolution: true },
    });
  }
});
afterAll(async () => {
  await crossplane.stop();
  await cluster.stop();
  await rm(folder, { recursive: true, force: true });
});

const installed = async (kind: string, name: string): Promise<void> => {
  await waitFor(
    `${kind} ${name} is installed`,
    async () => {
      const object = await cluster.get<Managed>(`${kind}.pkg.crossplane.io`, name);
      if (conditionOf(object, 'Installed')?.status === 'True') return true;
      throw new Error(JSON.stringify(object.status));
    },
    { timeout: 90_000, interval: 500 },
  );
};

test('the provider brings a definition of every kind, and they become kinds', async () => {
  await installed('provider', 'provider-xdatabase');
  await waitFor(
    'every kind is served',
    async () => {
      for (const { plural, group } of managedKinds) await cluster.get(`${plural}.${group}`, '-A');
      return true;
    },
    { timeout: 90_000, interval: 500 },
  );
});

test('the function is one for compositions', async () => {
  await installed('function', 'function-xdatabase');
  const { items } = await cluster.get<{ items: KubeObject[] }>('functionrevision.pkg.crossplane.io');
  expect(items.map(({ status }) => (status as { capabilities?: string[] })?.capabilities)).toEqual([['composition']]);
});

test('the configuration brings claims and composites, with their Compositions', async () => {
  await installed('configuration', 'configuration-xdatabase');
  await waitFor(
    'they are offered',
    async () => {
      await cluster.wait(
        'condition=Established',
        'xrd/compositexdatabases.claim.xdatabase.dev',
        'xrd/xdatabases.xdatabase.dev',
      );
      return true;
    },
    { timeout: 90_000, interval: 1000 },
  );
  const { items } = await cluster.get<{ items: KubeObject[] }>('compositions.apiextensions.crossplane.io');
  expect(items).toHaveLength(2);
});
