import { beforeEach, describe, expect, test } from 'vitest';
import { ResourceError, withOpenOutcome } from '../../common/errors.ts';
import { ANNOTATION, FINALIZER, hasCreated, isCreating } from './annotations.ts';
import { conditionOf } from './conditions.ts';
import { resource, World } from './reconciler.fixture.ts';

let world: World;
beforeEach(() => {
  world = new World();
});

describe('a new resource', () => {
  test('is created, observed again and Ready in one pass', async () => {
    world.store.add(resource());
    const outcome = await world.reconcile();
    expect(world.external.calls).toEqual(['observe', 'create', 'observe']);
    expect(world.ready()).toMatchObject({ status: 'True', reason: 'Available' });
    expect(world.synced()).toMatchObject({ status: 'True', reason: 'ReconcileSuccess' });
    expect(conditionOf(world.current(), 'UpToDate')).toMatchObject({ status: 'True' });
    expect(world.current().metadata.finalizers).toEqual([FINALIZER]);
    expect(world.current().metadata.annotations?.[ANNOTATION.externalName]).toBe('orders');
    expect(outcome).toEqual({ requeueAfterMs: 60_000 });
    expect(world.reasons()).toEqual(['CreatedExternalResource']);
  });

  test('costs two writes, before the create and the status; that it succeeded is written at a later look', async () => {
    world.store.add(resource());
    await world.reconcile();
    expect(world.writes).toBe(2);
    await world.reconcile();
    expect(world.writes).toBe(2);
    expect(world.current().metadata.annotations?.[ANNOTATION.createSucceeded]).toBeUndefined();
    world.now = new Date('2026-01-01T00:01:00Z');
    await world.reconcile();
    expect(world.writes).toBe(3);
    expect(world.current().metadata.annotations?.[ANNOTATION.createSucceeded]).toBeDefined();
  });

  test('gets no finalizer while nothing could be observed, so it can be deleted', async () => {
    world.store.add(resource());
    world.external.fail.connect = new ResourceError('Unreachable', 'no route to host');
    expect(await world.reconcile()).toEqual({ retry: true });
    expect(world.current().metadata.finalizers).toEqual([]);
    expect(world.synced()).toMatchObject({
      status: 'False',
      reason: 'Unreachable',
      message: 'connect failed: no route to host',
    });
    expect(world.ready()).toMatchObject({ status: 'False', reason: 'Creating' });
  });

  test('whose creation broke off without an answer is ours if it is there after all', async () => {
    world.store.add(resource());
    world.external.fail.create = withOpenOutcome(new ResourceError('Unreachable', 'the connection was reset'));
    await world.reconcile();
    expect(world.current().metadata.annotations?.[ANNOTATION.createFailed]).toBeUndefined();
    expect(hasCreated(world.current())).toBe(true);
    expect(isCreating(world.current())).toBe(true);
  });

  test('whose creation fails says so and is not taken for ours afterwards', async () => {
    world.store.add(resource());
    world.external.fail.create = new ResourceError('AlreadyExists', 'somebody was faster');
    await world.reconcile();
    expect(world.synced()).toMatchObject({
      status: 'False',
      reason: 'AlreadyExists',
      message: 'create failed: somebody was faster',
    });
    expect(world.current().metadata.annotations?.[ANNOTATION.createFailed]).toBeDefined();
    expect(hasCreated(world.current())).toBe(false);
    expect(world.reasons()).toEqual(['CannotCreateExternalResource']);
  });

  test('whose creation fails while the clock is set back is not taken for ours either', async () => {
    world.store.add(resource());
    world.external.fail.create = new ResourceError('AlreadyExists', 'somebody was faster');
    world.external.onCreate = () => (world.now = new Date('2025-12-31T23:00:00Z'));
    await world.reconcile();
    expect(hasCreated(world.current())).toBe(false);
  });

  test.each([
    ['2026-01-01T00:00:05Z', 'waits in silence for a moment, though its server’s clock is ahead by seconds', undefined],
    ['2026-01-01T01:00:00Z', 'says at once what it waits for, when that clock is ahead by an hour', 'Waiting'],
  ])('made at %s %s', async (creationTimestamp, _what, reason) => {
    world.store.add(resource());
    world.current().metadata.creationTimestamp = creationTimestamp;
    world.external.fail.observe = new ResourceError('Waiting', 'for its owner');
    await world.reconcile();
    expect(world.synced()?.reason).toBe(reason);
  });

  test('whose external name somebody left empty gets its own, so that others can refer to it', async () => {
    world.store.add(resource((r) => (r.metadata.annotations = { [ANNOTATION.externalName]: '' })));
    await world.reconcile();
    expect(world.current().metadata.annotations?.[ANNOTATION.externalName]).toBe('orders');
  });

  test('whose creation fails and then succeeds within the same second is ours', async () => {
    world.store.add(resource());
    world.external.fail.create = new ResourceError('Refused', 'no');
    await world.reconcile();
    world.external.fail = {};
    await world.reconcile();
    expect(hasCreated(world.current())).toBe(true);
  });

  test('whose creation was interrupted goes on by itself', async () => {
    world.store.add(resource((r) => (r.metadata.annotations = { [ANNOTATION.createPending]: '2026-01-01T00:00:00Z' })));
    world.external.value = 'a';
    await world.reconcile();
    expect(world.external.calls).toEqual(['observe']);
    expect(world.ready()?.status).toBe('True');
  });
});

