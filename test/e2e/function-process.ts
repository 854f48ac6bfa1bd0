/** The function as a process of its own, called by real Crossplane over mTLS. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CrossplaneClient } from '../rig/crossplane.ts';
import { freePort, startProcess, waitFor } from '../rig/process.ts';

const main = join(import.meta.dirname, '../../function/main.ts');

/** Starts it and makes core call it for steps whose functionRef is `name`. */
export async function startFunctionProcess(
  crossplane: CrossplaneClient,
  name: string,
): Promise<{ stop(): Promise<void>; log(): string }> {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-function-'));
  await crossplane.functionCertificates(folder);
  const port = await freePort();
  const child = await startProcess({
    name: 'function',
    command: process.execPath,
    args: [main, '--address', `127.0.0.1:${port}`, '--tls-server-certs-dir', folder],
    logFile: join(folder, 'log'),
    folder,
  });
  await waitFor('the function listens', () => child.logTail(50).includes('"listening"'), { server: child });
  await crossplane.registerFunction(name, `127.0.0.1:${port}`);
  return {
    log: () => child.logTail(200),
    stop: async () => {
      await child.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
