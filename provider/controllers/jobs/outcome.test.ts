import { expect, test } from 'vitest';
import { NOTE } from './names.ts';
import { failureNote, outcomeOf, stuckOn } from './outcome.ts';
import type { ContainerStatus, Job, JobCondition, Pod } from './store.ts';

const now = new Date('2026-01-01T00:00:00Z');

const job = (conditions: JobCondition[], annotations: Record<string, string> = {}, more: object = {}): Job => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { namespace: 'a', name: 'job', annotations, ...more },
  spec: { activeDeadlineSeconds: 60 },
  status: { startTime: '2025-12-31T23:00:00Z', conditions },
});

const pod = (created: string, ...containerStatuses: ContainerStatus[]): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'a', name: `pod-${created}`, creationTimestamp: created },
  status: { containerStatuses },
});

const said = (result: object, exitCode = 0): ContainerStatus => ({
  name: 'runner',
  state: {
    terminated: {
      exitCode,
      message: JSON.stringify({
        version: 1,
        action: 'backup',
        startTime: '2026-01-01T00:00:00Z',
        finishTime: '2026-01-01T00:00:00Z',
        ...result,
      }),
    },
  },
});

const failed = { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', message: 'too often' };
const complete = { type: 'Complete', status: 'True', lastTransitionTime: '2025-12-31T23:30:00Z' };

test('a Job that runs has no outcome', () => {
  expect(outcomeOf(job([{ type: 'Suspended', status: 'False' }]), [], now)).toBeUndefined();
});

test('what a runner said of an attempt that succeeded counts, not what another said before', () => {
  const pods = [pod('1', said({ ok: false, failureReason: 'ToolFailed' }, 1)), pod('2', said({ ok: true }))];
  expect(outcomeOf(job([complete]), pods, now)).toMatchObject({
    ok: true,
    result: { ok: true },
    completionTime: '2025-12-31T23:30:00Z',
  });
});

test('a failure has the reason and the words of the last attempt', () => {
  const pods = [
    pod('1', said({ ok: false, failureReason: 'StorageUnavailable', failureMessage: 'first' }, 1)),
    pod('2', said({ ok: false, failureReason: 'StorageDenied', failureMessage: 'second' }, 1)),
  ];
  expect(outcomeOf(job([failed]), pods, now)).toMatchObject({ ok: false, reason: 'StorageDenied', message: 'second' });
});

test('a container that was killed says nothing itself', () => {
  const killed = pod('1', { name: 'tool', state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } });
  expect(outcomeOf(job([failed]), [killed], now)).toMatchObject({
    reason: 'OutOfMemory',
    message: expect.stringContaining('resources.limits.memory'),
  });
});

test('a deadline says what the pods waited for', () => {
  const stuck = pod('1', {
    name: 'tool',
    state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } },
  });
  const late = { ...failed, reason: 'DeadlineExceeded' };
  expect(outcomeOf(job([late]), [stuck], now)).toMatchObject({
    reason: 'DeadlineExceeded',
    message: expect.stringMatching(/60.*ImagePullBackOff, no such image/),
  });
  expect(stuckOn([stuck])).toMatchObject({ reason: 'ImagePullBackOff' });
});

test('a Job that is deleted while it runs has failed', () => {
  expect(outcomeOf(job([], {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }), [], now)).toMatchObject({
    ok: false,
    reason: 'JobDeleted',
  });
});

test('what goes wrong after the Job has succeeded is a failure all the same', () => {
  const note = { [NOTE.failure]: failureNote({ reason: 'SessionsOpen', message: 'two' }, now) };
  expect(outcomeOf(job([complete], note), [], now)).toMatchObject({
    ok: false,
    reason: 'SessionsOpen',
    message: 'two',
  });
  expect(outcomeOf(job([], note), [], new Date())).toMatchObject({ ok: false, completionTime: '2026-01-01T00:00:00Z' });
});

const ended = (more: object, ...containers: ContainerStatus[]): Pod => {
  const made = pod('1', ...containers);
  return { ...made, status: { ...made.status, phase: 'Failed', ...more } };
};
const container = (reason: string): ContainerStatus => ({
  name: 'tool',
  state: { terminated: { exitCode: 137, reason } },
});
const disrupted = (reason: string, message: string): object => ({
  conditions: [{ type: 'DisruptionTarget', status: 'True', reason, message }],
});
const interrupted = said({ ok: false, failureReason: 'Interrupted', failureMessage: 'SIGTERM' }, 1);

test.each<[string, Pod[], string, RegExp]>([
  [
    'is evicted',
    [ended({ reason: 'Evicted', message: 'The node was low on resource: memory.' })],
    'PodDisrupted',
    /pod-1 .*Evicted, The node was low on resource: memory/,
  ],
  [
    'is preempted while its runner can still say that it was interrupted',
    [ended(disrupted('PreemptionByScheduler', 'a pod of higher priority'), interrupted)],
    'PodDisrupted',
    /PreemptionByScheduler, a pod of higher priority/,
  ],
  [
    'is lost with its node',
    [ended(disrupted('DeletionByPodGC', 'node not found'))],
    'PodDisrupted',
    /DeletionByPodGC, node not found/,
  ],
  ['is stopped by nobody whom Kubernetes knows', [ended({}, interrupted)], 'Interrupted', /SIGTERM/],
  [
    'loses its tool to a limit of memory, which its runner only sees vanish',
    [ended({}, container('OOMKilled'), said({ ok: false, failureReason: 'ToolVanished' }, 1))],
    'OutOfMemory',
    /container tool .*raise resources.limits.memory/,
  ],
  [
    'says nothing, or what nobody can read',
    [ended({}, { name: 'runner', state: { terminated: { exitCode: 1, message: '{"version":1,"ac' } } })],
    'ContainerKilled',
    /container runner of pod pod-1 ended with exit code 1/,
  ],
])('a pod that %s says so', (_, pods, reason, message) => {
  const outcome = outcomeOf(job([failed]), pods, now);
  expect(outcome).toMatchObject({ ok: false, reason });
  expect(outcome?.message).toMatch(message);
});

test('a pod for which there is no node waits for one', () => {
  const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes fit' }];
  expect(stuckOn([{ ...pod('1'), status: { phase: 'Pending', conditions } }])).toMatchObject({
    message: 'pod pod-1 waits: Unschedulable, 0/3 nodes fit',
  });
});

test('a deadline says what was waited for, although the pods are gone by then', () => {
  const late = { ...failed, reason: 'DeadlineExceeded' };
  expect(outcomeOf(job([late]), [], now, 'its Job gets no pod: FailedCreate, exceeded quota')?.message).toMatch(
    /activeDeadlineSeconds \(60\); its Job gets no pod: FailedCreate, exceeded quota$/,
  );
});
