/** A network that breaks at one statement: before the server has it, or before its answer arrives. */
import { TcpProxy } from '../rig/tcp-proxy.ts';

/** `text` is looked for in what the client sends; the connection that sends it is cut, once. */
export async function cutAt(
  target: { host: string; port: number },
  text: string,
  when: 'before' | 'after',
): Promise<TcpProxy> {
  let isDone = false;
  return await TcpProxy.start(target, () => {
    let isDoomed = false;
    return (chunk, from) => {
      // The server answers when it is done with it; nobody hears of that.
      if (from === 'server') return isDoomed ? 'cut' : 'pass';
      const isIt = !isDone && chunk.includes(text);
      if (isIt) isDone = true;
      if (isIt && when === 'before') return 'cut';
      isDoomed ||= isIt;
      return 'pass';
    };
  });
}

/** Types of messages with which a client waits for an answer: a query, and Sync. */
const ASKS: ReadonlySet<number> = new Set(Buffer.from('QS'));

/**
 * Cuts everything off at the n-th message that waits for an answer (from 0), of all sessions together, and lets nobody
 * through afterwards: for the server it is as if the client had been killed in that moment.
 */
export async function killAt(
  target: { host: string; port: number },
  n: number,
  when: 'before' | 'after',
  counter: () => AskCounter = () => new Asks(),
): Promise<TcpProxy> {
  let count = 0;
  return await TcpProxy.start(target, () => {
    let isDoomed = false;
    const asks = counter();
    return (chunk, from) => {
      if (from === 'server') return isDoomed ? 'cutAll' : 'pass';
      const asked = asks.in(chunk);
      const isIt = asked > 0 && count <= n && n < count + asked;
      count += asked;
      if (isIt && when === 'before') return 'cutAll';
      isDoomed ||= isIt;
      return 'pass';
    };
  });
}

/** Counts the messages of one client that wait for an answer, chunk by chunk. */
export interface AskCounter {
  in(chunk: Buffer): number;
}

class Asks implements AskCounter {
  #rest = Buffer.alloc(0);
  /** The first message has no type. */
  #isStarted = false;

  in(chunk: Buffer): number {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    let found = 0;
    for (;;) {
      const head = this.#isStarted ? 1 : 0;
      if (this.#rest.length < head + 4) return found;
      const length = head + this.#rest.readUInt32BE(head);
      if (this.#rest.length < length) return found;
      if (this.#isStarted && ASKS.has(this.#rest[0]!)) found += 1;
      this.#isStarted = true;
      this.#rest = this.#rest.subarray(length);
    }
  }
}
