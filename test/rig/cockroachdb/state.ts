/** What the simulator knows and the PostgreSQL underneath does not: roles, privileges, schedules, jobs. */

export const PUBLIC = 'public';

export interface Role {
  name: string;
  login: boolean;
  /** CREATEDB, CREATEROLE and the like, never NO… */
  options: Set<string>;
  validUntil?: Date;
  verifier?: string;
  /** Group → whether with ADMIN OPTION. */
  memberOf: Map<string, boolean>;
  lastLogin?: Date;
}

/** Privilege → whether with the grant option. `ALL` is kept as such. */
export type Held = Map<string, boolean>;
export type Acl = Map<string, Held>;

export interface ExternalConnection {
  name: string;
  uri: string;
  owner: string;
  acl: Acl;
}

export type JobStatus =
  | 'pending'
  | 'running'
  | 'paused'
  | 'pause-requested'
  | 'succeeded'
  | 'failed'
  | 'canceled'
  | 'cancel-requested'
  | 'reverting'
  | 'retry-running'
  | 'retry-reverting'
  | 'revert-failed';

export interface Job {
  id: string;
  type: 'BACKUP' | 'RESTORE';
  description: string;
  statement: string;
  user: string;
  status: JobStatus;
  created: Date;
  started?: Date;
  finished?: Date;
  modified: Date;
  fraction: number;
  error: string;
  schedule?: string;
  /** The work itself; kept until the job may run. */
  work?: () => Promise<void>;
  /** The database that it makes, whose name is taken from the beginning. */
  creates?: string;
}

export interface Schedule {
  id: string;
  label: string;
  owner: string;
  created: Date;
  paused: boolean;
  state: string;
  nextRun: Date;
  recurrence: string;
  onPreviousRunning: string;
  onExecutionFailure: string;
  backupType: 'FULL' | 'INCREMENTAL';
  /** The other of the pair. */
  partner?: string;
  /** FULL BACKUP as it was asked for. */
  full: string;
  backup: BackupSpec;
}

export interface BackupSpec {
  /** Databases; undefined = the whole cluster. */
  databases: string[] | undefined;
  collection: string;
  options: Map<string, string>;
  subdirectory?: string;
}

/** A finished backup: the databases that hold its rows. */
export interface StoredBackup {
  collection: string;
  path: string;
  isFull: boolean;
  start: Date | undefined;
  end: Date;
  passphrase: string | undefined;
  kms: string | undefined;
  databases: {
    name: string;
    copy: string;
    tables: { schema: string; name: string; type: string }[];
    grants: { level: string; schema: string; name: string; acl: Acl }[];
  }[];
}

/** Privileges outside of databases, which DROP OWNED does not take away. */
export const hasSynthetic = ({ systemAcl, connections }: State, role: string): boolean =>
  systemAcl.has(role) || [...connections.values()].some(({ acl }) => acl.has(role));

export class State {
  readonly roles = new Map<string, Role>();
  /** By object, see catalog.ts. */
  readonly acls = new Map<string, Acl>();
  readonly systemAcl: Acl = new Map();
  readonly defaults = new Map<string, Acl>();
  readonly connections = new Map<string, ExternalConnection>();
  readonly jobs = new Map<string, Job>();
  readonly schedules = new Map<string, Schedule>();
  readonly backups: StoredBackup[] = [];
  #next = 588_796_190_000_218_113n;

  constructor() {
    this.role('admin', false);
    this.role('root', true).memberOf.set('admin', true);
  }

  role(name: string, login: boolean): Role {
    const role: Role = { name, login, options: new Set(), memberOf: new Map() };
    this.roles.set(name, role);
    return role;
  }

  /** Larger than a JavaScript number can hold. */
  id(): string {
    this.#next += 32_769n;
    return String(this.#next);
  }

  /** Whether a database of that name is being restored. */
  isRestoring(name: string): boolean {
    return [...this.jobs.values()].some(({ creates, finished }) => creates === name && finished === undefined);
  }

  /** The role itself and every group that it is in, however far. */
  reach(name: string): Set<string> {
    const found = new Set([name]);
    for (const role of found) for (const group of this.roles.get(role)?.memberOf.keys() ?? []) found.add(group);
    return found;
  }

  isAdmin(name: string): boolean {
    return name === 'node' || this.reach(name).has('admin');
  }

  hasSystem(user: string, privilege: string): boolean {
    return (
      this.isAdmin(user) ||
      [...this.reach(user)].some((role) => {
        const held = this.systemAcl.get(role);
        return held?.has(privilege) === true || held?.has('ALL') === true;
      })
    );
  }

  hasOption(user: string, option: string): boolean {
    return this.roles.get(user)?.options.has(option) === true || this.hasSystem(user, option);
  }
}
