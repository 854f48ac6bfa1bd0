/** Waits that double with each failure in a row, with jitter so that many clients do not come back together. */
export interface BackoffOptions {
  /** @defaultValue 1000 */
  baseMs?: number;
  /** @defaultValue 30 000 */
  maxMs?: number;
  random?: () => number;
}

export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: BackoffOptions = {}) {
    this.#baseMs = options.baseMs ?? 1_000;
    this.#maxMs = options.maxMs ?? 30_000;
    this.#random = options.random ?? Math.random;
  }

  get failures(): number {
    return this.#failures;
  }

  /** ms until the next attempt: between the half and the whole of base × 2ⁿ. */
  next(): number {
    const whole = Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    return whole * (0.5 + this.#random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
