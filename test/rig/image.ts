/** An image as `npm run package` builds it (and `docker save` writes it), for the kubelet of the rig. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Image } from './kubelet-sandbox.ts';

const run = promisify(execFile);

export interface ImageConfig {
  User: string;
  Entrypoint: string[];
  Env: string[];
}

export interface UnpackedImage {
  /** Its file system, as an engine would make it. */
  root: string;
  config: ImageConfig;
}

/** @param folder Where it is unpacked to. */
export async function unpackImage(archive: string, folder: string): Promise<UnpackedImage> {
  const [image, root] = [join(folder, 'image'), join(folder, 'root')];
  await Promise.all([image, root].map(async (path) => await mkdir(path, { recursive: true })));
  await run('tar', ['-xf', archive, '-C', image]);
  const [one] = JSON.parse(await readFile(join(image, 'manifest.json'), 'utf8')) as {
    Config: string;
    Layers: string[];
  }[];
  for (const layer of one?.Layers ?? []) await run('tar', ['-xf', join(image, layer), '-C', root]);
  const { config } = JSON.parse(await readFile(join(image, one?.Config ?? ''), 'utf8')) as { config: ImageConfig };
  await rm(image, { recursive: true });
  return { root, config };
}

/** What a container of it sees: nothing but what is in it. */
export async function wholeImage({ root, config }: UnpackedImage): Promise<Image> {
  // A container has a /tmp of its own.
  const folders = (await readdir(root)).filter((name) => name !== 'tmp');
  return {
    isWhole: true,
    folders: [],
    mounts: Object.fromEntries(folders.map((name) => [`/${name}`, join(root, name)])),
    entrypoint: config.Entrypoint,
    env: Object.fromEntries(
      config.Env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    ),
  };
}
