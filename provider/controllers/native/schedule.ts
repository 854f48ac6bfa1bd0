/** BackupSchedule on a server that runs schedules by itself: the external object is its schedule there. */
import type { BackupScheduleObservation, BackupScheduleParameters } from '../../api/backup-schedule.ts';
import type { Managed } from '../../api/kind.ts';
import { refuseWhatOthersDo } from '../../api/native-refusals.ts';
import { collectionOf, collectionPath, keyOf, pathIn, scheduleLabel } from '../../backup/native/names.ts';
import { type ScheduleDesired, scheduleDiff } from '../../backup/native/schedule-diff.ts';
import { waiting } from '../../common/errors.ts';
import type { NativeJob, ScheduleObserved } from '../../engines/native.ts';
import { defined } from '../../resources/creation.ts';
import { conditionsOf } from '../jobs/schedule-status.ts';
import { isDeleted } from '../../runtime/managed/annotations.ts';
import type { ExternalClient, Observation } from '../../runtime/managed/external.ts';
import {
  connectionOf,
  encryptionOf,
  isConnectionStale,
  type NativeContext,
  type NativeRecord,
  observation,
  recordOf,
  SOON_MS,
  type StorageBehind,
  storageBehind,
} from './shared.ts';

type ScheduleStatus = Pick<
  BackupScheduleObservation,
  'lastScheduleTime' | 'lastSuccessTime' | 'lastBackup' | 'lastFailureTime' | 'lastFailureReason' | 'lastFailureMessage'
>;

const failureOf = ({ lastFailureTime, lastFailureReason, lastFailureMessage }: ScheduleStatus): ScheduleStatus => ({
  lastFailureTime,
  lastFailureReason,
  lastFailureMessage,
});

const describeFailure = ({ id, state, status, error, finished }: NativeJob): ScheduleStatus => ({
  lastFailureTime: finished,
  lastFailureReason: state === 'canceled' ? 'JobCanceled' : 'JobFailed',
  lastFailureMessage: `job ${id}: ${status}${error === '' ? '' : `: ${error}`}`,
});

export class NativeSchedule implements ExternalClient {
  readonly #context: NativeContext;
  #act: ((signal: AbortSignal) => Promise<void>) | undefined;
  /** What the server has once `#act` has succeeded, and what it has since it did, until it is on record. */
  #next: NativeRecord | undefined;
  #done: NativeRecord | undefined;
  #hasTold = false;

  constructor(context: NativeContext) {
    this.#context = context;
  }

