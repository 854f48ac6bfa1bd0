import { beforeEach, describe, expect, test } from 'vitest';
import type { Managed } from '../../api/kind.ts';
import { ResourceError, withOpenOutcome } from '../../common/errors.ts';
import { LocalStore } from '../../local/store.ts';
import { ANNOTATION, appliedOf, externalNameOf, FINALIZER, hasCreated, isCreating } from './annotations.ts';
import { conditionOf } from './conditions.ts';
import type { ExternalClient, Observation } from './external.ts';
import type { ReferenceResolver } from './options.ts';
import { ManagedReconciler } from './reconciler.ts';

/** An external system that holds one value per resource. */
class External implements ExternalClient {
  value: string | undefined;
  desired = 'a';
  name = 'orders';
  calls: string[] = [];
  fail: Partial<Record<'connect' | 'observe' | 'create' | 'update' | 'delete', Error>> = {};
  unready: Observation['unready'];
  onCreate: () => void = () => {};

  #enter(call: 'observe' | 'create' | 'update' | 'delete'): void {
    this.calls.push(call);
    const failure = this.fail[call];
    if (failure !== undefined) throw failure;
  }

  observe(): Promise<Observation> {
    return this.#answer(() => {
      this.#enter('observe');
      return {
        exists: this.value !== undefined,
        name: this.name,
        differences: this.value !== undefined && this.value !== this.desired ? [`${this.value} → ${this.desired}`] : [],
        unchangeable: [],
        ...(this.unready === undefined ? {} : { unready: this.unready }),
        atProvider: { value: this.value ?? '' },
        connectionDetails: {},
        appliedBefore: JSON.stringify({ value: this.desired }),
        appliedAfter: JSON.stringify({ value: this.desired }),
        notes: [],
      };
    });
  }
  create(): Promise<void> {
    return this.#answer(() => {
      this.onCreate();
      this.#enter('create');
      this.value = this.desired;
    });
  }
  update(): Promise<void> {
    return this.#answer(() => {
      this.#enter('update');
      this.value = this.desired;
    });
  }
  delete(): Promise<void> {
    return this.#answer(() => {
      this.#enter('delete');
      this.value = undefined;
    });
  }
  async #answer<T>(work: () => T): Promise<T> {
    await Promise.resolve();
    return work();
  }
}

const resource = (change: (r: Managed) => void = () => {}): Managed => {
  const made: Managed = {
    apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
    kind: 'Database',
    metadata: { namespace: 'team-a', name: 'orders' },
    spec: { forProvider: {}, providerConfigRef: { kind: 'ProviderConfig', name: 'default' } },
  };
  change(made);
  return made;
};

const noReferences: ReferenceResolver = { resolve: async () => await Promise.resolve({}) };

let store: LocalStore;
let external: External;
let writes: number;
let references: ReferenceResolver;
let now: Date;

beforeEach(() => {
  store = new LocalStore();
  external = new External();
  references = noReferences;
  writes = 0;
  now = new Date('2026-01-01T00:00:00.123Z');
});

async function reconcile() {
  const inner = store.ofKind('Database');
  const counted =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      writes += 1;
      return await call(...args);
    };
  const reconciler = new ManagedReconciler({
    store: {
      ...inner,
      patchMetadata: counted(inner.patchMetadata.bind(inner)),
      patchForProvider: counted(inner.patchForProvider.bind(inner)),
      updateStatus: counted(inner.updateStatus.bind(inner)),
    },
    connector: {
      connect: async () => {
        if (external.fail.connect) throw external.fail.connect;
        return await Promise.resolve(external);
      },
      pollAfter: () => 60_000,
    },
    references,
    metrics: { firstReconcile: () => {}, firstReady: () => {}, deleted: () => {}, drift: () => {} },
    now: () => now,
  });
  external.calls = [];
  return await reconciler.reconcile('team-a', 'orders', new AbortController().signal, 0);
}

