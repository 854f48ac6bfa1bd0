/** The objects of the fake API server, and their history. */
import { randomUUID } from 'node:crypto';
import type { KubeObject } from '../../api/kind.ts';

export type Stored = KubeObject & { metadata: KubeObject['metadata'] & { resourceVersion: string; uid: string } };

export interface Change {
  version: number;
  type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** Of the object. */
  path: string;
  object: Stored;
}

export class FakeStorage {
  version = 100;
  /** History up to this version is gone. */
  compacted = 0;
  readonly #objects = new Map<string, Stored>();
  #history: Change[] = [];
  readonly #onChange: (change: Change) => void;

  constructor(onChange: (change: Change) => void) {
    this.#onChange = onChange;
  }

  at(path: string): Stored | undefined {
    return this.#objects.get(path);
  }

  in(collection: string): Stored[] {
    return [...this.#objects].filter(([path]) => isIn(path, collection)).map(([, object]) => object);
  }

  since(version: number): Change[] {
    return this.#history.filter((change) => change.version > version);
  }

  /** Stores an object; the collection is named with or without its namespace. */
  put(collection: string, object: KubeObject): Stored {
    const path = pathIn(collection, object.metadata.namespace, object.metadata.name);
    const known = this.#objects.get(path);
    const stored: Stored = {
      ...structuredClone(object),
      metadata: {
        ...structuredClone(object.metadata),
        uid: known?.metadata.uid ?? randomUUID(),
        resourceVersion: String(++this.version),
        creationTimestamp: known?.metadata.creationTimestamp ?? '2026-01-01T00:00:00Z',
      },
    };
    this.#objects.set(path, stored);
    this.#record(known === undefined ? 'ADDED' : 'MODIFIED', path, stored);
    return stored;
  }

  remove(path: string): Stored | undefined {
    const known = this.#objects.get(path);
    if (known === undefined) return undefined;
    this.#objects.delete(path);
    const last = { ...known, metadata: { ...known.metadata, resourceVersion: String(++this.version) } };
    this.#record('DELETED', path, last);
    return last;
  }

  compact(): void {
    this.compacted = this.version;
    this.#history = [];
  }

  restoreFromBackup(version: number): void {
    this.version = version;
    this.compacted = 0;
    this.#history = [];
  }

  #record(type: Change['type'], path: string, object: Stored): void {
    const change = { version: this.version, type, path, object };
    this.#history.push(change);
    this.#onChange(change);
  }
}

/** The object's path; `collection` is with or without its namespace. */
export function pathIn(collection: string, namespace: string | undefined, name: string): string {
  if (namespace === undefined || collection.includes('/namespaces/')) return `${collection}/${name}`;
  const cut = collection.lastIndexOf('/');
  return `${collection.slice(0, cut)}/namespaces/${namespace}${collection.slice(cut)}/${name}`;
}

export const isIn = (path: string, collection: string): boolean =>
  path.startsWith(`${collection}/`) ||
  path.replace(/\/namespaces\/[^/]+(?=\/[^/]+\/[^/]+$)/, '').startsWith(`${collection}/`);

/** /api/v1/x, /apis/g/v/x, each perhaps with /namespaces/n before x. */
export const isCollection = (path: string): boolean =>
  /^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)(\/namespaces\/[^/]+)?\/[^/]+$/.test(path) && !/\/namespaces\/[^/]+$/.test(path);
