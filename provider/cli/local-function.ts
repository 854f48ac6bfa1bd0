/** Runs the composition function on a loopback port, as Crossplane would call it, for as long as a command needs it. */
import { startFunction } from '../../function/serve/server.ts';

export interface LocalFunction {
  address: string;
  stop(): Promise<void>;
}

export async function startLocalFunction(): Promise<LocalFunction> {
  const server = await startFunction({ address: '127.0.0.1:0', insecure: true });
  return { address: `127.0.0.1:${server.port}`, stop: async () => await server.stop() };
}
