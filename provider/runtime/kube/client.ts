/**
 * The Kubernetes API as JSON: objects go in and out as they are on the wire, dates stay text.
 * Every call takes a signal and has a deadline; every failure is a `KubeError`, or the signal's own reason.
 */
import type { KubeObject } from '../../api/kind.ts';
import type { PooledKubeConfig } from './config.ts';
import { Precedence } from './precedence.ts';
import {
  apiVersionOf,
  collectionPath,
  describeRef,
  type ObjectRef,
  objectPath,
  type Resource,
  refOfObject,
} from './resource.ts';
import { type Exchange, Transport } from './transport.ts';
import { readWatch, type WatchEvent } from './watch.ts';

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** @defaultValue the client's, 30 000 ms */
  timeoutMs?: number | undefined;
  /** Nobody waits for it: calls that somebody waits for go first, see Precedence. The time until then does not count. */
  patient?: boolean | undefined;
}

export interface WriteOptions extends CallOptions {
  subresource?: 'status' | undefined;
  /** @defaultValue the client's, `xdatabase` */
  fieldManager?: string | undefined;
  dryRun?: boolean | undefined;
}

export interface ApplyOptions extends WriteOptions {
  /** Takes fields from other managers. @defaultValue true */
  force?: boolean | undefined;
}

export interface DeleteOptions extends CallOptions {
  /** Deletes only this very object. */
  uid?: string | undefined;
  /** Deletes only this very version. */
  resourceVersion?: string | undefined;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  /** @defaultValue the object's own */
  gracePeriodSeconds?: number | undefined;
}

export interface Selection {
  /** All namespaces when left out. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  /** Objects come as `PartialObjectMetadata`: the server sends no spec, status or data. */
  metadataOnly?: boolean | undefined;
}

export interface ListOptions extends CallOptions, Selection {
  limit?: number | undefined;
  continue?: string | undefined;
}

export interface KubeList<T extends KubeObject = KubeObject> {
  metadata: { resourceVersion?: string; continue?: string; remainingItemCount?: number };
  items: T[];
}

export interface WatchOptions extends CallOptions, Selection {
  resourceVersion: string;
  /** When the server shall end the watch. */
  timeoutSeconds: number;
}

/** Defaults of all calls. */
export interface KubeClientOptions {
  /** @defaultValue xdatabase-provider */
  userAgent?: string;
  /** @defaultValue xdatabase */
  fieldManager?: string;
  /** @defaultValue 30 000 */
  timeoutMs?: number;
}

export class KubeClient {
  readonly #transport: Transport;
  readonly #precedence = new Precedence();
  readonly #fieldManager: string;
  readonly #timeoutMs: number;

  constructor(config: PooledKubeConfig, options: KubeClientOptions = {}) {
    this.#transport = new Transport(config, options.userAgent ?? 'xdatabase-provider');
    this.#fieldManager = options.fieldManager ?? 'xdatabase';
    this.#timeoutMs = options.timeoutMs ?? 30_000;
  }

