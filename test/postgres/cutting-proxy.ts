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
