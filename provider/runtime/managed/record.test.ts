import { beforeEach, describe, expect, test } from 'vitest';
import { ResourceError } from '../../common/errors.ts';
import { ANNOTATION, appliedOf, externalNameOf, hasCreated, isCreating } from './annotations.ts';
import { resource, World } from './reconciler.fixture.ts';

let world: World;
beforeEach(() => {
  world = new World();
});

describe('a resource that is given another external name', () => {
  const rename = (name: string): void => {
    world.current().metadata.annotations = { ...world.current().metadata.annotations, [ANNOTATION.externalName]: name };
    world.external.name = name;
  };
  beforeEach(async () => {
    world.store.add(resource());
    await world.reconcile();
    world.now = new Date(world.now.getTime() + 60_000);
    await world.reconcile();
  });

  test('has made nothing of that name, and applied nothing to it', () => {
    expect([hasCreated(world.current()), appliedOf(world.current())]).toEqual([true, { value: 'a' }]);
    rename('legacy');
    expect([hasCreated(world.current()), appliedOf(world.current())]).toEqual([false, undefined]);
    rename('orders');
    expect([hasCreated(world.current()), appliedOf(world.current())]).toEqual([true, { value: 'a' }]);
  });

  test('makes it, and says that the other one stays', async () => {
    rename('billing');
    world.external.value = undefined;
    world.external.fail.create = new ResourceError('Refused', 'no');
    await world.reconcile();
    // What appears now may be anybody's.
    expect(hasCreated(world.current())).toBe(false);
    world.external.fail = {};
    await world.reconcile();
    expect(hasCreated(world.current())).toBe(true);
    expect(world.ready()?.status).toBe('True');
    expect(world.store.events.filter(({ reason }) => reason === 'KeptExternalResource')).toMatchObject([
      { type: 'Warning', message: expect.stringContaining('"orders"') as string },
    ]);
  });
});

test.each([undefined, ''])(
  'a resource whose external name was taken away (%j) keeps the one that it has',
  async (given) => {
    world.store.add(resource((r) => (r.metadata.annotations = { [ANNOTATION.externalName]: 'legacy' })));
    world.external.name = 'legacy';
    await world.reconcile();
    const { [ANNOTATION.externalName]: _, ...others } = world.current().metadata.annotations ?? {};
    world.current().metadata.annotations =
      given === undefined ? others : { ...others, [ANNOTATION.externalName]: given };
    expect([externalNameOf(world.current()), hasCreated(world.current())]).toEqual(['legacy', true]);
    await world.reconcile();
    expect(world.current().metadata.annotations?.[ANNOTATION.externalName]).toBe('legacy');
    expect(world.reasons()).not.toContain('KeptExternalResource');
  },
);

describe('a resource that was restored from a backup of the cluster, or copied', () => {
  /** As Velero or `kubectl get -o yaml` keep it: all annotations, and another uid. */
  const restored = (annotations: Record<string, string> = {}): void => {
    const before = world.current().metadata.annotations;
    world.store.add(
      resource((r) => {
        r.metadata.uid = 'another';
        r.metadata.annotations = { ...before, ...annotations };
      }),
    );
  };
  beforeEach(async () => {
    world.store.add(resource());
    await world.reconcile();
    world.now = new Date(world.now.getTime() + 60_000);
    await world.reconcile();
  });

  test('has made nothing, and applied nothing, whatever its annotations say', () => {
    expect([hasCreated(world.current()), appliedOf(world.current())]).toEqual([true, { value: 'a' }]);
    restored();
    expect([hasCreated(world.current()), isCreating(world.current()), appliedOf(world.current())]).toEqual([
      false,
      false,
      undefined,
    ]);
  });

  test.each(['z', 'a'])('that takes over what is there (%j) has its own record from then on', async (value) => {
    restored();
    world.external.value = value;
    await world.reconcile();
    expect([hasCreated(world.current()), appliedOf(world.current())]).toEqual([true, { value: 'a' }]);
    world.writes = 0;
    await world.reconcile();
    expect(world.writes).toBe(0);
  });

  test('that makes its object anew does not take that of a creation that failed for its own', async () => {
    restored();
    world.external.value = undefined;
    world.external.fail.create = new ResourceError('AlreadyExists', 'somebody was faster');
    await world.reconcile();
    expect(hasCreated(world.current())).toBe(false);
    world.external.fail = {};
    await world.reconcile();
    expect([hasCreated(world.current()), world.ready()?.status]).toEqual([true, 'True']);
  });

  test('under another name has left nothing behind: it is a copy', async () => {
    restored({ [ANNOTATION.externalName]: 'billing' });
    world.external.name = 'billing';
    world.external.value = undefined;
    await world.reconcile();
    expect(world.ready()?.status).toBe('True');
    expect(world.reasons()).not.toContain('KeptExternalResource');
  });
});
