/**
 * Which calls go first: those that a resource waits for, before the bookkeeping about it. When hundreds of resources come
 * at once, the API server is what they wait for, and each needs a usage and an event as well.
 *
 * Bookkeeping is held back while other calls are under way and shortly after, but never for longer than `patienceMs` at
 * a stretch: under a load that does not end, it goes along.
 */
import { type Clock, realClock } from '../clock.ts';

export interface PrecedenceOptions {
  clock?: Clock;
  /** How long nothing else must have been under way, in ms. @defaultValue 250 */
  quietMs?: number;
  /** How long bookkeeping is held back at most, in ms. @defaultValue 10 000 */
  patienceMs?: number;
}

export class Precedence {
  readonly #clock: Clock;
  readonly #quietMs: number;
  readonly #patienceMs: number;
  /** Calls under way that somebody waits for. */
  #urgent = 0;
  #isHeld = false;
  #isImpatient = false;
  readonly #waiting = new Set<() => void>();
  #cancelQuiet: (() => void) | undefined;
  #cancelPatience: (() => void) | undefined;

  constructor({ clock = realClock, quietMs = 250, patienceMs = 10_000 }: PrecedenceOptions = {}) {
    this.#clock = clock;
    this.#quietMs = quietMs;
    this.#patienceMs = patienceMs;
  }

  /** Runs a call that somebody waits for, at once. */
  async urgent<T>(call: () => Promise<T>): Promise<T> {
    this.#urgent += 1;
    this.#isHeld = true;
    this.#cancelQuiet?.();
    try {
      return await call();
    } finally {
      this.#urgent -= 1;
      if (this.#urgent === 0)
        this.#cancelQuiet = this.#clock.timer(this.#quietMs, () => {
          this.#isHeld = false;
          this.#isImpatient = false;
          this.#letGo();
        });
    }
  }

  /** Runs a call that can wait. @throws the signal's reason when it aborts meanwhile. */
  async patient<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#isHeld && !this.#isImpatient) await this.#turn(signal);
    return await call();
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    this.#cancelPatience ??= this.#clock.timer(this.#patienceMs, () => {
      this.#isImpatient = true;
      this.#letGo();
    });
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        signal?.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = (): void => {
        this.#waiting.delete(go);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(go);
    });
  }

  #letGo(): void {
    this.#cancelPatience?.();
    this.#cancelPatience = undefined;
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }
}
