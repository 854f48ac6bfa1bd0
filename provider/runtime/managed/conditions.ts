/** Conditions of managed resources, with crossplane-runtime's types and reasons. */
import type { Condition, Managed } from '../../api/kind.ts';
import { timestamp } from '../../common/timestamp.ts';

/** The most that Kubernetes' own conditions hold (maxLength of metav1.Condition), in characters. */
const LONGEST_MESSAGE = 32_768;

export type NewCondition = Pick<Condition, 'type' | 'status' | 'reason'> & { message?: string };

export const available = (): NewCondition => ({ type: 'Ready', status: 'True', reason: 'Available' });
export const creating = (): NewCondition => ({ type: 'Ready', status: 'False', reason: 'Creating' });
export const deleting = (): NewCondition => ({ type: 'Ready', status: 'False', reason: 'Deleting' });
export const unavailable = (reason: string, message: string): NewCondition => ({
  type: 'Ready',
  status: 'False',
  reason,
  message,
});
export const synced = (): NewCondition => ({ type: 'Synced', status: 'True', reason: 'ReconcileSuccess' });
export const paused = (): NewCondition => ({
  type: 'Synced',
  status: 'False',
  reason: 'ReconcilePaused',
  message: 'Reconciliation is paused via the pause annotation or an empty list of management policies',
});
export const notSynced = (reason: string, message: string): NewCondition => ({
  type: 'Synced',
  status: 'False',
  reason,
  message,
});
export const upToDate = (): NewCondition => ({ type: 'UpToDate', status: 'True', reason: 'ObserveMatched' });
export const notUpToDate = (reason: string, message: string): NewCondition => ({
  type: 'UpToDate',
  status: 'False',
  reason,
  message,
});

/**
 * Sets conditions on the resource in memory. A condition that says what it said before keeps its lastTransitionTime,
 * so an unchanged status stays byte for byte the same and is not written.
 */
export function setConditions(resource: Managed, now: Date, ...conditions: NewCondition[]): void {
  const status = (resource.status ??= {});
  const list = (status.conditions ??= []);
  for (const wanted of conditions) {
    const index = list.findIndex((c) => c.type === wanted.type);
    const existing = index < 0 ? undefined : list[index];
    const next: Condition = {
      type: wanted.type,
      status: wanted.status,
      reason: wanted.reason,
      lastTransitionTime:
        existing !== undefined && existing.status === wanted.status && existing.reason === wanted.reason
          ? existing.lastTransitionTime
          : timestamp(now),
    };
    if (wanted.message) next.message = shortened(wanted.message);
    if (resource.metadata.generation !== undefined) next.observedGeneration = resource.metadata.generation;
    if (index < 0) list.push(next);
    else list[index] = next;
  }
}

/** An API object may have 1.5 MB: what differs in thousands of objects must not keep the whole status from being written. */
function shortened(message: string): string {
  if (message.length <= LONGEST_MESSAGE) return message;
  const kept = message.slice(0, LONGEST_MESSAGE - 40).replace(/[\uD800-\uDBFF]$/, '');
  return `${kept}… (${message.length - kept.length} characters more)`;
}

export const conditionOf = (resource: Managed, type: string): Condition | undefined =>
  resource.status?.conditions?.find((c) => c.type === type);