  get #fields(): BackupScheduleParameters {
    return this.#context.resource.spec.forProvider as unknown as BackupScheduleParameters;
  }

  get #label(): string {
    const { namespace = '', name, uid = '' } = this.#context.resource.metadata;
    return scheduleLabel(namespace, name, uid);
  }

  get #path(): string {
    const { name, namespace = '' } = this.#context.resource.metadata;
    return collectionPath({ namespace, name, database: this.#fields.database ?? '' });
  }

  async observe(resource: Managed, signal: AbortSignal): Promise<Observation> {
    const { native } = this.#context;
    const name = connectionOf(resource);
    const record = this.#done ?? recordOf(resource);
    const observed = await native.schedules(this.#label, signal);
    const jobs = await native.jobs('BACKUP', `external://${name}/`, signal);
    const shown = await native.connection(name, signal);
    if (isDeleted(resource)) return this.#observeDeletion(resource, observed, jobs, shown);
    refuseWhatOthersDo(this.#fields);
    const storage = await storageBehind(this.#context, this.#fields.storage);
    const { wanted, version } = await this.#wanted(record);
    const next: NativeRecord = {
      credentials: storage.version,
      ...(version === undefined ? {} : { passphrase: version }),
      ...(wanted.kms === undefined ? {} : { kms: wanted.kms }),
    };
    this.#next = next;
    const isStale = isConnectionStale(shown, record, storage);
    if (observed.length === 0) {
      this.#act = async (until) => {
        await this.#create(wanted, storage, until);
      };
      return observation(false, record, next, {});
    }
    const { remake, changes, pause, resume, differences } = scheduleDiff(wanted, observed);
    this.#act = async (until) => {
      if (remake !== undefined) {
        await native.dropSchedules(
          observed.map(({ id }) => id),
          { cancelJobs: false },
          until,
        );
        await this.#create(wanted, storage, until);
        return;
      }
      if (isStale) await native.putConnection({ name, uri: storage.uri }, until);
      await native.alterSchedule(observed[0]?.id ?? '', changes, until);
      await native.pauseSchedules(pause, true, until);
      await native.pauseSchedules(resume, false, until);
    };
    const all = [...(isStale ? ['ALTER EXTERNAL CONNECTION'] : []), ...differences];
    const status = this.#status(observed, jobs);
    return {
      ...observation(true, all.length === 0 ? next : record, next, status),
      differences: all,
      notes: this.#news(status),
      conditions: conditionsOf(status, false),
    };
  }

  async #wanted(record: NativeRecord): Promise<{ wanted: ScheduleDesired; version: string | undefined }> {
    const { database, schedule, suspend, concurrencyPolicy, cockroachdb } = this.#fields;
    if (database === undefined) throw waiting('forProvider.database is not resolved yet');
    const { options, version } = await encryptionOf(this.#context, cockroachdb);
    const full = cockroachdb?.fullBackup;
    return {
      version,
      wanted: {
        label: this.#label,
        database,
        collection: collectionOf(connectionOf(this.#context.resource), this.#path),
        recurrence: schedule,
        onPreviousRunning: concurrencyPolicy === 'Allow' ? 'start' : 'skip',
        suspend,
        isPassphraseNew: version !== record.passphrase,
        isKmsNew: options.kms !== record.kms,
        owner: this.#context.info.admin.name,
        revisionHistory: cockroachdb?.revisionHistory === true,
        ...options,
        ...(full === undefined ? {} : { full: full === 'Always' ? 'ALWAYS' : full }),
      },
    };
  }

  async #create(wanted: ScheduleDesired, storage: StorageBehind, signal: AbortSignal): Promise<void> {
    const { resource, native, connection, services } = this.#context;
    services.guard.check(resource);
    const [known] = await connection.engine.read('database', [{ name: wanted.database }], signal);
    if (known === undefined) throw waiting(`database ${JSON.stringify(wanted.database)} does not exist yet`);
    await native.putConnection({ name: connectionOf(resource), uri: storage.uri }, signal);
    await native.createSchedule(wanted, signal);
    if (!wanted.suspend) return;
    const made = await native.schedules(wanted.label, signal);
    await native.pauseSchedules(
      made.map(({ id }) => id),
      true,
      signal,
    );
  }

  #status(observed: readonly ScheduleObserved[], jobs: readonly NativeJob[]): Record<string, unknown> {
    const { engine, product } = this.#context.info;
    const succeeded = jobs.findLast(({ state }) => state === 'succeeded');
    const failed = jobs.findLast(({ state }) => state === 'failed' || state === 'canceled');
    const path = succeeded === undefined ? undefined : pathIn(succeeded.description);
    const next = observed.flatMap(({ nextRun, isPaused }) => (isPaused ? [] : (nextRun ?? []))).toSorted()[0];
    // The server forgets jobs after some days: what they have come to stays said.
    const known = (this.#context.resource.status?.atProvider ?? {}) as ScheduleStatus;
    const isWaiting = observed.every(({ isPaused }) => isPaused);
    return defined({
      suspended: isWaiting,
      command: (observed.find(({ isFull }) => isFull) ?? observed[0])?.command,
      nextRunTime: next,
      lastScheduleTime: jobs.at(-1)?.created ?? known.lastScheduleTime,
      ...(succeeded === undefined
        ? { lastSuccessTime: known.lastSuccessTime, lastBackup: known.lastBackup }
        : {
            lastSuccessTime: succeeded.finished,
            lastBackup:
              path === undefined
                ? undefined
                : { key: keyOf(this.#path, path), engine, serverVersion: /\d[\d.]*\S*/.exec(product)?.[0] ?? '' },
          }),
      ...(failed === undefined ? failureOf(known) : describeFailure(failed)),
    });
  }

  /** What the status does not say yet. */
  #news(status: ScheduleStatus): Observation['notes'] {
    const { resource, observer } = this.#context;
    const known = (resource.status?.atProvider ?? {}) as ScheduleStatus;
    const isNews = (field: 'lastSuccessTime' | 'lastFailureTime'): boolean =>
      !this.#hasTold && status[field] !== undefined && status[field] !== known[field];
    const {
      lastSuccessTime: completionTime = '',
      lastFailureReason: reason = '',
      lastFailureMessage: message = '',
    } = status;
    const common = { startTime: undefined, result: undefined };
    const notes: Observation['notes'] = [];
    if (isNews('lastSuccessTime')) {
      notes.push({
        reason: 'RunSucceeded',
        message: `a backup succeeded: ${status.lastBackup?.key ?? completionTime}`,
      });
      observer.ended(resource, 'run', { ...common, ok: true, completionTime, reason: '', message: '' });
    }
    if (isNews('lastFailureTime')) {
      notes.push({ type: 'Warning', reason: 'RunFailed', message: `${reason}: ${message}` });
      observer.ended(resource, 'run', {
        ...common,
        ok: false,
        completionTime: status.lastFailureTime ?? '',
        reason,
        message,
      });
    }
    this.#hasTold = true;
    return notes;
  }

  #observeDeletion(
    resource: Managed,
    observed: readonly ScheduleObserved[],
    jobs: readonly NativeJob[],
    shown: string | undefined,
  ): Observation {
    const { native, lookAgain } = this.#context;
    const cancelJobs = this.#fields.cockroachdb?.cancelRunning === true;
    const isRunning = jobs.some(({ state }) => !['succeeded', 'failed', 'canceled'].includes(state));
    this.#act = async (signal) => {
      await native.dropSchedules(
        observed.map(({ id }) => id),
        { cancelJobs },
        signal,
      );
      // A backup that runs still needs its place.
      if (!isRunning) await native.dropConnection(connectionOf(resource), signal);
    };
    if (isRunning) lookAgain(SOON_MS * 20);
    const record = recordOf(resource);
    return observation(observed.length > 0 || shown !== undefined, record, record, resource.status?.atProvider ?? {});
  }

  async create(resource: Managed, signal: AbortSignal): Promise<void> {
    await this.update(resource, signal);
  }

  async update(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#act?.(signal);
    this.#done = this.#next;
  }

  async delete(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#act?.(signal);
  }
}
