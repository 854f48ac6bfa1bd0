/** A network that breaks at one statement: before the server has it, or before its answer arrives. */
import { connect, createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';

export interface CuttingProxy {
  port: number;
  close(): Promise<void>;
}

/** `text` is looked for in what the client sends; the connection that sends it is cut, once. */
export async function cutAt(
  target: { host: string; port: number },
  text: string,
  when: 'before' | 'after',
): Promise<CuttingProxy> {
  let isDone = false;
  const server: Server = createServer((client) => {
    const upstream = connect(target.port, target.host);
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    let isDoomed = false;
    client.on('data', (chunk: Buffer) => {
      const isIt = !isDone && chunk.includes(text);
      if (isIt) isDone = true;
      if (isIt && when === 'before') return cut();
      isDoomed ||= isIt;
      upstream.write(chunk);
    });
    // The server answers when it is done with it; nobody hears of that.
    upstream.on('data', (chunk: Buffer) => (isDoomed ? cut() : client.write(chunk)));
    for (const socket of [client, upstream]) {
      socket.on('error', cut);
      socket.on('close', cut);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Types of messages with which a client waits for an answer: a query, and Sync. */
const ASKS: ReadonlySet<number> = new Set(Buffer.from('QS'));

export interface Counter extends CuttingProxy {
  /** Whether it came to the cut. */
  readonly isCut: boolean;
}

/**
 * Cuts everything off at the n-th message that waits for an answer (from 0), of all sessions together, and lets nobody
 * through afterwards: for the server it is as if the client had been killed in that moment.
 */
export async function killAt(
  target: { host: string; port: number },
  n: number,
  when: 'before' | 'after',
): Promise<Counter> {
  let count = 0;
  let isCut = false;
  const sockets = new Set<{ destroy(): unknown }>();
  const end = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const cut = (): void => {
    isCut = true;
    end();
  };
  const server: Server = createServer((client) => {
    if (isCut) return void client.destroy();
    const upstream = connect(target.port, target.host);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
    let isDoomed = false;
    const asks = new Asks();
    client.on('data', (chunk: Buffer) => {
      const asked = asks.in(chunk);
      const isIt = asked > 0 && count <= n && n < count + asked;
      count += asked;
      if (isIt && when === 'before') return cut();
      isDoomed ||= isIt;
      upstream.write(chunk);
    });
    upstream.on('data', (chunk: Buffer) => {
      if (isDoomed) cut();
      else client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get isCut() {
      return isCut;
    },
    close: async () => {
      end();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Counts the messages of one client that wait for an answer. */
class Asks {
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
