/**
 * Backups that a server makes by itself, as CockroachDB does: it reads and writes the storage, and runs its own jobs and
 * schedules. What is secret is bound to statements, never written into them.
 */
import type { Secret } from '../common/secret.ts';

/** A place in a storage, under a name that the server keeps the credentials behind. */
export interface ConnectionWanted {
  name: string;
  /** With the credentials. */
  uri: Secret;
}

/** Final, or on the way there; what a server says beyond these is kept as it says it. */
export type JobState = 'waiting' | 'running' | 'paused' | 'ending' | 'succeeded' | 'failed' | 'canceled';

/** A job of the server as SHOW JOBS tells of it. Times are those of the server, in ISO 8601. */
export interface NativeJob {
  /** A number of 64 bits, as text. */
  id: string;
  state: JobState;
  /** As the server says it, e.g. `revert-failed`. */
  status: string;
  created?: string;
  finished?: string;
  error: string;
  /** The statement, without secrets. */
  description: string;
  /** How much is done, from 0 to 1. */
  fraction: number;
}

/** What a backup may have besides its database and its place. */
export interface BackupOptions {
  /** Encrypts the backup; the same is needed to restore it. */
  passphrase?: Secret;
  /** URI of a key of a key management service, or the name of an external connection to it. */
  kms?: string;
  /** Whether every change since the backup before can be restored, and not only its end. */
  revisionHistory?: boolean;
}

/** One backup of one database. */
export interface BackupOrder extends BackupOptions {
  database: string;
  /** e.g. `external://name`. */
  collection: string;
}

/** One backup into a database that is not there yet. */
export interface RestoreOrder extends Pick<BackupOptions, 'passphrase' | 'kms'> {
  collection: string;
  /** Path of the backup in the collection. */
  path: string;
  database: string;
  /** The name that the restored database gets. */
  as: string;
}

/** A schedule as it should be on the server. */
export interface ScheduleWanted extends BackupOrder {
  /** By which the schedules of one resource are found again. */
  label: string;
  /** Cron expression, in UTC. */
  recurrence: string;
  /** Cron expression of full backups, or `ALWAYS`; undefined = as the server thinks best. */
  full?: string;
  onPreviousRunning: 'start' | 'skip' | 'wait';
}

/** One of the two schedules that the server keeps for a label: of full backups, and of those in between. */
export interface ScheduleObserved {
  id: string;
  isFull: boolean;
  isPaused: boolean;
  /** Paused by the server until the first full backup is there, not by anybody's wish. */
  isWaiting: boolean;
  recurrence: string;
  nextRun?: string;
  owner: string;
  onPreviousRunning: string;
  /** The statement that it runs, without secrets. */
  command: string;
}

/** What ALTER BACKUP SCHEDULE can change in place. */
export type ScheduleChange =
  | { kind: 'recurring'; recurrence: string }
  | { kind: 'full'; full: string }
  | { kind: 'into'; collection: string }
  | { kind: 'revisionHistory'; value: boolean }
  | { kind: 'passphrase'; value: Secret }
  | { kind: 'onPreviousRunning'; value: ScheduleWanted['onPreviousRunning'] };

/** Each throws ResourceError. */
export interface NativeOperations {
  /** The URI behind a connection, secrets hidden; undefined when there is none. */
  connection(name: string, signal?: AbortSignal): Promise<string | undefined>;
  /** Makes the connection, or gives it another URI in place where the version can. */
  putConnection(wanted: ConnectionWanted, signal?: AbortSignal): Promise<void>;
  dropConnection(name: string, signal?: AbortSignal): Promise<void>;
  /** Begins a backup and gives the id of its job. */
  startBackup(order: BackupOrder, signal?: AbortSignal): Promise<string>;
  /** Begins a restore and gives the id of its job. */
  startRestore(order: RestoreOrder, signal?: AbortSignal): Promise<string>;
  /** Every job whose statement holds that text, the oldest first; for as long as the server remembers. */
  jobs(type: 'BACKUP' | 'RESTORE', mention: string, signal?: AbortSignal): Promise<NativeJob[]>;
  /** Asks for it: the job ends later. */
  cancelJob(id: string, signal?: AbortSignal): Promise<void>;
  resumeJob(id: string, signal?: AbortSignal): Promise<void>;
  /** Paths of the full backups of a collection, the oldest first. */
  backups(collection: string, signal?: AbortSignal): Promise<string[]>;
  schedules(label: string, signal?: AbortSignal): Promise<ScheduleObserved[]>;
  createSchedule(wanted: ScheduleWanted, signal?: AbortSignal): Promise<void>;
  alterSchedule(id: string, changes: readonly ScheduleChange[], signal?: AbortSignal): Promise<void>;
  pauseSchedules(ids: readonly string[], isPaused: boolean, signal?: AbortSignal): Promise<void>;
  dropSchedules(ids: readonly string[], options: { cancelJobs: boolean }, signal?: AbortSignal): Promise<void>;
  /**
   * What was restored beside a database takes its place: its name, owner, comment. May be repeated after a failure.
   * @returns `nothing`: there was nothing left to do. `immovable`: the server renames one of them under no circumstances;
   * what was restored has the owner and the comment by then, and its own name still.
   */
  takePlace(
    order: { beside: string; target: string; replaced: string },
    signal?: AbortSignal,
  ): Promise<'taken' | 'nothing' | 'immovable'>;
  /** The database `to`, and all that is in it, gets the owner and the comment of the database `from`. */
  handOver(order: { from: string; to: string }, signal?: AbortSignal): Promise<void>;
  dropDatabase(name: string, signal?: AbortSignal): Promise<void>;
}
