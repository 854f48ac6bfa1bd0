/** What the provider's client opens to a real API server, over TLS as in a cluster. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CoreV1Api } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { KubeClient } from '../../provider/runtime/kube/client.ts';
import { PooledKubeConfig } from '../../provider/runtime/kube/config.ts';
import { LEASES, type Resource } from '../../provider/runtime/kube/resource.ts';
import { sharedCluster } from '../rig/servers.ts';
import { TcpProxy } from '../rig/tcp-proxy.ts';

const CONFIG_MAPS: Resource = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const CALLS = 16;
const WATCHES = 20;

const cluster = sharedCluster();
const namespace = `connections-${randomBytes(4).toString('hex')}`;
let folder: string;
let proxy: TcpProxy;
let config: PooledKubeConfig;
let client: KubeClient;

interface View {
  clusters: { cluster: { server: string; 'tls-server-name'?: string } }[];
}

beforeAll(async () => {
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
});
afterAll(async () => {
  await cluster.kubectl(['delete', 'namespace', namespace, '--wait=false']);
});
beforeEach(async () => {
  const text = await cluster.kubectl(['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json']);
  const view = JSON.parse(text) as View;
  const entry = view.clusters[0]!.cluster;
  const { protocol, hostname, port } = new URL(entry.server);
  expect(protocol).toBe('https:');
  proxy = await TcpProxy.start({ host: hostname, port: Number(port || 443) });
  entry.server = `https://127.0.0.1:${proxy.port}`;
  if (isIP(hostname) === 0) entry['tls-server-name'] ??= hostname;
  folder = await mkdtemp(join(tmpdir(), 'xdatabase-connections-'));
  await writeFile(join(folder, 'kubeconfig'), JSON.stringify(view), { mode: 0o600 });
  config = PooledKubeConfig.load({ kubeconfig: join(folder, 'kubeconfig') });
  client = new KubeClient(config);
});
afterEach(async () => {
  await config.close();
  await proxy.close();
  await rm(folder, { recursive: true, force: true });
});

const list = async (): Promise<unknown> => await client.list(CONFIG_MAPS, { namespace });
const many = async (count: number, call: () => Promise<unknown>): Promise<void> => {
  await Promise.all(Array.from({ length: count }, call));
};

test('many calls at once share sixteen connections, and later ones open no other', async () => {
  await many(200, list);
  expect(proxy.accepted).toBe(CALLS);
  for (let i = 0; i < 20; i += 1) await list();
  await many(200, async () => await client.list(LEASES, { namespace }));
  expect(proxy.accepted).toBe(CALLS);
});

test('one call after another keeps to the first connections', async () => {
  for (let i = 0; i < 50; i += 1) await list();
  // The second is for a call that comes before the pool has seen the end of the answer to the one before it.
  expect(proxy.accepted).toBeLessThanOrEqual(2);
});

test('watches have connections of their own, which end with them, and keep no call waiting', async () => {
  const { metadata } = await client.list(CONFIG_MAPS, { namespace });
  const stop = new AbortController();
  const seen = new Set<number>();
  const watches = Array.from({ length: WATCHES }, async (_, index) => {
    const options = { namespace, resourceVersion: metadata.resourceVersion ?? '', timeoutSeconds: 300 };
    for await (const { object } of client.watch(CONFIG_MAPS, { ...options, signal: stop.signal }))
      if (object?.metadata.name === 'news') seen.add(index);
  });
  const news = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name: 'news' } };
  await client.create(CONFIG_MAPS, news);
  await expect.poll(() => seen.size, { timeout: 20_000 }).toBe(WATCHES);
  await many(200, list);
  expect(proxy.accepted).toBe(WATCHES + CALLS);
  stop.abort(new Error('over'));
  for (const watch of watches) await expect(watch).rejects.toThrow('over');
  await expect.poll(() => proxy.open, { timeout: 20_000 }).toBe(CALLS);
  expect(proxy.accepted).toBe(WATCHES + CALLS);
});

test('client-node’s own API classes use the connections that are there', async () => {
  const api = config.makeApiClient(CoreV1Api);
  await many(200, async () => await api.listNamespacedConfigMap({ namespace }));
  await many(200, list);
  expect(proxy.accepted).toBe(CALLS);
});

test('none is left when it is closed', async () => {
  await many(50, list);
  await config.close();
  await expect.poll(() => proxy.open, { timeout: 20_000 }).toBe(0);
});
