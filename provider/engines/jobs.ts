/**
 * What backups, restores and copies ask of a server, besides running the engine's own tools: logins that live as long as
 * one run and may do no more than that run, and databases beside others. Every operation may be repeated.
 */
import { ResourceError } from '../common/errors.ts';
import type { Secret } from '../common/secret.ts';

/** A login for one run, by a name that the same run always has. */
export interface RunLogin {
  name: string;
  password: Secret;
  /** When it stops being of use, should nobody be there to drop it. */
  validUntil: Date;
}

/** Where a load tool works. */
export interface LoadTarget {
  database: string;
  /** Role that what is loaded shall belong to; the login may act for it. */
  ownerRole?: string;
}

/** A database that is loaded while the target is in use, to take its place afterwards. */
export interface Beside {
  /** The database that it is made like: encoding, locale, extensions, owner. */
  like: string;
  name: string;
  /** Names the run; a database of that name which belongs to another run is never touched. */
  run: string;
  /**
   * Whether what is loaded may become the administrator's, when the database that it is made like is the
   * administrator's. It is loaded by a login without that right, but a function in it that runs with the rights of its
   * owner would have them afterwards: so only where the server is nobody else's.
   */
  mayBeAdministrators: boolean;
}

/** What was loaded beside takes the place of the target. */
export interface HandOver {
  target: string;
  beside: Beside;
  /** Name of the database that was the target before, while or as long as it is kept. */
  replaced: string;
  login: string;
  /** The target must hold nothing, or it is left as it is. */
  requireEmpty: boolean;
  /** Whether sessions of others in the target are ended; otherwise nothing happens while there are any. */
  endSessions: boolean;
}

/** @param summary What it holds. */
export const targetNotEmpty = (target: string, summary: string): ResourceError =>
  new ResourceError(
    'TargetNotEmpty',
    `database ${JSON.stringify(target)} holds ${summary}, and mode is FailIfNotEmpty; it was left as it was. Use mode Replace to replace it`,
    { retryable: false },
  );

/** Each throws ResourceError. */
export interface JobOperations {
  /** Makes a login that can read all of one database, and write nothing where the server can tell the two apart. */
  makeReader(login: RunLogin, database: string, signal?: AbortSignal): Promise<void>;
  /** Makes an empty database beside another, and a login that is the only one that may connect to it. */
  makeBeside(login: RunLogin, beside: Beside, signal?: AbortSignal): Promise<LoadTarget>;
  /** Bytes that a database takes on the server, about: what a dump of it may become. */
  size(database: string, signal?: AbortSignal): Promise<number>;
  /** What a database holds; `summary` says it in words, and is empty where it holds nothing. */
  contents(database: string, signal?: AbortSignal): Promise<{ empty: boolean; summary: string }>;
  /**
   * The database beside takes the target's place, name, owner, rights and settings, in one step.
   * @returns how many sessions of others are in the way; 0 = done, now or earlier.
   */
  handOver(order: HandOver, signal?: AbortSignal): Promise<number>;
  /**
   * For a hand-over that was cut off and that nobody carries on: undoes what it has begun, or carries it to its end where
   * the target has changed already. Nothing happens to one that never began, or that is done.
   */
  settle(order: Pick<HandOver, 'target' | 'beside' | 'replaced' | 'login'>, signal?: AbortSignal): Promise<void>;
  /** Drops a database beside, or one that was replaced. What is not of that run stays. */
  dropBeside(beside: Pick<Beside, 'name' | 'run'>, signal?: AbortSignal): Promise<void>;
  /** Ends its sessions first. One that is not there is dropped already; a name that is none of a run's is a TypeError. */
  dropLogin(name: string, signal?: AbortSignal): Promise<void>;
}
