/** The volumes of a pod, as folders of this machine. */
import { chmod, chown, mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { KubeObject } from '../../provider/api/kind.ts';

interface KeyToPath {
  key: string;
  path: string;
  mode?: number;
}

interface FieldFile {
  path: string;
  fieldRef?: { fieldPath: string };
}

interface TokenFile {
  path: string;
  audience?: string;
}

export interface VolumeSource {
  emptyDir?: object;
  secret?: { secretName?: string; name?: string; items?: KeyToPath[]; defaultMode?: number; optional?: boolean };
  configMap?: { name?: string; items?: KeyToPath[]; defaultMode?: number; optional?: boolean };
  downwardAPI?: { items?: FieldFile[] };
  projected?: {
    sources: (Omit<VolumeSource, 'projected'> & { serviceAccountToken?: TokenFile })[];
    defaultMode?: number;
  };
  persistentVolumeClaim?: { claimName: string };
}

export interface Volume extends VolumeSource {
  name: string;
}

export interface VolumeContext {
  namespace: string;
  pod: KubeObject;
  /** Where the volumes of this pod are. */
  folder: string;
  fsGroup: number | undefined;
  /** What every container of the cluster has in its environment. */
  environment: Readonly<Record<string, string>>;
  get(kind: 'Secret' | 'ConfigMap', name: string): Promise<KubeObject | undefined>;
  /** Folder that stands for a claim. */
  claim(name: string): string | undefined;
  /** A token of the pod's service account; without an audience, for the API server. */
  token(audience: string | undefined): Promise<string>;
}

/** What a volume waits for is not there yet: the kubelet tries again. */
export class NotYetError extends Error {
  override readonly name = 'NotYetError';
}

/** Gives the folder of each volume by its name. */
export async function makeVolumes(volumes: readonly Volume[], context: VolumeContext): Promise<Map<string, string>> {
  const folders = new Map<string, string>();
  for (const volume of volumes) {
    const folder = join(context.folder, 'volumes', volume.name);
    if (volume.persistentVolumeClaim !== undefined) {
      const claimed = context.claim(volume.persistentVolumeClaim.claimName);
      if (claimed === undefined)
        throw new NotYetError(`persistentvolumeclaim "${volume.persistentVolumeClaim.claimName}" not found`);
      folders.set(volume.name, claimed);
      continue;
    }
    await mkdir(folder, { recursive: true });
    await fill(folder, volume, context);
    await own(folder, context.fsGroup, volume.emptyDir !== undefined);
    folders.set(volume.name, folder);
  }
  return folders;
}

async function fill(folder: string, source: VolumeSource, context: VolumeContext): Promise<void> {
  if (source.secret !== undefined) {
    const name = source.secret.secretName ?? source.secret.name ?? '';
    await writeKeys(folder, source.secret, await objectOf('Secret', name, source.secret.optional, context), 'base64');
  }
  if (source.configMap !== undefined) {
    const object = await objectOf('ConfigMap', source.configMap.name ?? '', source.configMap.optional, context);
    await writeKeys(folder, source.configMap, object, 'utf8');
  }
  for (const item of source.downwardAPI?.items ?? [])
    await writeOne(join(folder, item.path), Buffer.from(fieldOf(context.pod, item.fieldRef?.fieldPath ?? '')), 0o644);
  for (const part of source.projected?.sources ?? []) {
    if (part.serviceAccountToken !== undefined)
      await writeOne(
        join(folder, part.serviceAccountToken.path),
        await tokenOf(part.serviceAccountToken, context),
        0o644,
      );
    await fill(folder, part, context);
  }
}

const tokenOf = async ({ audience }: TokenFile, context: VolumeContext): Promise<Buffer> =>
  Buffer.from(await context.token(audience));

async function objectOf(
  kind: 'Secret' | 'ConfigMap',
  name: string,
  optional: boolean | undefined,
  context: VolumeContext,
): Promise<KubeObject | undefined> {
  const object = await context.get(kind, name);
  if (object === undefined && optional !== true) throw new NotYetError(`${kind.toLowerCase()} "${name}" not found`);
  return object;
}

async function writeKeys(
  folder: string,
  source: { items?: KeyToPath[]; defaultMode?: number },
  object: KubeObject | undefined,
  encoding: 'base64' | 'utf8',
): Promise<void> {
  const data = (object?.['data'] ?? {}) as Record<string, string>;
  const items = source.items ?? Object.keys(data).map((key): KeyToPath => ({ key, path: key }));
  for (const { key, path, mode } of items) {
    const value = data[key];
    if (value === undefined) throw new NotYetError(`references non-existent secret key: ${key}`);
    await writeOne(join(folder, path), Buffer.from(value, encoding), mode ?? source.defaultMode ?? 0o644);
  }
}

async function writeOne(file: string, content: Buffer, mode: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  await chmod(file, mode);
}

/** As the real one does: with an fsGroup the group owns everything and may read it; an emptyDir is for everybody. */
async function own(folder: string, group: number | undefined, writable: boolean): Promise<void> {
  await chmod(folder, writable ? 0o2777 : 0o2755);
  if (group === undefined) return;
  await chown(folder, 0, group);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    await chown(path, 0, group);
    if (entry.isFile()) await chmod(path, 0o440);
  }
}

/** A field of the pod, as the downward API names it. */
export function fieldOf(pod: KubeObject, path: string): string {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed !== null) return pod.metadata[keyed[1] as 'labels' | 'annotations']?.[keyed[2] ?? ''] ?? '';
  const value = path
    .split('.')
    .reduce<unknown>((at, field) => (at as Record<string, unknown> | undefined)?.[field], pod);
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}
