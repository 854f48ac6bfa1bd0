/** examples/install on a cluster with Crossplane: what it takes, what it lets the provider do, and what it measures. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../provider/api/kind.ts';
import { RULES } from '../../provider/controllers/objects/permitted.ts';
import { ScheduleMetrics } from '../../provider/controllers/jobs/schedule-metrics.ts';
import { exposeServers } from '../../provider/controllers/servers/server-metrics.ts';
import { parseFlags } from '../../provider/flags.ts';
import { parseManifests } from '../../provider/local/manifests.ts';
import { ManagedMetrics } from '../../provider/runtime/telemetry/managed-metrics.ts';
import { Metrics } from '../../provider/runtime/telemetry/metrics.ts';
import { ownCrossplane } from '../rig/own-cluster.ts';

const FOLDER = join(import.meta.dirname, '../../examples/install');
const files = readdirSync(FOLDER).toSorted();
const objects = files.flatMap((file) => parseManifests(readFileSync(join(FOLDER, file), 'utf8'), file));
const isOfOperator = ({ apiVersion }: KubeObject): boolean => apiVersion.startsWith('monitoring.coreos.com/');
const of = (kind: string): KubeObject[] => objects.filter((one) => one.kind === kind);

const { cluster, stop } = await ownCrossplane();
afterAll(stop);

test('an API server with Crossplane takes everything but what belongs to the Prometheus operator', async () => {
  for (const object of objects.filter((one) => !isOfOperator(one))) await cluster.apply(object);
  expect(objects.filter(isOfOperator).map(({ kind }) => kind)).toEqual(['ServiceMonitor', 'PrometheusRule']);
});

describe('the ServiceAccount of the provider', () => {
  const { name, namespace } = { name: 'provider-xdatabase', namespace: 'crossplane-system' };
  const can = async (verb: string, resource: string, where: string): Promise<boolean> =>
    (
      await cluster
        .kubectl(['auth', 'can-i', verb, resource, '-n', where, `--as=system:serviceaccount:${namespace}:${name}`])
        .catch((error: unknown) => String(error))
    ).startsWith('yes');

  test('may do with Jobs all that the provider does, in every namespace', async () => {
    await cluster.apply(join(FOLDER, '30-rbac.yaml'));
    for (const [resource, verbs] of Object.entries(RULES)) {
      const full = ['jobs', 'cronjobs'].includes(resource) ? `${resource}.batch` : resource;
      for (const verb of verbs) expect([verb, full, await can(verb, full, 'default')]).toEqual([verb, full, true]);
    }
  });

  test('may do no more than that', async () => {
    for (const [verb, resource] of [
      ['create', 'pods'],
      ['create', 'deployments.apps'],
      ['create', 'clusterroles.rbac.authorization.k8s.io'],
      ['update', 'jobs.batch'],
    ] as const)
      expect([verb, resource, await can(verb, resource, 'default')]).toEqual([verb, resource, false]);
  });
});

test('the provider understands the flags that it is started with', () => {
  const config = of('DeploymentRuntimeConfig').find(({ metadata }) => metadata.name === 'provider-xdatabase');
  const [, args] = /"args":(\[[^\]]*\])/.exec(JSON.stringify(config)) ?? [];
  expect(parseFlags(JSON.parse(args ?? '[]') as string[])).toMatchObject({ leaderElection: true });
});

test('every metric that an alert or a panel asks for is one that the provider has', async () => {
  const metrics = new Metrics();
  const others = [new ManagedMetrics(metrics.registry), new ScheduleMetrics(metrics.registry, () => [])];
  expect(others).toHaveLength(2);
  exposeServers(metrics.registry, () => []);
  const known = new Set((await metrics.registry.getMetricsAsJSON()).map(({ name }) => name));
  const text = JSON.stringify([...of('PrometheusRule'), ...of('ConfigMap')]);
  const asked = [...text.matchAll(/\b(?:crossplane_managed|xdatabase_s|controller_runtime|workqueue)[a-z_]*/g)].map(
    ([name]) => name.replace(/_bucket$/, ''),
  );
  expect(asked.length).toBeGreaterThan(8);
  expect(asked.filter((name) => !known.has(name))).toEqual([]);
});

test('the metrics Service and the policies choose the pods that the runtime configurations make', () => {
  const labelled = of('DeploymentRuntimeConfig').map(({ metadata }) => metadata.name);
  const chosen = [...of('NetworkPolicy'), ...of('PodDisruptionBudget'), ...of('Service')].map(
    (one) => /"app.kubernetes.io\/name":"([^"]+)"/.exec(JSON.stringify(one['spec']))?.[1],
  );
  expect(new Set(chosen)).toEqual(new Set(labelled));
});
