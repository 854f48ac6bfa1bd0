/** The images of `npm run package`, started from nothing but what is in them. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { bundle } from '../../package/build.ts';
import { buildImage, dockerArchive, type Image, sha256 } from '../../package/image/image.ts';
import { indexArchive } from '../../package/image/index-archive.ts';
import { ARCHITECTURES, OWN_ARCHITECTURE } from '../../package/image/runtime.ts';
import { type Built, buildPackages } from '../../package/package.ts';
import { Compositions } from '../../provider/local/compositions.ts';
import { expand } from '../../provider/local/function-client.ts';
import { type UnpackedImage, unpackImage } from '../rig/image.ts';
import { freePort } from '../rig/process.ts';
import { manifest } from './crossplane-render.ts';

const run = promisify(execFile);
let folder: string;
let built: Built[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xdatabase-images-'));
  // Of the architecture of this machine, as only that can be started here.
  built = await buildPackages(join(folder, 'first'), 'v0.0.0', [OWN_ARCHITECTURE]);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const nameOf = ({ path }: Built): string => path.slice(path.lastIndexOf('/') + 1);

async function unpacked(name: string): Promise<UnpackedImage> {
  const image = await unpackImage(join(folder, 'first', `${name}-${OWN_ARCHITECTURE}.tar`), join(folder, name));
  // With this nothing is left that the user of the image may write to.
  await chmod(join(image.root, 'tmp'), 0o755);
  return image;
}

test('the packages of all three, and an image for each process, are built', () => {
  expect(built.map(nameOf).toSorted()).toEqual(
    [
      'configuration-xdatabase.xpkg',
      `function-${OWN_ARCHITECTURE}.tar`,
      `function-xdatabase-${OWN_ARCHITECTURE}.xpkg`,
      `provider-${OWN_ARCHITECTURE}.tar`,
      `provider-xdatabase-${OWN_ARCHITECTURE}.xpkg`,
      `runner-${OWN_ARCHITECTURE}.tar`,
    ].toSorted(),
  );
});

test('the same sources give the same image, byte for byte', async () => {
  const file = await bundle('function', 'function/main.ts', join(folder, 'again'));
  const image = await buildImage({ architecture: OWN_ARCHITECTURE, bundle: file, flags: [], port: 9443 });
  const archive = dockerArchive(image, 'ghcr.io/xdatabase/function-xdatabase:v0.0.0');
  const first = built.find((one) => nameOf(one) === `function-${OWN_ARCHITECTURE}.tar`);
  expect(sha256(archive)).toBe(first?.sha256);
});

/** e_machine of an ELF file. */
const MACHINE: Record<string, number> = { amd64: 0x3e, arm64: 0xb7 };

