/**
 * Time as something that is handed in: everything that waits or measures takes a `Clock`, so that tests move time
 * themselves and never sleep.
 */

/** Longest delay a timer takes; Node fires at once for anything above 2^31-1 ms. */
export const MAX_TIMER_MS = 24 * 60 * 60 * 1000;

export interface Clock {
  /** Wall-clock time, ms since the epoch. It may jump; for what is written down. */
  now(): number;
  /** Monotonic time in ms from an arbitrary start; for what is measured. */
  monotonic(): number;
  /** Calls `fire` once after `ms` (capped at 24 h); the result cancels it. */
  timer(ms: number, fire: () => void): () => void;
}

/** The clock of this machine. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  timer: (ms, fire) => {
    const handle = setTimeout(fire, Math.min(Math.max(ms, 0), MAX_TIMER_MS));
    return () => {
      clearTimeout(handle);
    };
  },
};

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export async function sleep(ms: number, signal?: AbortSignal, clock: Clock = realClock): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.timer(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now: number;
  #monotonic = 0;
  #sequence = 0;
  readonly #timers = new Map<number, { at: number; fire: () => void }>();

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  timer(ms: number, fire: () => void): () => void {
    const id = this.#sequence++;
    this.#timers.set(id, { at: this.#monotonic + Math.min(Math.max(ms, 0), MAX_TIMER_MS), fire });
    return () => {
      this.#timers.delete(id);
    };
  }

  /** How many timers are waiting. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves time on, firing what falls due in order, also timers that are set meanwhile. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    for (;;) {
      let next: { id: number; at: number; fire: () => void } | undefined;
      for (const [id, timer] of this.#timers)
        if (timer.at <= end && (next === undefined || timer.at < next.at)) next = { id, ...timer };
      if (next === undefined) break;
      this.#timers.delete(next.id);
      this.#set(Math.max(next.at, this.#monotonic));
      next.fire();
    }
    this.#set(end);
  }

  /** As `advance`, letting promises settle before and after each timer. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers.values()].map((timer) => timer.at).filter((at) => at <= end);
      if (due.length === 0) break;
      this.advance(Math.max(0, Math.min(...due) - this.#monotonic));
      await settle();
    }
    this.advance(end - this.#monotonic);
    await settle();
  }

  #set(monotonic: number): void {
    this.#now += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }
}

/** Lets every promise that is ready run, and what follows from it. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++)
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
}
