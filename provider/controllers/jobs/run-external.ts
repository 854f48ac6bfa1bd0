/**
 * Backup, Restore and Copy as external resources: the external object is one run, which happens once. Its outcome is
 * written on the resource before anything else, as an annotation that no loss of status or Job can undo.
 */
import type { KindDefinition, Managed } from '../../api/kind.ts';
import { jobObject } from '../../backup/job-spec.ts';
import { appliedOf, isDeleted } from '../../runtime/managed/annotations.ts';
import { conditionOf } from '../../runtime/managed/conditions.ts';
import type { ConnectOptions, ExternalClient, ExternalConnector, Observation } from '../../runtime/managed/external.ts';
import { cleanServer, COMING_MS, RunDriver, type Situation } from './driver.ts';
import { jobName, serverNames } from './names.ts';
import { jobPlan, metadataOf, turnsOf, untilRecorded } from './plans.ts';
import { Removal, type RemovalOptions } from './removal.ts';
import { finalStatus } from './stored.ts';
import { isHeld, isReleased, type Job, type JobStore } from './store.ts';
import type { Work, WorkServices } from './work.ts';
import { timestamp } from '../../common/timestamp.ts';

/** What the resource remembers of its run. */
interface Record_ {
  /** Namespace and name of the resource: whoever copies a manifest, annotations and all, wants a run of its own. */
  of?: string;
  /** Where its Job is. */
  namespace?: string;
  /** The Job has been let go: from now on it must not be made again. */
  begun?: true;
  /** status.atProvider at the end. */
  outcome?: Record<string, unknown>;
}

export interface RunConnectorOptions extends Pick<RemovalOptions, 'onFilesKept'> {
  definition: KindDefinition;
  store: JobStore;
  driver: RunDriver;
  services: WorkServices;
  workOf: (resource: Managed) => Work;
  pollMs: number;
  now: () => Date;
}

/** How soon to look again when something is to be cleaned up or waited for, in ms. */
const SOON_MS = 250;
const PATIENCE_MS = 5_000;

export class RunConnector implements ExternalConnector {
  readonly #options: RunConnectorOptions;
  readonly #next = new Map<string, number>();

  constructor(options: RunConnectorOptions) {
    this.#options = options;
  }

  async connect(resource: Managed, { signal, mayCreate, mayUpdate }: ConnectOptions): Promise<ExternalClient> {
    await this.#options.store.ready(signal);
    return new RunExternal(this.#options, mayCreate || mayUpdate, (ms) =>
      this.#next.set(resource.metadata.uid ?? '', ms),
    );
  }

  pollAfter(resource: Managed): number {
    const uid = resource.metadata.uid ?? '';
    const next = this.#next.get(uid) ?? this.#options.pollMs;
    this.#next.delete(uid);
    return next;
  }
}

class RunExternal implements ExternalClient {
  readonly #options: RunConnectorOptions;
  readonly #mayAct: boolean;
  readonly #lookAgain: (ms: number) => void;
  #situation: Situation | undefined;
  #removing: Removal | undefined;

  constructor(options: RunConnectorOptions, mayAct: boolean, lookAgain: (ms: number) => void) {
    this.#options = options;
    this.#mayAct = mayAct;
    this.#lookAgain = lookAgain;
  }