describe('the archive for every architecture', () => {
  interface Descriptor {
    mediaType: string;
    digest: string;
    size: number;
    platform?: { architecture: string; os: string };
    annotations?: Record<string, string>;
  }
  const blobOf = async ({ digest, size }: Descriptor): Promise<Buffer> => {
    const content = await readFile(join(folder, 'oci/blobs', digest.replace(':', '/')));
    expect([`sha256:${sha256(content)}`, content.length]).toEqual([digest, size]);
    return content;
  };
  const images: Image[] = [];
  beforeAll(async () => {
    for (const architecture of ARCHITECTURES)
      images.push(await buildImage({ architecture, bundle: join(folder, 'first/runner.js'), flags: [] }));
  });
  const jsonOf = async <T>(descriptor: Descriptor): Promise<T> =>
    JSON.parse((await blobOf(descriptor)).toString()) as T;

  test('is one image by one tag, whose every part is what its digest says', async () => {
    const root = join(folder, 'oci');
    await mkdir(root);
    await writeFile(`${root}.tar`, indexArchive(images, 'v0.0.0').archive);
    await run('tar', ['-xf', `${root}.tar`, '-C', root]);
    expect(JSON.parse(await readFile(join(root, 'oci-layout'), 'utf8'))).toEqual({ imageLayoutVersion: '1.0.0' });
    const { manifests } = JSON.parse(await readFile(join(root, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
    expect(manifests.map(({ annotations }) => annotations)).toEqual([
      { 'org.opencontainers.image.ref.name': 'v0.0.0' },
    ]);
    const index = await jsonOf<{ manifests: Descriptor[] }>(manifests[0]!);
    expect(index.manifests.map(({ platform }) => platform)).toEqual(
      ARCHITECTURES.map((architecture) => ({ architecture, os: 'linux' })),
    );
    for (const one of index.manifests) {
      const { config, layers } = await jsonOf<{ config: Descriptor; layers: Descriptor[] }>(one);
      const { architecture, rootfs } = await jsonOf<{ architecture: string; rootfs: { diff_ids: string[] } }>(config);
      expect(architecture).toBe(one.platform?.architecture);
      const plain = await Promise.all(layers.map(async (layer) => gunzipSync(await blobOf(layer))));
      expect(plain.map((layer) => `sha256:${sha256(layer)}`)).toEqual(rootfs.diff_ids);
    }
  });

  test.each(ARCHITECTURES)('holds programs and libraries of %s only, and all that they are linked to', async (architecture) => {
    const archive = join(folder, `whole-${architecture}.tar`);
    const image = images.find((one) => one.architecture === architecture);
    await writeFile(archive, dockerArchive(image!, 'runner:v0.0.0'));
    const { root, config } = await unpackImage(archive, join(folder, `whole-${architecture}`));
    const files = (await readdir(root, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    const programs: { file: string; content: Buffer }[] = [];
    for (const file of files) {
      const content = await readFile(file);
      if (content.subarray(0, 4).toString('latin1') === '\x7fELF') programs.push({ file, content });
    }
    expect(programs.map(({ content }) => content.readUInt16LE(18))).toEqual(
      programs.map(() => MACHINE[architecture]),
    );
    const [node] = config.Entrypoint;
    const main = programs.find(({ file }) => file === join(root, node ?? ''))?.content.toString('latin1') ?? '';
    const [, loader = ''] = /\0(\/lib[^\0]*\/ld-linux[^\0]*)\0/.exec(main) ?? [];
    expect(files).toContain(join(root, loader));
    const needed = new Set(main.match(/\blib(?:c|m|dl|pthread|stdc\+\+|gcc_s|atomic|rt)\.so\.\d+/g));
    expect(needed.size).toBeGreaterThan(3);
    for (const name of needed) expect(files.some((file) => file.endsWith(`/${name}`))).toBe(true);
  });
});

// Only root may change its root.
describe.skipIf(process.getuid?.() !== 0)('as its own user, with nothing that it may write to', () => {
  test('the function answers', async () => {
    const { root, config } = await unpacked('function');
    expect(config.User).toBe('2000:2000');
    const port = await freePort();
    const child = spawn(
      'chroot',
      [`--userspec=${config.User}`, root, ...config.Entrypoint, '--insecure', '--address', `127.0.0.1:${port}`],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } },
    );
    onTestFinished(() => void child.kill('SIGKILL'));
    const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`it ended with ${String(code)}`)));
    await Promise.race([once(child.stdout, 'data'), ended]);
    const resources = await expand(`127.0.0.1:${port}`, await manifest('examples/claim.yaml'), new Compositions([]));
    expect(resources.length).toBeGreaterThan(10);
  });

  test.each(['provider', 'runner'])('the %s begins', async (name) => {
    const { root, config } = await unpacked(name);
    const outcome = await run('chroot', [`--userspec=${config.User}`, root, ...config.Entrypoint, '--help'], { env: { PATH: process.env['PATH'] } }).catch(
      (error: unknown) => error as { stdout: string; stderr: string },
    );
    expect(`${outcome.stdout}${outcome.stderr}`).toMatch(/usage|request|--/i);
    expect(`${outcome.stdout}${outcome.stderr}`).not.toMatch(/error while loading|cannot find module|ERR_MODULE/i);
  });
});
