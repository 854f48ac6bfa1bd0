import { describe, expect, it } from 'vitest';
import type { Managed } from '../../api/kind.ts';
import { ManualClock } from '../clock.ts';
import { silentLog } from '../log.ts';
import { Controller } from '../queue/controller.ts';
import { ManagedMetrics } from './managed-metrics.ts';
import { Metrics } from './metrics.ts';

describe('Metrics', () => {
  it('reports controllers and queues under the names of controller-runtime and client-go', async () => {
    const metrics = new Metrics({ defaults: false });
    const clock = new ManualClock();
    const controller = new Controller({
      name: 'roles',
      reconcile: (key) => (key === 'bad' ? Promise.reject(new Error('no')) : Promise.resolve()),
      log: silentLog,
      observer: metrics,
      clock,
      isConflict: () => false,
    });
    metrics.watch(controller);
    controller.enqueue('good');
    controller.enqueue('bad');
    expect(await metrics.registry.metrics()).toContain('workqueue_depth{name="roles",controller="roles"} 2');
    controller.start();
    await clock.advanceAsync(10);
    const text = await metrics.registry.metrics();
    for (const line of [
      'controller_runtime_reconcile_total{controller="roles",result="success"} 1',
      'controller_runtime_reconcile_total{controller="roles",result="error"} 1',
      'controller_runtime_reconcile_errors_total{controller="roles"} 1',
      'controller_runtime_reconcile_time_seconds_count{controller="roles"} 2',
      'controller_runtime_active_workers{controller="roles"} 0',
      'controller_runtime_max_concurrent_reconciles{controller="roles"} 128',
      'workqueue_depth{name="roles",controller="roles"} 0',
      'workqueue_delayed{name="roles",controller="roles"} 1',
      'workqueue_adds_total{name="roles",controller="roles"} 2',
      'workqueue_retries_total{name="roles",controller="roles"} 1',
      'workqueue_queue_duration_seconds_count{name="roles",controller="roles"} 2',
      'workqueue_work_duration_seconds_count{name="roles",controller="roles"} 2',
    ])
      expect(text).toContain(line);
    await controller.stop();
  });

  it('reports the process and the event loop too, and leadership', async () => {
    const metrics = new Metrics();
    metrics.leading('lease', true);
    metrics.eventDropped('rate');
    const text = await metrics.registry.metrics();
    for (const name of [
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_seconds',
      'leader_election_master_status{name="lease"} 1',
      'xdatabase_events_dropped_total{why="rate"} 1',
    ])
      expect(text).toContain(name);
  });
});

describe('ManagedMetrics', () => {
  const GVK = 'gvk="sql.m.xdatabase.dev/v1alpha1, Kind=Role"';
  const role = (
    name: string,
    conditions: Record<string, 'True' | 'False'> = {},
    deletionTimestamp?: string,
  ): Managed => ({
    apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
    kind: 'Role',
    metadata: {
      name,
      uid: name,
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    spec: { forProvider: {}, providerConfigRef: { kind: 'ProviderConfig', name: 'x' } },
    status: {
      conditions: Object.entries(conditions).map(([type, status]) => ({
        type,
        status,
        reason: 'R',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      })),
    },
  });

  it('counts what exists, is ready and is synced, as of now', async () => {
    const { registry } = new Metrics({ defaults: false });
    const metrics = new ManagedMetrics(registry);
    const roles = [
      role('a', { Ready: 'True', Synced: 'True' }),
      role('b', { Ready: 'False', Synced: 'True' }),
      role('c'),
    ];
    metrics.watch({ group: 'sql.m.xdatabase.dev', version: 'v1alpha1', kind: 'Role' }, () => roles);
    const text = await registry.metrics();
    expect(text).toContain(`crossplane_managed_resource_exists{${GVK}} 3`);
    expect(text).toContain(`crossplane_managed_resource_ready{${GVK}} 1`);
    expect(text).toContain(`crossplane_managed_resource_synced{${GVK}} 2`);
  });

  it('tells once how long a new resource took to be seen and to be ready, and nothing of old ones', async () => {
    const { registry } = new Metrics({ defaults: false });
    const clock = new ManualClock();
    const metrics = new ManagedMetrics(registry, clock);
    clock.advance(2_000);
    metrics.firstReconcile(role('new'));
    metrics.firstReconcile(role('new'));
    metrics.firstReconcile(role('old', { Synced: 'True' }));
    clock.advance(5_000);
    for (const name of ['new', 'new', 'old', 'unknown']) metrics.firstReady(role(name));
    const text = await registry.metrics();
    expect(text).toContain(`first_time_to_reconcile_seconds_sum{${GVK}} 2`);
    expect(text).toContain(`first_time_to_reconcile_seconds_count{${GVK}} 1`);
    expect(text).toContain(`first_time_to_readiness_seconds_sum{${GVK}} 7`);
    expect(text).toContain(`first_time_to_readiness_seconds_count{${GVK}} 1`);
  });

  it('tells how long a deletion took, and how long a drift may have gone unseen', async () => {
    const { registry } = new Metrics({ defaults: false });
    const clock = new ManualClock();
    const metrics = new ManagedMetrics(registry, clock);
    metrics.drift(role('a'));
    metrics.firstReconcile(role('a'));
    metrics.drift(role('a'));
    clock.advance(60_000);
    metrics.firstReconcile(role('a'));
    metrics.drift(role('a'));
    metrics.deleted(role('a', {}, '2026-01-01T00:00:50Z'));
    const text = await registry.metrics();
    expect(text).toContain(`crossplane_managed_resource_drift_seconds_sum{${GVK}} 60`);
    expect(text).toContain(`crossplane_managed_resource_drift_seconds_count{${GVK}} 1`);
    expect(text).toContain(`crossplane_managed_resource_deletion_seconds_sum{${GVK}} 10`);
  });
});
