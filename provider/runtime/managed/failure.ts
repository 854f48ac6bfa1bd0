/** Where and why a pass over a managed resource failed. */
import { ResourceError } from '../../common/errors.ts';
import { isConflict } from '../kube/errors.ts';

/** Where a pass failed: the event's reason, and what the Synced message begins with. */
export class Failure extends Error {
  readonly event: string;
  readonly phase: string;
  readonly source: unknown;

  constructor(event: string, phase: string, source: unknown) {
    super(phase);
    this.event = event;
    this.phase = phase;
    this.source = source;
  }
}

/** Runs one phase; what it throws becomes a Failure of that phase, conflicts excepted. */
export async function during<T>(event: string, phase: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isConflict(error) || error instanceof Failure ? error : new Failure(event, phase, error);
  }
}

/** The reason and the text of an error, as a condition shows them. */
export function describe(error: unknown): { reason: string; message: string; retryable: boolean } {
  if (error instanceof ResourceError)
    return { reason: error.reason, message: error.message, retryable: error.retryable };
  const message = error instanceof Error ? error.message : String(error);
  return { reason: 'ReconcileError', message, retryable: true };
}
