/** Lets work that has a key in common run one after the other, in the order in which it came, and all else at once. */
export class Serial {
  readonly #tails = new Map<string, Promise<void>>();

  async run<T>(keys: Iterable<string>, work: () => Promise<T>): Promise<T> {
    const own = [...keys];
    const before = own.flatMap((key) => this.#tails.get(key) ?? []);
    const { promise: done, resolve } = Promise.withResolvers<void>();
    // All places are taken at once, so two that want the same keys cannot wait for each other.
    for (const key of own) this.#tails.set(key, done);
    try {
      await Promise.all(before);
      return await work();
    } finally {
      resolve();
      for (const key of own) if (this.#tails.get(key) === done) this.#tails.delete(key);
    }
  }
}
