/** Whether servers can be reached, for alerts: `xdatabase_server_available == 0`. */
import { Gauge, type Registry } from 'prom-client';
import type { ProviderConfig } from '../../api/provider-config.ts';

const LABELS = ['kind', 'namespace', 'name', 'engine'] as const;

/** @param configs All configurations there are, asked whenever the metrics are read. */
export function exposeServers(registry: Registry, configs: () => Iterable<ProviderConfig>): void {
  const gauge = (name: string, help: string, value: (config: ProviderConfig) => number | undefined): void => {
    const metric = new Gauge({
      name: `xdatabase_server_${name}`,
      help,
      labelNames: LABELS,
      registers: [],
      collect() {
        this.reset();
        for (const config of configs()) {
          const found = value(config);
          const { kind, metadata, spec } = config;
          if (found !== undefined)
            this.set({ kind, namespace: metadata.namespace ?? '', name: metadata.name, engine: spec.engine }, found);
        }
      },
    });
    registry.registerMetric(metric);
  };
  gauge('available', 'Whether the administrator could log in to the server of a configuration', ({ status }) => {
    const found = status?.conditions?.find(({ type }) => type === 'Available');
    return found === undefined ? undefined : Number(found.status === 'True');
  });
  gauge('users', 'How many resources use the configuration', ({ status }) => status?.users);
}
