/**
 * Drives one Job from its creation to its end. A Job is born suspended, by us or by a CronJob:
 *
 *   waiting    its turn has come and the server is prepared   → released, and held by our finalizer
 *   running    the Job controller's and the runner's business
 *   ended      after a success the data is put into its place → concluded
 *   concluded  the outcome is recorded on the resource        → cleaned up, and let go
 *
 * Every step may be repeated, so a provider that is killed anywhere goes on where it was. What says how far it is stands
 * on the Job alone.
 */
import { RUNNER, secretNameOf } from '../../backup/job-spec.ts';
import { ResourceError } from '../../common/errors.ts';
import { describe } from '../../runtime/managed/failure.ts';
import { NOTE } from './names.ts';
import { failureNote, hasBegun, newest, type Outcome, outcomeOf, stuckOn } from './outcome.ts';
import { endOf, isHeld, isReleased, isRunning, type Job, JOBS, type JobStore, type Pod } from './store.ts';
import type { Work } from './work.ts';

export type Action = 'start' | 'conclude' | 'clean up';

export interface Situation {
  job: Job;
  /** What is to be done now; undefined = nothing, or not yet. */
  action: Action | undefined;
  /** Set once it is over. */
  outcome: Outcome | undefined;
  /** Why it does not go on, for people. */
  waitsFor: string | undefined;
  /** It was let go, and no container of it has run yet. */
  isComing: boolean;
  pods: readonly Pod[];
}

/** Failures to begin after which no edit of anything else can help: the run has failed. */
const FINAL: ReadonlySet<string> = new Set(['TargetNotEmpty', 'BackupFailed']);

/** What is asked of a resource about its run. */
export interface Asked {
  /** Whether an outcome stands on the resource already. */
  isRecorded: (outcome: Outcome) => boolean;
  /** Whether the turn has come; who takes it and does not start the Job keeps others from theirs. */
  mayStart: () => string | true;
  /** What its pods were last seen to wait for. */
  waitedFor?: string | undefined;
}

/** How long a pod may take to come before somebody is asked why it does not, and when to look for it, in ms. */
const PATIENCE_MS = 10_000;
export const COMING_MS = PATIENCE_MS + 1_000;

export interface DriverOptions {
  store: JobStore;
  now: () => Date;
  /** Called when a Job has begun or ended, for those that wait for their turn. */
  onTurn: (job: Job) => void;
}

