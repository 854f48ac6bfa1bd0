/**
 * A small API server in memory, for tests of what a real one does only on a bad day: answers of any status, history that
 * is gone, watches cut in the middle. It knows nothing of schemas, admission, or server-side apply; for these there is
 * the real kube-apiserver.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { KubeObject } from '../../api/kind.ts';
import { KubeClient, type KubeClientOptions } from './client.ts';
import { PooledKubeConfig } from './config.ts';
import { type Change, FakeStorage, isCollection, isIn, pathIn, type Stored } from './fake-storage.fixture.ts';

export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  accept: string;
  contentType: string;
  body: unknown;
}

/** Answers a request itself by returning true; a promise holds it up. */
export type Interceptor = (request: SeenRequest, response: ServerResponse) => boolean | Promise<boolean>;

interface Watcher {
  collection: string;
  query: URLSearchParams;
  metadataOnly: boolean;
  response: ServerResponse;
}

export class FakeApiServer {
  readonly requests: SeenRequest[] = [];
  readonly watchers = new Set<Watcher>();
  /** Connections accepted since the start. */
  connections = 0;
  /** Most connections open at one time. */
  peakConnections = 0;
  #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #storage = new FakeStorage((change) => {
    for (const watcher of this.watchers) this.#deliver(watcher, change);
  });
  #interceptors: Interceptor[] = [];
  readonly #configs: PooledKubeConfig[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        response.destroy(error as Error);
      });
    });
    this.#server.on('connection', (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      this.peakConnections = Math.max(this.peakConnections, this.#sockets.size);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<FakeApiServer> {
    const fake = new FakeApiServer();
    await fake.#listen(0);
    return fake;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  config(): PooledKubeConfig {
    const config = new PooledKubeConfig();
    config.loadFromClusterAndUser(
      { name: 'fake', server: `http://127.0.0.1:${this.port}`, skipTLSVerify: true },
      { name: 'tester', token: 'a-token' },
    );
    this.#configs.push(config);
    return config;
  }

  client(options?: KubeClientOptions): KubeClient {
    return new KubeClient(this.config(), options);
  }

  async stop(): Promise<void> {
    this.disconnect();
    await Promise.all(this.#configs.map((config) => config.close()));
    if (this.#server.listening)
      await new Promise((resolve) => {
        this.#server.close(resolve);
        this.#server.closeAllConnections();
      });
  }

  /** Stops listening and breaks every connection; what is stored stays. */
  async goDown(): Promise<number> {
    const { port } = this;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.disconnect();
    await closed;
    return port;
  }

  async comeBack(port: number): Promise<void> {
    await this.#listen(port);
  }

  /** Breaks every connection. */
  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Intercepts until the returned function is called. */
  intercept(interceptor: Interceptor): () => void {
    this.#interceptors.push(interceptor);
    return () => {
      this.#interceptors = this.#interceptors.filter((it) => it !== interceptor);
    };
  }

  /** Answers the next `times` requests that match with this status. */
  failNext(
    times: number,
    matches: (request: SeenRequest) => boolean,
    status: number,
    body: object = {},
    headers: Record<string, string> = {},
  ): void {
    let left = times;
    const stop = this.intercept((request, response) => {
      if (!matches(request)) return false;
      if (--left <= 0) stop();
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, ...body }));
      return true;
    });
  }

  /** Forgets the history: watches from before now are answered with 410. */
  compact(): void {
    this.#storage.compact();
  }

  /** As after restoring etcd from a backup: resourceVersions begin again below those handed out. */
  restoreFromBackup(version: number): void {
    this.#storage.restoreFromBackup(version);
  }

  /** Ends every watch, as the server does at timeoutSeconds. */
  endWatches(): void {
    for (const watcher of this.watchers) watcher.response.end();
    this.watchers.clear();
  }

  /** Sends a line to every watch of a collection. */
  sendToWatches(collection: string, event: unknown): void {
    for (const watcher of this.watchers)
      if (watcher.collection === collection)
        watcher.response.write(typeof event === 'string' ? event : `${JSON.stringify(event)}\n`);
  }

  bookmark(collection: string): void {
    const metadata = { resourceVersion: String(++this.#storage.version) };
    this.sendToWatches(collection, { type: 'BOOKMARK', object: { kind: 'Any', apiVersion: 'v1', metadata } });
  }

  /** Stores an object as somebody else's write. */
  put(collection: string, object: KubeObject): Stored {
    return this.#storage.put(collection, object);
  }

  remove(collection: string, namespace: string | undefined, name: string): Stored | undefined {
    return this.#storage.remove(pathIn(collection, namespace, name));
  }

  stored(collection: string, namespace: string | undefined, name: string): Stored | undefined {
    return this.#storage.at(pathIn(collection, namespace, name));
  }

  #deliver(watcher: Watcher, { path, type, object }: Change): void {
    if (!isIn(path, watcher.collection) || !selects(watcher.query, object)) return;
    watcher.response.write(`${JSON.stringify({ type, object: shown(object, watcher.metadataOnly) })}\n`);
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', resolve);
    });
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = await readRequest(request);
    this.requests.push(seen);
    for (const interceptor of this.#interceptors) if (await interceptor(seen, response)) return;
    const { method, path, query } = seen;
    const metadataOnly = seen.accept.includes('as=PartialObjectMetadata');
    const isStatus = path.endsWith('/status');
    const objectPath = isStatus ? path.slice(0, -'/status'.length) : path;
    const known = this.#storage.at(objectPath);
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const refuse = (code: number, reason: string): void => {
      send(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: `${reason}: ${path}` });
    };

    if (method === 'GET' && query.get('watch') === 'true')
      return this.#watch(path, query, metadataOnly, response, refuse);
    if (method === 'GET' && isCollection(path)) return this.#list(path, query, metadataOnly, send, refuse);
    if (method === 'POST') {
      const object = seen.body as KubeObject;
      const target = `${path}/${object.metadata.name}`;
      if (this.#storage.at(target) !== undefined) return refuse(409, 'AlreadyExists');
      return send(201, this.put(path, object));
    }
    if (known === undefined) return refuse(404, 'NotFound');
    if (method === 'GET') return send(200, shown(known, metadataOnly));
    const collection = objectPath.slice(0, objectPath.lastIndexOf('/'));
    if (method === 'DELETE') {
      if ((known.metadata.finalizers ?? []).length === 0) return send(200, this.#storage.remove(objectPath));
      const metadata = { ...known.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
      return send(200, this.put(collection, { ...known, metadata }));
    }
    const body = seen.body as KubeObject;
    const wanted = method === 'PUT' ? body : (mergePatch(known, body) as Stored);
    const expected = body.metadata?.resourceVersion;
    if (expected !== undefined && expected !== known.metadata.resourceVersion) return refuse(409, 'Conflict');
    const next = isStatus ? { ...known, status: wanted['status'] } : wanted;
    if (next.metadata.deletionTimestamp && (next.metadata.finalizers ?? []).length === 0) {
      this.#storage.remove(objectPath);
      return send(200, next);
    }
    send(200, this.put(collection, next));
  }

  #list(
    path: string,
    query: URLSearchParams,
    metadataOnly: boolean,
    send: (status: number, body: unknown) => void,
    refuse: (code: number, reason: string) => void,
  ): void {
    const [asOf, from] = (query.get('continue') ?? `${this.#storage.version}:0`).split(':').map(Number) as [
      number,
      number,
    ];
    if (asOf < this.#storage.compacted) return refuse(410, 'Expired');
    const all = this.#storage
      .in(path)
      .filter((object) => selects(query, object))
      .map((object) => shown(object, metadataOnly));
    const limit = Number(query.get('limit') ?? Infinity);
    const next = from + limit < all.length ? `${asOf}:${from + limit}` : undefined;
    const metadata = { resourceVersion: String(asOf), continue: next };
    send(200, { kind: 'List', apiVersion: 'v1', metadata, items: all.slice(from, from + limit) });
  }

  #watch(
    path: string,
    query: URLSearchParams,
    metadataOnly: boolean,
    response: ServerResponse,
    refuse: (code: number, reason: string) => void,
  ): void {
    const from = Number(query.get('resourceVersion'));
    if (from < this.#storage.compacted) return refuse(410, 'Expired');
    const watcher = { collection: path, query, metadataOnly, response };
    response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
    this.watchers.add(watcher);
    response.on('close', () => this.watchers.delete(watcher));
    for (const change of this.#storage.since(from)) this.#deliver(watcher, change);
  }
}

async function readRequest(request: IncomingMessage): Promise<SeenRequest> {
  const url = new URL(request.url ?? '/', 'http://fake');
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return {
    method: request.method ?? 'GET',
    path: url.pathname,
    query: url.searchParams,
    accept: request.headers.accept ?? '',
    contentType: request.headers['content-type'] ?? '',
    body: text === '' ? undefined : (JSON.parse(text) as unknown),
  };
}

function selects(query: URLSearchParams, object: KubeObject): boolean {
  const selector = query.get('labelSelector');
  return (selector?.split(',') ?? []).every((term) => {
    const [key = '', value] = term.split('=');
    return value === undefined ? object.metadata.labels?.[key] !== undefined : object.metadata.labels?.[key] === value;
  });
}

const shown = (object: Stored, metadataOnly: boolean): KubeObject =>
  metadataOnly ? { apiVersion: 'meta.k8s.io/v1', kind: 'PartialObjectMetadata', metadata: object.metadata } : object;

function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null ? { ...target } : {};
  for (const [key, value] of Object.entries(patch))
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  return result;
}