  async observe(resource: Managed, signal: AbortSignal): Promise<Observation> {
    if (isDeleted(resource))
      return observation({
        exists: !this.#removal(resource).isOver || this.#mustClean(resource),
        record: recordOf(resource),
        atProvider: resource.status?.atProvider ?? {},
      });
    const { driver, services } = this.#options;
    const record = recordOf(resource);
    const job = this.#job(resource);
    const work = this.#options.workOf(resource);
    if (record.outcome !== undefined) return await this.#over(resource, record, job, work, signal);
    if (job === undefined) {
      if (this.#mustClean(resource))
        return {
          ...observation({ exists: true, record, atProvider: resource.status?.atProvider ?? {} }),
          differences: ['clean up after its Job, which vanished'],
        };
      if (record.begun === true) return this.#lost(resource, record);
      services.guard.check(resource);
      const namespace = work.jobNamespace;
      return observation({ exists: false, record: { ...record, namespace }, atProvider: { phase: 'Pending' } });
    }
    const situation = await driver.situation(
      job,
      work,
      {
        isRecorded: () => false,
        mayStart: () => !this.#mayAct || driver.takeTurn(job, turnsOf(work)),
        waitedFor: waitedFor(resource),
      },
      signal,
    );
    this.#situation = situation;
    const { outcome, action, waitsFor, isComing } = situation;
    if (outcome !== undefined) return this.#ended(resource, record, job, situation);
    const phase = isReleased(job) ? 'Running' : 'Pending';
    const startTime = job.status?.startTime;
    if (isReleased(job) && action === undefined)
      this.#lookAgain(isComing ? Math.min(COMING_MS, this.#options.pollMs) : this.#options.pollMs);
    if (action === 'conclude') this.#lookAgain(PATIENCE_MS);
    // What waits for sessions to end is not tried in the pass that has just tried it.
    const isTried = action === 'conclude' && waitsFor !== undefined && this.#hasActed;
    const next: Record_ =
      action === 'start' ? { ...record, namespace: job.metadata.namespace ?? '', begun: true } : record;
    return {
      ...observation({
        exists: true,
        record: next,
        atProvider: { phase, jobName: job.metadata.name, ...(startTime === undefined ? {} : { startTime }) },
      }),
      differences:
        action === undefined || isTried ? [] : [`${action} Job ${job.metadata.namespace}/${job.metadata.name}`],
      unready: unready(phase, waitsFor),
    };
  }

  async create(resource: Managed, signal: AbortSignal): Promise<void> {
    const { services, store, definition, workOf } = this.#options;
    const work = workOf(resource);
    const layout = await work.layout(signal);
    const metadata = metadataOf(resource, 'run', work.jobNamespace, definition);
    const job = jobObject(metadata, jobPlan(resource, 'run', layout, work, services));
    await store.createJob(untilRecorded(job), signal);
  }

  #hasActed = false;
  #hasCleaned = false;

  async update(resource: Managed, signal: AbortSignal): Promise<void> {
    const { driver, workOf } = this.#options;
    await this.#cleanUpLost(resource, signal);
    if (this.#situation === undefined) return;
    this.#hasActed = true;
    await driver.act(this.#situation, jobName(resource), workOf(resource), signal);
  }

  async delete(resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#cleanUpLost(resource, signal);
    await this.#removal(resource).advance(signal);
  }

  /** Whether a Job went without us, and nobody has taken off the server what it had there. */
  #mustClean(resource: Managed): boolean {
    const record = recordOf(resource);
    const isLost = record.begun === true && record.outcome === undefined;
    return isLost && !this.#hasCleaned && this.#job(resource) === undefined;
  }

  async #cleanUpLost(resource: Managed, signal: AbortSignal): Promise<void> {
    if (!this.#mustClean(resource)) return;
    await cleanServer(this.#options.workOf(resource), signal);
    this.#hasCleaned = true;
  }

  #removal(resource: Managed): Removal {
    const { workOf } = this.#options;
    return (this.#removing ??= new Removal(
      { ...this.#options, workOf },
      resource,
      resource.kind === 'Backup' && recordOf(resource).begun === true,
    ));
  }

  /** Where its configuration lets Jobs run; anywhere near when that is gone, as there is nothing to give away any more. */
  #job(resource: Managed): Job | undefined {
    const { store, workOf } = this.#options;
    const name = jobName(resource);
    const jobs = store.jobsOf(resource).filter(({ metadata }) => metadata.name === name);
    try {
      const { jobNamespace } = workOf(resource);
      return jobs.find(({ metadata }) => metadata.namespace === jobNamespace);
    } catch {
      return jobs[0];
    }
  }

  #lost(resource: Managed, record: Record_): Observation {
    const failure = {
      reason: 'JobLost',
      message: `Job ${record.namespace}/${jobName(resource)} vanished before its outcome was seen; what it did is not known, so it is not run again`,
    };
    const now = timestamp(this.#options.now());
    const atProvider = {
      phase: 'Failed',
      jobName: jobName(resource),
      completionTime: now,
      failureReason: failure.reason,
      failureMessage: failure.message,
    };
    return final({ ...record, outcome: atProvider }, atProvider, 'new');
  }

  #ended(resource: Managed, record: Record_, job: Job, { outcome }: Situation): Observation {
    const { keepReplaced, mode } = resource.spec.forProvider as { keepReplaced?: boolean; mode?: string };
    const replaced = keepReplaced === true && mode === 'Replace' ? serverNames(resource, 'run').replaced : undefined;
    const atProvider = finalStatus(resource.kind, job.metadata.name, outcome!, replaced);
    // Recorded now; what the run has on the server goes when that is written.
    this.#lookAgain(SOON_MS);
    return final({ ...record, namespace: job.metadata.namespace ?? '', outcome: atProvider }, atProvider, 'new');
  }

