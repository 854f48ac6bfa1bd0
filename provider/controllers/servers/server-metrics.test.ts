import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { ProviderConfig } from '../../api/provider-config.ts';
import { exposeServers } from './server-metrics.ts';

test('a server that cannot be reached is 0, one that nobody has asked yet is not there', async () => {
  const config = (name: string, status?: 'True' | 'False'): ProviderConfig =>
    ({
      kind: 'ClusterProviderConfig',
      metadata: { name },
      spec: { engine: 'postgres' },
      status: status && { users: 3, conditions: [{ type: 'Available', status }] },
    }) as unknown as ProviderConfig;
  const registry = new Registry();
  const all = [config('up', 'True'), config('down', 'False'), config('new')];
  exposeServers(registry, () => all);
  const lines = async () =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('xdatabase_server_available'));
  const labels = (name: string) => `{kind="ClusterProviderConfig",namespace="",name="${name}",engine="postgres"}`;
  expect(await lines()).toEqual([
    `xdatabase_server_available${labels('up')} 1`,
    `xdatabase_server_available${labels('down')} 0`,
  ]);
  all.shift();
  expect(await lines()).toEqual([`xdatabase_server_available${labels('down')} 0`]);
});
