/** Stored verifiers of many roles with few statements: what is asked in one turn, or while one is under way, goes together. */
import type { Session } from './session.ts';

export type ReadInSession = <T>(work: (session: Session) => Promise<T>) => Promise<T>;

interface Waiter {
  resolve: (verifier: string | undefined) => void;
  reject: (error: unknown) => void;
}

export class VerifierLoader {
  readonly #read: ReadInSession;
  #waiting = new Map<string, Waiter[]>();
  #isBusy = false;

  constructor(read: ReadInSession) {
    this.#read = read;
  }

  /** The verifier as it is after this call began; undefined when the role is not there or has none. */
  async load(name: string): Promise<string | undefined> {
    return await new Promise((resolve, reject) => {
      const waiters = this.#waiting.get(name);
      if (waiters === undefined) this.#waiting.set(name, [{ resolve, reject }]);
      else waiters.push({ resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isBusy || this.#waiting.size === 0) return;
    this.#isBusy = true;
    setImmediate(() => {
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const asked = this.#waiting;
    this.#waiting = new Map();
    try {
      const rows = await this.#read(
        async (session) =>
          await session.query('SELECT rolname, rolpassword FROM pg_authid WHERE rolname = ANY($1)', [
            [...asked.keys()],
          ]),
      );
      const found = new Map(rows.map((row) => [row['rolname'], row['rolpassword']]));
      for (const [name, waiters] of asked) {
        const verifier = found.get(name);
        for (const { resolve } of waiters) resolve(typeof verifier === 'string' ? verifier : undefined);
      }
    } catch (error) {
      for (const waiters of asked.values()) for (const { reject } of waiters) reject(error);
    } finally {
      this.#isBusy = false;
      this.#schedule();
    }
  }
}
