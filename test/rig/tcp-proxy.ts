/** A network in front of a server: it counts connections, and breaks or goes silent when a test says so. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What becomes of a chunk; `cut` breaks the connection at both ends, `cutAll` every one, and lets nobody through afterwards. */
export type Verdict = 'pass' | 'drop' | 'cut' | 'cutAll';

export type Filter = (chunk: Buffer, from: 'client' | 'server') => Verdict;

export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Connections so far. */
  accepted = 0;
  /** Whether it came to `cutAll`. */
  isCut = false;
  #open = 0;

  private constructor(target: { host: string; port: number }, filterOf: () => Filter) {
    this.#server = createServer({ noDelay: true }, (client) => {
      if (this.isCut) return void client.destroy();
      const upstream = connect({ ...target, noDelay: true });
      const filter = filterOf();
      this.accepted += 1;
      this.#open += 1;
      client.once('close', () => {
        this.#open -= 1;
      });
      const cut = (): void => {
        client.destroy();
        upstream.destroy();
      };
      const pass = (from: Socket, to: Socket, name: 'client' | 'server'): void => {
        this.#sockets.add(from);
        from.on('data', (chunk: Buffer) => {
          const verdict = filter(chunk, name);
          if (verdict === 'cut') cut();
          else if (verdict === 'cutAll') this.#cutAll();
          else if (verdict === 'pass' && !to.destroyed) to.write(chunk);
        });
        from.on('error', cut);
        from.on('close', () => {
          this.#sockets.delete(from);
          cut();
        });
      };
      pass(client, upstream, 'client');
      pass(upstream, client, 'server');
    });
  }

  /** @param filterOf Asked for each connection. Without it everything passes. */
  static async start(
    target: { host: string; port: number },
    filterOf: () => Filter = () => () => 'pass',
  ): Promise<TcpProxy> {
    const proxy = new TcpProxy(target, filterOf);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that the client has not closed. */
  get open(): number {
    return this.#open;
  }

  #cutAll(): void {
    this.isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
