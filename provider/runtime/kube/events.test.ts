import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../api/kind.ts';
import { ManualClock } from '../clock.ts';
import { type Log, silentLog } from '../log.ts';
import { EventRecorder, type EventRecorderOptions } from './events.ts';
import { FakeApiServer } from './fake-apiserver.fixture.ts';

const role: KubeObject = {
  apiVersion: 'sql.example.dev/v1',
  kind: 'Role',
  metadata: { name: 'reader', namespace: 'app', uid: 'u-1', resourceVersion: '7' },
};

let fake: FakeApiServer;
let clock: ManualClock;
beforeEach(async () => {
  fake = await FakeApiServer.start();
  clock = new ManualClock();
});
afterEach(async () => {
  await fake.stop();
});

function recorder(options: Partial<EventRecorderOptions> = {}) {
  const drops: string[] = [];
  const it = new EventRecorder({
    client: fake.client(),
    log: silentLog,
    component: 'provider',
    clock,
    onDrop: (why) => drops.push(why),
    ...options,
  });
  return { recorder: it, drops };
}

const events = async (): Promise<KubeObject[]> =>
  (await fake.client().list({ group: '', version: 'v1', kind: 'Event', plural: 'events', namespaced: true })).items;

describe('EventRecorder', () => {
  it('records who says what about which object', async () => {
    const { recorder: it } = recorder();
    it.record(role, 'Warning', 'CannotConnect', 'no route', {
      component: 'managed/role.sql.example.dev',
      annotations: { 'crossplane.io/external-name': 'reader' },
    });
    await it.flush();
    expect(await events()).toMatchObject([
      {
        metadata: { namespace: 'app', annotations: { 'crossplane.io/external-name': 'reader' } },
        involvedObject: {
          apiVersion: 'sql.example.dev/v1',
          kind: 'Role',
          name: 'reader',
          namespace: 'app',
          uid: 'u-1',
        },
        type: 'Warning',
        reason: 'CannotConnect',
        message: 'no route',
        source: { component: 'managed/role.sql.example.dev' },
        count: 1,
        firstTimestamp: '2026-01-01T00:00:00Z',
      },
    ]);
  });

  it('counts the same event on the same object, also across a restart', async () => {
    const { recorder: first } = recorder();
    for (let i = 0; i < 3; i++) first.record(role, 'Normal', 'Created', 'done');
    await first.flush();
    clock.advance(60_000);
    first.record(role, 'Normal', 'Created', 'done');
    first.record(role, 'Normal', 'Created', 'something else');
    await first.flush();
    const { recorder: second } = recorder();
    second.record(role, 'Normal', 'Created', 'done');
    await second.flush();
    expect((await events()).map((it) => [it['message'], it['count'], it['lastTimestamp']])).toEqual([
      ['done', 5, '2026-01-01T00:01:00Z'],
      ['something else', 1, '2026-01-01T00:01:00Z'],
    ]);
  });

  it('begins anew when the server has let the event expire', async () => {
    const { recorder: it } = recorder();
    it.record(role, 'Normal', 'Created', 'done');
    await it.flush();
    const [event] = await events();
    fake.remove('/api/v1/events', 'app', event?.metadata.name ?? '');
    it.record(role, 'Normal', 'Created', 'done');
    await it.flush();
    expect(await events()).toMatchObject([{ count: 1 }]);
  });

  it('lets one object have 25 events, then one in 5 minutes, and no other object pay for it', async () => {
    const { recorder: it, drops } = recorder();
    for (let i = 0; i < 40; i++) it.record(role, 'Normal', 'Noise', `message ${i}`);
    it.record({ ...role, metadata: { ...role.metadata, uid: 'u-2' } }, 'Normal', 'Quiet', 'hello');
    await it.flush();
    expect(await events()).toHaveLength(26);
    expect(drops).toEqual(Array.from({ length: 15 }, () => 'rate'));
    clock.advance(300_000);
    it.record(role, 'Normal', 'Noise', 'later');
    it.record(role, 'Normal', 'Noise', 'too much');
    await it.flush();
    expect(await events()).toHaveLength(27);
  });

  it('never throws, waits or piles up when the API server is away', async () => {
    const { recorder: it, drops } = recorder({ capacity: 10 });
    await fake.goDown();
    for (let i = 0; i < 30; i++)
      it.record({ ...role, metadata: { ...role.metadata, uid: `u-${i}` } }, 'Normal', 'X', `${i}`);
    expect(drops.filter((why) => why === 'full').length).toBeGreaterThan(0);
    await it.flush();
    expect(drops).toHaveLength(30);
  });

  it('says in the log which right is missing, and not for each event', async () => {
    const warnings: unknown[] = [];
    const log = { ...silentLog, debug: () => {}, warn: (fields: { err: Error }) => warnings.push(fields.err.message) };
    const { recorder: it, drops } = recorder({ log: log as unknown as Log });
    const message = 'events is forbidden: User "provider" cannot create resource "events" in API group ""';
    fake.failNext(4, () => true, 403, { reason: 'Forbidden', message });
    for (const reason of ['One', 'Two', 'Three']) it.record(role, 'Normal', reason, 'done');
    await it.flush();
    expect(drops).toEqual(['failed', 'failed', 'failed']);
    expect(warnings).toEqual([expect.stringContaining('cannot create resource "events"')]);
    clock.advance(600_000);
    it.record(role, 'Normal', 'Four', 'done');
    await it.flush();
    expect(warnings).toHaveLength(2);
  });

  it('stops waiting for a flush at its deadline', async () => {
    const { recorder: it } = recorder();
    fake.intercept(() => true);
    it.record(role, 'Normal', 'X', 'y');
    const flushed = it.flush(5_000);
    await clock.advanceAsync(5_000);
    await flushed;
  });

  it('hides passwords in URIs, and cuts long messages between characters', async () => {
    const { recorder: it } = recorder();
    it.record(role, 'Warning', 'X', 'cannot reach postgres://admin:hunter2@db:5432/app');
    it.record(role, 'Warning', 'X', 'ü'.repeat(2000));
    await it.flush();
    const [first, second] = (await events()).map((event) => event['message'] as string);
    expect(first).toBe('cannot reach postgres://admin:***@db:5432/app');
    expect(Buffer.byteLength(second ?? '')).toBeLessThanOrEqual(1024);
    expect(second).toMatch(/^ü+…$/);
  });
});