const current = (): Managed => store.get('Database', 'team-a', 'orders')!;
const ready = () => conditionOf(current(), 'Ready');
const synced = () => conditionOf(current(), 'Synced');
const reasons = () => store.events.map((event) => event.reason);

describe('a new resource', () => {
  test('is created, observed again and Ready in one pass', async () => {
    store.add(resource());
    const outcome = await reconcile();
    expect(external.calls).toEqual(['observe', 'create', 'observe']);
    expect(ready()).toMatchObject({ status: 'True', reason: 'Available' });
    expect(synced()).toMatchObject({ status: 'True', reason: 'ReconcileSuccess' });
    expect(conditionOf(current(), 'UpToDate')).toMatchObject({ status: 'True' });
    expect(current().metadata.finalizers).toEqual([FINALIZER]);
    expect(current().metadata.annotations?.[ANNOTATION.externalName]).toBe('orders');
    expect(outcome).toEqual({ requeueAfterMs: 60_000 });
    expect(reasons()).toEqual(['CreatedExternalResource']);
  });

  test('costs two writes, before the create and the status; that it succeeded is written at a later look', async () => {
    store.add(resource());
    await reconcile();
    expect(writes).toBe(2);
    await reconcile();
    expect(writes).toBe(2);
    expect(current().metadata.annotations?.[ANNOTATION.createSucceeded]).toBeUndefined();
    now = new Date('2026-01-01T00:01:00Z');
    await reconcile();
    expect(writes).toBe(3);
    expect(current().metadata.annotations?.[ANNOTATION.createSucceeded]).toBeDefined();
  });

  test('gets no finalizer while nothing could be observed, so it can be deleted', async () => {
    store.add(resource());
    external.fail.connect = new ResourceError('Unreachable', 'no route to host');
    expect(await reconcile()).toEqual({ retry: true });
    expect(current().metadata.finalizers).toEqual([]);
    expect(synced()).toMatchObject({
      status: 'False',
      reason: 'Unreachable',
      message: 'connect failed: no route to host',
    });
    expect(ready()).toMatchObject({ status: 'False', reason: 'Creating' });
  });

  test('whose creation broke off without an answer is ours if it is there after all', async () => {
    store.add(resource());
    external.fail.create = withOpenOutcome(new ResourceError('Unreachable', 'the connection was reset'));
    await reconcile();
    expect(current().metadata.annotations?.[ANNOTATION.createFailed]).toBeUndefined();
    expect(hasCreated(current())).toBe(true);
    expect(isCreating(current())).toBe(true);
  });

  test('whose creation fails says so and is not taken for ours afterwards', async () => {
    store.add(resource());
    external.fail.create = new ResourceError('AlreadyExists', 'somebody was faster');
    await reconcile();
    expect(synced()).toMatchObject({
      status: 'False',
      reason: 'AlreadyExists',
      message: 'create failed: somebody was faster',
    });
    expect(current().metadata.annotations?.[ANNOTATION.createFailed]).toBeDefined();
    expect(hasCreated(current())).toBe(false);
    expect(reasons()).toEqual(['CannotCreateExternalResource']);
  });

  test('whose creation fails while the clock is set back is not taken for ours either', async () => {
    store.add(resource());
    external.fail.create = new ResourceError('AlreadyExists', 'somebody was faster');
    external.onCreate = () => (now = new Date('2025-12-31T23:00:00Z'));
    await reconcile();
    expect(hasCreated(current())).toBe(false);
  });

  test.each([
    ['2026-01-01T00:00:05Z', 'waits in silence for a moment, though its server’s clock is ahead by seconds', undefined],
    ['2026-01-01T01:00:00Z', 'says at once what it waits for, when that clock is ahead by an hour', 'Waiting'],
  ])('made at %s %s', async (creationTimestamp, _what, reason) => {
    store.add(resource());
    current().metadata.creationTimestamp = creationTimestamp;
    external.fail.observe = new ResourceError('Waiting', 'for its owner');
    await reconcile();
    expect(synced()?.reason).toBe(reason);
  });

  test('whose external name somebody left empty gets its own, so that others can refer to it', async () => {
    store.add(resource((r) => (r.metadata.annotations = { [ANNOTATION.externalName]: '' })));
    await reconcile();
    expect(current().metadata.annotations?.[ANNOTATION.externalName]).toBe('orders');
  });

  test('whose creation fails and then succeeds within the same second is ours', async () => {
    store.add(resource());
    external.fail.create = new ResourceError('Refused', 'no');
    await reconcile();
    external.fail = {};
    await reconcile();
    expect(hasCreated(current())).toBe(true);
  });

  test('whose creation was interrupted goes on by itself', async () => {
    store.add(resource((r) => (r.metadata.annotations = { [ANNOTATION.createPending]: '2026-01-01T00:00:00Z' })));
    external.value = 'a';
    await reconcile();
    expect(external.calls).toEqual(['observe']);
    expect(ready()?.status).toBe('True');
  });
});

