/** The images of `npm run package`, started from nothing but what is in them. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { bundle } from '../../package/build.ts';
import { buildImage } from '../../package/image/image.ts';
import { buildPackages } from '../../package/package.ts';
import { expand } from '../../provider/local/function-client.ts';
import { freePort } from '../rig/process.ts';
import { manifest } from './crossplane-render.ts';

const run = promisify(execFile);
let folder: string;

interface Config {
  config: { User: string; Entrypoint: string[] };
  rootfs: { diff_ids: string[] };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xdatabase-images-'));
  await buildPackages(folder, 'v0.0.0');
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The root file system of an image, as an engine would make it, and how it is started. */
async function unpacked(name: string): Promise<{ root: string; config: Config['config'] }> {
  const [archive = ''] = (await readdir(folder)).filter((file) => file.startsWith(`${name}-`) && file.endsWith('.tar'));
  const image = join(folder, `${name}-image`);
  const root = join(folder, `${name}-root`);
  await Promise.all([image, root].map(async (path) => await mkdir(path, { recursive: true })));
  await run('tar', ['-xf', join(folder, archive), '-C', image]);
  const [one] = JSON.parse(await readFile(join(image, 'manifest.json'), 'utf8')) as { Config: string; Layers: string[] }[];
  for (const layer of one?.Layers ?? []) await run('tar', ['-xf', join(image, layer), '-C', root]);
  // With this nothing is left that the user of the image may write to.
  await chmod(join(root, 'tmp'), 0o755);
  return { root, config: (JSON.parse(await readFile(join(image, one?.Config ?? ''), 'utf8')) as Config).config };
}

test('the packages of all three, and an image for each process, are built', async () => {
  const files = (await readdir(folder)).filter((file) => /\.(tar|xpkg)$/.test(file)).map((file) => file.replace(/-(amd64|arm64)/, ''));
  expect(files.toSorted()).toEqual([
    'configuration-xdatabase.xpkg',
    'function-xdatabase.xpkg',
    'function.tar',
    'provider-xdatabase.xpkg',
    'provider.tar',
    'runner.tar',
  ]);
});

test('the same sources give the same image, byte for byte', async () => {
  const again = join(folder, 'again');
  const file = await bundle('function', 'function/main.ts', again);
  const image = await buildImage({ tag: 'ghcr.io/xdatabase/function-xdatabase:v0.0.0', bundle: file, flags: [], port: 9443 });
  const [archive = ''] = (await readdir(folder)).filter((name) => /^function-\w+\.tar$/.test(name));
  expect(image.equals(await readFile(join(folder, archive)))).toBe(true);
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
    const resources = await expand(`127.0.0.1:${port}`, await manifest('examples/claim.yaml'));
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
