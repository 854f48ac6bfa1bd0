/** What the rest is given of a server. */
import type { Managed } from '../../api/kind.ts';
import type { ConnectionSettings, Engine } from '../../engines/engine.ts';
import type { Reader } from '../../resources/planner.ts';

/** One server as a resource sees it. */
export interface ServerConnection {
  engine: Engine;
  /** Answers from reads that began after `notBefore` (ms since the epoch). */
  reader(notBefore: number): Promise<Reader>;
  /** Published with every connection Secret. */
  endpoint: { host: string; port: number; tlsMode: string };
  /** For the tools of jobs, which log in by themselves, with logins of their own. */
  settings: Pick<ConnectionSettings, 'host' | 'port' | 'tls'>;
}

export interface Servers {
  /** Finds, opens and accounts for the server of a resource. Throws ResourceError when it may not be used. */
  connect(resource: Managed, signal: AbortSignal): Promise<ServerConnection>;
  pollAfter(resource: Managed): number;
}
