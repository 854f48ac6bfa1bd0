/**
 * Services of a cluster by their names, for programs beside it: a proxy (HTTP CONNECT) on loopback that is what DNS and
 * kube-proxy are in a cluster. The pods are those of the rig's kubelet, which all have the network of this machine.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { KubeObject } from '../../provider/api/kind.ts';
import type { Kubectl } from './kubectl.ts';

interface ServicePort {
  port: number;
  targetPort?: number | string;
}

interface Pod extends KubeObject {
  spec: { containers: { ports?: { name?: string; containerPort: number }[] }[] };
  status?: { conditions?: { type: string; status: string }[] };
}

/** Port on this machine of a pod that is ready; `name.namespace`, with whatever follows it in DNS. */
async function portOf(cluster: Kubectl, host: string, wanted: number): Promise<number | undefined> {
  const [name = '', namespace = ''] = host.split('.');
  const { spec } = await cluster.get<{ spec: { ports?: ServicePort[]; selector?: Record<string, string> } }>(
    'service',
    name,
    '-n',
    namespace,
  );
  const target = spec.ports?.find(({ port }) => port === wanted);
  if (target === undefined || spec.selector === undefined) return undefined;
  const labels = Object.entries(spec.selector).map((pair) => pair.join('='));
  const { items } = await cluster.get<{ items: Pod[] }>('pods', '-n', namespace, '-l', labels.join());
  const ready = items.find(({ status }) => status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'));
  if (typeof target.targetPort !== 'string') return ready === undefined ? undefined : (target.targetPort ?? wanted);
  return ready?.spec.containers.flatMap(({ ports = [] }) => ports).find((port) => port.name === target.targetPort)
    ?.containerPort;
}

export interface ServiceProxy {
  /** For HTTPS_PROXY. */
  url: string;
  stop(): Promise<void>;
}

export async function startServiceProxy(cluster: Kubectl): Promise<ServiceProxy> {
  const server = createServer((_, response) => response.writeHead(405).end());
  const open = new Set<Duplex>();
  server.on('connect', ({ url = '' }, client, head) => {
    open.add(client.on('close', () => open.delete(client)));
    const [host = '', port = ''] = url.split(':');
    client.on('error', () => client.destroy());
    const refuse = (): void => void client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    portOf(cluster, host, Number(port)).then((found) => {
      if (found === undefined) return refuse();
      const upstream = connect(found, '127.0.0.1', () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.write(head);
        upstream.pipe(client).pipe(upstream);
      });
      upstream.on('error', () => client.destroy());
      client.on('close', () => upstream.destroy());
    }, refuse);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}
