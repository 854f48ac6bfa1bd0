/** The provider as a process of its own, as in its pod, against a cluster of the rig. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Kubectl } from '../rig/kubectl.ts';
import { freePorts, type ServerProcess, startProcess, waitFor } from '../rig/process.ts';

export interface ProviderOptions {
  /** Default 5s, so that drift is seen while a test waits. */
  poll?: string;
  args?: readonly string[];
}

export interface ProviderProcess {
  readonly process: ServerProcess;
  readonly metricsUrl: string;
  log(): string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const main = join(import.meta.dirname, '../../provider/main.ts');

export async function startProvider(cluster: Kubectl, options: ProviderOptions = {}): Promise<ProviderProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-provider-'));
  const [metrics, health] = await freePorts(2);
  const process_ = await startProcess({
    name: 'provider',
    command: process.execPath,
    args: [
      main,
      '--kubeconfig',
      cluster.kubeconfig,
      '--poll',
      options.poll ?? '5s',
      '--metrics-bind-address',
      `127.0.0.1:${metrics}`,
      '--health-bind-address',
      `127.0.0.1:${health}`,
      ...(options.args ?? []),
    ],
    logFile: join(folder, 'log'),
    folder,
  });
  await waitFor('the provider is ready', async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok, {
    server: process_,
  });
  return {
    process: process_,
    metricsUrl: `http://127.0.0.1:${metrics}/metrics`,
    log: () => process_.logTail(500),
    stop: async (signal) => {
      await process_.stop(signal);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