describe('a converged resource', () => {
  test('causes no write and no event', async () => {
    store.add(resource());
    await reconcile();
    await reconcile();
    const before = structuredClone(current());
    writes = 0;
    const events = store.events.length;
    await reconcile();
    await reconcile();
    expect(writes).toBe(0);
    expect(store.events).toHaveLength(events);
    expect(current()).toEqual(before);
  });

  test('is corrected when it drifts, and says so once', async () => {
    store.add(resource());
    await reconcile();
    external.value = 'z';
    await reconcile();
    expect(external.calls).toEqual(['observe', 'update', 'observe']);
    expect(external.value).toBe('a');
    expect(reasons()).toEqual(['CreatedExternalResource', 'UpdatedExternalResource']);
  });

  test('keeps its event count low while the same failure goes on', async () => {
    store.add(resource());
    external.fail.observe = new ResourceError('Unreachable', 'connection refused');
    await reconcile();
    await reconcile();
    await reconcile();
    expect(reasons()).toEqual(['CannotObserveExternalResource']);
  });

  test('heals without an edit once the cause is gone', async () => {
    store.add(resource());
    external.fail.observe = new ResourceError('Unreachable', 'connection refused');
    await reconcile();
    delete external.fail.observe;
    await reconcile();
    expect(synced()?.status).toBe('True');
    expect(ready()?.status).toBe('True');
  });

  test('that is there but unusable is not Ready, and says why', async () => {
    store.add(resource());
    external.unready = { reason: 'PartlyGranted', message: 'table x belongs to somebody else' };
    await reconcile();
    expect(ready()).toMatchObject({
      status: 'False',
      reason: 'PartlyGranted',
      message: 'table x belongs to somebody else',
    });
  });
});

describe('a failed read', () => {
  test('is never taken for absence: nothing is created and no finalizer goes', async () => {
    store.add(resource());
    await reconcile();
    external.fail.observe = new Error('connection reset');
    await reconcile();
    expect(external.calls).toEqual(['observe']);
    current().metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    await reconcile();
    expect(external.calls).toEqual(['observe']);
    expect(current().metadata.finalizers).toEqual([FINALIZER]);
  });
});

describe('deletion', () => {
  const remove = () => (current().metadata.deletionTimestamp = '2026-01-01T00:00:00Z');

  test('drops the object, makes sure that it is gone, and lets go', async () => {
    store.add(resource());
    await reconcile();
    remove();
    await reconcile();
    expect(external.calls).toEqual(['observe', 'delete', 'observe']);
    expect(store.get('Database', 'team-a', 'orders')).toBeUndefined();
    expect(reasons()).toContain('DeletedExternalResource');
  });

  test('keeps the object and does not even connect when the policies forbid Delete', async () => {
    store.add(resource((r) => (r.spec.managementPolicies = ['Observe', 'Create', 'Update'])));
    await reconcile();
    remove();
    await reconcile();
    expect(external.calls).toEqual([]);
    expect(external.value).toBe('a');
    expect(store.get('Database', 'team-a', 'orders')).toBeUndefined();
  });

  test('waits while somebody else has a finalizer', async () => {
    store.add(resource());
    await reconcile();
    remove();
    current().metadata.finalizers?.push('usage.crossplane.io');
    await reconcile();
    expect(external.calls).toEqual(['observe']);
    expect(ready()).toMatchObject({ status: 'False', reason: 'Deleting' });
  });

  test('names what is in the way and tries again', async () => {
    store.add(resource());
    await reconcile();
    remove();
    external.fail.delete = new ResourceError('DependentObjects', 'role owns table app.t');
    expect(await reconcile()).toEqual({ retry: true });
    expect(synced()).toMatchObject({ reason: 'DependentObjects', message: 'delete failed: role owns table app.t' });
  });
});

