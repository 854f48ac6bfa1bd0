/** Many resources at once: creating them, and the moment when the last is Ready. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Condition, KubeObject } from '../../provider/api/kind.ts';
import type { KubeClient } from '../../provider/runtime/kube/client.ts';
import type { Resource } from '../../provider/runtime/kube/resource.ts';
import { waitFor } from '../rig/process.ts';
import { say } from './say.ts';

export interface Wanted {
  resource: Resource;
  objects: readonly KubeObject[];
}

const CALLERS = 16;
const RESTART_MS = 500;

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

  constructor(names: ReadonlySet<string>) {
    this.#names = names;
  }

  /** Sees everything that happens after this has returned. */
  async start(client: KubeClient, resource: Resource, namespace: string, onChange: () => void): Promise<void> {
    const { signal } = this.#stop;
    let { metadata } = await client.list(resource, { namespace, signal });
    void (async () => {
      while (!signal.aborted)
        try {
          const resourceVersion = metadata.resourceVersion ?? '0';
          const watch = client.watch(resource, { namespace, resourceVersion, timeoutSeconds: 3600, signal });
          for await (const { object } of watch) this.#see(object, onChange);
          throw new Error('the watch ended');
        } catch (error) {
          if (signal.aborted) return;
          // The API server drops a watch that does not keep up, which on a busy machine may be ours: look at all, go on.
          say(`bench: the watch of ${resource.plural} begins anew: ${String(error)}`);
          await delay(RESTART_MS);
          const list = await client.list(resource, { namespace, signal }).catch(() => undefined);
          if (list !== undefined) metadata = list.metadata;
          for (const object of list?.items ?? []) this.#see(object, onChange);
        }
    })();
  }

  #see(object: KubeObject, onChange: () => void): void {
    const { name } = object.metadata;
    if (!this.#names.has(name)) return;
    if (isReady(object)) this.ready.add(name);
    else this.#last = object;
    onChange();
  }

  get done(): boolean {
    return this.ready.size === this.#names.size;
  }

  stop(): void {
    this.#stop.abort(new Error('enough seen'));
  }

  get late(): string {
    const why = this.#last === undefined ? 'no condition' : JSON.stringify(conditions(this.#last));
    return this.done ? '' : `${this.#names.size - this.ready.size} late, e.g. ${this.#last?.metadata.name}: ${why}`;
  }
}

/**
 * Creates one object and gives the seconds until it is Ready and Synced. Looks at nothing else: listing the thousands that
 * are there already would slow down what is measured.
 *
 * @throws Error after `timeout` milliseconds (default one minute).
 */
export async function secondsUntilReady(
  client: KubeClient,
  resource: Resource,
  object: KubeObject,
  timeout = 60_000,
): Promise<number> {
  const started = performance.now();
  const { namespace, name, resourceVersion = '0' } = (await client.create(resource, object)).metadata;
  const watch = client.watch(resource, {
    namespace,
    fieldSelector: `metadata.name=${name}`,
    resourceVersion,
    timeoutSeconds: timeout / 1000,
    signal: AbortSignal.timeout(timeout),
  });
  for await (const { object: seen } of watch) if (isReady(seen)) return (performance.now() - started) / 1000;
  throw new Error(`${resource.plural} ${name} is not Ready after ${timeout / 1000} s`);
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
  const onChange = (): void => {
    if (followers.every((follower) => follower.done)) readyAt ||= performance.now();
  };
  try {
    for (const [at, follower] of followers.entries()) {
      const resource = wanted[at]?.resource;
      if (resource) await follower.start(client, resource, namespace, onChange);
    }
    const started = performance.now();
    await createAll(client, wanted);
    const created = performance.now();
    await waitFor(
      'all resources are Ready',
      () => {
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