  /** @throws KubeError with status 404 when there is no such object. */
  async get<T extends KubeObject = KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    options: CallOptions = {},
  ): Promise<T> {
    return await this.#json<T>(resource, ref, 'get', { method: 'GET', path: objectPath(resource, ref) }, options);
  }

  /** One page; all objects when no limit is given. */
  async list<T extends KubeObject = KubeObject>(resource: Resource, options: ListOptions = {}): Promise<KubeList<T>> {
    const { namespace, labelSelector, fieldSelector, limit, continue: next } = options;
    const list = await this.#json<KubeList<T> & { kind?: string }>(
      resource,
      undefined,
      'list',
      {
        method: 'GET',
        path: collectionPath(resource, namespace),
        query: { labelSelector, fieldSelector, limit: limit?.toString(), continue: next },
        accept: acceptFor(options, 'PartialObjectMetadataList'),
      },
      options,
    );
    const items = list.items ?? [];
    // Built-in kinds leave these two out of a list's items.
    for (const item of items) {
      item.apiVersion ??= apiVersionOf(resource);
      item.kind ??= resource.kind;
    }
    return { metadata: list.metadata ?? {}, items };
  }

  /** Every page in turn. */
  async listAll<T extends KubeObject = KubeObject>(resource: Resource, options: ListOptions = {}): Promise<T[]> {
    const items: T[] = [];
    let next: string | undefined;
    do {
      const page = await this.list<T>(resource, { limit: 500, ...options, continue: next });
      items.push(...page.items);
      next = page.metadata.continue || undefined;
    } while (next !== undefined);
    return items;
  }

  async create<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}): Promise<T> {
    const path = collectionPath(resource, object.metadata.namespace);
    return await this.#write(resource, refOfObject(object), 'create', { method: 'POST', path, body: object }, options);
  }

  /** Replaces the object; with its resourceVersion set, only when nobody changed it meanwhile (else 409). */
  async update<T extends KubeObject>(resource: Resource, object: T, options: WriteOptions = {}): Promise<T> {
    const ref = refOfObject(object);
    const path = objectPath(resource, ref, options.subresource);
    return await this.#write(resource, ref, 'update', { method: 'PUT', path, body: object }, options);
  }

  /** RFC 7386: null removes. Put `metadata.resourceVersion` into the patch to refuse a changed object (409). */
  async mergePatch<T extends KubeObject = KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    patch: Record<string, unknown>,
    options: WriteOptions = {},
  ): Promise<T> {
    return await this.#patch(resource, ref, patch, 'application/merge-patch+json', options);
  }

  /** Server-side apply: states the fields that this manager wants; creates the object when absent. */
  async apply<T extends KubeObject>(resource: Resource, object: T, options: ApplyOptions = {}): Promise<T> {
    const force = String(options.force ?? true);
    return await this.#patch<T>(resource, refOfObject(object), object, 'application/apply-patch+yaml', options, {
      force,
    });
  }

  /** Asks for deletion; finalizers may keep the object for a while. */
  async delete(resource: Resource, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion, propagationPolicy = 'Background', gracePeriodSeconds } = options;
    const preconditions = uid || resourceVersion ? { preconditions: { uid, resourceVersion } } : {};
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, gracePeriodSeconds, ...preconditions };
    const exchange = { method: 'DELETE', path: objectPath(resource, ref), body } as const;
    await this.#json(resource, ref, 'delete', exchange, options);
  }

  /**
   * One watch, until the server ends it. ERROR events are thrown as KubeError.
   * Leaving the loop closes the connection.
   */
  async *watch<T extends KubeObject = KubeObject>(
    resource: Resource,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { labelSelector, fieldSelector, resourceVersion, timeoutSeconds } = options;
    const call = `watch ${resource.plural}`;
    const confidential = isConfidential(resource);
    const body = await this.#transport.stream({
      method: 'GET',
      path: collectionPath(resource, options.namespace),
      query: {
        watch: 'true',
        allowWatchBookmarks: 'true',
        timeoutSeconds: String(timeoutSeconds),
        resourceVersion,
        labelSelector,
        fieldSelector,
      },
      accept: acceptFor(options, 'PartialObjectMetadata'),
      call,
      confidential,
      signal: options.signal,
      timeoutMs: options.timeoutMs ?? this.#timeoutMs,
    });
    yield* readWatch<T>(body, { call, confidential }, options.signal);
  }

  /** Any other path, e.g. `/version` or `/readyz`. */
  async raw<T = unknown>(path: string, options: CallOptions = {}): Promise<T> {
    const exchange = { method: 'GET', path, call: `get ${path}`, confidential: false } as const;
    const { signal, timeoutMs = this.#timeoutMs } = options;
    return (await this.#transport.json({ ...exchange, signal, timeoutMs })) as T;
  }

  async #patch<T extends KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    body: unknown,
    contentType: string,
    options: WriteOptions,
    query: Record<string, string> = {},
  ): Promise<T> {
    const path = objectPath(resource, ref, options.subresource);
    const exchange = { method: 'PATCH', path, body, contentType, query } as const;
    return await this.#write<T>(resource, ref, 'patch', exchange, options);
  }

  async #write<T extends KubeObject>(
    resource: Resource,
    ref: ObjectRef,
    verb: string,
    exchange: Pick<Exchange, 'method' | 'path' | 'query' | 'contentType' | 'body'>,
    options: WriteOptions,
  ): Promise<T> {
    const query = {
      fieldManager: options.fieldManager ?? this.#fieldManager,
      dryRun: options.dryRun ? 'All' : undefined,
      ...exchange.query,
    };
    const name = options.subresource === undefined ? verb : `${verb} ${options.subresource} of`;
    return await this.#json<T>(resource, ref, name, { ...exchange, query }, options);
  }

  async #json<T>(
    resource: Resource,
    ref: ObjectRef | undefined,
    verb: string,
    exchange: Pick<Exchange, 'method' | 'path' | 'query' | 'accept' | 'contentType' | 'body'>,
    options: CallOptions,
  ): Promise<T> {
    const call = async (): Promise<T> =>
      (await this.#transport.json({
        ...exchange,
        call: `${verb} ${ref === undefined ? resource.plural : describeRef(resource, ref)}`,
        confidential: isConfidential(resource),
        signal: options.signal,
        timeoutMs: options.timeoutMs ?? this.#timeoutMs,
      })) as T;
    return options.patient === true
      ? await this.#precedence.patient(call, options.signal)
      : await this.#precedence.urgent(call);
  }
}

const isConfidential = (resource: Resource): boolean => resource.group === '' && resource.plural === 'secrets';

const acceptFor = (selection: Selection, as: string): string =>
  selection.metadataOnly ? `application/json;as=${as};g=meta.k8s.io;v=v1` : 'application/json';
