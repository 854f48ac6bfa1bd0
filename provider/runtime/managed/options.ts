/** What a reconciler is given, and what it gives back. */
import type { Managed } from '../../api/kind.ts';
import type { ExternalConnector } from './external.ts';
import type { ManagedStore } from './store.ts';

export interface ReconcileOutcome {
  /** ms until the next look; undefined = only when something changes. */
  requeueAfterMs?: number;
  /** The pass failed in a way that is worth trying again with backoff. */
  retry?: boolean;
}

export interface ReferenceResolver {
  /** The patch of forProvider that fills in references; empty when there is nothing to do. */
  resolve(resource: Managed): Promise<Record<string, unknown>>;
}

export interface ReconcilerMetrics {
  firstReconcile(resource: Managed): void;
  firstReady(resource: Managed): void;
  deleted(resource: Managed): void;
  drift(resource: Managed): void;
}

export interface ReconcilerOptions {
  store: ManagedStore;
  connector: ExternalConnector;
  references: ReferenceResolver;
  metrics: ReconcilerMetrics;
  /** False ignores spec.managementPolicies, as if every resource had the default. @defaultValue true */
  managementPolicies?: boolean;
  now: () => Date;
}
