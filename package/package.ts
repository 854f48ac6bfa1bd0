/**
 * `npm run package`: bundles, images and packages in dist/, for every architecture, reproducibly and without a container
 * engine. The Dockerfile builds the same images with one.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { binary } from '../test/rig/binaries.ts';
import { NODE_FLAGS, RUN_FLAGS } from '../provider/common/node-flags.ts';
import { bundle, ENTRIES } from './build.ts';
import { buildImage, dockerArchive, type Image } from './image/image.ts';
import { indexArchive } from './image/index-archive.ts';
import { type Architecture, ARCHITECTURES } from './image/runtime.ts';

const ROOT = resolve(import.meta.dirname, '..');
const REGISTRY = 'ghcr.io/xdatabase';
const run = promisify(execFile);

/** What runs, with the package that it is in; the runner is in none, as no package starts it. */
const IMAGES: readonly { name: string; package: string | undefined; flags: readonly string[]; port?: number }[] = [
  { name: 'function', package: 'function', flags: [], port: 9443 },
  { name: 'provider', package: 'provider', flags: NODE_FLAGS, port: 8080 },
  { name: 'runner', package: undefined, flags: RUN_FLAGS },
];

export interface Built {
  path: string;
  sha256: string;
  bytes: number;
}

async function written(path: string, content?: Buffer): Promise<Built> {
  if (content !== undefined) await writeFile(path, content);
  const bytes = content ?? (await readFile(path));
  return { path, sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length };
}

/** Crossplane's own command line lints and packs. */
async function xpkg(
  name: string,
  folder: string,
  image?: { file: string; architecture: Architecture },
): Promise<Built> {
  const suffix = image === undefined ? '' : `-${image.architecture}`;
  const file = join(folder, `${name}-xdatabase${suffix}.xpkg`);
  await run(await binary('crossplane'), [
    'xpkg',
    'build',
    `--package-root=${join(ROOT, 'package', name)}`,
    `--examples-root=${join(ROOT, 'examples/none')}`,
    `--package-file=${file}`,
    ...(image === undefined ? [] : [`--embed-runtime-image-tarball=${image.file}`]),
  ]);
  return await written(file);
}

/**
 * @param version Tag of the images, e.g. v0.1.0.
 * @throws NotAvailableError when Node's libraries, or what it takes to build Crossplane's command line, cannot be had here.
 */
export async function buildPackages(
  folder: string,
  version: string,
  architectures: readonly Architecture[] = ARCHITECTURES,
): Promise<Built[]> {
  await mkdir(folder, { recursive: true });
  const built: Built[] = [];
  for (const { name, package: inside, flags, port } of IMAGES) {
    const file = await bundle(name, ENTRIES[name] ?? '', folder);
    const images: Image[] = [];
    for (const architecture of architectures) {
      const image = await buildImage({ architecture, bundle: file, flags, ...(port === undefined ? {} : { port }) });
      images.push(image);
      const archive = join(folder, `${name}-${architecture}.tar`);
      const tag = `${REGISTRY}/${inside === undefined ? name : `${name}-xdatabase`}:${version}`;
      built.push(await written(archive, dockerArchive(image, tag)));
      if (inside !== undefined) built.push(await xpkg(inside, folder, { file: archive, architecture }));
    }
    // Those of packages are joined by `crossplane xpkg push`.
    if (inside === undefined && images.length > 1)
      built.push(await written(join(folder, `${name}.oci.tar`), indexArchive(images, version).archive));
  }
  built.push(await xpkg('configuration', folder));
  return built;
}

if (import.meta.main) {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  for (const { path, sha256, bytes } of await buildPackages(join(ROOT, 'dist'), `v${version}`))
    process.stdout.write(`${sha256}  ${path.slice(ROOT.length + 1)}  ${(bytes / 1e6).toFixed(1)} MB\n`);
}
