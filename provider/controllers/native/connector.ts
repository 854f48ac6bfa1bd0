/** Sends the backup kinds to the server itself where it makes its own backups, and to Jobs elsewhere. */
import { TRAITS } from '../../api/engines.ts';
import type { Managed } from '../../api/kind.ts';
import { ResourceError } from '../../common/errors.ts';
import { isDeleted } from '../../runtime/managed/annotations.ts';
import type { ConnectOptions, ExternalClient, ExternalConnector } from '../../runtime/managed/external.ts';
import type { ScheduleObserver } from '../jobs/schedule-metrics.ts';
import type { WorkServices } from '../jobs/work.ts';
import { NativeBackup } from './backup.ts';
import { NativeRestore } from './restore.ts';
import { NativeSchedule } from './schedule.ts';
import type { NativeContext } from './shared.ts';

export interface NativeConnectorOptions {
  services: WorkServices;
  observer: ScheduleObserver;
  pollMs: number;
}

const CLIENTS: Readonly<Record<string, (context: NativeContext) => ExternalClient>> = {
  Backup: (context) => new NativeBackup(context),
  BackupSchedule: (context) => new NativeSchedule(context),
  Restore: (context) => new NativeRestore(context),
};

/** For kinds that CockroachDB has nothing for. */
const INSTEAD: Readonly<Record<string, string>> = {
  Copy: 'make a Backup of the source, and a Restore with sourceDatabase',
  CopySchedule:
    'make a BackupSchedule of the source, and a Restore with sourceDatabase whenever the copy is to be renewed',
  RestoreSchedule: 'make a Restore each time',
};

export class NativeConnector implements ExternalConnector {
  readonly #options: NativeConnectorOptions;
  readonly #next = new Map<string, number>();

  constructor(options: NativeConnectorOptions) {
    this.#options = options;
  }

  async connect(resource: Managed, { signal }: ConnectOptions): Promise<ExternalClient> {
    const { services, observer, pollMs } = this.#options;
    const client = CLIENTS[resource.kind];
    // Nothing of a kind that was never begun is left anywhere.
    if (client === undefined) {
      if (isDeleted(resource)) return NOTHING;
      throw new ResourceError(
        'NotSupported',
        `${resource.kind} is not supported on CockroachDB: ${INSTEAD[resource.kind] ?? 'remove it'}`,
        { retryable: false },
      );
    }
    if (!isDeleted(resource)) services.guard.check(resource);
    const connection = await services.connect(resource, signal);
    const info = await connection.engine.info(signal);
    const { native } = connection.engine;
    if (native === undefined)
      throw new ResourceError('NotSupported', `${resource.kind} is not supported on ${info.product}`, {
        retryable: false,
      });
    const uid = resource.metadata.uid ?? '';
    this.#next.set(uid, pollMs);
    const lookAgain = (ms: number): void => {
      this.#next.set(uid, Math.min(ms, this.#next.get(uid) ?? ms));
    };
    return client({ resource, connection, native, info, services, observer, lookAgain });
  }

  pollAfter(resource: Managed): number {
    const uid = resource.metadata.uid ?? '';
    const next = this.#next.get(uid) ?? this.#options.pollMs;
    this.#next.delete(uid);
    return next;
  }
}

const NOTHING: ExternalClient = {
  observe: async (resource) =>
    await Promise.resolve({
      exists: false,
      differences: [],
      unchangeable: [],
      atProvider: resource.status?.atProvider ?? {},
      connectionDetails: {},
      appliedBefore: null,
      appliedAfter: null,
      notes: [],
    }),
  create: async () => {},
  update: async () => {},
  delete: async () => {},
};

/** Asks which of the two a resource is for each time: its configuration may come later, or be another. */
export class BackupConnector implements ExternalConnector {
  readonly #services: WorkServices;
  readonly #native: ExternalConnector;
  readonly #jobs: ExternalConnector;

  constructor(services: WorkServices, native: ExternalConnector, jobs: ExternalConnector) {
    this.#services = services;
    this.#native = native;
    this.#jobs = jobs;
  }

  async connect(resource: Managed, options: ConnectOptions): Promise<ExternalClient> {
    return await this.#of(resource).connect(resource, options);
  }

  pollAfter(resource: Managed): number {
    return this.#of(resource).pollAfter(resource);
  }

  #of(resource: Managed): ExternalConnector {
    const engine = this.#services.config(resource)?.spec.engine;
    return engine !== undefined && TRAITS[engine].makesOwnBackups ? this.#native : this.#jobs;
  }
}
