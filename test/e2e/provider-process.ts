/** The provider as a process of its own, as in its pod, against a cluster of the rig. */
import { join } from 'node:path';
import type { Kubectl } from '../rig/kubectl.ts';
import { OwnServer, startInFolder } from '../rig/own-server.ts';
import { freePorts } from '../rig/process.ts';
import { builtProgram } from '../rig/servers.ts';

export interface ProviderOptions {
  /** Default 5s, so that drift is seen while a test waits. */
  poll?: string;
  args?: readonly string[];
}

export interface ProviderProcess {
  readonly metricsUrl: string;
  log(): string;
  /** Asks it to end, as the kubelet does, and gives what it has logged by then. */
  terminate(): Promise<string>;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export async function startProvider(cluster: Kubectl, options: ProviderOptions = {}): Promise<ProviderProcess> {
  return await startInFolder('provider', async (folder) => {
    const [metrics, health] = await freePorts(2);
    const server = await OwnServer.start({
      name: 'provider',
      command: process.execPath,
      args: [
        builtProgram('provider'),
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
      ready: async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok,
    });
    return {
      metricsUrl: `http://127.0.0.1:${metrics}/metrics`,
      log: () => server.process.logTail(500),
      terminate: async () => {
        await server.process.stop('SIGTERM');
        return server.process.logTail(500);
      },
      stop: async (signal) => await server.stop(signal),
    };
  });
}
