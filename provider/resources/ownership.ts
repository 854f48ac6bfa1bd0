/**
 * Whose an object is. It is ours when this resource made it, which its annotations say, or when it carries our mark.
 * Anything else is taken over only when asked to.
 */
import { ResourceError } from '../common/errors.ts';
import type { Mark } from './model/objects.ts';
import type { PlanContext } from './planner.ts';

/** Part of what every kind of object records as applied. */
export interface OwnershipRecord {
  /** The object was there before us. */
  adopted?: true;
  /** We are taking it over, and have not yet seen our mark on it. */
  adopting?: true;
}

export interface Ownership {
  /** The mark has to be put on the object. */
  mark: boolean;
  record: OwnershipRecord;
}

const recordOf = (context: PlanContext): OwnershipRecord =>
  typeof context.applied === 'object' && context.applied !== null ? context.applied : {};

export const wasAdopted = (context: PlanContext): boolean => recordOf(context).adopted === true;

/** Throws AlreadyExists or AlreadyManaged, before anything is sent, for what may not be touched. */
export function ownershipOf(
  what: string,
  mark: Mark | undefined,
  adopt: boolean | undefined,
  context: PlanContext,
): Ownership {
  const record: OwnershipRecord = wasAdopted(context) ? { adopted: true } : {};
  if (mark?.uid === context.mark.uid || context.observes === true) return { mark: false, record };
  // A mark that somebody removed, or that could not be put there, proves nothing against us; another's mark does.
  if (context.owned && mark === undefined) return { mark: false, record };
  // Two resources that may both adopt would otherwise take the object from each other for ever.
  if (context.owned && recordOf(context).adopting !== true)
    throw new ResourceError(
      'AlreadyManaged',
      `${what} was taken over by ${managerOf(mark)}; delete one of the two resources, or give one of them another external name`,
      { retryable: false },
    );
  if (adopt === true) return { mark: true, record: { adopted: true, adopting: true } };
  const manager = mark === undefined ? '' : `: ${makerOf(mark, context.mark)}`;
  throw new ResourceError(
    'AlreadyExists',
    `${what} exists already and was not made by this resource${manager}; set forProvider.adopt: true to take it over`,
    { retryable: false },
  );
}

/** A resource that was deleted and made again, or restored from a backup of the cluster, has the name that it had. */
const makerOf = (mark: Mark, own: Mark): string =>
  managerOf(mark) === own.resource
    ? `an earlier ${own.resource} made it, before this one was made anew or restored`
    : `it is managed by ${managerOf(mark)}`;

/** What follows `#` in a mark is the state of a creation, see database-init.ts. */
const managerOf = (mark: Mark | undefined): string => mark?.resource.split('#', 1)[0] ?? 'another resource';

/**
 * For deletion: whether there is anything of ours to take away.
 *
 * @param isProven whether something besides our annotations, which a tenant may write, says that it is ours
 */
export const isOursToDrop = (
  mark: Mark | undefined,
  context: PlanContext,
  isProven = context.tenant === undefined,
): boolean => (mark === undefined ? context.owned && isProven : mark.uid === context.mark.uid);
