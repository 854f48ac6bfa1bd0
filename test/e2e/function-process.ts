/** The function as a process of its own, called by real Crossplane over mTLS. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CrossplaneClient } from '../rig/crossplane.ts';
import { OwnServer, startInFolder } from '../rig/own-server.ts';
import { freePort } from '../rig/process.ts';
import { builtProgram } from '../rig/servers.ts';

/** Starts it and makes core call it for steps whose functionRef is `name`. */
export async function startFunctionProcess(
  crossplane: CrossplaneClient,
  name: string,
): Promise<{ stop(): Promise<void>; log(): string }> {
  return await startInFolder('function', async (folder) => {
    await crossplane.functionCertificates(folder);
    const port = await freePort();
    const logFile = join(folder, 'log');
    const server = await OwnServer.start({
      name: 'function',
      command: process.execPath,
      args: [builtProgram('function'), '--address', `127.0.0.1:${port}`, '--tls-server-certs-dir', folder],
      logFile,
      folder,
      ready: async () => (await readFile(logFile, 'utf8')).includes('"listening"'),
    });
    await crossplane.registerFunction(name, `127.0.0.1:${port}`);
    return { log: () => server.process.logTail(200), stop: async () => await server.stop() };
  });
}
