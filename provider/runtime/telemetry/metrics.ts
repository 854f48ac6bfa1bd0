/**
 * Prometheus metrics, under the names of controller-runtime and client-go, so that existing dashboards and alerts fit.
 * Managed resources' own are in managed-metrics.ts.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Controller, ControllerObserver, Outcome } from '../queue/controller.ts';

/** controller-runtime's buckets. */
const RECONCILE_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75, 2,
  2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];
/** client-go's powers of ten, from the first that a JavaScript timer can tell. */
const QUEUE_SECONDS = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1000];

export class Metrics implements ControllerObserver {
  readonly registry = new Registry();
  readonly #reconciles: Counter;
  readonly #errors: Counter;
  readonly #seconds: Histogram;
  readonly #active: Gauge;
  readonly #workers: Gauge;
  readonly #adds: Counter;
  readonly #retries: Counter;
  readonly #queueSeconds: Histogram;
  readonly #workSeconds: Histogram;
  readonly #leading: Gauge;
  readonly #droppedEvents: Counter;
  readonly #controllers: Controller[] = [];

  /** @param defaults also process and runtime metrics: CPU, memory, event loop lag, garbage collection */
  constructor({ defaults = true }: { defaults?: boolean } = {}) {
    const registers = [this.registry];
    if (defaults) collectDefaultMetrics({ register: this.registry });
    const controllers = this.#controllers;
    const controller = ['controller'];
    // controller-runtime labels its queues with both.
    const queue = ['name', 'controller'];

    this.#reconciles = new Counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Total number of reconciliations per controller',
      labelNames: ['controller', 'result'],
      registers,
    });
    this.#errors = new Counter({
      name: 'controller_runtime_reconcile_errors_total',
      help: 'Total number of reconciliation errors per controller',
      labelNames: controller,
      registers,
    });
    this.#seconds = new Histogram({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'Length of time per reconciliation per controller',
      labelNames: controller,
      buckets: RECONCILE_SECONDS,
      registers,
    });
    this.#active = new Gauge({
      name: 'controller_runtime_active_workers',
      help: 'Number of currently used workers per controller',
      labelNames: controller,
      registers,
    });
    this.#workers = new Gauge({
      name: 'controller_runtime_max_concurrent_reconciles',
      help: 'Maximum number of concurrent reconciles per controller',
      labelNames: controller,
      registers,
    });
    this.#adds = new Counter({
      name: 'workqueue_adds_total',
      help: 'Total number of adds handled by workqueue',
      labelNames: queue,
      registers,
    });
    this.#retries = new Counter({
      name: 'workqueue_retries_total',
      help: 'Total number of retries handled by workqueue',
      labelNames: queue,
      registers,
    });
    this.#queueSeconds = new Histogram({
      name: 'workqueue_queue_duration_seconds',
      help: 'How long in seconds an item stays in workqueue before being requested',
      labelNames: queue,
      buckets: QUEUE_SECONDS,
      registers,
    });
    this.#workSeconds = new Histogram({
      name: 'workqueue_work_duration_seconds',
      help: 'How long in seconds processing an item from workqueue takes',
      labelNames: queue,
      buckets: QUEUE_SECONDS,
      registers,
    });
    const depth = new Gauge({
      name: 'workqueue_depth',
      help: 'Current depth of workqueue by workqueue',
      labelNames: queue,
      registers: [],
      collect() {
        for (const { name, queue } of controllers) this.set(queueLabels(name), queue.depth);
      },
    });
    const delayed = new Gauge({
      name: 'workqueue_delayed',
      help: 'Items that are due later: polls and retries',
      labelNames: queue,
      registers: [],
      collect() {
        for (const { name, queue } of controllers) this.set(queueLabels(name), queue.delayed);
      },
    });
    this.registry.registerMetric(depth);
    this.registry.registerMetric(delayed);
    this.#leading = new Gauge({
      name: 'leader_election_master_status',
      help: 'Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master.',
      labelNames: ['name'],
      registers,
    });
    this.#droppedEvents = new Counter({
      name: 'xdatabase_events_dropped_total',
      help: 'Kubernetes events that were not recorded, by reason',
      labelNames: ['why'],
      registers,
    });
  }

  /** Reports a controller's queue and workers; its reconciles are reported by giving it this object as its observer. */
  watch(controller: Controller): void {
    const { name } = controller;
    this.#controllers.push(controller);
    this.#workers.set({ controller: name }, controller.workers);
    this.#active.set({ controller: name }, 0);
    this.#errors.inc({ controller: name }, 0);
    for (const result of ['success', 'requeue', 'requeue_after', 'error'] satisfies Outcome[])
      this.#reconciles.inc({ controller: name, result }, 0);
  }

  reconciled(controller: string, result: Outcome, seconds: number): void {
    this.#reconciles.inc({ controller, result });
    if (result === 'error') this.#errors.inc({ controller });
    this.#seconds.observe({ controller }, seconds);
    this.#workSeconds.observe(queueLabels(controller), seconds);
  }

  activeWorkers(controller: string, change: 1 | -1): void {
    this.#active.inc({ controller }, change);
  }

  added(controller: string): void {
    this.#adds.inc(queueLabels(controller));
  }

  retried(controller: string): void {
    this.#retries.inc(queueLabels(controller));
  }

  waited(controller: string, seconds: number): void {
    this.#queueSeconds.observe(queueLabels(controller), seconds);
  }

  leading(lease: string, isLeader: boolean): void {
    this.#leading.set({ name: lease }, isLeader ? 1 : 0);
  }

  eventDropped(why: string): void {
    this.#droppedEvents.inc({ why });
  }
}

const queueLabels = (name: string): { name: string; controller: string } => ({ name, controller: name });
