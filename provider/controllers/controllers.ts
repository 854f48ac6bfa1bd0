/** One queue and its workers per kind. */
import type { KindDefinition, Managed } from '../api/kind.ts';
import { isConflict } from '../runtime/kube/errors.ts';
import { refOf } from '../runtime/kube/resource.ts';
import { ANNOTATION, annotation } from '../runtime/managed/annotations.ts';
import type { ExternalConnector } from '../runtime/managed/external.ts';
import { ManagedReconciler } from '../runtime/managed/reconciler.ts';
import { References } from '../runtime/managed/references.ts';
import { Controller } from '../runtime/queue/controller.ts';
import { BackupConnector, NativeConnector } from './native/connector.ts';
import { configKey } from './objects/indexes.ts';
import { kubeStore } from './objects/kube-store.ts';
import type { Served } from './served.ts';
import { pollStart } from './servers/poll.ts';
import { ProviderConfigController } from './servers/provider-config.ts';
import type { Services } from './services.ts';
import { SqlConnector } from './sql/external.ts';
import { planners } from './sql/planners.ts';

/** How long one reconcile may take: crossplane-runtime's minute, and half a minute to report. */
const TIMEOUT_MS = 90_000;

function connectorOf(services: Services, definition: KindDefinition): ExternalConnector {
  const { servers, tenancy, credentials, now, work, jobs, options } = services;
  const planner = planners.get(definition.kind);
  if (planner !== undefined) return new SqlConnector({ planner, servers, guard: tenancy, credentials, now });
  const byJobs = jobs.connector(definition);
  if (byJobs === undefined) throw new Error(`nothing reconciles ${definition.kind}`);
  const native = new NativeConnector({ services: work, observer: options.schedules, pollMs: options.pollMs });
  return new BackupConnector(work, native, byJobs);
}

export function managedController(services: Services, { definition, reflector }: Served): Controller {
  const { options, kinds } = services;
  const reconciler = new ManagedReconciler({
    store: kubeStore(definition, options.client, reflector.store, services.secrets, options.recorder),
    connector: connectorOf(services, definition),
    references: new References(definition, {
      get: (kind, namespace, name) => kinds.resource(kind, namespace, name),
      list: (kind, namespace) => kinds.resources(kind, namespace),
    }),
    metrics: options.metrics(definition),
    managementPolicies: options.managementPolicies,
    now: services.now,
  });
  const resourceOf = (key: string): Managed | undefined => reflector.store.get(key) as Managed | undefined;
  return new Controller({
    name: `managed/${definition.kind}.${definition.group}`.toLowerCase(),
    log: options.log,
    clock: options.clock,
    bucket: services.bucket,
    observer: options.observer,
    timeoutMs: TIMEOUT_MS,
    isConflict,
    group: (key) => {
      const resource = resourceOf(key);
      return resource === undefined ? undefined : configKey(resource);
    },
    reconcile: async (key, { signal, trigger }) => {
      const { namespace = '', name } = refOf(key);
      const resource = resourceOf(key);
      const isSweep =
        trigger === 'poll' && resource !== undefined && annotation(resource, ANNOTATION.pollInterval) === undefined;
      const notBefore = isSweep
        ? pollStart(configKey(resource), options.pollMs, options.clock.now())
        : options.clock.now();
      const { requeueAfterMs, retry } = await reconciler.reconcile(namespace, name, signal, notBefore);
      return { requeueAfterMs, retry };
    },
  });
}

export function configController(services: Services, { definition, reflector }: Served): Controller {
  const { options } = services;
  const reconciler = new ProviderConfigController({
    definition,
    client: options.client,
    cache: reflector.store,
    servers: services.servers,
    usages: services.usages,
    resources: (config) => services.kinds.usersOf(config).length,
    secrets: services.secretHold,
    recorder: options.recorder,
    pollMs: options.pollMs,
    now: services.now,
  });
  return new Controller({
    name: `providerconfig/${definition.kind}.${definition.group}`.toLowerCase(),
    log: options.log,
    clock: options.clock,
    bucket: services.bucket,
    observer: options.observer,
    workers: 8,
    timeoutMs: TIMEOUT_MS,
    isConflict,
    reconcile: async (key, { signal }) => ({ requeueAfterMs: await reconciler.reconcile(key, signal) }),
  });
}
