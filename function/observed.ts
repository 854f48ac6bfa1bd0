/** Reads what Crossplane shows of the composite and of what was composed. Everything in it may be missing. */
import type { Resource, RunFunctionRequest } from '@crossplane-org/function-sdk-typescript';

export type Json = Record<string, unknown>;

export const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};

export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

export interface ConditionView {
  status: string;
  reason: string;
  message: string;
  /** Whether it speaks of the spec as it is now; one without a generation is taken to. */
  current: boolean;
}

/** A composed resource as Crossplane sees it. */
export interface Observed {
  resource: Json;
  connectionDetails: Record<string, Buffer>;
}

export const observedOf = (request: RunFunctionRequest, key: string): Observed | undefined => {
  const found: Resource | undefined = Object.hasOwn(request.observed?.resources ?? {}, key)
    ? request.observed?.resources[key]
    : undefined;
  return found === undefined
    ? undefined
    : { resource: object(found.resource), connectionDetails: found.connectionDetails ?? {} };
};

const isOlder = (observed: unknown, generation: unknown): boolean =>
  typeof observed === 'number' && typeof generation === 'number' && observed < generation;

export function condition(resource: Json, type: string): ConditionView | undefined {
  const list = object(resource['status'])['conditions'];
  if (!Array.isArray(list)) return undefined;
  const found = (list as unknown[]).map(object).find((entry) => entry['type'] === type);
  return found === undefined
    ? undefined
    : {
        status: text(found['status']) ?? 'Unknown',
        reason: text(found['reason']) ?? '',
        message: text(found['message']) ?? '',
        current: !isOlder(found['observedGeneration'], object(resource['metadata'])['generation']),
      };
}

/** Ready as the provider says of the spec as it is now; a resource that Crossplane does not show yet is not. */
export function isReady(observed: Observed | undefined): boolean {
  const ready = observed === undefined ? undefined : condition(observed.resource, 'Ready');
  return ready?.status === 'True' && ready.current;
}

/** A run that happens once and has failed: it is in order as a resource, and will never be ready. */
function lostRun(resource: Json): string | undefined {
  const { phase, failureMessage, failureReason } = object(object(resource['status'])['atProvider']);
  if (phase !== 'Failed') return undefined;
  const why = text(failureMessage) ?? text(failureReason) ?? 'it does not say why';
  return `failed: ${why}; delete it to have it tried again`;
}

/** Why a resource is not what was asked for, in the provider's words; undefined when it says nothing against it. */
export function failure(observed: Observed | undefined): string | undefined {
  if (observed === undefined) return undefined;
  const lost = lostRun(observed.resource);
  if (lost !== undefined) return lost;
  const synced = condition(observed.resource, 'Synced');
  // Somebody paused it on purpose: it stays what it was.
  return synced?.status === 'False' && synced.reason !== 'ReconcilePaused'
    ? synced.message || synced.reason || 'not synced'
    : undefined;
}
