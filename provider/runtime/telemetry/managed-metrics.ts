/** The life of managed resources as Prometheus metrics, under crossplane-runtime's names, help texts and buckets. */
import { Gauge, Histogram, type Registry } from 'prom-client';
import type { KubeObject, Managed } from '../../api/kind.ts';
import { type Clock, realClock } from '../clock.ts';
import type { ReconcilerMetrics } from '../managed/options.ts';

/** crossplane-runtime's powers of ten, from the first that a JavaScript timer can tell. */
const SHORT_SECONDS = [1e-3, 1e-2, 0.1, 1, 10];
const LONG_SECONDS = [1, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

interface Life {
  /** This process saw its first reconcile, so it may tell how long it took to be ready. */
  isNew: boolean;
  /** Starts of the last two reconciles, monotonic ms. */
  last: number | undefined;
  current: number;
}

export class ManagedMetrics implements ReconcilerMetrics {
  readonly #clock: Clock;
  readonly #detected: Histogram;
  readonly #readiness: Histogram;
  readonly #deletion: Histogram;
  readonly #drift: Histogram;
  readonly #lives = new Map<string, Life>();
  readonly #sources: { gvk: string; list: () => Iterable<Managed> }[] = [];

  constructor(registry: Registry, clock: Clock = realClock) {
    this.#clock = clock;
    const histogram = (name: string, help: string, buckets: number[]): Histogram =>
      new Histogram({
        name: `crossplane_managed_resource_${name}_seconds`,
        help,
        labelNames: ['gvk'],
        buckets,
        registers: [registry],
      });
    this.#detected = histogram(
      'first_time_to_reconcile',
      'The time it took for a managed resource to be detected by the controller',
      SHORT_SECONDS,
    );
    this.#readiness = histogram(
      'first_time_to_readiness',
      'The time it took for a managed resource to become ready first time after creation',
      LONG_SECONDS,
    );
    this.#deletion = histogram('deletion', 'The time it took for a managed resource to be deleted', LONG_SECONDS);
    this.#drift = histogram(
      'drift',
      'ALPHA: How long since the previous successful reconcile when a resource was found to be out of sync; excludes restart of the provider',
      SHORT_SECONDS,
    );
    this.#gauge(registry, 'exists', 'The number of managed resources that exist', () => true);
    this.#gauge(registry, 'ready', 'The number of managed resources in Ready=True state', (it) => is(it, 'Ready'));
    this.#gauge(registry, 'synced', 'The number of managed resources in Synced=True state', (it) => is(it, 'Synced'));
  }

  /** Counts the resources of a kind whenever the metrics are read. */
  watch(kind: { group: string; version: string; kind: string }, list: () => Iterable<Managed>): void {
    this.#sources.push({ gvk: `${kind.group}/${kind.version}, Kind=${kind.kind}`, list });
  }

  firstReconcile(resource: Managed): void {
    const now = this.#clock.monotonic();
    const known = this.#lives.get(uidOf(resource));
    if (known !== undefined) {
      known.last = known.current;
      known.current = now;
      return;
    }
    const isNew = conditionOf(resource, 'Synced') === undefined;
    this.#lives.set(uidOf(resource), { isNew, last: undefined, current: now });
    if (isNew) this.#detected.observe(labels(resource), this.#secondsSince(resource.metadata.creationTimestamp));
  }

  firstReady(resource: Managed): void {
    const life = this.#lives.get(uidOf(resource));
    if (!life?.isNew) return;
    life.isNew = false;
    this.#readiness.observe(labels(resource), this.#secondsSince(resource.metadata.creationTimestamp));
  }

  deleted(resource: Managed): void {
    this.forget(resource);
    this.#deletion.observe(labels(resource), this.#secondsSince(resource.metadata.deletionTimestamp));
  }

  drift(resource: Managed): void {
    const life = this.#lives.get(uidOf(resource));
    if (life?.last !== undefined) this.#drift.observe(labels(resource), (life.current - life.last) / 1000);
  }

  /** For resources that went away without a reconcile. */
  forget(resource: KubeObject): void {
    this.#lives.delete(uidOf(resource));
  }

  #gauge(registry: Registry, name: string, help: string, counts: (resource: Managed) => boolean): void {
    const sources = this.#sources;
    const gauge = new Gauge({
      name: `crossplane_managed_resource_${name}`,
      help,
      labelNames: ['gvk'],
      registers: [],
      collect() {
        for (const { gvk, list } of sources) {
          let count = 0;
          for (const resource of list()) if (counts(resource)) count++;
          this.set({ gvk }, count);
        }
      },
    });
    registry.registerMetric(gauge);
  }

  /** The API server's clock may be ahead of ours. */
  #secondsSince(timestamp: string | undefined): number {
    return timestamp === undefined ? 0 : Math.max(0, (this.#clock.now() - Date.parse(timestamp)) / 1000);
  }
}

const conditionOf = (resource: Managed, type: string) => resource.status?.conditions?.find((it) => it.type === type);

const is = (resource: Managed, type: string): boolean => conditionOf(resource, type)?.status === 'True';

const uidOf = ({ metadata }: KubeObject): string => metadata.uid ?? `${metadata.namespace}/${metadata.name}`;

const labels = (resource: KubeObject): { gvk: string } => ({ gvk: `${resource.apiVersion}, Kind=${resource.kind}` });
