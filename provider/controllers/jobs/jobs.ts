/** All that Backup, Restore, Copy and their schedules share: the caches of Jobs, who drives them, and who is told of what. */
import type { KindDefinition, KubeObject, Managed } from '../../api/kind.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { KubeClient } from '../../runtime/kube/client.ts';
import type { Log } from '../../runtime/log.ts';
import type { ExternalConnector } from '../../runtime/managed/external.ts';
import { BackupWork, VerifyWork } from './backup-work.ts';
import { CopyWork } from './copy-work.ts';
import { RunDriver } from './driver.ts';
import { LABEL, NOTE, type RunRole } from './names.ts';
import { RestoreWork } from './restore-work.ts';
import { RunConnector } from './run-external.ts';
import { ScheduleConnector } from './schedule-external.ts';
import type { ScheduleObserver } from './schedule-metrics.ts';
import { type CronJob, isHeld, isReleased, isRunning, type Job, JobStore } from './store.ts';
import type { Work, WorkServices } from './work.ts';

export interface JobsOptions {
  client: KubeClient;
  log: Log;
  clock: Clock;
  pollMs: number;
  services: WorkServices;
  observer: ScheduleObserver;
  /** The resource of that kind and name, if it is there. */
  resource(kind: string, key: string): Managed | undefined;
  enqueue(kind: string, key: string): void;
}

export class Jobs {
  readonly store: JobStore;
  readonly #options: JobsOptions;
  readonly #driver: RunDriver;

  constructor(options: JobsOptions) {
    this.#options = options;
    const { client, log, clock } = options;
    const { providerNamespace } = options.services;
    this.store = new JobStore(client, { log, clock, providerNamespace });
    this.#driver = new RunDriver({
      store: this.store,
      now: () => new Date(clock.now()),
      onTurn: (job) => {
        this.#wakeWaiting(job);
      },
    });
  }

  /** Begins to follow Jobs and CronJobs. */
  start(signal: AbortSignal): void {
    const tell = (object: KubeObject): void => {
      this.#tell(object, signal);
    };
    this.store.jobs.subscribe({
      onAdd: tell,
      onUpdate: (old, job) => {
        tell(job);
        if (isRunning(old) && !isRunning(job)) this.#wakeWaiting(job);
      },
      onDelete: (job) => {
        tell(job);
        this.#wakeWaiting(job);
      },
    });
    this.store.cronJobs.subscribe({
      onAdd: tell,
      onUpdate: (old: CronJob, cronJob: CronJob) => {
        if (old.metadata.generation !== cronJob.metadata.generation) tell(cronJob);
      },
      onDelete: tell,
    });
    this.store.run(signal);
  }

  connector(definition: KindDefinition): ExternalConnector | undefined {
    const workOf = this.#workOf(definition.kind);
    if (workOf === undefined) return undefined;
    const { services, observer, pollMs, clock, log } = this.#options;
    const common = {
      definition,
      store: this.store,
      driver: this.#driver,
      services,
      workOf,
      pollMs,
      now: () => new Date(clock.now()),
      onFilesKept: (resource: Managed, why: string) => {
        const { kind, metadata } = resource;
        log.warn(
          { kind, namespace: metadata.namespace, name: metadata.name, why },
          'files were kept: their namespace goes',
        );
      },
    };
    return definition.kind.endsWith('Schedule')
      ? new ScheduleConnector({ ...common, observer })
      : new RunConnector({ ...common, workOf: (resource) => workOf(resource, 'run') });
  }

  #workOf(kind: string): ((resource: Managed, role: RunRole) => Work) | undefined {
    const { services } = this.#options;
    switch (kind) {
      case 'Backup':
        return (resource) => new BackupWork(resource, services);
      case 'BackupSchedule':
        return (resource, role) =>
          role === 'verify' ? new VerifyWork(resource, services) : new BackupWork(resource, services);
      case 'Restore':
      case 'RestoreSchedule':
        return (resource) => new RestoreWork(resource, services);
      case 'Copy':
      case 'CopySchedule':
        return (resource) => new CopyWork(resource, services);
      default:
        return undefined;
    }
  }

  #tell(object: KubeObject, signal: AbortSignal): void {
    const owner = ownerOf(object);
    if (owner === undefined) return;
    const resource = this.#options.resource(owner.kind, owner.key);
    if (resource?.metadata.uid === object.metadata.labels?.[LABEL.owner]) this.#options.enqueue(owner.kind, owner.key);
    else if (object.kind === 'Job' && object.metadata.deletionTimestamp !== undefined && isHeld(object as Job))
      // Its resource went without us, e.g. with its finalizer taken off: nobody else would let the Job go.
      this.store.letGo(object as Job, signal).catch((error: unknown) => {
        this.#options.log.warn(
          { err: error, job: object.metadata.name },
          'a Job without a resource could not be let go',
        );
      });
  }

  /** Those that wait for their turn on the server of a Job. */
  #wakeWaiting(job: Job): void {
    for (const other of this.store.jobsOfServer(job.metadata.labels?.[LABEL.server] ?? '')) {
      const owner = isReleased(other) ? undefined : ownerOf(other);
      if (owner !== undefined) this.#options.enqueue(owner.kind, owner.key);
    }
  }
}

/** The resource that a Job or CronJob was made for, as its annotation has it. */
function ownerOf(object: KubeObject): { kind: string; key: string } | undefined {
  const [kind, key] = object.metadata.annotations?.[NOTE.resource]?.split(' ') ?? [];
  return kind === undefined || key === undefined ? undefined : { kind, key };
}