describe('a resource that is given another external name', () => {
  const rename = (name: string): void => {
    current().metadata.annotations = { ...current().metadata.annotations, [ANNOTATION.externalName]: name };
    external.name = name;
  };
  beforeEach(async () => {
    store.add(resource());
    await reconcile();
    now = new Date(now.getTime() + 60_000);
    await reconcile();
  });

  test('has made nothing of that name, and applied nothing to it', () => {
    expect([hasCreated(current()), appliedOf(current())]).toEqual([true, { value: 'a' }]);
    rename('legacy');
    expect([hasCreated(current()), appliedOf(current())]).toEqual([false, undefined]);
    rename('orders');
    expect([hasCreated(current()), appliedOf(current())]).toEqual([true, { value: 'a' }]);
  });

  test('makes it, and says that the other one stays', async () => {
    rename('billing');
    external.value = undefined;
    external.fail.create = new ResourceError('Refused', 'no');
    await reconcile();
    // What appears now may be anybody's.
    expect(hasCreated(current())).toBe(false);
    external.fail = {};
    await reconcile();
    expect(hasCreated(current())).toBe(true);
    expect(ready()?.status).toBe('True');
    expect(store.events.filter(({ reason }) => reason === 'KeptExternalResource')).toMatchObject([
      { type: 'Warning', message: expect.stringContaining('"orders"') as string },
    ]);
  });
});

test.each([undefined, ''])(
  'a resource whose external name was taken away (%j) keeps the one that it has',
  async (given) => {
    store.add(resource((r) => (r.metadata.annotations = { [ANNOTATION.externalName]: 'legacy' })));
    external.name = 'legacy';
    await reconcile();
    const { [ANNOTATION.externalName]: _, ...others } = current().metadata.annotations ?? {};
    current().metadata.annotations = given === undefined ? others : { ...others, [ANNOTATION.externalName]: given };
    expect([externalNameOf(current()), hasCreated(current())]).toEqual(['legacy', true]);
    await reconcile();
    expect(current().metadata.annotations?.[ANNOTATION.externalName]).toBe('legacy');
    expect(reasons()).not.toContain('KeptExternalResource');
  },
);

describe('a resource that was restored from a backup of the cluster, or copied', () => {
  /** As Velero or `kubectl get -o yaml` keep it: all annotations, and another uid. */
  const restored = (annotations: Record<string, string> = {}): void => {
    const before = current().metadata.annotations;
    store.add(
      resource((r) => {
        r.metadata.uid = 'another';
        r.metadata.annotations = { ...before, ...annotations };
      }),
    );
  };
  beforeEach(async () => {
    store.add(resource());
    await reconcile();
    now = new Date(now.getTime() + 60_000);
    await reconcile();
  });

  test('has made nothing, and applied nothing, whatever its annotations say', () => {
    expect([hasCreated(current()), appliedOf(current())]).toEqual([true, { value: 'a' }]);
    restored();
    expect([hasCreated(current()), isCreating(current()), appliedOf(current())]).toEqual([false, false, undefined]);
  });

  test.each(['z', 'a'])('that takes over what is there (%j) has its own record from then on', async (value) => {
    restored();
    external.value = value;
    await reconcile();
    expect([hasCreated(current()), appliedOf(current())]).toEqual([true, { value: 'a' }]);
    writes = 0;
    await reconcile();
    expect(writes).toBe(0);
  });

  test('that makes its object anew does not take that of a creation that failed for its own', async () => {
    restored();
    external.value = undefined;
    external.fail.create = new ResourceError('AlreadyExists', 'somebody was faster');
    await reconcile();
    expect(hasCreated(current())).toBe(false);
    external.fail = {};
    await reconcile();
    expect([hasCreated(current()), ready()?.status]).toEqual([true, 'True']);
  });

  test('under another name has left nothing behind: it is a copy', async () => {
    restored({ [ANNOTATION.externalName]: 'billing' });
    external.name = 'billing';
    external.value = undefined;
    await reconcile();
    expect(ready()?.status).toBe('True');
    expect(reasons()).not.toContain('KeptExternalResource');
  });
});

