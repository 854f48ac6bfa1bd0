/** One queue and its workers per kind. */
import type { Managed } from '../api/kind.ts';
import { planners } from './planners.ts';
import { refOf } from '../runtime/kube/resource.ts';
import { ANNOTATION, annotation } from '../runtime/managed/annotations.ts';
import type { ExternalConnector } from '../runtime/managed/external.ts';
import { ManagedReconciler } from '../runtime/managed/reconciler.ts';
import { References } from '../runtime/managed/references.ts';
import { Controller } from '../runtime/queue/controller.ts';
import { configKey } from './indexes.ts';
import { kubeStore } from './kube-store.ts';
import { groupOf, type Manager, type Served } from './manager.ts';
import { pollStart } from './poll.ts';
import { ProviderConfigController } from './provider-config.ts';
import { SqlConnector } from './sql-external.ts';

/** How long one reconcile may take: crossplane-runtime's minute, and half a minute to report. */
const TIMEOUT_MS = 90_000;

export function managedController(manager: Manager, { definition, reflector }: Served): Controller {
  const { options } = manager;
  const now = (): Date => new Date(options.clock.now());
  const planner = planners.get(definition.kind);
  const connector: ExternalConnector | undefined =
    planner === undefined
      ? manager.jobs.connector(definition)
      : new SqlConnector({
          planner,
          servers: manager.servers,
          guard: manager.tenancy,
          credentials: manager.credentials,
          now,
        });
  if (connector === undefined) throw new Error(`nothing reconciles ${definition.kind}`);
  const reconciler = new ManagedReconciler({
    store: kubeStore(definition, options.client, reflector.store, manager.secrets, options.recorder),
    connector,
    references: new References(definition, {
      get: (kind, namespace, name) => manager.store(kind)?.get(`${namespace}/${name}`) as Managed | undefined,
      list: (kind, namespace) => (manager.store(kind)?.byIndex('namespace', namespace) ?? []) as Managed[],
    }),
    metrics: options.metrics(definition),
    managementPolicies: options.managementPolicies,
    now,
  });
  const resourceOf = (key: string): Managed | undefined => reflector.store.get(key) as Managed | undefined;
  return new Controller({
    name: `managed/${definition.kind}.${definition.group}`.toLowerCase(),
    log: options.log,
    clock: options.clock,
    bucket: manager.bucket,
    observer: options.observer,
    timeoutMs: TIMEOUT_MS,
    group: (key) => groupOf(resourceOf(key)),
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

export function configController(manager: Manager, { definition, reflector }: Served): Controller {
  const { options } = manager;
  const reconciler = new ProviderConfigController({
    definition,
    client: options.client,
    cache: reflector.store,
    servers: manager.servers,
    usages: manager.usages,
    resources: (config) => manager.usersOf(config).length,
    secrets: manager.secretHold,
    recorder: options.recorder,
    pollMs: options.pollMs,
    now: () => new Date(options.clock.now()),
  });
  return new Controller({
    name: `providerconfig/${definition.kind}.${definition.group}`.toLowerCase(),
    log: options.log,
    clock: options.clock,
    bucket: manager.bucket,
    observer: options.observer,
    workers: 8,
    timeoutMs: TIMEOUT_MS,
    reconcile: async (key, { signal }) => ({ requeueAfterMs: await reconciler.reconcile(key, signal) }),
  });
}
