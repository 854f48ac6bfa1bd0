/** What a resource remembers of its object in its own metadata. Pure: each function gives the patch, empty when there is none. */
import type { Managed } from '../../api/kind.ts';
import * as at from './annotations.ts';
import type { Observation } from './external.ts';
import type { MetadataPatch } from './store.ts';
import { timestamp } from '../../common/timestamp.ts';

/** How long after a create its success is recorded at the earliest: the looks before are those that the creation itself causes. */
const SUCCESS_AFTER_MS = 20_000;

/** Of an object that is there: external name and finalizer, and that its creation has succeeded. */
export function seen(resource: Managed, now: Date): MetadataPatch {
  const patch = identity(resource);
  const succeeded = completedCreation(resource, now);
  return Object.keys(succeeded).length === 0
    ? patch
    : { ...patch, annotations: { ...patch.annotations, ...succeeded } };
}

/** Before a creation: identity, that it begins, and what may be on the server from now on. */
export function creation(resource: Managed, observation: Observation, now: Date): MetadataPatch {
  const patch = identity(resource);
  return {
    ...patch,
    annotations: {
      ...patch.annotations,
      ...madeAs(resource, observation),
      [at.ANNOTATION.createPending]: timestamp(now),
      // Both have seconds only: an earlier failure of the same second would speak against this attempt.
      ...(at.annotation(resource, at.ANNOTATION.createFailed) === undefined
        ? {}
        : { [at.ANNOTATION.createFailed]: null }),
      [at.ANNOTATION.applied]: observation.appliedBefore,
    },
  };
}

/** Never before the attempt that failed, though somebody may have set the clock back in the middle of it. */
export function failedCreation(resource: Managed, now: Date): MetadataPatch {
  const pending = Date.parse(at.annotation(resource, at.ANNOTATION.createPending) ?? '');
  const failed = new Date(Math.max(now.getTime(), Number.isNaN(pending) ? 0 : pending));
  return { annotations: { [at.ANNOTATION.createFailed]: timestamp(failed) } };
}

export const applied = (resource: Managed, observation: Observation, text: string | null): MetadataPatch =>
  text === (at.annotation(resource, at.ANNOTATION.applied) ?? null) && !at.isAnothers(resource)
    ? {}
    : { annotations: { [at.ANNOTATION.applied]: text, ...madeAs(resource, observation) } };

/** External name and finalizer, when they are not there yet. */
function identity(resource: Managed): MetadataPatch {
  const patch: MetadataPatch = {};
  // An empty one stands for none, and nobody could refer to it.
  if (!at.annotation(resource, at.ANNOTATION.externalName))
    patch.annotations = { [at.ANNOTATION.externalName]: at.externalNameOf(resource) };
  if (!resource.metadata.finalizers?.includes(at.FINALIZER)) patch.addFinalizer = at.FINALIZER;
  return patch;
}

/**
 * `create-succeeded`, at the first look some time after the one that created: by then Crossplane has had time to take in the
 * changes of all resources of a composite, and it allows a composite only a hundred at once.
 */
function completedCreation(resource: Managed, now: Date): Record<string, string> {
  const pending = at.annotation(resource, at.ANNOTATION.createPending);
  if (pending === undefined || !at.hasCreated(resource)) return {};
  if (at.annotation(resource, at.ANNOTATION.createSucceeded) !== undefined) return {};
  if (now.getTime() - Date.parse(pending) < SUCCESS_AFTER_MS) return {};
  return { [at.ANNOTATION.createSucceeded]: pending };
}

/**
 * The name and the resource for which a change is recorded. What was made under another name is not forgotten silently, but
 * is ours no more; of what another resource made, it is only known now that it is ours.
 */
function madeAs(resource: Managed, { name }: Observation): Record<string, string | null> {
  const { uid } = resource.metadata;
  if (name === undefined || uid === undefined) return {};
  const made = { [at.ANNOTATION.madeAs]: name, [at.ANNOTATION.madeBy]: uid };
  if (Object.entries(made).every(([key, value]) => at.annotation(resource, key) === value)) return {};
  if (at.renamedFrom(resource) === undefined && !at.isAnothers(resource)) return made;
  return {
    ...made,
    [at.ANNOTATION.createPending]: null,
    [at.ANNOTATION.createSucceeded]: null,
    [at.ANNOTATION.createFailed]: null,
  };
}
