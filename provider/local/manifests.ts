/** Reads manifests from YAML files, folders and standard input. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../api/kind.ts';

export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/**
 * Every object in the files, in order. A folder stands for its *.yaml and *.yml files, `-` for standard input.
 * @throws ManifestError for what cannot be read, and when there is none.
 */
export function readManifests(paths: readonly string[]): KubeObject[] {
  const objects = paths.flatMap(filesOf).flatMap((file) => parseManifests(readText(file), file));
  if (objects.length === 0) throw new ManifestError(`${paths.join(', ')}: there is no manifest in it`);
  return objects;
}

function filesOf(path: string): string[] {
  if (path === '-') return [path];
  let isFolder: boolean;
  try {
    isFolder = statSync(path).isDirectory();
  } catch {
    throw new ManifestError(`${path}: no such file or folder`);
  }
  if (!isFolder) return [path];
  return readdirSync(path)
    .filter((name) => /\.ya?ml$/.test(name))
    .toSorted()
    .map((name) => join(path, name));
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new ManifestError(
      `${file === '-' ? 'standard input' : file}: cannot be read: ${(error as NodeJS.ErrnoException).code}`,
    );
  }
}

export function parseManifests(text: string, file: string): KubeObject[] {
  const objects: KubeObject[] = [];
  for (const document of parseAllDocuments(text)) {
    const problem = document.errors[0];
    if (problem !== undefined) throw new ManifestError(`${file}: ${problem.message}${hintOf(text)}`);
    const value = document.toJS() as unknown;
    if (value === null || value === undefined) continue;
    for (const item of itemsOf(value)) {
      if (!isObject(item))
        throw new ManifestError(
          `${file}: every document must be an object with apiVersion, kind and metadata.name${hintOf(text)}`,
        );
      objects.push(item);
    }
  }
  return objects;
}

const hintOf = (text: string): string =>
  /\{\{.*\}\}/.test(text) ? ' (there is {{ … }} in it: render the template first, e.g. with helm template)' : '';

/** What `kubectl get -o yaml` prints of several objects is one List; a list of one kind leaves out of each what it is. */
function itemsOf(value: unknown): unknown[] {
  const { kind, apiVersion, items } = value as { kind?: unknown; apiVersion?: unknown; items?: unknown };
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [value];
  const known = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) };
  return items.flatMap((item: unknown) =>
    typeof item === 'object' && item !== null ? itemsOf({ ...known, ...item }) : [item],
  );
}

function isObject(value: unknown): value is KubeObject {
  const object = value as Partial<KubeObject> | null;
  return (
    typeof object === 'object' &&
    object !== null &&
    typeof object.apiVersion === 'string' &&
    typeof object.kind === 'string' &&
    typeof object.metadata?.name === 'string'
  );
}

/**
 * What a Secret holds, by key.
 * @throws ManifestError for what an API server would refuse; it names the key and never the value.
 */
export function secretValues(secret: KubeObject): Record<string, string> {
  const values = (field: 'data' | 'stringData'): [string, string][] =>
    Object.entries((secret[field] ?? {}) as Record<string, unknown>).map(([key, value]) => {
      const path = `Secret ${secret.metadata.name}: ${field}.${key}`;
      if (typeof value !== 'string') throw new ManifestError(`${path} is no text; in YAML, put it in quotes`);
      if (field === 'stringData') return [key, value];
      const text = value.replaceAll(/\s/g, '');
      if (!BASE64.test(text)) throw new ManifestError(`${path} is not base64; plain text belongs in stringData`);
      return [key, Buffer.from(text, 'base64').toString()];
    });
  return Object.fromEntries([...values('data'), ...values('stringData')]);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
