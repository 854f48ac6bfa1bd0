/** What of a claim is wanted now: everything, what data needs to come, or what is left of it after its end. */
import type { RunFunctionRequest } from '@crossplane-org/function-sdk-typescript';
import { SOURCE_KEY } from './expand/backup.ts';
import type { Composed, ComposedKind } from './expand/composed.ts';
import type { Expansion } from './expand/expand.ts';
import { isReady, object, observedOf, text } from './observed.ts';
import type { World } from './world.ts';

export type Stage = 'Whole' | 'Filling' | 'Expired';

export interface Staged {
  stage: Stage;
  /** What is composed now. */
  now: ReadonlyMap<string, Composed>;
  /** Keys of what is composed later. */
  later: readonly string[];
}

/**
 * What the provider, which has a clock, says of the end of the Database. It has to speak of the very time that is wanted
 * now: in doubt nothing has ended.
 */
function endOf(request: RunFunctionRequest, { expiresAt }: World): string | undefined {
  if (expiresAt === undefined) return undefined;
  const database = observedOf(request, 'database')?.resource ?? {};
  const { expired, expiresAt: judged } = object(object(database['status'])['atProvider']);
  return judged === expiresAt ? text(expired) : undefined;
}

/** What a database that was not dropped at its end needs, so that a later end brings it back as it was. */
const INSIDE: ReadonlySet<ComposedKind> = new Set(['Schema', 'Extension']);

export function staged(request: RunFunctionRequest, world: World, { resources, ground }: Expansion): Staged {
  const only = (isWanted: (key: string, resource: Composed) => boolean): Map<string, Composed> =>
    new Map([...resources].filter(([key, resource]) => isWanted(key, resource)));
  const end = endOf(request, world);
  if (end === 'Dropped') return { stage: 'Expired', now: only((key) => key === 'database'), later: [] };
  if (end !== undefined)
    return { stage: 'Expired', now: only((key, { kind }) => ground.has(key) || INSIDE.has(kind)), later: [] };
  const isFilled = world.spec.source === undefined || isReady(observedOf(request, SOURCE_KEY));
  if (isFilled) return { stage: 'Whole', now: resources, later: [] };
  // What is there already stays: only deletion of the claim, or its end, takes anything away.
  const isWanted = (key: string): boolean => ground.has(key) || observedOf(request, key) !== undefined;
  return { stage: 'Filling', now: only(isWanted), later: [...resources.keys()].filter((key) => !isWanted(key)) };
}
