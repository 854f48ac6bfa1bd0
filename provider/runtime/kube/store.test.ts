import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/kind.ts';
import { Store } from './store.ts';

interface Thing extends KubeObject {
  owner?: string;
}

const thing = (
  name: string,
  resourceVersion: number,
  extra: Partial<Thing['metadata']> = {},
  owner?: string,
): Thing => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: { name, namespace: 'n', uid: `uid-${name}`, resourceVersion: String(resourceVersion), ...extra },
  ...(owner === undefined ? {} : { owner }),
});

function storeWithLog() {
  const errors: unknown[] = [];
  const store = new Store<Thing>({
    indexers: { owner: (it) => (it.owner === undefined ? [] : [it.owner]) },
    trim: (it) => it,
    onHandlerError: (error) => errors.push(error),
  });
  const log: string[] = [];
  store.subscribe({
    onAdd: (it) => log.push(`+${it.metadata.resourceVersion}`),
    onUpdate: (old, it) => log.push(`${old.metadata.resourceVersion}→${it.metadata.resourceVersion}`),
    onDelete: (it) => log.push(`-${it.metadata.resourceVersion}`),
  });
  return { store, log, errors };
}

describe('Store', () => {
  it('never replaces an object by an older version of it, comparing as numbers', () => {
    const { store, log } = storeWithLog();
    store.set(thing('a', 9));
    store.put(thing('a', 10));
    store.set(thing('a', 9));
    store.set(thing('a', 10));
    expect(store.get('n/a')?.metadata.resourceVersion).toBe('10');
    expect(log).toEqual(['+9', '9→10']);
    store.put(thing('a', 2 ** 53));
    store.set({ ...thing('a', 1), metadata: { ...thing('a', 1).metadata, resourceVersion: '9007199254740993' } });
    expect(store.get('n/a')?.metadata.resourceVersion).toBe('9007199254740993');
  });

  it('does not bring back what was deleted, when the answer to a write comes after the deletion', () => {
    const { store, log } = storeWithLog();
    store.set(thing('a', 5));
    store.remove(thing('a', 8));
    store.put(thing('a', 7));
    expect(store.get('n/a')).toBeUndefined();
    expect(log).toEqual(['+5', '-5']);
  });

  it('forgets an object whose last finalizer our own write removed', () => {
    const { store, log } = storeWithLog();
    const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    store.set(thing('a', 5, { ...deleted, finalizers: ['x'] }));
    store.put(thing('a', 6, deleted));
    expect(store.get('n/a')).toBeUndefined();
    store.set(thing('a', 6, deleted));
    store.replace([thing('a', 5, { ...deleted, finalizers: ['x'] })], '5', false);
    store.remove(thing('a', 7, deleted));
    expect(store.get('n/a')).toBeUndefined();
    expect(log).toEqual(['+5', '-5']);
  });

  it('keeps an object that we wrote after the list was made, and drops what the list lacks', () => {
    const { store } = storeWithLog();
    store.set(thing('old', 5));
    store.put(thing('written', 12));
    store.replace([thing('listed', 9)], '10', false);
    expect(store.list().map((it) => it.metadata.name)).toEqual(['written', 'listed']);
  });

  it('tells a namesake of another uid as a deletion and an addition', () => {
    const { store, log } = storeWithLog();
    store.set(thing('a', 5, { uid: 'one' }));
    store.set(thing('a', 9, { uid: 'two' }));
    store.remove(thing('a', 8, { uid: 'one' }));
    store.put(thing('a', 7, { uid: 'one' }));
    expect(store.get('n/a')?.metadata.uid).toBe('two');
    expect(log).toEqual(['+5', '-5', '+9']);
  });

  it('finds by index what is there now, and nothing else', () => {
    const { store } = storeWithLog();
    store.set(thing('a', 1, {}, 'x'));
    store.set(thing('b', 2, {}, 'x'));
    store.set(thing('a', 3, {}, 'y'));
    store.remove(thing('b', 4));
    expect(store.byIndex('owner', 'x')).toEqual([]);
    expect(store.byIndex('owner', 'y').map((it) => it.metadata.name)).toEqual(['a']);
    expect(() => store.byIndex('colour', 'red')).toThrow('no index colour');
  });

  it('tells a late subscriber what is there, and survives one that throws', () => {
    const { store, errors } = storeWithLog();
    store.set(thing('a', 1));
    const late: string[] = [];
    store.subscribe({
      onAdd: () => {
        throw new Error('bug');
      },
    });
    store.subscribe({ onAdd: (it) => late.push(it.metadata.name) });
    store.set(thing('b', 2));
    expect(late).toEqual(['a', 'b']);
    expect(errors).toHaveLength(2);
  });

  it('goes on with all others, and with what it can of an object, when an index cannot read that one', () => {
    const errors: unknown[] = [];
    const store = new Store<Thing>({
      indexers: { owner: (it) => [it.owner!.toUpperCase()], name: (it) => [it.metadata.name] },
      trim: (it) => it,
      onHandlerError: (error) => errors.push(error),
    });
    const log: string[] = [];
    store.subscribe({ onAdd: (it) => log.push(it.metadata.name), onDelete: (it) => log.push(`-${it.metadata.name}`) });
    store.replace([thing('broken', 1), thing('a', 2, {}, 'x')], '3', false);
    store.set(thing('broken', 4));
    store.set(thing('b', 5, {}, 'x'));
    expect(store.byIndex('owner', 'X').map((it) => it.metadata.name)).toEqual(['a', 'b']);
    expect(store.byIndex('name', 'broken')).toMatchObject([{ metadata: { resourceVersion: '4' } }]);
    store.remove(thing('broken', 6));
    expect(store.byIndex('name', 'broken')).toEqual([]);
    expect(log).toEqual(['broken', 'a', 'b', '-broken']);
    expect(errors).not.toEqual([]);
  });

  it('ends up as the server, whatever order own writes, events and lists arrive in', () => {
    // A history of one object on the server; each version is seen by the watch in order, and some of them before that as
    // the answer to our own write. However these interleave, the cache never steps back and ends at the truth.
    const history = fc.array(fc.constantFrom('write', 'recreate', 'delete'), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), (steps, picks) => {
        const events: { type: 'set' | 'remove'; object: Thing }[] = [];
        let uid = 0;
        let alive = false;
        steps.forEach((step, at) => {
          if (step === 'delete' || (step === 'recreate' && alive)) {
            if (alive) events.push({ type: 'remove', object: thing('a', at * 2, { uid: `u${uid}` }) });
            alive = false;
          }
          if (step === 'delete') return;
          if (!alive) uid++;
          alive = true;
          events.push({ type: 'set', object: thing('a', at * 2 + 1, { uid: `u${uid}` }) });
        });
        const { store } = storeWithLog();
        const answers = events.filter((it) => it.type === 'set').map((it) => it.object);
        let next = 0;
        let newest = 0;
        const check = (): void => {
          const version = Number(store.get('n/a')?.metadata.resourceVersion ?? newest);
          expect(version).toBeGreaterThanOrEqual(newest);
          newest = Math.max(newest, version);
        };
        while (next < events.length) {
          const pick = picks.next().value as number;
          const answer = answers[pick % (answers.length + 1)];
          // Only what the server has done already can be answered: at most one step ahead of the watch.
          if (
            answer !== undefined &&
            pick % 3 === 0 &&
            events.indexOf(events.find((it) => it.object === answer)!) <= next
          )
            store.put(answer);
          else {
            const event = events[next++]!;
            if (event.type === 'set') store.set(event.object);
            else store.remove(event.object);
          }
          check();
        }
        const last = events.at(-1);
        expect(store.get('n/a')).toEqual(last?.type === 'set' ? last.object : undefined);
      }),
      { numRuns: 500 },
    );
  });
});