  async #over(
    resource: Managed,
    record: Record_,
    job: Job | undefined,
    work: Work,
    signal: AbortSignal,
  ): Promise<Observation> {
    const seen = final(record, record.outcome ?? {}, 'known');
    this.#lookAgain(this.#options.pollMs * 60);
    if (job === undefined || (!isHeld(job) && isReleased(job))) return seen;
    // The status is written from the record in the pass before this one.
    if (resource.status?.atProvider?.['phase'] !== record.outcome?.['phase']) {
      this.#lookAgain(SOON_MS);
      return seen;
    }
    const situation = await this.#options.driver.situation(
      job,
      work,
      { isRecorded: () => true, mayStart: () => true },
      signal,
    );
    this.#situation = situation.action === 'start' ? { ...situation, action: 'clean up' } : situation;
    if (this.#situation.action !== 'clean up') {
      this.#lookAgain(PATIENCE_MS);
      return seen;
    }
    return this.#hasActed
      ? seen
      : { ...seen, differences: [`clean up after Job ${job.metadata.namespace}/${job.metadata.name}`] };
  }
}

/** What the status says that its pods wait for. */
export function waitedFor(resource: Managed): string | undefined {
  const ready = conditionOf(resource, 'Ready');
  return ready?.reason === 'Waiting' ? ready.message : undefined;
}

function recordOf(resource: Managed): Record_ {
  const of = `${resource.metadata.namespace}/${resource.metadata.name}`;
  const record = appliedOf(resource) as Record_ | null | undefined;
  if (typeof record !== 'object' || record === null || (record.of ?? of) !== of) return { of };
  return { ...record, of };
}

interface Seen {
  exists: boolean;
  record: Record_;
  atProvider: Record<string, unknown>;
}

const observation = ({ exists, record, atProvider }: Seen): Observation => ({
  exists,
  differences: [],
  // All steps of a run are those of its creation.
  creates: true,
  unchangeable: [],
  atProvider,
  connectionDetails: {},
  appliedBefore: JSON.stringify(record),
  appliedAfter: JSON.stringify(record),
  notes: [],
});

function final(record: Record_, atProvider: Record<string, unknown>, what: 'new' | 'known'): Observation {
  const isGood = atProvider['phase'] === 'Succeeded';
  const [reason, message] = [atProvider['failureReason'] ?? 'Failed', atProvider['failureMessage'] ?? ''].map(
    String,
  ) as [string, string];
  const key = (atProvider['key'] ?? (atProvider['restored'] as { key?: string } | undefined)?.key ?? '') as string;
  const note = isGood
    ? {
        reason: 'RunSucceeded',
        message: `Job ${String(atProvider['jobName'])} succeeded${key === '' ? '' : `: ${key}`}`,
      }
    : { reason: 'RunFailed', message: `${reason}: ${message}`, type: 'Warning' as const };
  return {
    ...observation({ exists: true, record, atProvider }),
    ...(isGood ? {} : { unready: { reason, message } }),
    notes: what === 'new' ? [note] : [],
  };
}

function unready(phase: string, waitsFor: string | undefined): { reason: string; message: string } {
  if (waitsFor !== undefined) return { reason: 'Waiting', message: waitsFor };
  return { reason: phase, message: phase === 'Running' ? 'its Job runs' : 'its Job is about to begin' };
}
