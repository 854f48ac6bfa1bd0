/**
 * Images without a container engine: Node with the libraries that it needs in one layer, our bundle in another, nothing else.
 * No shell, no package manager.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { type Architecture, NODE, nodeRuntime } from './runtime.ts';
import { type Entry, tar } from './tar.ts';

const LICENSE = resolve(import.meta.dirname, '../../LICENSE');

export interface ImageOptions {
  architecture: Architecture;
  /** The bundle. */
  bundle: string;
  /** Flags of Node. */
  flags: readonly string[];
  port?: number;
}

/** What an image is, in whatever format it is written. */
export interface Image {
  architecture: Architecture;
  /** Its configuration, as JSON. */
  config: Buffer;
  /** Tar archives, the lowest first. */
  layers: readonly Buffer[];
}

export const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

async function nodeLayer(architecture: Architecture): Promise<Buffer> {
  return tar([
    ...(await nodeRuntime(architecture)),
    { path: 'etc/passwd', type: 'file', content: Buffer.from('xdatabase:x:2000:2000::/app:/nonexistent\n') },
    { path: 'etc/group', type: 'file', content: Buffer.from('xdatabase:x:2000:\n') },
    { path: 'etc/nsswitch.conf', type: 'file', content: Buffer.from('hosts: files dns\n') },
    { path: 'tmp', type: 'folder', mode: 0o1777 },
  ]);
}

async function ownLayer(bundle: string): Promise<Buffer> {
  // Licences of what is in the bundle, as the bundler lists them.
  const files = [bundle, `${bundle}.LEGAL.txt`].filter((file) => existsSync(file));
  const entries = [...files, LICENSE].map(
    async (file): Promise<Entry> => ({ path: `app/${basename(file)}`, type: 'file', content: await readFile(file) }),
  );
  return tar(await Promise.all(entries));
}

const bases = new Map<Architecture, Promise<Buffer>>();

/** The same inputs give the same bytes, on whatever machine. */
export async function buildImage({ architecture, bundle, flags, port }: ImageOptions): Promise<Image> {
  const base = bases.get(architecture) ?? nodeLayer(architecture);
  bases.set(architecture, base);
  const layers = [await base, await ownLayer(bundle)];
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: 'linux',
      created: '1970-01-01T00:00:00Z',
      config: {
        User: '2000:2000',
        WorkingDir: '/app',
        Env: ['PATH=/usr/local/bin', 'NODE_ENV=production'],
        Entrypoint: [`/${NODE}`, ...flags, `/app/${basename(bundle)}`],
        ...(port === undefined ? {} : { ExposedPorts: { [`${port}/tcp`]: {} } }),
        Labels: { 'org.opencontainers.image.licenses': 'Apache-2.0' },
      },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
      history: layers.map(() => ({ created: '1970-01-01T00:00:00Z', created_by: 'npm run package' })),
    }),
  );
  return { architecture, config, layers };
}

/** In the format of `docker save`, which Crossplane's command line and every engine take. */
export function dockerArchive({ config, layers }: Image, tag: string): Buffer {
  const names = layers.map((layer) => `${sha256(layer)}/layer.tar`);
  const configName = `${sha256(config)}.json`;
  const manifest = Buffer.from(JSON.stringify([{ Config: configName, RepoTags: [tag], Layers: names }]));
  return tar([
    { path: 'manifest.json', type: 'file', content: manifest },
    { path: configName, type: 'file', content: config },
    ...layers.map((content, index): Entry => ({ path: names[index] ?? '', type: 'file', content })),
  ]);
}
