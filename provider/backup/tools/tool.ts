/** What the container with an engine's own dump or load tool is given. */
import type { BackupEngine } from '../contract.ts';

/** Server and login of a tool. Strings as they are, nothing quoted. */
export interface ToolServer {
  host: string;
  port: number;
  username: string;
  password?: string;
  database: string;
  /** As the server says it, e.g. "18.4", "9.7.4" or "11.8.3-MariaDB". */
  version: string;
  tls: {
    mode: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
    /** PEM. */
    ca?: string;
    cert?: string;
    key?: string;
    /** Name that the certificate has, when it is not `host`. Only for tools that say `knowsServerName`. */
    serverName?: string;
  };
}

/** Folders of the container. */
export interface ToolFolders {
  /** Shared with the runner, the `folder` of the request. The tool makes it. */
  work: string;
  /** Where `files` are mounted, read-only. */
  secrets: string;
}

/** What may be asked of a load besides loading. */
export interface LoadOptions {
  /** postgres: role that becomes the owner of everything that is loaded; the login must be a member of it. */
  ownerRole?: string;
  /** Run after loading, with the rights of the login; when it fails the load has failed. */
  transformSQL?: string;
  /** Fails with TargetNotEmpty, before anything is loaded, when the database holds anything. */
  requireEmpty?: boolean;
  /** Counts the rows of every table after loading. */
  countRows?: boolean;
}

/** One container: the same fixed script for every dump (or load) of an engine; what differs is in `env` and `files`. */
export interface ToolContainer {
  image: string;
  command: string[];
  /** Never a secret. */
  env: Record<string, string>;
  /** Contents of the Secret that is mounted at `secrets`, by file name. */
  files: Record<string, string>;
}

/** How the dump and load tools of an engine are started. */
export interface EngineTools {
  /** Without dot, e.g. "dump". */
  extension: string;
  /** Whether the tools can reach one host and expect the certificate of another name. */
  knowsServerName: boolean;
  dump(server: ToolServer, folders: ToolFolders): ToolContainer;
  load(server: ToolServer, folders: ToolFolders, options?: LoadOptions): ToolContainer;
}

/** Files by which tool and runner meet, in the work folder. */
export const MEETING = {
  /** FIFO of the dump. */
  data: 'data',
  /** FIFO of words from the runner: `start`, then `done`. Its end without `done` ends the tool. */
  control: 'control',
  /** FIFO that the script holds open while it lives; its last word is the exit code. */
  report: 'report',
  /** What the tool wrote to standard error. */
  log: 'log',
  /** What the tool says of its version. */
  version: 'version',
  /** Rows after loading: lines of count, tab, schema, tab, table; the names in hexadecimal. */
  rows: 'rows',
  /** postgres: entries of the archive that are loaded (pg_restore --use-list). */
  entries: 'entries',
} as const;

/** Exit code of a load script that found something in a database that has to be empty. */
export const NOT_EMPTY = 65;

export type ToolsByEngine = Readonly<Record<BackupEngine, EngineTools>>;
