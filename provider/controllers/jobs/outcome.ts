/** How a run has ended, from its Job, its pods and what the runner said. */
import { decodeResult, type RunResult } from '../../backup/contract.ts';
import { RUNNER } from '../../backup/job-spec.ts';
import { NOTE } from './names.ts';
import { type ContainerStatus, endOf, type Job, type Pod } from './store.ts';

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
export const failureNote = (failure: Failure, now: Date): string => JSON.stringify({ ...failure, time: seconds(now) });

const seconds = (time: Date): string => time.toISOString().replace(/\.\d{3}Z$/, 'Z');

const statusOf = (pod: Pod, container: string): ContainerStatus | undefined =>
  pod.status?.containerStatuses?.find(({ name }) => name === container);

const newest = (pods: readonly Pod[]): Pod[] =>
  pods.toSorted((a, b) => ((a.metadata.creationTimestamp ?? '') > (b.metadata.creationTimestamp ?? '') ? -1 : 1));

/** The last thing that a runner of the Job said; attempts that succeeded come first. */
function lastResult(pods: readonly Pod[]): RunResult | undefined {
  const results = newest(pods).flatMap(
    (pod) => decodeResult(statusOf(pod, RUNNER)?.state?.terminated?.message ?? '') ?? [],
  );
  return results.find(({ ok }) => ok) ?? results[0];
}

/** Why containers wait, e.g. for an image that cannot be pulled. Undefined when none does for long. */
export function stuckOn(pods: readonly Pod[]): Failure | undefined {
  for (const pod of newest(pods))
    for (const { name, state } of pod.status?.containerStatuses ?? []) {
      const { reason, message } = state?.waiting ?? {};
      if (reason !== undefined && !['ContainerCreating', 'PodInitializing'].includes(reason))
        return {
          reason,
          message: `container ${name} of pod ${pod.metadata.name} waits: ${reason}${message === undefined ? '' : `, ${message}`}`,
        };
    }
  return undefined;
}

/** A container that ended without a word was ended by somebody else. */
function silentEnd(pods: readonly Pod[]): Failure | undefined {
  for (const pod of newest(pods))
    for (const { name, state } of pod.status?.containerStatuses ?? []) {
      const ended = state?.terminated;
      if (ended === undefined || ended.exitCode === 0) continue;
      const isMemory = ended.reason === 'OOMKilled';
      return {
        reason: isMemory ? 'OutOfMemory' : 'ContainerKilled',
        message: `container ${name} of pod ${pod.metadata.name} ended with exit code ${ended.exitCode}${ended.reason === undefined ? '' : ` (${ended.reason})`}${isMemory ? '; raise resources.limits.memory' : ''}`,
      };
    }
  return undefined;
}

/** Undefined while it runs. */
export function outcomeOf(job: Job, pods: readonly Pod[], now: Date): Outcome | undefined {
  const end = endOf(job);
  const late = failureIn(job);
  if (end === undefined && late === undefined && job.metadata.deletionTimestamp === undefined) return undefined;
  const result = lastResult(pods);
  const isComplete = end?.type === 'Complete';
  const startTime = job.status?.startTime;
  const completionTime = job.status?.completionTime ?? end?.lastTransitionTime ?? late?.time ?? seconds(now);
  const common = { startTime, completionTime, result };
  if (isComplete && late === undefined) return { ...common, ok: true, reason: '', message: '' };
  if (late !== undefined) return { ...common, ok: false, reason: late.reason, message: late.message };
  return { ...common, ok: false, ...whyFailed(job, end, result, pods) };
}

function whyFailed(
  job: Job,
  end: ReturnType<typeof endOf>,
  result: RunResult | undefined,
  pods: readonly Pod[],
): Failure {
  const jobName = `Job ${job.metadata.namespace}/${job.metadata.name}`;
  if (end === undefined) return { reason: 'JobDeleted', message: `${jobName} was deleted before it had ended` };
  if (end.reason === 'DeadlineExceeded') {
    const stuck = stuckOn(pods);
    return {
      reason: 'DeadlineExceeded',
      message: `${jobName} took longer than activeDeadlineSeconds (${job.spec.activeDeadlineSeconds})${stuck === undefined ? '' : `; ${stuck.message}`}`,
    };
  }
  if (result?.ok === false)
    return { reason: result.failureReason ?? 'Unexpected', message: result.failureMessage ?? `${jobName} failed` };
  return silentEnd(pods) ?? { reason: end.reason ?? 'JobFailed', message: `${jobName}: ${end.message ?? 'it failed'}` };
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
