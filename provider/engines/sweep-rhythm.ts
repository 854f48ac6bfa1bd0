/**
 * Tells the reads of a poll sweep from those of a single resource. All reads of a sweep name the same moment, and
 * sweeps follow each other at one interval, so the second read of the first sweep gives the rhythm away.
 */
export class SweepRhythm {
  readonly #intervalMs: number;
  /** Where in the interval sweeps begin; undefined = not known yet, so that anything may be one. */
  #phase: number | undefined;
  #last: { moment: number; key: string } | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Whether a read that may be as old as `moment` belongs to a sweep, as far as can be told. */
  fits(moment: number, key: string): boolean {
    const phase = moment % this.#intervalMs;
    if (this.#last?.moment === moment && this.#last.key !== key) this.#phase = phase;
    this.#last = { moment, key };
    if (this.#phase === undefined) return true;
    const away = Math.abs(phase - this.#phase);
    // Moments are sums of fractions.
    return Math.min(away, this.#intervalMs - away) < TOLERANCE_MS;
  }
}

const TOLERANCE_MS = 0.01;
