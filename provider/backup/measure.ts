import { createHash, type Hash } from 'node:crypto';

/** Counts and hashes what passes. */
export class Measure {
  bytes = 0;
  readonly #hash: Hash = createHash('sha256');
  #digest: string | undefined;

  update(part: Buffer): void {
    this.#hash.update(part);
    this.bytes += part.length;
  }

  /** Of all that passed; nothing may pass afterwards. */
  get sha256(): string {
    this.#digest ??= this.#hash.digest('hex');
    return this.#digest;
  }

  async *through(body: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const part of body) {
      this.update(part);
      yield part;
    }
  }
}
