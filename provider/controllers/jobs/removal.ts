/**
 * What has to go before a resource may: its CronJobs, its Jobs with all that they have on servers, and the files where
 * filePolicy says so. Each call does what can be done now; the deletion is over when nothing is left.
 */
import type { KindDefinition, Managed } from '../../api/kind.ts';
import { jobObject } from '../../backup/job-spec.ts';
import { ResourceError } from '../../common/errors.ts';
import { DeleteFilesWork } from './backup-work.ts';
import { describe } from '../../runtime/managed/failure.ts';
import type { RunDriver } from './driver.ts';
import { jobName, LABEL, type RunRole } from './names.ts';
import { jobPlan, metadataOf, untilRecorded } from './plans.ts';
import { CRON_JOBS, endOf, isHeld, type Job, JOBS, type JobStore } from './store.ts';
import type { Work, WorkServices } from './work.ts';

export interface RemovalOptions {
  definition: KindDefinition;
  store: JobStore;
  driver: RunDriver;
  services: WorkServices;
  workOf: (resource: Managed, role: RunRole) => Work;
  /** Files stay although they were to go: their namespace goes, and with it what they could be reached with. */
  onFilesKept: (resource: Managed, why: string) => void;
}

const roleOf = (job: Job): RunRole => (job.metadata.labels?.[LABEL.role] ?? 'run') as RunRole;

export class Removal {
  readonly #options: RemovalOptions;
  readonly #resource: Managed;
  #mustDeleteFiles: boolean;

  constructor(options: RemovalOptions, resource: Managed, hasFiles: boolean) {
    this.#options = options;
    this.#resource = resource;
    this.#mustDeleteFiles = hasFiles && resource.spec.forProvider['filePolicy'] === 'Delete';
  }

  get isOver(): boolean {
    const { store } = this.#options;
    if (store.cronJobsOf(this.#resource).length > 0 || this.#runs().length > 0) return false;
    const files = this.#filesJob();
    if (files === undefined) return !this.#mustDeleteFiles;
    return this.#mustDeleteFiles && isDone(files) && !isHeld(files);
  }

  async advance(signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    for (const cronJob of store.cronJobsOf(this.#resource))
      if (cronJob.metadata.deletionTimestamp === undefined) await store.remove(CRON_JOBS, cronJob, signal);
    const runs = this.#runs();
    for (const job of runs) await this.#removeJob(job, signal);
    if (runs.length > 0) return;
    const files = this.#filesJob();
    if (!this.#mustDeleteFiles) {
      if (files !== undefined) await this.#removeJob(files, signal);
      return;
    }
    try {
      await this.#deleteFiles(files, signal);
    } catch (error) {
      await this.#giveUp(error, signal);
    }
  }

  /** A namespace that is going takes no new Job, and its Secrets may be gone already: it must not wait for ever. */
  async #giveUp(error: unknown, signal: AbortSignal): Promise<void> {
    const { store, onFilesKept } = this.#options;
    const { reason, message } = describe(error);
    if (!(await store.isTerminating(this.#resource.metadata.namespace ?? '', signal)))
      throw new ResourceError(
        reason,
        `the files could not be deleted: ${message}; set filePolicy to Keep to leave them`,
        { cause: error },
      );
    this.#mustDeleteFiles = false;
    onFilesKept(this.#resource, message);
    await this.advance(signal);
  }

  #runs(): Job[] {
    return this.#options.store.jobsOf(this.#resource).filter((job) => roleOf(job) !== 'delete');
  }

  #filesJob(): Job | undefined {
    return this.#options.store.jobsOf(this.#resource).find((job) => roleOf(job) === 'delete');
  }

  /** Ends the Job, waits for its pods, takes everything off the server, and lets the Job go. */
  async #removeJob(job: Job, signal: AbortSignal): Promise<void> {
    const { driver, store, workOf } = this.#options;
    if (job.metadata.deletionTimestamp === undefined) await store.remove(JOBS, job, signal);
    const pods = await store.pods(job, signal);
    const role = roleOf(job);
    const work =
      role === 'delete' ? new DeleteFilesWork(this.#resource, this.#options.services) : workOf(this.#resource, role);
    const current = store.job({ namespace: job.metadata.namespace ?? '', name: job.metadata.name }) ?? job;
    await driver.finish(current, pods, jobName(this.#resource, role), work, signal);
  }

  async #deleteFiles(job: Job | undefined, signal: AbortSignal): Promise<void> {
    const { services, definition, store, driver } = this.#options;
    const resource = this.#resource;
    const work = new DeleteFilesWork(resource, services);
    const base = jobName(resource, 'delete');
    if (job === undefined) {
      const metadata = metadataOf(resource, 'delete', work.jobNamespace, definition);
      const plan = jobPlan(resource, 'delete', await work.layout(), work, services);
      await store.createJob(untilRecorded(jobObject(metadata, plan)), signal);
      return;
    }
    // Somebody has asked for the next attempt by deleting the Job.
    if (isDone(job) || job.metadata.deletionTimestamp !== undefined) {
      await driver.cleanUp(job, base, work, signal);
      return;
    }
    const situation = await driver.situation(job, work, { isRecorded: () => false, mayStart: () => true }, signal);
    if (situation.outcome?.ok === false)
      throw new ResourceError(
        situation.outcome.reason,
        `${situation.outcome.message}; delete Job ${job.metadata.namespace}/${job.metadata.name} to try again`,
      );
    await driver.act(situation, base, work, signal);
  }
}

const isDone = (job: Job): boolean => endOf(job)?.type === 'Complete';
