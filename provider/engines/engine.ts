/** What an engine owes the rest of the provider. Dialects differ by implementing this, never by an `if` elsewhere. */
import type { Discovery, ReadKind, Reads, Step } from '../resources/model.ts';
import type { Secret } from '../resources/secret.ts';
import type { JobOperations } from './jobs.ts';
import type { NativeOperations } from './native.ts';

export type EngineName = 'postgres' | 'mysql' | 'mariadb' | 'cockroachdb';

export interface ServerInfo {
  engine: EngineName;
  /** Product and version as the server says it, e.g. "PostgreSQL 18.4". */
  product: string;
  /** e.g. 180004 for PostgreSQL 18.4, 90704 for MySQL 9.7.4. */
  versionNumber: number;
  major: number;
  /** The administrator that we are logged in as, and what it may do. */
  admin: { name: string; superUser: boolean; createRole: boolean; createDb: boolean };
  /** Kinds of objects that cannot carry a mark on this server. Not given: all that we make carry one. */
  unmarked?: readonly ('Database' | 'Role' | 'Schema' | 'Extension')[];
  /** Whether DROP DATABASE can refuse one that holds something. */
  restrictsDrops?: boolean;
  /** Identifies the server behind several addresses, where it can be read. */
  systemIdentifier?: string;
  /** Where logins are accounts with a host and an authentication plugin. */
  accounts?: {
    /** Plugins whose accounts log in with a password that we set. */
    passwordPlugins: readonly string[];
    /** Whether an account may have two passwords for a while. */
    dualPasswords: boolean;
    /** How many groups a login may have the rights of from the start: a list that is kept apart from memberships. */
    defaultRoles: 'one' | 'many';
  };
  /** Whether names of databases that differ in capitals only are one name, written in small letters. */
  foldsDatabaseNames?: boolean;
  /** Server-wide privileges that depend on what the server has loaded, sorted. */
  dynamicPrivileges?: readonly string[];
  /** Whether `_` and `%` in the database of a grant stand for other characters. */
  databaseWildcards?: boolean;
}

export interface ConnectionSettings {
  engine: EngineName;
  host: string;
  port: number;
  username: string;
  password?: Secret;
  database: string;
  tls: {
    mode: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
    ca?: string;
    cert?: string;
    /** Name that verify-full expects in the certificate, when it is not `host`. */
    serverName?: string;
    key?: Secret;
  };
  /** The most sessions that may be open at one time, over all databases of the server. */
  connectionLimit: number;
}

/** One statement as `xdb plan` prints it: `text` holds no secret. */
export interface Statement {
  text: string;
  database: string;
}

export interface Engine {
  info(signal?: AbortSignal): Promise<ServerInfo>;
  /** Answers all queries with one statement per database that they need. Order of results = order of queries. */
  read<K extends ReadKind>(
    kind: K,
    queries: readonly Reads[K]['query'][],
    signal?: AbortSignal,
  ): Promise<Reads[K]['result'][]>;
  /** SQL for people: what `run` would send, with secrets hidden. */
  compile(steps: readonly Step[], info: ServerInfo): Statement[];
  /** Runs the steps in order; consecutive steps of one database that may share a transaction do. */
  run(steps: readonly Step[], signal?: AbortSignal): Promise<void>;
  /** What people and programs have made on the server; what belongs to the server itself is left out. */
  discover?(signal?: AbortSignal): Promise<Discovery>;
  checkPassword(name: string, host: string | undefined, password: Secret): Promise<'match' | 'mismatch' | 'unknown'>;
  /** What backups, restores and copies need; absent where the engine does them in another way. */
  readonly jobs?: JobOperations;
  /** Backups that the server makes by itself; absent where the tools of the engine make them. */
  readonly native?: NativeOperations;
  close(): Promise<void>;
  /** Whether one statement tells of all databases at once: then all are asked about together. */
  readonly seesAllDatabases?: boolean;
}
