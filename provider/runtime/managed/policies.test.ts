import { beforeEach, describe, expect, test } from 'vitest';
import { ResourceError } from '../../common/errors.ts';
import { ANNOTATION } from './annotations.ts';
import { conditionOf } from './conditions.ts';
import { resource, World } from './reconciler.fixture.ts';

let world: World;
beforeEach(() => {
  world = new World();
});

describe('policies and annotations', () => {
  test('a paused resource is left alone and says so once', async () => {
    world.store.add(resource((r) => (r.metadata.annotations = { [ANNOTATION.paused]: 'true' })));
    expect(await world.reconcile()).toEqual({});
    await world.reconcile();
    expect(world.external.calls).toEqual([]);
    expect(world.synced()).toMatchObject({ status: 'False', reason: 'ReconcilePaused' });
    expect(world.reasons()).toEqual(['ReconciliationPaused']);
  });

  test('an empty list of policies pauses', async () => {
    world.store.add(resource((r) => (r.spec.managementPolicies = [])));
    await world.reconcile();
    expect(world.synced()?.reason).toBe('ReconcilePaused');
  });

  test('observe-only never writes, and fails when there is nothing to observe', async () => {
    world.store.add(resource((r) => (r.spec.managementPolicies = ['Observe'])));
    await world.reconcile();
    expect(world.external.calls).toEqual(['observe']);
    expect(world.synced()?.message).toBe('observe failed: external resource does not exist');
    world.external.value = 'z';
    await world.reconcile();
    expect(world.external.calls).toEqual(['observe']);
    expect(world.ready()?.status).toBe('True');
    expect(conditionOf(world.current(), 'UpToDate')).toMatchObject({ status: 'False', reason: 'UpdateRestricted' });
  });

  test('without Create nothing is created', async () => {
    world.store.add(resource((r) => (r.spec.managementPolicies = ['Observe', 'Update', 'Delete'])));
    await world.reconcile();
    expect(world.synced()).toMatchObject({ status: 'False' });
    world.store.add(resource((r) => (r.spec.managementPolicies = ['Observe', 'Update'])));
    await world.reconcile();
    expect(world.external.value).toBeUndefined();
    expect(world.ready()).toMatchObject({ status: 'False', reason: 'Creating' });
  });

  test('what is left of a creation is done by whoever may create, and by nobody who only looks', async () => {
    world.external.creates = true;
    world.external.value = 'half';
    world.store.add(resource((r) => (r.spec.managementPolicies = ['Observe'])));
    await world.reconcile();
    expect(world.external.value).toBe('half');
    expect(conditionOf(world.current(), 'UpToDate')).toMatchObject({ status: 'False', reason: 'UpdateRestricted' });
    world.store.add(resource((r) => (r.spec.managementPolicies = ['Observe', 'Create', 'Delete'])));
    await world.reconcile();
    expect(world.external.value).toBe('a');
    expect(conditionOf(world.current(), 'UpToDate')).toMatchObject({ status: 'True' });
  });

  test('an unsupported set is refused by name', async () => {
    world.store.add(resource((r) => (r.spec.managementPolicies = ['Create'])));
    await world.reconcile();
    await world.reconcile();
    expect(world.external.calls).toEqual([]);
    expect(world.synced()?.message).toContain('["Create"]');
    expect(world.reasons()).toEqual(['CannotUseInvalidManagementPolicy']);
  });

  test('a reconcile request is acknowledged once', async () => {
    world.store.add(resource((r) => (r.metadata.annotations = { [ANNOTATION.reconcileRequestedAt]: 'now-1' })));
    await world.reconcile();
    await world.reconcile();
    expect(world.current().status?.lastHandledReconcileAt).toBe('now-1');
    expect(world.reasons().filter((reason) => reason === 'ReconcileRequestHandled')).toHaveLength(1);
  });

  test('an unresolved reference keeps the server out of it', async () => {
    world.store.add(resource());
    world.references = {
      resolve: async () => {
        await Promise.resolve();
        throw new ResourceError('ReferenceNotFound', 'forProvider.owner: there is no Role "x" in namespace "team-a"');
      },
    };
    await world.reconcile();
    expect(world.external.calls).toEqual([]);
    expect(world.synced()).toMatchObject({ reason: 'ReferenceNotFound' });
    expect(world.reasons()).toEqual(['CannotResolveResourceReferences']);
  });
});
