import type { FailureReason } from './contract.ts';

/** Why a run failed, in a word that stays the same and a sentence for people. The sentence holds no secret. */
export class RunError extends Error {
  override readonly name = 'RunError';
  readonly reason: FailureReason;

  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
