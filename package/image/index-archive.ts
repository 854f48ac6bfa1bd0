/** One image for several architectures: an archive in OCI's image layout, as skopeo, podman and crane copy it to a registry. */
import { constants, gzipSync } from 'node:zlib';
import { type Image, sha256 } from './image.ts';
import { type Entry, tar } from './tar.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

export interface IndexArchive {
  archive: Buffer;
  /** Of the index, by which a registry serves it. */
  digest: string;
}

/** @param tag Tag of the image in its repository. */
export function indexArchive(images: readonly Image[], tag: string): IndexArchive {
  const blobs = new Map<string, Entry>();
  const blob = (mediaType: string, content: Buffer): Descriptor => {
    const digest = sha256(content);
    blobs.set(digest, { path: `blobs/sha256/${digest}`, type: 'file', content });
    return { mediaType, digest: `sha256:${digest}`, size: content.length };
  };
  const json = (mediaType: string, value: object): Descriptor => blob(mediaType, Buffer.from(JSON.stringify(value)));
  const manifests = images.map((image) => ({
    ...json(MANIFEST, {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: blob(CONFIG, image.config),
      layers: image.layers.map((layer) => blob(LAYER, gzipSync(layer, { level: constants.Z_DEFAULT_COMPRESSION }))),
    }),
    platform: { architecture: image.architecture, os: 'linux' },
  }));
  const index = json(INDEX, { schemaVersion: 2, mediaType: INDEX, manifests });
  const top = {
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: [{ ...index, annotations: { 'org.opencontainers.image.ref.name': tag } }],
  };
  const archive = tar([
    { path: 'oci-layout', type: 'file', content: Buffer.from('{"imageLayoutVersion":"1.0.0"}') },
    { path: 'index.json', type: 'file', content: Buffer.from(JSON.stringify(top)) },
    ...blobs.values(),
  ]);
  return { archive, digest: index.digest };
}
