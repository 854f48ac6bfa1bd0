/** What an engine owes the rest of the provider. Dialects differ by implementing this, never by an `if` elsewhere. */
import type { EngineName } from '../api/engines.ts';
import type { Secret } from '../common/secret.ts';
import type { Discovery } from '../resources/model/discovery.ts';
import type { ReadKind, Reads } from '../resources/model/reads.ts';
import type { ServerInfo } from '../resources/model/server.ts';
import type { Step } from '../resources/model/steps.ts';
import type { JobOperations } from './jobs.ts';
import type { NativeOperations } from './native.ts';

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
