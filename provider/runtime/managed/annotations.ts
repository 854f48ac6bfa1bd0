/** Annotations and finalizers of the Crossplane managed resource contract, and our own. */
import type { KubeObject, Managed } from '../../api/kind.ts';
import { decodeRecord } from './record-text.ts';

export const ANNOTATION = {
  externalName: 'crossplane.io/external-name',
  createPending: 'crossplane.io/external-create-pending',
  createSucceeded: 'crossplane.io/external-create-succeeded',
  createFailed: 'crossplane.io/external-create-failed',
  paused: 'crossplane.io/paused',
  pollInterval: 'crossplane.io/poll-interval',
  reconcileRequestedAt: 'crossplane.io/reconcile-requested-at',
  /** JSON of what this resource applied to the server: exactly that, and no more, is ever taken back. */
  applied: 'xdatabase.dev/applied',
  /** The external name under which it was made or taken over: another name later is another object. */
  madeAs: 'xdatabase.dev/made-as',
  /** The uid of the resource that wrote these: metadata outlives its resource in backups, dumps and copies. */
  madeBy: 'xdatabase.dev/made-by',
} as const;

export const FINALIZER = 'finalizer.managedresource.crossplane.io';

export const annotation = (object: KubeObject, name: string): string | undefined => object.metadata.annotations?.[name];

/**
 * The name on the server: the annotation, else the name of the object, as Crossplane initialises it. Whoever takes the
 * annotation away does not mean another object: what was made keeps its name.
 */
export const externalNameOf = (resource: KubeObject): string =>
  annotation(resource, ANNOTATION.externalName) ||
  (isAnothers(resource) ? undefined : annotation(resource, ANNOTATION.madeAs)) ||
  resource.metadata.name;

export const isPaused = (resource: KubeObject): boolean => annotation(resource, ANNOTATION.paused) === 'true';

export const isDeleted = (resource: KubeObject): boolean => resource.metadata.deletionTimestamp !== undefined;

/**
 * Whether this resource has made, or begun to make, its external object. `create-pending` is written only after a
 * successful observe found nothing, so an object that appears afterwards is ours: SQL names are deterministic. A create
 * that failed proves nothing: somebody else may have been faster.
 */
export function hasCreated(resource: Managed): boolean {
  if (renamedFrom(resource) !== undefined || isAnothers(resource)) return false;
  if (annotation(resource, ANNOTATION.createSucceeded) !== undefined) return true;
  const pending = annotation(resource, ANNOTATION.createPending);
  if (pending === undefined) return annotation(resource, ANNOTATION.applied) !== undefined;
  const failed = annotation(resource, ANNOTATION.createFailed);
  return failed === undefined || Date.parse(failed) < Date.parse(pending);
}

/** Whether a creation was begun whose end nobody has seen yet. */
export const isCreating = (resource: Managed): boolean =>
  annotation(resource, ANNOTATION.createSucceeded) === undefined &&
  annotation(resource, ANNOTATION.createPending) !== undefined &&
  hasCreated(resource);

/**
 * Whether the record was written for another resource: this one is that one restored from a backup of the cluster, moved to
 * another cluster, or a copy. What it says may be true of this server or not, so it proves nothing.
 */
export function isAnothers(resource: KubeObject): boolean {
  const maker = annotation(resource, ANNOTATION.madeBy);
  return maker !== undefined && maker !== resource.metadata.uid;
}

/** The name of the object that this resource made, where somebody has given it another external name since. */
export function renamedFrom(resource: KubeObject): string | undefined {
  if (isAnothers(resource)) return undefined;
  const made = annotation(resource, ANNOTATION.madeAs);
  return made === undefined || made === externalNameOf(resource) ? undefined : made;
}

/** What was recorded as applied; undefined when nothing was, or when somebody broke the annotation. */
export function appliedOf(resource: KubeObject): unknown {
  if (renamedFrom(resource) !== undefined || isAnothers(resource)) return undefined;
  const text = annotation(resource, ANNOTATION.applied);
  if (text === undefined) return undefined;
  try {
    return decodeRecord(text);
  } catch {
    return undefined;
  }
}
