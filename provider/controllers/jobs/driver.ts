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
import { NOTE } from './names.ts';
import { failureNote, type Outcome, outcomeOf, stuckOn } from './outcome.ts';
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
  pods: readonly Pod[];
}

/** Failures to begin after which no edit of anything else can help: the run has failed. */
const FINAL: ReadonlySet<string> = new Set(['TargetNotEmpty', 'BackupFailed']);

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

  /** @param isRecorded Whether an outcome stands on the resource already. */
  async situation(
    job: Job,
    work: Work,
    { isRecorded, mayStart }: { isRecorded: (outcome: Outcome) => boolean; mayStart: () => string | true },
    signal: AbortSignal,
  ): Promise<Situation> {
    const common = { job, outcome: undefined, waitsFor: undefined, pods: [] };
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
      return { ...common, action: undefined, waitsFor: stuckOn(pods)?.message, pods };
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
    const outcome = outcomeOf(job, pods, this.#options.now());
    const isOver = outcome !== undefined && isRecorded(outcome);
    // Pods that are still there may still hold what is to be cleaned up.
    const hasLeft = pods.every(({ status }) => status?.phase === 'Succeeded' || status?.phase === 'Failed');
    const mustClean = isOver && hasLeft && (isHeld(job) || !isReleased(job));
    return { ...common, action: mustClean ? 'clean up' : undefined, outcome, pods };
  }

  /** Throws ResourceError when it could not be done; it is tried again. */
  async act({ job, action }: Situation, base: string, work: Work, signal: AbortSignal): Promise<void> {
    if (action === 'start') await this.#start(job, base, work, signal);
    else if (action === 'conclude') await this.#conclude(job, work, signal);
    else if (action === 'clean up') await this.cleanUp(job, base, work, signal);
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
    // One that never began would stay suspended for ever.
    if (!isReleased(job)) await store.remove(JOBS, job, signal);
    if (isHeld(job)) await store.letGo(job, signal);
    this.#options.onTurn(job);
  }

  async #start(job: Job, base: string, work: Work, signal: AbortSignal): Promise<void> {
    const { store, now } = this.#options;
    try {
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
      if (!(error instanceof ResourceError) || error.retryable) throw error;
      await store.annotate(job, { [NOTE.failure]: failureNote(error, now()) }, signal);
    }
  }

  /** The deadline of a Job ends with the Job: what comes after it has as long again. */
  #isLate(job: Job): boolean {
    const end = Date.parse(job.status?.completionTime ?? '');
    return this.#options.now().getTime() - end > (job.spec.activeDeadlineSeconds ?? 86_400) * 1000;
  }
}

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
