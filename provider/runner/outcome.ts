import type { RunResult } from '../backup/contract.ts';

/** What an action that succeeded adds to the result. */
export type Outcome = Omit<
  RunResult,
  'version' | 'action' | 'ok' | 'startTime' | 'finishTime' | 'failureReason' | 'failureMessage'
>;