describe('policies and annotations', () => {
  test('a paused resource is left alone and says so once', async () => {
    store.add(resource((r) => (r.metadata.annotations = { [ANNOTATION.paused]: 'true' })));
    expect(await reconcile()).toEqual({});
    await reconcile();
    expect(external.calls).toEqual([]);
    expect(synced()).toMatchObject({ status: 'False', reason: 'ReconcilePaused' });
    expect(reasons()).toEqual(['ReconciliationPaused']);
  });

  test('an empty list of policies pauses', async () => {
    store.add(resource((r) => (r.spec.managementPolicies = [])));
    await reconcile();
    expect(synced()?.reason).toBe('ReconcilePaused');
  });

  test('observe-only never writes, and fails when there is nothing to observe', async () => {
    store.add(resource((r) => (r.spec.managementPolicies = ['Observe'])));
    await reconcile();
    expect(external.calls).toEqual(['observe']);
    expect(synced()?.message).toBe('observe failed: external resource does not exist');
    external.value = 'z';
    await reconcile();
    expect(external.calls).toEqual(['observe']);
    expect(ready()?.status).toBe('True');
    expect(conditionOf(current(), 'UpToDate')).toMatchObject({ status: 'False', reason: 'UpdateRestricted' });
  });

  test('without Create nothing is created', async () => {
    store.add(resource((r) => (r.spec.managementPolicies = ['Observe', 'Update', 'Delete'])));
    await reconcile();
    expect(synced()).toMatchObject({ status: 'False' });
    store.add(resource((r) => (r.spec.managementPolicies = ['Observe', 'Update'])));
    await reconcile();
    expect(external.value).toBeUndefined();
    expect(ready()).toMatchObject({ status: 'False', reason: 'Creating' });
  });

  test('an unsupported set is refused by name', async () => {
    store.add(resource((r) => (r.spec.managementPolicies = ['Create'])));
    await reconcile();
    await reconcile();
    expect(external.calls).toEqual([]);
    expect(synced()?.message).toContain('["Create"]');
    expect(reasons()).toEqual(['CannotUseInvalidManagementPolicy']);
  });

  test('a reconcile request is acknowledged once', async () => {
    store.add(resource((r) => (r.metadata.annotations = { [ANNOTATION.reconcileRequestedAt]: 'now-1' })));
    await reconcile();
    await reconcile();
    expect(current().status?.lastHandledReconcileAt).toBe('now-1');
    expect(reasons().filter((reason) => reason === 'ReconcileRequestHandled')).toHaveLength(1);
  });

  test('an unresolved reference keeps the server out of it', async () => {
    store.add(resource());
    references = {
      resolve: async () => {
        await Promise.resolve();
        throw new ResourceError('ReferenceNotFound', 'forProvider.owner: there is no Role "x" in namespace "team-a"');
      },
    };
    await reconcile();
    expect(external.calls).toEqual([]);
    expect(synced()).toMatchObject({ reason: 'ReferenceNotFound' });
    expect(reasons()).toEqual(['CannotResolveResourceReferences']);
  });
});
