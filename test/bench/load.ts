/** Many resources at once: creating them, and the moment when the last is Ready. */
import type { Condition, KubeObject } from '../../provider/api/kind.ts';
import type { KubeClient } from '../../provider/runtime/kube/client.ts';
import type { Resource } from '../../provider/runtime/kube/resource.ts';
import { waitFor } from '../rig/process.ts';

export interface Wanted {
  resource: Resource;
  objects: readonly KubeObject[];
}

const CALLERS = 16;

/** Creates all of them, in their order, as fast as the API server takes them. */
async function createAll(client: KubeClient, wanted: readonly Wanted[]): Promise<void> {
  const left = wanted.flatMap(({ resource, objects }) => objects.map((object) => ({ resource, object }))).values();
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (const { resource, object } of left) await client.create(resource, object, { fieldManager: 'bench' });
    }),
  );
}

interface WithConditions extends KubeObject {
  status?: { conditions?: Condition[] };
}

const conditions = (object: KubeObject): Condition[] => (object as WithConditions).status?.conditions ?? [];

const isReady = (object: KubeObject): boolean =>
  ['Ready', 'Synced'].every((type) => conditions(object).find((c) => c.type === type)?.status === 'True');

/** Follows one kind by a watch: listing hundreds of objects twice a second would slow down what is measured. */
class Follower {
  readonly ready = new Set<string>();
  readonly #names: ReadonlySet<string>;
  readonly #stop = new AbortController();
  #last: KubeObject | undefined;
  #failure: unknown;

  constructor(names: ReadonlySet<string>) {
    this.#names = names;
  }

  async start(client: KubeClient, resource: Resource, namespace: string, onReady: () => void): Promise<void> {
    const { metadata } = await client.list(resource, { namespace, limit: 1 });
    const events = client.watch(resource, {
      namespace,
      resourceVersion: metadata.resourceVersion ?? '0',
      timeoutSeconds: 3600,
      signal: this.#stop.signal,
    });
    void (async () => {
      for await (const { object } of events) {
        const { name } = object.metadata;
        if (!this.#names.has(name)) continue;
        if (isReady(object)) this.ready.add(name);
        else this.#last = object;
        if (this.done) onReady();
      }
      throw new Error('the watch ended');
    })().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) this.#failure = error;
    });
  }

  get done(): boolean {
    return this.ready.size === this.#names.size;
  }

  /** @throws Error when the watch broke, as nothing more would be seen. */
  check(): void {
    if (this.#failure !== undefined) throw new Error('a watch broke', { cause: this.#failure });
  }

  stop(): void {
    this.#stop.abort(new Error('enough seen'));
  }

  get late(): string {
    const why = this.#last === undefined ? 'no condition' : JSON.stringify(conditions(this.#last));
    return this.done ? '' : `${this.#names.size - this.ready.size} late, e.g. ${this.#last?.metadata.name}: ${why}`;
  }
}

export interface LoadTimes {
  /** From the first create until the API server had taken the last. */
  createSeconds: number;
  /** From the first create until the last was Ready and Synced. */
  readySeconds: number;
}

/**
 * Creates objects and waits until each has been Ready and Synced.
 *
 * @throws Error that names one that is late, after `timeout` milliseconds (default 20 minutes).
 */
export async function createUntilReady(
  client: KubeClient,
  namespace: string,
  wanted: readonly Wanted[],
  timeout = 1_200_000,
): Promise<LoadTimes> {
  const followers = wanted.map(({ objects }) => new Follower(new Set(objects.map((object) => object.metadata.name))));
  let readyAt = 0;
  const onReady = (): void => {
    if (followers.every((follower) => follower.done)) readyAt ||= performance.now();
  };
  try {
    for (const [at, follower] of followers.entries()) {
      const resource = wanted[at]?.resource;
      if (resource) await follower.start(client, resource, namespace, onReady);
    }
    const started = performance.now();
    await createAll(client, wanted);
    const created = performance.now();
    await waitFor(
      'all resources are Ready',
      () => {
        for (const follower of followers) follower.check();
        if (readyAt > 0) return true;
        throw new Error(followers.map((follower) => follower.late).join('; '));
      },
      { timeout, interval: 100 },
    );
    return { createSeconds: (created - started) / 1000, readySeconds: (readyAt - started) / 1000 };
  } finally {
    for (const follower of followers) follower.stop();
  }
}
