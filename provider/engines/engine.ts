/** What an engine owes the rest of the provider. Dialects differ by implementing this, never by an `if` elsewhere. */
import type { EngineName } from '../api/engines.ts';
import type { Secret } from '../common/secret.ts';
import type { Discovery } from '../resources/model/discovery.ts';
import type { ReadKind, Reads } from '../resources/model/reads.ts';
import type { ServerInfo } from '../resources/model/server.ts';
import type { Step } from '../resources/model/steps.ts';
import type { JobOperations } from './jobs.ts';
import type { NativeOperations } from './native.ts';

/** One server as its configuration and its Secrets describe it. */
export interface ConnectionSettings {
  engine: EngineName;
  host: string;
  port: number;
  username: string;
  password?: Secret;
  /** Where sessions begin that are about the whole server; MySQL and MariaDB need none. */
  database: string;
  tls: {
    mode: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
    /** PEM; by default the authorities that Node knows. */
    ca?: string;
    /** PEM, as is `key`: what the client shows. */
    cert?: string;
    /** Name that verify-full expects in the certificate, when it is not `host`. */
    serverName?: string;
    key?: Secret;
  };
  /** The most sessions that may be open at one time, over all databases of the server. */
  connectionLimit: number;
}

/** One statement as `xdb plan` prints it. */
export interface Statement {
  /** Holds no secret. */
  text: string;
  /** Where it runs; empty where sessions are at home in no database. */
  database: string;
}

/**
 * One server. Every method throws ResourceError, with the server's code, what was tried and a remedy, and never with a value
 * that was sent. A failed read is an error and never an answer.
 */
export interface Engine {
  /** What the server is, and what its administrator may do. May be minutes old. */
  info(signal?: AbortSignal): Promise<ServerInfo>;
  /** Answers all queries with one statement per database that they need. Order of results = order of queries. */
  read<K extends ReadKind>(
    kind: K,
    queries: readonly Reads[K]['query'][],
    signal?: AbortSignal,
  ): Promise<Reads[K]['result'][]>;
  /** SQL for people: what `run` would send, with secrets hidden. */
  compile(steps: readonly Step[], info: ServerInfo): Statement[];
  /**
   * Runs the steps in order; consecutive steps of one database that may share a transaction do. What came before a step that
   * failed stays.
   */
  run(steps: readonly Step[], signal?: AbortSignal): Promise<void>;
  /** What people and programs have made on the server; what belongs to the server itself is left out. */
  discover?(signal?: AbortSignal): Promise<Discovery>;
  /**
   * Whether the account has this password, by what the server stores or, where that cannot be read, by logging in.
   * `unknown`: it cannot be told, e.g. as the account may not log in.
   * @param host undefined where accounts have none
   */
  checkPassword(name: string, host: string | undefined, password: Secret): Promise<'match' | 'mismatch' | 'unknown'>;
  /** What backups, restores and copies need; absent where the engine does them in another way. */
  readonly jobs?: JobOperations;
  /** Backups that the server makes by itself; absent where the tools of the engine make them. */
  readonly native?: NativeOperations;
  /** Ends all sessions; nothing may be asked afterwards. */
  close(): Promise<void>;
  /** Whether one statement tells of all databases at once: then all are asked about together. */
  readonly seesAllDatabases?: boolean;
}
