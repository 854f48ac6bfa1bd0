/**
 * BackupSchedule, RestoreSchedule and CopySchedule as external resources: the external object is a CronJob (two, with a
 * scheduled test restore). Its Jobs are born suspended and driven as those of runs that happen once.
 */
import type { KindDefinition, KubeObject, Managed } from '../../api/kind.ts';
import { parseDuration } from '../../common/duration.ts';
import { isDeleted } from '../../runtime/managed/annotations.ts';
import type { ConnectOptions, ExternalClient, ExternalConnector, Observation } from '../../runtime/managed/external.ts';
import { isAsWanted, timed, timedSince } from './cron-diff.ts';
import { COMING_MS, type RunDriver, type Situation } from './driver.ts';
import { waitedFor } from './run-external.ts';
import { jitterOf, jobName, LABEL, NOTE, type RunRole } from './names.ts';
import { turnsOf } from './plans.ts';
import { Removal, type RemovalOptions } from './removal.ts';
import { fieldsOf, wantedCronJobs } from './schedule-cron.ts';
import type { ScheduleObserver } from './schedule-metrics.ts';
import { conditionsOf, isRecorded, type ScheduleStatus, withOutcome } from './schedule-status.ts';
import { missedRun, nextRun } from './schedule-times.ts';
import { CRON_JOBS, type CronJob, isHeld, isReleased, isRunning, type Job, type JobStore } from './store.ts';
import type { Work, WorkServices } from './work.ts';

export interface ScheduleConnectorOptions extends Pick<RemovalOptions, 'onFilesKept'> {
  definition: KindDefinition;
  store: JobStore;
  driver: RunDriver;
  services: WorkServices;
  workOf: (resource: Managed, role: RunRole) => Work;
  observer: ScheduleObserver;
  pollMs: number;
  now: () => Date;
}

/** How soon to look again when an outcome has been recorded and its run is to be cleaned up, in ms. */
const SOON_MS = 250;
const PATIENCE_MS = 5_000;

export class ScheduleConnector implements ExternalConnector {
  readonly #options: ScheduleConnectorOptions;
  readonly #next = new Map<string, number>();

  constructor(options: ScheduleConnectorOptions) {
    this.#options = options;
  }

  async connect(resource: Managed, may: ConnectOptions): Promise<ExternalClient> {
    const { signal } = may;
    await this.#options.store.ready(signal);
    const uid = resource.metadata.uid ?? '';
    this.#next.set(uid, this.#options.pollMs);
    return new ScheduleExternal(this.#options, may, (ms) => {
      this.#next.set(uid, Math.min(ms, this.#next.get(uid) ?? ms));
    });
  }

  pollAfter(resource: Managed): number {
    const uid = resource.metadata.uid ?? '';
    const next = this.#next.get(uid) ?? this.#options.pollMs;
    this.#next.delete(uid);
    return next;
  }
}

/** Something to be done, and what it is called. */
interface Task {
  what: string;
  /** Changes a CronJob that is there. */
  isEdit?: true;
  run: (signal: AbortSignal) => Promise<void>;
}

class ScheduleExternal implements ExternalClient {
  readonly #options: ScheduleConnectorOptions;
  readonly #may: Pick<ConnectOptions, 'mayCreate' | 'mayUpdate'>;
  readonly #lookAgain: (ms: number) => void;
  #tasks: Task[] = [];
  #hasActed = false;
  #removing: Removal | undefined;
  /** What could not be done; it is told once the status is written. */
  #problem: unknown;

  constructor(
    options: ScheduleConnectorOptions,
    may: Pick<ConnectOptions, 'mayCreate' | 'mayUpdate'>,
    lookAgain: (ms: number) => void,
  ) {
    this.#options = options;
    this.#may = may;
    this.#lookAgain = lookAgain;
  }

