/** Composition functions of others, served without TLS on this machine. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BinaryName, binary } from './binaries.ts';
import { freePort, startProcess, waitFor } from './process.ts';

export interface PeerFunction {
  address: string;
  pid: number;
  stop(): Promise<void>;
}

export async function startPeerFunction(
  name: Extract<BinaryName, `function-${string}`>,
  port?: number,
): Promise<PeerFunction> {
  const command = await binary(name);
  const folder = await mkdtemp(join(tmpdir(), `xdatabase-${name}-`));
  const chosen = port ?? (await freePort());
  const address = `127.0.0.1:${chosen}`;
  const server = await startProcess({
    name,
    command,
    args: ['--insecure', `--address=${address}`],
    logFile: join(folder, 'log'),
    folder,
  });
  await waitFor(`${name} listens`, async () => {
    if (!server.running) throw new Error(server.logTail());
    return await new Promise<boolean>((resolve, reject) => {
      const socket = connect(chosen, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', reject);
    });
  });
  return {
    address,
    pid: server.pid,
    stop: async () => {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
