import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/kind.ts';
import { ManualClock } from '../clock.ts';
import { silentLog } from '../log.ts';
import { FakeApiServer } from './fake-apiserver.fixture.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import { type Resource, SECRETS } from './resource.ts';

const ROLES: Resource = { group: 'sql.example.dev', version: 'v1', kind: 'Role', plural: 'roles', namespaced: true };
const PATH = '/apis/sql.example.dev/v1/roles';

const role = (name: string, extra: Partial<KubeObject['metadata']> = {}, spec: object = {}): KubeObject => ({
  apiVersion: 'sql.example.dev/v1',
  kind: 'Role',
  metadata: { name, namespace: 'app', ...extra },
  spec,
});

let fake: FakeApiServer;
let stop: AbortController;
let runs: Promise<void>[];
beforeEach(async () => {
  fake = await FakeApiServer.start();
  stop = new AbortController();
  runs = [];
});
afterEach(async () => {
  stop.abort(new Error('test over'));
  await Promise.all(runs);
  await fake.stop();
});

const FAST = { baseMs: 5, maxMs: 20 };

function start(resource = ROLES, options: Partial<ReflectorOptions<KubeObject>> = {}) {
  const reflector = new Reflector(fake.client(), resource, { log: silentLog, backoff: FAST, ...options });
  const seen: string[] = [];
  reflector.subscribe({
    onAdd: (it) => seen.push(`+${it.metadata.name}`),
    onUpdate: (old, it) =>
      seen.push(`~${it.metadata.name} ${old.metadata.resourceVersion}→${it.metadata.resourceVersion}`),
    onDelete: (it) => seen.push(`-${it.metadata.name}`),
  });
  runs.push(reflector.run(stop.signal));
  return { reflector, seen, store: reflector.store };
}

const watching = async (count = 1): Promise<void> => {
  await expect.poll(() => fake.watchers.size).toBe(count);
};
const isList = (request: { method: string; query: URLSearchParams }): boolean =>
  request.method === 'GET' && !request.query.has('watch');
const isWatch = (request: { query: URLSearchParams }): boolean => request.query.has('watch');

