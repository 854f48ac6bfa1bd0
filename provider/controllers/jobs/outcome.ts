/** How a run has ended, from its Job, its pods and what the runner said. */
import { decodeResult, type RunResult } from '../../backup/contract.ts';
import { RUNNER } from '../../backup/job-spec.ts';
import { NOTE } from './names.ts';
import { type ContainerStatus, endOf, type Job, type Pod } from './store.ts';
import { timestamp } from '../../common/timestamp.ts';

export interface Outcome {
  ok: boolean;
  startTime: string | undefined;
  completionTime: string;
  /** What the runner said, if it came to that. */
  result: RunResult | undefined;
  /** One stable word, and a sentence, for a run that failed. */
  reason: string;
  message: string;
}

export interface Failure {
  reason: string;
  message: string;
}

/** A failure that is not the Job's own, as its annotation holds it. */
export const failureNote = ({ reason, message }: Failure, now: Date): string =>
  JSON.stringify({ reason, message, time: timestamp(now) });

const statusOf = (pod: Pod, container: string): ContainerStatus | undefined =>
  pod.status?.containerStatuses?.find(({ name }) => name === container);

export const newest = (pods: readonly Pod[]): Pod[] =>
  pods.toSorted((a, b) => ((a.metadata.creationTimestamp ?? '') > (b.metadata.creationTimestamp ?? '') ? -1 : 1));

const resultOf = (pod: Pod): RunResult | undefined =>
  decodeResult(statusOf(pod, RUNNER)?.state?.terminated?.message ?? '');

/** The last thing that a runner of the Job said; attempts that succeeded come first. */
function lastResult(pods: readonly Pod[]): RunResult | undefined {
  const results = newest(pods).flatMap((pod) => resultOf(pod) ?? []);
  return results.find(({ ok }) => ok) ?? results[0];
}

/** Why pods wait, e.g. for a node or an image that cannot be pulled. Undefined when none does for long. */
export function stuckOn(pods: readonly Pod[]): Failure | undefined {
  for (const pod of newest(pods)) {
    const homeless = pod.status?.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
    if (homeless !== undefined) {
      const { reason = 'Unschedulable', message } = homeless;
      return { reason, message: `pod ${pod.metadata.name} waits: ${said(reason, message)}` };
    }
    for (const { name, state } of pod.status?.containerStatuses ?? []) {
      const { reason, message } = state?.waiting ?? {};
      if (reason !== undefined && !['ContainerCreating', 'PodInitializing'].includes(reason))
        return {
          reason,
          message: `container ${name} of pod ${pod.metadata.name} waits: ${said(reason, message)}`,
        };
    }
  }
  return undefined;
}

const said = (reason: string, message: string | undefined): string =>
  message === undefined || message === '' ? reason : `${reason}, ${message}`;

/** Whether a container of it has ever run. */
export const hasBegun = ({ status }: Pod): boolean => status?.phase !== undefined && status.phase !== 'Pending';

function outOfMemory({ metadata, status }: Pod): Failure | undefined {
  const killed = status?.containerStatuses?.find(({ state }) => state?.terminated?.reason === 'OOMKilled');
  if (killed === undefined) return undefined;
  const message = `container ${killed.name} of pod ${metadata.name} took more memory than it may (OOMKilled); raise resources.limits.memory`;
  return { reason: 'OutOfMemory', message };
}

/** A pod that was ended from outside: evicted, preempted, or lost with its node. */
function disruption({ metadata, status }: Pod): Failure | undefined {
  const target = status?.conditions?.find(({ type, status: is }) => type === 'DisruptionTarget' && is === 'True');
  const reason = status?.reason || target?.reason;
  if (status?.phase !== 'Failed' || reason === undefined) return undefined;
  const why = said(reason, status.message || target?.message);
  return { reason: 'PodDisrupted', message: `pod ${metadata.name} was ended from outside: ${why}` };
}

/** A container that ended without a word was ended by somebody else. */
function silentEnd({ metadata, status }: Pod): Failure | undefined {
  for (const { name, state } of status?.containerStatuses ?? []) {
    const ended = state?.terminated;
    if (ended === undefined || ended.exitCode === 0) continue;
    return {
      reason: 'ContainerKilled',
      message: `container ${name} of pod ${metadata.name} ended with exit code ${ended.exitCode}${ended.reason === undefined ? '' : ` (${ended.reason})`}`,
    };
  }
  return undefined;
}

/** What the runner said, unless it was told to end and could not know why. */
function failureSaid(pod: Pod): Failure | undefined {
  const result = resultOf(pod);
  if (result?.ok !== false) return undefined;
  const { failureReason: reason = 'Unexpected', failureMessage: message = 'the run failed' } = result;
  return (reason === 'Interrupted' ? disruption(pod) : undefined) ?? { reason, message };
}

const failureOf = (pod: Pod): Failure | undefined =>
  outOfMemory(pod) ?? failureSaid(pod) ?? disruption(pod) ?? silentEnd(pod);

/**
 * Undefined while it runs.
 * @param waitedFor What its pods were last seen to wait for: they are gone when a deadline has passed.
 */
export function outcomeOf(job: Job, pods: readonly Pod[], now: Date, waitedFor?: string): Outcome | undefined {
  const end = endOf(job);
  const late = failureIn(job);
  if (end === undefined && late === undefined && job.metadata.deletionTimestamp === undefined) return undefined;
  const result = lastResult(pods);
  const isComplete = end?.type === 'Complete';
  const startTime = job.status?.startTime;
  const completionTime = job.status?.completionTime ?? end?.lastTransitionTime ?? late?.time ?? timestamp(now);
  const common = { startTime, completionTime, result };
  if (isComplete && late === undefined) return { ...common, ok: true, reason: '', message: '' };
  if (late !== undefined) return { ...common, ok: false, reason: late.reason, message: late.message };
  return { ...common, ok: false, ...whyFailed(job, end, pods, waitedFor) };
}

function whyFailed(
  job: Job,
  end: ReturnType<typeof endOf>,
  pods: readonly Pod[],
  waitedFor: string | undefined,
): Failure {
  const jobName = `Job ${job.metadata.namespace}/${job.metadata.name}`;
  if (end === undefined) return { reason: 'JobDeleted', message: `${jobName} was deleted before it had ended` };
  if (end.reason === 'DeadlineExceeded') {
    const stuck = stuckOn(pods)?.message ?? waitedFor;
    return {
      reason: 'DeadlineExceeded',
      message: `${jobName} took longer than activeDeadlineSeconds (${job.spec.activeDeadlineSeconds})${stuck === undefined ? '' : `; ${stuck}`}`,
    };
  }
  const [failure] = newest(pods).flatMap((pod) => failureOf(pod) ?? []);
  return failure ?? { reason: end.reason ?? 'JobFailed', message: `${jobName}: ${end.message ?? 'it failed'}` };
}

/** What went wrong after the Job itself had succeeded. */
function failureIn(job: Job): (Failure & { time?: string }) | undefined {
  const text = job.metadata.annotations?.[NOTE.failure];
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as Failure & { time?: string };
  } catch {
    return { reason: 'Unexpected', message: text };
  }
}
