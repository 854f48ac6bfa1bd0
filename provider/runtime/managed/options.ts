/** What a reconciler is given, and what it gives back. */
import type { Managed } from '../../api/kind.ts';
import type { ExternalConnector } from './external.ts';
import type { ManagedStore } from './store.ts';

/** When the resource is looked at next. */
export interface ReconcileOutcome {
  /** ms until the next look; undefined = only when something changes. */
  requeueAfterMs?: number;
  /** The pass failed in a way that is worth trying again with backoff. */
  retry?: boolean;
}

export interface ReferenceResolver {
  /**
   * The patch of forProvider that fills in references; empty when there is nothing to do.
   * @throws ResourceError ReferenceNotFound or ReferenceNotReady
   */
  resolve(resource: Managed): Promise<Record<string, unknown>>;
}

/** Told of what a resource goes through, at every pass: what is a first time is its own to know. */
export interface ReconcilerMetrics {
  firstReconcile(resource: Managed): void;
  firstReady(resource: Managed): void;
  deleted(resource: Managed): void;
  /** The resource is about to be updated. */
  drift(resource: Managed): void;
}

export interface ReconcilerOptions {
  store: ManagedStore;
  connector: ExternalConnector;
  references: ReferenceResolver;
  metrics: ReconcilerMetrics;
  /** False ignores spec.managementPolicies, as if every resource had the default. @defaultValue true */
  managementPolicies?: boolean;
  /** The time of conditions and annotations. */
  now: () => Date;
}
