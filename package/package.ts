/**
 * `npm run package`: bundles, images and packages in dist/, for the architecture of this machine, reproducibly and without
 * a container engine. For another one run it there; the Dockerfile builds the same images with an engine.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { binary } from '../test/rig/binaries.ts';
import { bundle, ENTRIES, NODE_FLAGS } from './build.ts';
import { ARCHITECTURE, buildImage } from './image/image.ts';

const ROOT = resolve(import.meta.dirname, '..');
const REGISTRY = 'ghcr.io/xdatabase';
const run = promisify(execFile);

/** What runs, with the package that it is in; the runner is in none, as no package starts it. */
const IMAGES: readonly { name: string; package: string | undefined; flags: readonly string[]; port?: number }[] = [
  { name: 'function', package: 'function', flags: [], port: 9443 },
  { name: 'provider', package: 'provider', flags: NODE_FLAGS, port: 8080 },
  { name: 'runner', package: undefined, flags: [] },
];

export interface Built {
  path: string;
  sha256: string;
  bytes: number;
}

async function written(path: string): Promise<Built> {
  const content = await readFile(path);
  return { path, sha256: createHash('sha256').update(content).digest('hex'), bytes: content.length };
}

/** Crossplane's own command line lints and packs. */
async function xpkg(name: string, folder: string, image?: string): Promise<Built> {
  const suffix = image === undefined ? '' : `-${ARCHITECTURE}`;
  const file = join(folder, `${name}-xdatabase${suffix}.xpkg`);
  await run(await binary('crossplane'), [
    'xpkg',
    'build',
    `--package-root=${join(ROOT, 'package', name)}`,
    `--examples-root=${join(ROOT, 'examples/none')}`,
    `--package-file=${file}`,
    ...(image === undefined ? [] : [`--embed-runtime-image-tarball=${image}`]),
  ]);
  return await written(file);
}

/** @param version Tag of the images, e.g. v0.1.0. */
export async function buildPackages(folder: string, version: string): Promise<Built[]> {
  await mkdir(folder, { recursive: true });
  const built: Built[] = [];
  for (const { name, package: inside, flags, port } of IMAGES) {
    const file = await bundle(name, ENTRIES[name] ?? '', folder);
    const image = join(folder, `${name}-${ARCHITECTURE}.tar`);
    const tag = `${REGISTRY}/${inside === undefined ? name : `${name}-xdatabase`}:${version}`;
    await writeFile(image, await buildImage({ tag, bundle: file, flags, ...(port === undefined ? {} : { port }) }));
    built.push(await written(image));
    if (inside !== undefined) built.push(await xpkg(inside, folder, image));
  }
  built.push(await xpkg('configuration', folder));
  return built;
}

if (import.meta.main) {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  for (const { path, sha256, bytes } of await buildPackages(join(ROOT, 'dist'), `v${version}`))
    process.stdout.write(`${sha256}  ${path.slice(ROOT.length + 1)}  ${(bytes / 1e6).toFixed(1)} MB\n`);
}