  async observe(resource: Managed, signal: AbortSignal): Promise<Observation> {
    const status = (resource.status?.atProvider ?? {}) as ScheduleStatus;
    if (isDeleted(resource)) return nothingToDo({ exists: !this.#removal(resource).isOver, atProvider: { ...status } });
    const tasks: Task[] = [];
    const notes: Observation['notes'] = [];
    let next = status;
    let stuck: string | undefined;
    // What runs have come to is told even when nothing else can be done.
    for (const job of this.#jobs(resource)) {
      const role = roleOf(job);
      const situation = await this.#situation(resource, job, role, status, signal);
      const { outcome, action, waitsFor, isComing } = situation;
      if (isRunning(job)) stuck ??= waitsFor;
      if (isComing) this.#lookAgain(COMING_MS);
      if (outcome !== undefined && !isRecorded(status, role, outcome)) {
        next = withOutcome(next, resource.kind, role, outcome);
        notes.push(noteOf(job, outcome));
        this.#options.observer.ended(resource, role, outcome);
        this.#lookAgain(SOON_MS);
      } else if (action !== undefined) tasks.push(this.#taskOf(resource, situation, role));
      else if (!isRunning(job) && isReleased(job) && isHeld(job)) this.#lookAgain(PATIENCE_MS);
    }
    const main = await this.#cronJobs(resource, tasks, signal);
    try {
      next = { ...next, ...this.#times(resource, main, notes, status) };
    } catch (error) {
      this.#problem ??= error;
    }
    const isAllowed = ({ isEdit }: Task): boolean => this.#may.mayUpdate || isEdit !== true;
    this.#tasks = tasks.filter(isAllowed);
    const { suspend, verify } = fieldsOf(resource);
    const { lastScheduleTime } = main?.status ?? {};
    return {
      ...nothingToDo({
        exists: main !== undefined || this.#problem !== undefined,
        atProvider: {
          ...next,
          cronJobName: jobName(resource),
          suspended: suspend,
          ...(lastScheduleTime === undefined ? {} : { lastScheduleTime }),
        },
      }),
      // Each is tried once in a pass: what could not be done is a problem by then.
      differences: this.#hasActed ? [] : this.#tasks.map(({ what }) => what),
      // Runs are what a schedule is made for; its own edits are another matter.
      creates: true,
      unchangeable: tasks.filter((task) => !isAllowed(task)).map(({ what }) => what),
      notes,
      ...unready(main, stuck),
      conditions: conditionsOf(next, verify !== undefined),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  async create(_resource: Managed, signal: AbortSignal): Promise<void> {
    for (const task of this.#tasks) await task.run(signal);
  }

  async update(_resource: Managed, signal: AbortSignal): Promise<void> {
    this.#hasActed = true;
    for (const { run } of this.#tasks)
      try {
        await run(signal);
      } catch (error) {
        this.#problem ??= error;
      }
  }

  async delete(resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#removal(resource).advance(signal);
  }

  #removal(resource: Managed): Removal {
    const { lastSuccessTime, lastFailureTime } = (resource.status?.atProvider ?? {}) as ScheduleStatus;
    const hasFiles = resource.kind === 'BackupSchedule' && (lastSuccessTime ?? lastFailureTime) !== undefined;
    return (this.#removing ??= new Removal(this.#options, resource, hasFiles));
  }

  #jobs(resource: Managed): Job[] {
    const jobs = this.#options.store
      .jobsOf(resource)
      .filter((job) => roleOf(job) !== 'delete' && this.#isOurs(resource, job));
    return jobs.toSorted((a, b) =>
      (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1,
    );
  }

  /** One that waits elsewhere than where Jobs of the configuration run is left alone: it would be given what is not its own. */
  #isOurs(resource: Managed, job: Job): boolean {
    if (isReleased(job)) return true;
    try {
      return job.metadata.namespace === this.#options.workOf(resource, roleOf(job)).jobNamespace;
    } catch {
      return false;
    }
  }

  async #situation(
    resource: Managed,
    job: Job,
    role: RunRole,
    status: ScheduleStatus,
    signal: AbortSignal,
  ): Promise<Situation> {
    const { driver, workOf } = this.#options;
    return await driver.situation(
      job,
      workOf(resource, role),
      {
        isRecorded: (outcome) => isRecorded(status, role, outcome),
        mayStart: () => this.#mayStart(resource, job, role),
        waitedFor: waitedFor(resource),
      },
      signal,
    );
  }

  /** Runs of one schedule share names on the server, so one is over and cleaned up before the next begins. */
  #mayStart(resource: Managed, job: Job, role: RunRole): string | true {
    const { driver, workOf, now } = this.#options;
    if (this.#hasActed) return 'it could not begin';
    const fields = fieldsOf(resource);
    const scheduledFor = job.metadata.annotations?.[NOTE.scheduledFor];
    if (fields.suspend && scheduledFor !== undefined) return 'the schedule is suspended';
    const isBusy = this.#jobs(resource).some(
      (other) => other !== job && roleOf(other) === role && isReleased(other) && (isRunning(other) || isHeld(other)),
    );
    if (isBusy) return 'the run before is not over yet';
    if (scheduledFor !== undefined && fields.jitter !== undefined) {
      const wait = Date.parse(scheduledFor) + jitterOf(resource, parseDuration(fields.jitter)) - now().getTime();
      if (wait > 0) {
        this.#lookAgain(wait + SOON_MS);
        return 'it is spread by jitter';
      }
    }
    const mayAct = this.#may.mayCreate || this.#may.mayUpdate;
    return !mayAct || driver.takeTurn(job, turnsOf(workOf(resource, role)));
  }

  #taskOf(resource: Managed, situation: Situation, role: RunRole): Task {
    const { job, action } = situation;
    if (action === 'conclude') this.#lookAgain(PATIENCE_MS);
    return {
      what: `${action} Job ${job.metadata.namespace}/${job.metadata.name}`,
      run: async (signal) => {
        await this.#options.driver.act(
          situation,
          jobName(resource, role),
          this.#options.workOf(resource, role),
          signal,
        );
      },
    };
  }

  /** Adds what makes the CronJobs as they should be; gives the main one as it is. */
  async #cronJobs(resource: Managed, tasks: Task[], signal: AbortSignal): Promise<CronJob | undefined> {
    const { store } = this.#options;
    const existing = store.cronJobsOf(resource);
    try {
      this.#options.services.guard.check(resource);
      const wanted = await wantedCronJobs(resource, this.#options, signal);
      for (const object of wanted) {
        const there = existing.find((cronJob) => isSame(cronJob, object));
        if (there === undefined || !isAsWanted(there, object))
          tasks.push({
            what: `apply CronJob ${object.metadata.namespace}/${object.metadata.name}`,
            ...(there === undefined ? {} : { isEdit: true }),
            run: async (given) => await store.applyCronJob(timed(object, there, this.#options.now()), given),
          });
      }
      for (const old of existing)
        if (!wanted.some((object) => isSame(object, old)))
          tasks.push({
            what: `delete CronJob ${old.metadata.namespace}/${old.metadata.name}`,
            isEdit: true,
            run: async (given) => await store.remove(CRON_JOBS, old, given),
          });
    } catch (error) {
      this.#problem ??= error;
    }
    return existing.find(({ metadata }) => metadata.name === jobName(resource));
  }

  #times(resource: Managed, cronJob: CronJob | undefined, notes: Observation['notes'], status: ScheduleStatus) {
    const fields = fieldsOf(resource);
    const now = this.#options.now();
    const next = fields.suspend ? undefined : nextRun(fields, now);
    const missed =
      fields.suspend || cronJob?.spec.suspend !== false
        ? undefined
        : missedRun(
            fields,
            {
              lastScheduleTime: cronJob.status?.lastScheduleTime,
              since: timedSince(cronJob),
              startingDeadlineSeconds: fields.startingDeadlineSeconds,
            },
            now,
          );
    if (missed !== undefined && missed !== status.lastMissedTime)
      notes.push({ type: 'Warning', reason: 'RunMissed', message: `the run that was due at ${missed} did not begin` });
    return { nextRunTime: next, ...(missed === undefined ? {} : { lastMissedTime: missed }) };
  }
}

function unready(main: CronJob | undefined, stuck: string | undefined): Pick<Observation, 'unready'> {
  if (main === undefined) return { unready: { reason: 'Creating', message: 'its CronJob has not been made yet' } };
  return stuck === undefined ? {} : { unready: { reason: 'Waiting', message: stuck } };
}

const isSame = ({ metadata: a }: KubeObject, { metadata: b }: KubeObject): boolean =>
  a.name === b.name && a.namespace === b.namespace;

const roleOf = (job: Job): RunRole => (job.metadata.labels?.[LABEL.role] ?? 'run') as RunRole;

const noteOf = (
  job: Job,
  { ok, reason, message, result }: NonNullable<Situation['outcome']>,
): Observation['notes'][number] =>
  ok
    ? {
        reason: 'RunSucceeded',
        message: `Job ${job.metadata.name} succeeded${result?.backup === undefined ? '' : `: ${result.backup.key}`}${result?.warning === undefined ? '' : `; ${result.warning}`}`,
      }
    : { type: 'Warning', reason: 'RunFailed', message: `Job ${job.metadata.name}: ${reason}: ${message}` };

const nothingToDo = ({
  exists,
  atProvider,
}: {
  exists: boolean;
  atProvider: Record<string, unknown>;
}): Observation => ({
  exists,
  differences: [],
  unchangeable: [],
  atProvider: JSON.parse(JSON.stringify(atProvider)) as Record<string, unknown>,
  connectionDetails: {},
  appliedBefore: null,
  appliedAfter: null,
  notes: [],
});
