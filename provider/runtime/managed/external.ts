/**
 * What the managed reconciler asks of a kind: connect, observe, and make the change that the observation calls for.
 * Errors with a `reason` (ResourceError) give the Synced condition that reason; others give ReconcileError.
 */
import type { Managed } from '../../api/kind.ts';
import type { Secret } from '../../common/secret.ts';
import type { NewCondition } from './conditions.ts';

/** Connection details by key of the Secret. */
export type Details = Record<string, string | Secret>;

/** What one look at the external system says of a resource. */
export interface Observation {
  exists: boolean;
  /** The external name, of a kind whose objects have one; recorded with the first change. */
  name?: string;
  /** Lines that say what differs, without secrets; empty = up to date. */
  differences: string[];
  /** Set when the differences are what is left to do of a creation: whoever may create may do it. */
  creates?: true;
  /** Differences that nothing can remove; reported in UpToDate, never acted on. */
  unchangeable: string[];
  /** Set when the object exists but is not usable. */
  unready?: { reason: string; message: string };
  atProvider: Record<string, unknown>;
  /** Connection details to publish after the change that this observation calls for, or at once when there is none. */
  connectionDetails: Details;
  /** What to record as applied before a change begins, and once it has succeeded (JSON text; null removes). */
  appliedBefore: string | null;
  appliedAfter: string | null;
  /** Events to record: what was decided on the way. */
  notes: { reason: string; message: string; type?: 'Normal' | 'Warning' }[];
  /** Conditions beyond those that every managed resource has. */
  conditions?: NewCondition[];
  /** What could not be found out or done, although the rest of the observation stands: Synced is False with its reason. */
  problem?: unknown;
}

/** One resource's external object, for one pass. A failed `observe` throws: it never says that the object is absent. */
export interface ExternalClient {
  observe(resource: Managed, signal: AbortSignal): Promise<Observation>;
  create(resource: Managed, signal: AbortSignal): Promise<void>;
  update(resource: Managed, signal: AbortSignal): Promise<void>;
  delete(resource: Managed, signal: AbortSignal): Promise<void>;
}

export interface ConnectOptions {
  signal: AbortSignal;
  /** Observations may be answered by a read that began after this moment (ms since the epoch). */
  notBefore: number;
  /** Whether the resource only looks at what others made: nothing will be changed. */
  observeOnly: boolean;
  /** What the management policies allow: nothing else will be asked for. */
  mayCreate: boolean;
  mayUpdate: boolean;
}

export interface ExternalConnector {
  /** @throws ResourceError when the resource may not, or cannot, be worked on now */
  connect(resource: Managed, options: ConnectOptions): Promise<ExternalClient>;
  /** When this resource should be looked at again if nothing happens, in ms from now. */
  pollAfter(resource: Managed): number;
}
