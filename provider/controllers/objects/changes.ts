/** Which updates of a managed resource are worth a reconcile: not our own writes of status and bookkeeping. */
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, Managed } from '../../api/kind.ts';
import { ANNOTATION, isDeleted } from '../../runtime/managed/annotations.ts';
import { conditionOf } from '../../runtime/managed/conditions.ts';

const BOOKKEEPING: ReadonlySet<string> = new Set([
  ANNOTATION.externalName,
  ANNOTATION.createPending,
  ANNOTATION.createSucceeded,
  ANNOTATION.createFailed,
  ANNOTATION.applied,
  ANNOTATION.madeAs,
  ANNOTATION.madeBy,
  'kubectl.kubernetes.io/last-applied-configuration',
]);

const significant = (annotations: Record<string, string> = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(annotations).filter(([name]) => !BOOKKEEPING.has(name)));

export const needsReconcile = (old: KubeObject, object: KubeObject): boolean =>
  old.metadata.generation !== object.metadata.generation ||
  isDeleted(old) !== isDeleted(object) ||
  // A finalizer of somebody else that goes may be what a deletion waits for.
  (isDeleted(object) && !isDeepStrictEqual(old.metadata.finalizers, object.metadata.finalizers)) ||
  !isDeepStrictEqual(old.metadata.labels ?? {}, object.metadata.labels ?? {}) ||
  !isDeepStrictEqual(significant(old.metadata.annotations), significant(object.metadata.annotations)) ||
  // A name that was there and changed was changed by a person; one that appears was written by us.
  (old.metadata.annotations?.[ANNOTATION.externalName] !== undefined &&
    old.metadata.annotations[ANNOTATION.externalName] !== object.metadata.annotations?.[ANNOTATION.externalName]);

/** Whether others that waited for this resource may go on. */
export const becameUsable = (old: KubeObject, object: KubeObject): boolean =>
  conditionOf(old as Managed, 'Ready')?.status !== 'True' && conditionOf(object as Managed, 'Ready')?.status === 'True';

/** Whether references to this resource can be resolved from now on. */
export const gotName = (old: KubeObject, object: KubeObject): boolean =>
  !old.metadata.annotations?.[ANNOTATION.externalName] &&
  Boolean(object.metadata.annotations?.[ANNOTATION.externalName]);
