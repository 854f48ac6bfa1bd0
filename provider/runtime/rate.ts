/** How fast: a token bucket for everything together, and exponential waits for each key on its own. */
import type { Clock } from './clock.ts';

/** `rate` tokens a second flow in, up to `burst`. One bucket may be shared by many queues. */
export class TokenBucket {
  readonly rate: number;
  readonly burst: number;
  readonly #clock: Clock;
  #tokens: number;
  #at: number;

  /** @param burst @defaultValue 10 × rate, as crossplane-runtime has it */
  constructor(options: { rate: number; burst?: number; clock: Clock }) {
    if (!(options.rate > 0)) throw new RangeError(`the rate must be above 0, not ${options.rate}`);
    this.rate = options.rate;
    this.burst = Math.max(1, options.burst ?? options.rate * 10);
    this.#clock = options.clock;
    this.#tokens = this.burst;
    this.#at = options.clock.monotonic();
  }

  /** Takes a token if there is one. */
  tryTake(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes a token whether or not there is one: work that must not wait delays what may. The debt is at most one burst. */
  take(): void {
    this.#refill();
    this.#tokens = Math.max(-this.burst, this.#tokens - 1);
  }

  /** ms until `tryTake` can succeed; 0 = now. */
  waitMs(): number {
    this.#refill();
    return this.#tokens >= 1 ? 0 : Math.ceil(((1 - this.#tokens) / this.rate) * 1000);
  }

  #refill(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.burst, this.#tokens + ((now - this.#at) / 1000) * this.rate);
    this.#at = now;
  }
}

export interface KeyBackoffOptions {
  /** @defaultValue 1000, crossplane-runtime's */
  baseMs?: number;
  /** @defaultValue 60 000, crossplane-runtime's */
  maxMs?: number;
}

/** The wait of a key doubles with each failure in a row, until it is forgotten. */
export class KeyBackoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #failures = new Map<string, number>();

  constructor(options: KeyBackoffOptions = {}) {
    this.#baseMs = options.baseMs ?? 1_000;
    this.#maxMs = options.maxMs ?? 60_000;
  }

  /** Counts one more failure and returns the wait in ms. */
  next(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    return Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(failures, 30));
  }

  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }
}
