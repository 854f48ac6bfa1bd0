import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.ts';
import { silentLog } from '../log.ts';
import { FakeApiServer } from './fake-apiserver.fixture.ts';
import { LeaderElector, type LeaderElectorOptions, type Lease } from './leader.ts';

const PATH = '/apis/coordination.k8s.io/v1/leases';

let fake: FakeApiServer;
let clock: ManualClock;
let stop: AbortController;
beforeEach(async () => {
  fake = await FakeApiServer.start();
  clock = new ManualClock();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort(new Error('test over'));
  await fake.stop();
});

function elector(identity: string, options: Partial<LeaderElectorOptions> = {}) {
  const lost: string[] = [];
  const it = new LeaderElector({
    client: fake.client(),
    namespace: 'system',
    name: 'leader',
    log: silentLog,
    identity,
    clock,
    onLost: (reason) => lost.push(reason.message),
    ...options,
  });
  return { elector: it, lost };
}

const lease = (): NonNullable<Lease['spec']> =>
  (fake.stored(PATH, 'system', 'leader') as Lease | undefined)?.spec ?? {};
const writes = (): number => fake.requests.filter((it) => it.method !== 'GET').length;

/** Moves time on until the condition holds: requests take real time between the timers. */
async function until(condition: () => boolean, stepMs = 500, maxMs = 60_000): Promise<number> {
  let passed = 0;
  while (!condition()) {
    if (passed > maxMs) throw new Error('it did not happen');
    await clock.advanceAsync(stepMs);
    await new Promise((resolve) => setTimeout(resolve, 2));
    passed += stepMs;
  }
  return passed;
}

describe('LeaderElector', () => {
  it('takes a free lease at once, renews it, and frees it on release', async () => {
    const { elector: a, lost } = elector('a');
    await a.acquire(stop.signal);
    expect(a.isLeader).toBe(true);
    expect(lease()).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 0 });
    expect(lease().renewTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    const { acquireTime, renewTime } = lease();
    await until(() => lease().renewTime !== renewTime);
    expect(lease().acquireTime).toBe(acquireTime);
    await a.release();
    expect(a.isLeader).toBe(false);
    expect(lease()).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
    expect(lost).toEqual([]);
    const before = writes();
    await clock.advanceAsync(30_000);
    expect(writes()).toBe(before);
  });

  it('follows at once when the leader released, and counts the transition', async () => {
    const { elector: a } = elector('a');
    const { elector: b } = elector('b');
    await a.acquire(stop.signal);
    let led = false;
    const following = b.acquire(stop.signal).then(() => {
      led = true;
    });
    await clock.advanceAsync(10_000);
    expect(led).toBe(false);
    await a.release();
    expect(await until(() => led)).toBeLessThanOrEqual(3_500);
    await following;
    expect(lease()).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
    await b.release();
  });

  it('takes over from a dead leader when the lease has not changed for its duration by our own clock', async () => {
    // The holder's clock is hours ahead: what it wrote as renewTime must not matter.
    fake.put(PATH, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'leader', namespace: 'system' },
      spec: { holderIdentity: 'dead', leaseDurationSeconds: 15, renewTime: '2030-01-01T00:00:00.000000Z' },
    });
    const { elector: b } = elector('b');
    let led = false;
    const following = b.acquire(stop.signal).then(() => {
      led = true;
    });
    await until(() => fake.requests.length > 0);
    const waited = await until(() => led);
    expect(waited).toBeGreaterThan(13_000);
    expect(waited).toBeLessThan(21_000);
    await following;
    await b.release();
  });

  it('is lost after 10 s without a successful renewal, and says so once', async () => {
    const { elector: a, lost } = elector('a');
    await a.acquire(stop.signal);
    fake.intercept((request, response) => {
      response.writeHead(500).end('{}');
      return request.path !== '';
    });
    const waited = await until(() => lost.length > 0);
    expect(waited).toBeGreaterThan(8_000);
    expect(waited).toBeLessThan(15_000);
    expect(a.isLeader).toBe(false);
    await clock.advanceAsync(60_000);
    expect(lost).toEqual(['the leader lease was not renewed for 10 s']);
  });

  it('survives a renewal that fails or conflicts now and then', async () => {
    const { elector: a, lost } = elector('a');
    await a.acquire(stop.signal);
    fake.failNext(2, (request) => request.method === 'PUT', 500);
    const stored = fake.stored(PATH, 'system', 'leader');
    if (stored) fake.put(PATH, { ...stored, metadata: { ...stored.metadata, annotations: { touched: 'yes' } } });
    const { renewTime } = lease();
    await until(() => lease().renewTime !== renewTime);
    expect(lost).toEqual([]);
    expect(a.isLeader).toBe(true);
    await a.release();
  });

  it('is lost at once when somebody else holds the lease', async () => {
    const { elector: a, lost } = elector('a');
    await a.acquire(stop.signal);
    const stored = fake.stored(PATH, 'system', 'leader');
    if (stored) fake.put(PATH, { ...stored, spec: { ...lease(), holderIdentity: 'b' } });
    expect(await until(() => lost.length > 0)).toBeLessThan(5_000);
    expect(lost).toEqual(['leadership went to b']);
    await a.release();
    expect(lease().holderIdentity).toBe('b');
  });

  it('lets one of many lead when they begin together', async () => {
    const electors = ['a', 'b', 'c', 'd'].map((identity) => elector(identity).elector);
    const runs = electors.map((it) => it.acquire(stop.signal).catch(() => undefined));
    await until(() => electors.some((it) => it.isLeader));
    await clock.advanceAsync(8_000);
    expect(electors.filter((it) => it.isLeader)).toHaveLength(1);
    stop.abort(new Error('over'));
    await Promise.all(runs);
    await Promise.all(electors.map((it) => it.release()));
  });

  it('names itself after its pod, and differently each time', () => {
    const { elector: a } = elector('', {});
    const [x, y] = [0, 1].map(() => {
      const { identity: _, ...options } = { identity: '', client: fake.client(), namespace: 'n', name: 'l' };
      return new LeaderElector({ ...options, log: silentLog, onLost: () => undefined });
    });
    expect(a.identity).toBe('');
    expect(x?.identity).toMatch(/.+_[0-9a-f-]{36}$/);
    expect(x?.identity).not.toBe(y?.identity);
  });

  it('refuses durations that cannot work', () => {
    expect(() => elector('a', { renewDeadlineMs: 15_000 })).toThrow(RangeError);
    expect(() => elector('a', { retryPeriodMs: 9_000 })).toThrow(RangeError);
  });
});
