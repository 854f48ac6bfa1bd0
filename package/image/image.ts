/**
 * Images without a container engine: Node with the libraries that it needs in one layer, our bundle in another, nothing else.
 * No shell, no package manager. In the format of `docker save`, which Crossplane's command line and every engine take.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { type Entry, tar } from './tar.ts';

const run = promisify(execFile);

export interface ImageOptions {
  /** Name and tag. */
  tag: string;
  /** The bundle. */
  bundle: string;
  /** Flags of Node. */
  flags: readonly string[];
  port?: number;
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** As images name architectures. */
export const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

const NODE = 'usr/local/bin/node';

/** The program, its loader and its libraries, at the paths where they are looked for. */
async function nodeLayer(node: string): Promise<Buffer> {
  const { stdout } = await run('ldd', [node], { env: { ...process.env, LC_ALL: 'C' } });
  const libraries = [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = '']) => path);
  if (libraries.length === 0) throw new Error(`ldd says nothing of ${node}`);
  const files = await Promise.all(
    libraries.map(
      async (path): Promise<Entry> => ({
        path: path.slice(1),
        type: 'file',
        content: await readFile(await realpath(path)),
        mode: 0o755,
      }),
    ),
  );
  return tar([
    { path: NODE, type: 'file', content: await readFile(node), mode: 0o755 },
    ...files,
    { path: 'etc/passwd', type: 'file', content: Buffer.from('xdatabase:x:2000:2000::/app:/nonexistent\n') },
    { path: 'etc/group', type: 'file', content: Buffer.from('xdatabase:x:2000:\n') },
    { path: 'etc/nsswitch.conf', type: 'file', content: Buffer.from('hosts: files dns\n') },
    { path: 'tmp', type: 'folder', mode: 0o1777 },
  ]);
}

const layers = new Map<string, Promise<Buffer>>();

/** The image as a tarball. The same inputs give the same bytes. */
export async function buildImage({ tag, bundle, flags, port }: ImageOptions): Promise<Buffer> {
  const node = process.execPath;
  const base = layers.get(node) ?? nodeLayer(node);
  layers.set(node, base);
  const file = `app/${basename(bundle)}`;
  const own = tar([{ path: file, type: 'file', content: await readFile(bundle) }]);
  const both = [await base, own];
  const config = Buffer.from(
    JSON.stringify({
      architecture: ARCHITECTURE,
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: {
        User: '2000:2000',
        WorkingDir: '/app',
        Env: ['PATH=/usr/local/bin', 'NODE_ENV=production'],
        Entrypoint: [`/${NODE}`, ...flags, `/${file}`],
        ...(port === undefined ? {} : { ExposedPorts: { [`${port}/tcp`]: {} } }),
        Labels: { 'org.opencontainers.image.licenses': 'Apache-2.0' },
      },
      rootfs: { type: 'layers', diff_ids: both.map((layer) => `sha256:${sha256(layer)}`) },
      history: both.map(() => ({ created: '1970-01-01T00:00:00Z', created_by: 'npm run package' })),
    }),
  );
  const names = both.map((layer) => `${sha256(layer)}/layer.tar`);
  const configName = `${sha256(config)}.json`;
  const manifest = Buffer.from(JSON.stringify([{ Config: configName, RepoTags: [tag], Layers: names }]));
  return tar([
    { path: 'manifest.json', type: 'file', content: manifest },
    { path: configName, type: 'file', content: config },
    ...both.map((content, index): Entry => ({ path: names[index] ?? '', type: 'file', content })),
  ]);
}