describe('a converged resource', () => {
  test('causes no write and no event', async () => {
    world.store.add(resource());
    await world.reconcile();
    await world.reconcile();
    const before = structuredClone(world.current());
    world.writes = 0;
    const events = world.store.events.length;
    await world.reconcile();
    await world.reconcile();
    expect(world.writes).toBe(0);
    expect(world.store.events).toHaveLength(events);
    expect(world.current()).toEqual(before);
  });

  test('is corrected when it drifts, and says so once', async () => {
    world.store.add(resource());
    await world.reconcile();
    world.external.value = 'z';
    await world.reconcile();
    expect(world.external.calls).toEqual(['observe', 'update', 'observe']);
    expect(world.external.value).toBe('a');
    expect(world.reasons()).toEqual(['CreatedExternalResource', 'UpdatedExternalResource']);
  });

  test('keeps its event count low while the same failure goes on', async () => {
    world.store.add(resource());
    world.external.fail.observe = new ResourceError('Unreachable', 'connection refused');
    await world.reconcile();
    await world.reconcile();
    await world.reconcile();
    expect(world.reasons()).toEqual(['CannotObserveExternalResource']);
  });

  test('heals without an edit once the cause is gone', async () => {
    world.store.add(resource());
    world.external.fail.observe = new ResourceError('Unreachable', 'connection refused');
    await world.reconcile();
    delete world.external.fail.observe;
    await world.reconcile();
    expect(world.synced()?.status).toBe('True');
    expect(world.ready()?.status).toBe('True');
  });

  test('that is there but unusable is not Ready, and says why', async () => {
    world.store.add(resource());
    world.external.unready = { reason: 'PartlyGranted', message: 'table x belongs to somebody else' };
    await world.reconcile();
    expect(world.ready()).toMatchObject({
      status: 'False',
      reason: 'PartlyGranted',
      message: 'table x belongs to somebody else',
    });
  });
});

describe('a failed read', () => {
  test('is never taken for absence: nothing is created and no finalizer goes', async () => {
    world.store.add(resource());
    await world.reconcile();
    world.external.fail.observe = new Error('connection reset');
    await world.reconcile();
    expect(world.external.calls).toEqual(['observe']);
    world.current().metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    await world.reconcile();
    expect(world.external.calls).toEqual(['observe']);
    expect(world.current().metadata.finalizers).toEqual([FINALIZER]);
  });
});

describe('deletion', () => {
  const remove = () => (world.current().metadata.deletionTimestamp = '2026-01-01T00:00:00Z');

  test('drops the object, makes sure that it is gone, and lets go', async () => {
    world.store.add(resource());
    await world.reconcile();
    remove();
    await world.reconcile();
    expect(world.external.calls).toEqual(['observe', 'delete', 'observe']);
    expect(world.store.get('Database', 'team-a', 'orders')).toBeUndefined();
    expect(world.reasons()).toContain('DeletedExternalResource');
  });

  test('keeps the object and does not even connect when the policies forbid Delete', async () => {
    world.store.add(resource((r) => (r.spec.managementPolicies = ['Observe', 'Create', 'Update'])));
    await world.reconcile();
    remove();
    await world.reconcile();
    expect(world.external.calls).toEqual([]);
    expect(world.external.value).toBe('a');
    expect(world.store.get('Database', 'team-a', 'orders')).toBeUndefined();
  });

  test('waits while somebody else has a finalizer', async () => {
    world.store.add(resource());
    await world.reconcile();
    remove();
    world.current().metadata.finalizers?.push('usage.crossplane.io');
    await world.reconcile();
    expect(world.external.calls).toEqual(['observe']);
    expect(world.ready()).toMatchObject({ status: 'False', reason: 'Deleting' });
  });

  test('names what is in the way and tries again', async () => {
    world.store.add(resource());
    await world.reconcile();
    remove();
    world.external.fail.delete = new ResourceError('DependentObjects', 'role owns table app.t');
    expect(await world.reconcile()).toEqual({ retry: true });
    expect(world.synced()).toMatchObject({
      reason: 'DependentObjects',
      message: 'delete failed: role owns table app.t',
    });
  });
});
