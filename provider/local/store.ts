/**
 * Keeps managed resources and Secrets in one file, so that the command line runs the very reconciler that runs in a
 * cluster. The file holds generated passwords: it is readable by its owner only.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Managed } from '../api/kind.ts';
import { ANNOTATION } from '../runtime/managed/annotations.ts';
import type { Details } from '../runtime/managed/external.ts';
import type { ManagedStore, MetadataPatch, SecretObject } from '../runtime/managed/store.ts';
import { StateError } from './lock.ts';

export interface LocalEvent {
  resource: string;
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
}

interface State {
  /** Remembered per object: what a cluster would keep in its metadata and status. */
  objects: Record<
    string,
    { uid: string; annotations: Record<string, string>; finalizers: string[]; status?: Managed['status'] }
  >;
  secrets: Record<string, Record<string, string>>;
}

const stateSchema = z.object({
  objects: z.record(
    z.string(),
    z.looseObject({
      uid: z.string(),
      annotations: z.record(z.string(), z.string()),
      finalizers: z.array(z.string()),
    }),
  ),
  secrets: z.record(z.string(), z.record(z.string(), z.string())),
});

const keyOf = (object: { kind: string; metadata: { namespace?: string; name: string } }): string =>
  `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`;

export class LocalStore {
  readonly #file: string | undefined;
  readonly #state: State;
  readonly #objects = new Map<string, Managed>();
  readonly events: LocalEvent[] = [];

  /** `file` undefined keeps everything in memory, as a plan does that must leave no trace. */
  constructor(file?: string, seed?: LocalStore) {
    this.#file = file;
    this.#state = seed === undefined ? readState(file) : structuredClone(seed.#state);
  }

  /** Takes in a manifest, with what is remembered of that object; one that comes from a cluster is who it is there. */
  add(manifest: Managed): Managed {
    const key = keyOf(manifest);
    const remembered = (this.#state.objects[key] ??= { uid: randomUUID(), annotations: {}, finalizers: [] });
    const uid = manifest.metadata.uid ?? remembered.uid;
    const object: Managed = {
      ...structuredClone(manifest),
      metadata: {
        ...manifest.metadata,
        uid,
        generation: 1,
        creationTimestamp: '1970-01-01T00:00:00Z',
        annotations: { ...remembered.annotations, ...manifest.metadata.annotations },
        finalizers: [...remembered.finalizers],
      },
    };
    if (remembered.status !== undefined) object.status = structuredClone(remembered.status);
    this.#objects.set(key, object);
    return object;
  }

  /** Names of remembered objects that no manifest mentions any more. */
  forgotten(): string[] {
    return Object.keys(this.#state.objects).filter((key) => !this.#objects.has(key));
  }

  list(kind: string): Managed[] {
    return [...this.#objects.values()].filter((object) => object.kind === kind);
  }

  all(): Managed[] {
    return [...this.#objects.values()];
  }

  get(kind: string, namespace: string, name: string): Managed | undefined {
    return this.#objects.get(`${kind}/${namespace}/${name}`);
  }

  secret(namespace: string, name: string): SecretObject | undefined {
    const data = this.#state.secrets[`${namespace}/${name}`];
    return data === undefined ? undefined : { apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name }, data };
  }

  /** What the connection Secret of a resource holds, in clear; empty when it has none. */
  connectionValues(resource: Managed): Record<string, string> {
    const name = resource.spec.writeConnectionSecretToRef?.name;
    const data = name === undefined ? undefined : this.secret(resource.metadata.namespace ?? '', name)?.data;
    return Object.fromEntries(
      Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
    );
  }

  addSecret(namespace: string, name: string, values: Record<string, string>): void {
    const secret = (this.#state.secrets[`${namespace}/${name}`] ??= {});
    for (const [key, value] of Object.entries(values)) secret[key] = Buffer.from(value).toString('base64');
    this.#save();
  }

  /** The store of one kind, as the reconciler wants it. */
  ofKind(kind: string): ManagedStore {
    return {
      get: async (namespace, name) => await Promise.resolve(this.get(kind, namespace, name)),
      patchMetadata: async (resource, patch) => await Promise.resolve(this.#patch(resource, patch)),
      patchForProvider: async (resource, patch) =>
        await Promise.resolve(
          this.#update(resource, (object) => {
            Object.assign(object.spec.forProvider, patch);
          }),
        ),
      updateStatus: async (resource) =>
        await Promise.resolve(
          this.#update(resource, (object) => {
            if (resource.status !== undefined) object.status = structuredClone(resource.status);
          }),
        ),
      publish: async (resource, details) => {
        await Promise.resolve(this.#publish(resource, details));
      },
      event: (resource, type, reason, message) => {
        this.events.push({ resource: keyOf(resource), type, reason, message });
      },
    };
  }

  #publish(resource: Managed, details: Details): void {
    const name = resource.spec.writeConnectionSecretToRef?.name;
    if (name === undefined) return;
    const values = Object.fromEntries(
      Object.entries(details).map(([key, value]) => [key, typeof value === 'string' ? value : value.reveal()]),
    );
    this.addSecret(resource.metadata.namespace ?? '', name, values);
  }

  #patch(resource: Managed, patch: MetadataPatch): Managed {
    return this.#update(resource, (object) => {
      const annotations = (object.metadata.annotations ??= {});
      for (const [name, value] of Object.entries(patch.annotations ?? {})) {
        if (value === null) delete annotations[name];
        else annotations[name] = value;
      }
      const finalizers = new Set(object.metadata.finalizers);
      if (patch.addFinalizer !== undefined) finalizers.add(patch.addFinalizer);
      if (patch.removeFinalizer !== undefined) finalizers.delete(patch.removeFinalizer);
      object.metadata.finalizers = [...finalizers];
    });
  }

  #update(resource: Managed, change: (object: Managed) => void): Managed {
    const key = keyOf(resource);
    const object = structuredClone(this.#objects.get(key) ?? resource);
    change(object);
    const isReleased = object.metadata.deletionTimestamp !== undefined && object.metadata.finalizers?.length === 0;
    if (isReleased) {
      this.#objects.delete(key);
      delete this.#state.objects[key];
    } else {
      this.#objects.set(key, object);
      this.#state.objects[key] = {
        uid: object.metadata.uid ?? '',
        annotations: ours(object.metadata.annotations ?? {}),
        finalizers: object.metadata.finalizers ?? [],
        ...(object.status === undefined ? {} : { status: object.status }),
      };
    }
    this.#save();
    return object;
  }

  #save(): void {
    if (this.#file === undefined) return;
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    const temporary = `${this.#file}.${process.pid}`;
    writeFileSync(temporary, JSON.stringify(this.#state, null, 2), { mode: 0o600 });
    renameSync(temporary, this.#file);
  }
}

function ours(annotations: Record<string, string>): Record<string, string> {
  const kept: string[] = Object.values(ANNOTATION);
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => kept.includes(name)));
}

function readState(file: string | undefined): State {
  const empty: State = { objects: {}, secrets: {} };
  if (file === undefined) return empty;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return empty;
    throw new StateError(`state file ${file} cannot be read: ${code}`);
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch {
    throw new StateError(
      `state file ${file} is not one that xdb has written; move it away to start anew (generated passwords in it are lost)`,
    );
  }
}
