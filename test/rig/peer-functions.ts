/** Composition functions of others, served without TLS on this machine. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { type BinaryName, binary } from './binaries.ts';
import { OwnServer, startInFolder } from './own-server.ts';
import { freePort } from './process.ts';

export interface PeerFunction {
  address: string;
  pid: number;
  stop(): Promise<void>;
}

const listens = async (port: number): Promise<boolean> =>
  await new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', reject);
  });

export async function startPeerFunction(
  name: Extract<BinaryName, `function-${string}`>,
  port?: number,
): Promise<PeerFunction> {
  const command = await binary(name);
  return await startInFolder(name, async (folder) => {
    const chosen = port ?? (await freePort());
    const address = `127.0.0.1:${chosen}`;
    const server = await OwnServer.start({
      name,
      command,
      args: ['--insecure', `--address=${address}`],
      logFile: join(folder, 'log'),
      folder,
      ready: async () => await listens(chosen),
    });
    return { address, pid: server.process.pid, stop: async () => await server.stop() };
  });
}
