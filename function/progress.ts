import type { ComposedKind } from './expand/composed.ts';

/** How far a composed resource is. */
export interface Progress {
  key: string;
  kind: ComposedKind;
  /** The resource as a user may look it up. */
  label: string;
  ready: boolean;
  failure: string | undefined;
}
