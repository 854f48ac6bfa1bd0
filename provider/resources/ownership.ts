/**
 * Whose an object is. It is ours when this resource made it, which its annotations say, or when it carries our mark.
 * Anything else is taken over only when asked to.
 */
import { ResourceError } from './errors.ts';
import type { Mark } from './model.ts';
import type { PlanContext } from './planner.ts';

export interface Ownership {
  /** The object was there before us and is, or is being, taken over. */
  adopted: boolean;
  /** The mark has to be put on the object. */
  mark: boolean;
}

interface Applied {
  adopted?: boolean;
}

export const wasAdopted = (context: PlanContext): boolean => (context.applied as Applied | undefined)?.adopted === true;

/** Throws AlreadyExists or AlreadyManaged, before anything is sent, for what may not be touched. */
export function ownershipOf(
  what: string,
  mark: Mark | undefined,
  adopt: boolean | undefined,
  context: PlanContext,
): Ownership {
  const isOurs = mark?.uid === context.mark.uid;
  if (isOurs) return { adopted: wasAdopted(context), mark: false };
  // A mark that somebody removed proves nothing against us; another's mark does.
  if (context.owned && mark === undefined) return { adopted: wasAdopted(context), mark: false };
  if (adopt === true) return { adopted: true, mark: true };
  const remedy = 'set forProvider.adopt: true to take it over';
  if (context.owned)
    throw new ResourceError('AlreadyManaged', `${what} is now managed by ${mark?.resource}; ${remedy}`, {
      retryable: false,
    });
  const manager = mark === undefined ? '' : `: it is managed by ${mark.resource}`;
  throw new ResourceError(
    'AlreadyExists',
    `${what} exists already and was not made by this resource${manager}; ${remedy}`,
    { retryable: false },
  );
}

/** For deletion: whether there is anything of ours to take away. */
export const isOursToDrop = (mark: Mark | undefined, context: PlanContext): boolean =>
  mark === undefined ? context.owned : mark.uid === context.mark.uid;