describe('Reflector', () => {
  it('lists in pages, then follows adds, changes and deletions', async () => {
    for (let i = 0; i < 5; i++) fake.put(PATH, role(`r${i}`));
    const { reflector, store, seen } = start(ROLES, { pageSize: 2 });
    await reflector.synced;
    expect(store.list().map((it) => it.metadata.name)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4']);
    expect(fake.requests.filter(isList)).toHaveLength(3);
    await watching();
    fake.put(PATH, role('new'));
    fake.put(PATH, role('r1', {}, { login: true }));
    fake.remove(PATH, 'app', 'r2');
    await expect.poll(() => seen.slice(5)).toEqual(['+new', '~r1 102→107', '-r2']);
    expect(store.get('app/r1')?.['spec']).toEqual({ login: true });
    expect(store.get('app/r2')).toBeUndefined();
  });

  it('asks for bookmarks and a random end, and goes on from the last bookmark', async () => {
    start();
    await watching();
    const query = fake.requests.find(isWatch)?.query;
    expect(query?.get('allowWatchBookmarks')).toBe('true');
    expect(Number(query?.get('timeoutSeconds'))).toBeGreaterThanOrEqual(300);
    expect(Number(query?.get('timeoutSeconds'))).toBeLessThanOrEqual(600);
    fake.bookmark(PATH);
    fake.endWatches();
    await expect.poll(() => fake.requests.filter(isWatch).length).toBe(2);
    expect(fake.requests.findLast(isWatch)?.query.get('resourceVersion')).toBe('101');
    expect(fake.requests.filter(isList)).toHaveLength(1);
  });

  it('lists anew when its list is old, without a word about what has not changed', async () => {
    fake.put(PATH, role('told'));
    const clock = new ManualClock();
    const { reflector, store, seen } = start(ROLES, { clock, relistMs: 60_000 });
    await reflector.synced;
    await watching();
    const query = fake.requests.find(isWatch)?.query;
    expect(Number(query?.get('timeoutSeconds'))).toBeLessThanOrEqual(60);
    clock.advance(59_000);
    fake.bookmark(PATH);
    fake.endWatches();
    await expect.poll(() => fake.requests.filter(isWatch).length).toBe(2);
    expect(fake.requests.filter(isList)).toHaveLength(1);
    clock.advance(1_000);
    fake.bookmark(PATH);
    fake.endWatches();
    await expect.poll(() => fake.requests.filter(isList).length).toBe(2);
    await watching();
    expect(store.list().map((it) => it.metadata.name)).toEqual(['told']);
    expect(seen).toEqual(['+told']);
  });

  it('misses nothing that happens while its watch is broken', async () => {
    const { store, seen } = start();
    await watching();
    fake.put(PATH, role('a'));
    await expect.poll(() => store.size).toBe(1);
    const port = await fake.goDown();
    fake.put(PATH, role('b'));
    fake.remove(PATH, 'app', 'a');
    await fake.comeBack(port);
    await expect.poll(() => seen).toEqual(['+a', '+b', '-a']);
    expect(fake.requests.filter(isList)).toHaveLength(1);
  });

  it.each([
    ['as a status', () => fake.endWatches()],
    [
      'as an ERROR event',
      () =>
        fake.sendToWatches(PATH, {
          type: 'ERROR',
          object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' },
        }),
    ],
  ])('lists anew on 410 %s, and tells what was deleted meanwhile', async (_, breakIt) => {
    fake.put(PATH, role('stays'));
    fake.put(PATH, role('goes'));
    const { reflector, seen, store } = start();
    await reflector.synced;
    await watching();
    const stopFailing = fake.intercept((request, response) => {
      if (isWatch(request)) response.destroy();
      return isWatch(request);
    });
    breakIt();
    await expect.poll(() => fake.watchers.size).toBe(0);
    fake.remove(PATH, 'app', 'goes');
    fake.put(PATH, role('comes'));
    fake.compact();
    stopFailing();
    await expect.poll(() => seen).toEqual(['+stays', '+goes', '-goes', '+comes']);
    expect(store.list().map((it) => it.metadata.name)).toEqual(['stays', 'comes']);
    await watching();
  });

  it('starts over when the list’s continue token expires', async () => {
    for (let i = 0; i < 4; i++) fake.put(PATH, role(`r${i}`));
    let compacted = false;
    fake.intercept((request) => {
      if (request.query.has('continue') && !compacted) {
        compacted = true;
        fake.put(PATH, role('r4'));
        fake.compact();
      }
      return false;
    });
    const { reflector, store } = start(ROLES, { pageSize: 2 });
    await reflector.synced;
    expect(store.size).toBe(5);
  });

  it.each([500, 503, 403, 429])('keeps trying through answers of status %i', async (status) => {
    fake.failNext(3, isList, status, { details: { retryAfterSeconds: status === 429 ? 11 : undefined } });
    if (status === 429) fake.failNext(3, isList, 500);
    const { reflector, store } = start(ROLES, status === 429 ? { clock: hurried } : {});
    fake.put(PATH, role('a'));
    await reflector.synced;
    expect(store.size).toBe(1);
    fake.failNext(3, isWatch, status === 429 ? 500 : status);
    await watching();
    fake.put(PATH, role('b'));
    await expect.poll(() => store.size).toBe(2);
  });

  it('is not thrown off by a line that is no event', async () => {
    const { store } = start();
    await watching();
    fake.sendToWatches(PATH, '{"type":"ADDED","object":\n');
    await expect.poll(() => fake.requests.filter(isWatch).length).toBe(2);
    fake.put(PATH, role('a'));
    await expect.poll(() => store.size).toBe(1);
  });

  it('reads events that come in pieces, also when a character is cut', async () => {
    const { store } = start();
    await watching();
    const line = Buffer.from(
      `${JSON.stringify({ type: 'ADDED', object: role('ünïcödé', { uid: 'u', resourceVersion: '900' }) })}\n`,
    );
    for (const watcher of fake.watchers)
      for (const byte of line) {
        watcher.response.write(Buffer.from([byte]));
        if (byte > 0x7f) await new Promise((resolve) => setImmediate(resolve));
      }
    await expect.poll(() => store.get('app/ünïcödé')).toBeDefined();
  });

  it('sees an object that was deleted and created again as two', async () => {
    fake.put(PATH, role('a'));
    const { seen } = start();
    await watching();
    const stopFailing = fake.intercept((request, response) => {
      if (isWatch(request)) response.destroy();
      return isWatch(request);
    });
    fake.endWatches();
    fake.remove(PATH, 'app', 'a');
    fake.put(PATH, role('a'));
    fake.compact();
    stopFailing();
    await expect.poll(() => seen).toEqual(['+a', '-a', '+a']);
  });

  it('goes on after a handler threw, and tells the others', async () => {
    const { reflector, seen } = start();
    reflector.subscribe({
      onAdd: () => {
        throw new Error('a bug');
      },
    });
    await watching();
    fake.put(PATH, role('a'));
    fake.put(PATH, role('b'));
    await expect.poll(() => seen).toEqual(['+a', '+b']);
  });

  it('keeps no managedFields and no last-applied copy', async () => {
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': '{}', mine: 'x' };
    fake.put(PATH, role('a', { annotations, managedFields: [{}] } as Partial<KubeObject['metadata']>));
    const { reflector, store } = start();
    await reflector.synced;
    expect(store.get('app/a')?.metadata).not.toHaveProperty('managedFields');
    expect(store.get('app/a')?.metadata.annotations).toEqual({ mine: 'x' });
  });

  it('never holds the content of objects of which it wants the metadata only', async () => {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace: 'app' },
      data: { p: 'aHVudGVy' },
    };
    const stored = fake.put('/api/v1/secrets', secret);
    const { reflector, store } = start(SECRETS, { metadataOnly: true });
    await reflector.synced;
    await watching();
    const accepts = fake.requests.map((it) => it.accept);
    expect(accepts).toEqual([
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    ]);
    store.put({ ...stored, metadata: { ...stored.metadata, resourceVersion: '999' } });
    expect(store.get('app/s')).toMatchObject({ kind: 'Secret', metadata: { name: 's', resourceVersion: '999' } });
    expect(JSON.stringify(store.list())).not.toContain('aHVudGVy');
  });

  it('passes its selectors on, and sees objects leave and come back', async () => {
    fake.put(PATH, role('other'));
    const { reflector, seen } = start(ROLES, { labelSelector: 'mine=yes', namespace: 'app' });
    await reflector.synced;
    await watching();
    const labelled = fake.put(PATH, role('a', { labels: { mine: 'yes' } }));
    await expect.poll(() => seen).toEqual(['+a']);
    const { uid } = labelled.metadata;
    fake.sendToWatches('/apis/sql.example.dev/v1/namespaces/app/roles', {
      type: 'DELETED',
      object: role('a', { uid, resourceVersion: '500' }),
    });
    fake.sendToWatches('/apis/sql.example.dev/v1/namespaces/app/roles', {
      type: 'ADDED',
      object: role('a', { uid, resourceVersion: '501' }),
    });
    await expect.poll(() => seen).toEqual(['+a', '-a', '+a']);
  });

  it('believes a server whose history began anew', async () => {
    for (let i = 0; i < 20; i++) fake.put(PATH, role('a'));
    fake.put(PATH, role('b'));
    const { reflector, store } = start();
    await reflector.synced;
    await watching();
    fake.restoreFromBackup(50);
    fake.remove(PATH, 'app', 'b');
    const restored = fake.put(PATH, role('a', {}, { restored: true }));
    expect(Number(restored.metadata.resourceVersion)).toBeLessThan(Number('100'));
    fake.sendToWatches(PATH, { type: 'ERROR', object: { kind: 'Status', code: 410 } });
    await expect.poll(() => store.get('app/a')?.['spec']).toEqual({ restored: true });
    expect(store.get('app/b')).toBeUndefined();
  });

  it('stops at its signal, also in the middle of a list, and leaves no watch behind', async () => {
    fake.intercept((request) => isList(request));
    const { reflector } = start();
    await expect.poll(() => fake.requests.length).toBe(1);
    stop.abort(new Error('enough'));
    await Promise.all(runs);
    await expect(reflector.synced).rejects.toThrow('enough');
    expect(fake.requests).toHaveLength(1);
  });
});

/** Waits a hundredth of what it is told. */
const hurried = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer: (ms: number, fire: () => void) => {
    const handle = setTimeout(fire, ms > 100_000 ? ms : ms / 1000);
    return () => {
      clearTimeout(handle);
    };
  },
};