export class RunDriver {
  readonly #options: DriverOptions;
  /** What concluding waits for, by UID of the Job. */
  readonly #waiting = new Map<string, string>();

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  async situation(job: Job, work: Work, asked: Asked, signal: AbortSignal): Promise<Situation> {
    const { isRecorded, mayStart, waitedFor } = asked;
    const common = { job, outcome: undefined, waitsFor: undefined, isComing: false, pods: [] };
    const hasFailed = job.metadata.annotations?.[NOTE.failure] !== undefined;
    const isDeleted = job.metadata.deletionTimestamp !== undefined;
    if (!isReleased(job) && !hasFailed) {
      // Nothing of it has run, so nothing is lost.
      if (isDeleted && !isHeld(job)) return { ...common, action: undefined };
      if (!isDeleted) {
        const answer = mayStart();
        return answer === true ? { ...common, action: 'start' } : { ...common, action: undefined, waitsFor: answer };
      }
    }
    if (isRunning(job) && !hasFailed) {
      const pods = await this.#options.store.pods(job, signal);
      const isComing = !pods.some(hasBegun);
      const waitsFor = stuckOn(pods)?.message ?? (isComing ? await this.#complaint(job, pods, signal) : undefined);
      return { ...common, action: undefined, waitsFor, isComing, pods };
    }
    const pods = isReleased(job) ? await this.#options.store.pods(job, signal) : [];
    const isComplete = endOf(job)?.type === 'Complete';
    if (
      isComplete &&
      !hasFailed &&
      work.conclude !== undefined &&
      job.metadata.annotations?.[NOTE.concluded] === undefined
    )
      return { ...common, action: 'conclude', waitsFor: this.#waiting.get(job.metadata.uid ?? ''), pods };
    const outcome = outcomeOf(job, pods, this.#options.now(), waitedFor);
    const isOver = outcome !== undefined && isRecorded(outcome);
    // Pods that are still there may still hold what is to be cleaned up.
    const canClean = !pods.some(isAlive) || (isDeleted && pods.some(isLeftRunning));
    const mustClean = isOver && canClean && (isHeld(job) || !isReleased(job));
    return { ...common, action: mustClean ? 'clean up' : undefined, outcome, pods };
  }

  /** A quota, a limit or a Secret that is gone is only told in events: of the Job as long as there is no pod. */
  async #complaint(job: Job, pods: readonly Pod[], signal: AbortSignal): Promise<string | undefined> {
    const age = this.#options.now().getTime() - Date.parse(job.status?.startTime ?? '');
    if (!(age >= PATIENCE_MS)) return undefined;
    const pod = newest(pods)[0];
    const { store } = this.#options;
    const complaint =
      pod === undefined
        ? await store.warning(job, 'FailedCreate', signal)
        : await store.warning(pod, undefined, signal);
    if (complaint === undefined) return undefined;
    return `${pod === undefined ? 'its Job gets no pod' : `pod ${pod.metadata.name} waits`}: ${complaint}`;
  }

  /** Throws ResourceError when it could not be done; it is tried again. */
  async act({ job, action, pods }: Situation, base: string, work: Work, signal: AbortSignal): Promise<void> {
    if (action === 'start') await this.#start(job, base, work, signal);
    else if (action === 'conclude') await this.#conclude(job, work, signal);
    else if (action === 'clean up') await this.finish(job, pods, base, work, signal);
  }

  /** Cleans up, once nothing of the Job runs any more. */
  async finish(job: Job, pods: readonly Pod[], base: string, work: Work, signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    if (pods.some(isLeftRunning)) await store.remove(JOBS, job, signal);
    else if (!pods.some(isAlive)) await this.cleanUp(job, base, work, signal);
  }

  /** True when the Job has the turn of its server; who is told so must start it at once. */
  takeTurn(job: Job, limit: number): string | true {
    return this.#options.store.takeTurn(job, limit) || 'another job of this server runs; it takes its turn after it';
  }

  async cleanUp(job: Job, base: string, work: Work, signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    await cleanServer(work, signal);
    for (const container of [RUNNER, ...work.containers])
      await store.removeSecret(job.metadata.namespace, secretNameOf(base, container), signal);
    this.#waiting.delete(job.metadata.uid ?? '');
    store.endTurn(job);
    // One that never began would stay suspended for ever.
    if (!isReleased(job)) await store.remove(JOBS, job, signal);
    if (isHeld(job)) await store.letGo(job, signal);
    this.#options.onTurn(job);
  }

  async #start(job: Job, base: string, work: Work, signal: AbortSignal): Promise<void> {
    const { store, now } = this.#options;
    try {
      // Whoever may read Secrets there reads those of the run: the namespace of a Job is never taken on trust.
      if (job.metadata.namespace !== work.jobNamespace)
        throw new ResourceError(
          'NotYours',
          `Job ${job.metadata.namespace}/${job.metadata.name} is not in namespace ${JSON.stringify(work.jobNamespace)}, where Jobs of this configuration run; delete it`,
          { retryable: false },
        );
      const files = await work.prepare(job, signal);
      for (const [container, content] of Object.entries(files))
        await store.replaceSecret(job, secretNameOf(base, container), content, signal);
      await store.release(job, signal);
    } catch (error) {
      if (!(error instanceof ResourceError) || !FINAL.has(error.reason)) throw error;
      await store.annotate(job, { [NOTE.failure]: failureNote(error, now()) }, signal);
    } finally {
      store.endTurn(job);
    }
  }

  async #conclude(job: Job, work: Work, signal: AbortSignal): Promise<void> {
    const { store, now } = this.#options;
    const uid = job.metadata.uid ?? '';
    try {
      const conclusion = await work.conclude?.(signal);
      if (conclusion?.state !== 'waiting') {
        await store.annotate(job, { [NOTE.concluded]: now().toISOString() }, signal);
        return;
      }
      this.#waiting.set(uid, conclusion.message);
      if (!this.#isLate(job)) return;
      throw new ResourceError('SessionsOpen', `${conclusion.message}; it waited until the deadline`, {
        retryable: false,
      });
    } catch (error) {
      const failure = describe(error);
      if (failure.retryable && !this.#isLate(job)) throw error;
      await store.annotate(job, { [NOTE.failure]: failureNote(failure, now()) }, signal);
    }
  }

  /** The deadline of a Job ends with the Job: what comes after it has as long again. */
  #isLate(job: Job): boolean {
    const end = Date.parse(job.status?.completionTime ?? '');
    return this.#options.now().getTime() - end > (job.spec.activeDeadlineSeconds ?? 86_400) * 1000;
  }
}

const isAlive = ({ status }: Pod): boolean => status?.phase !== 'Succeeded' && status?.phase !== 'Failed';

/** Whoever deletes a Job without its pods, as the CronJob controller does for Replace, leaves them running: we hold the Job. */
const isLeftRunning = (pod: Pod): boolean => isAlive(pod) && pod.metadata.deletionTimestamp === undefined;

/** Takes everything of a run off its server. */
export async function cleanServer(work: Work, signal: AbortSignal): Promise<void> {
  try {
    await work.cleanUp(signal);
  } catch (error) {
    // Without the configuration or its Secret there is no way to the server any more, and nothing to hold a Job for.
    if (!(error instanceof ResourceError) || !GONE.has(error.reason)) throw error;
  }
}

const GONE: ReadonlySet<string> = new Set(['ProviderConfigNotFound', 'SecretNotFound', 'NotSupported']);
