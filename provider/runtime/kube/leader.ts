/**
 * One leader among several replicas, by a Lease, as client-go elects it.
 *
 *   FOLLOWING  looks every 2 s; takes the lease when it is free, or unchanged for as long as its holder asked for.
 *              "Unchanged" is measured by this machine's monotonic clock since it last saw a change: the holder's
 *              clock may be wrong.                                                     → LEADING
 *   LEADING    renews every 2 s; when that has not worked for 10 s, or somebody else is the holder → LOST
 *   LOST       `onLost` is called, once. The process must stop working: another one may have begun. Terminal.
 *
 * `release` gives the lease up, so that the next replica need not wait for it to expire; call it when work has ended.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { KubeObject } from '../../api/kind.ts';
import { type Clock, realClock, sleep } from '../clock.ts';
import type { Log } from '../log.ts';
import type { KubeClient } from './client.ts';
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import { LEASES } from './resource.ts';

export interface LeaderElectorOptions {
  client: KubeClient;
  namespace: string;
  /** The Lease's name. */
  name: string;
  log: Log;
  /** Called once when leadership is lost, not when it is released. */
  onLost: (reason: Error) => void;
  /** @defaultValue pod name (or host name), `_`, a random UUID */
  identity?: string;
  /** How long others wait for a silent leader. @defaultValue 15 000, client-go's */
  leaseDurationMs?: number;
  /** How long a leader tries to renew before it gives up. @defaultValue 10 000, client-go's */
  renewDeadlineMs?: number;
  /** Between attempts. @defaultValue 2 000, client-go's */
  retryPeriodMs?: number;
  clock?: Clock;
}

export interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

export class LeaderElector {
  readonly identity: string;
  readonly #options: LeaderElectorOptions;
  readonly #clock: Clock;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  /** The lease as last seen, and when it was first seen so. */
  #observed: { lease: Lease; at: number } | undefined;
  #renewing: { stop: AbortController; ended: Promise<void> } | undefined;

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.identity = options.identity ?? `${process.env['POD_NAME'] || hostname()}_${randomUUID()}`;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    if (this.#leaseDurationMs <= this.#renewDeadlineMs || this.#renewDeadlineMs <= this.#retryPeriodMs * JITTER)
      throw new RangeError('a lease must last longer than its renew deadline, and that longer than its retry period');
  }

  get isLeader(): boolean {
    return this.#renewing !== undefined;
  }

  /** Resolves when this process leads; from then on it renews by itself. Rejects with the signal's reason. */
  async acquire(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      try {
        if (await this.#attempt(signal, this.#renewDeadlineMs)) break;
      } catch (error) {
        signal.throwIfAborted();
        this.#options.log.warn({ err: error, lease: this.#options.name }, 'cannot read or take the leader lease');
      }
      await sleep(this.#retryPeriodMs * (1 + Math.random() * (JITTER - 1)), signal, this.#clock);
    }
    this.#options.log.info({ lease: this.#options.name, identity: this.identity }, 'leading');
    const stop = new AbortController();
    this.#renewing = { stop, ended: this.#renew(stop.signal) };
  }

  /** Stops renewing and frees the lease when it is ours. Never throws: the lease expires in any case. */
  async release(): Promise<void> {
    const renewing = this.#renewing;
    if (renewing === undefined) return;
    this.#renewing = undefined;
    renewing.stop.abort(new Error('released'));
    await renewing.ended;
    const lease = this.#observed?.lease;
    if (lease?.spec?.holderIdentity !== this.identity) return;
    try {
      const spec = { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: this.#microTime() };
      await this.#options.client.update(LEASES, { ...lease, spec }, { timeoutMs: this.#retryPeriodMs });
    } catch (error) {
      this.#options.log.warn({ err: error, lease: this.#options.name }, 'cannot release the leader lease');
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    let renewedAt = this.#clock.monotonic();
    let failure: Error | undefined;
    while (!signal.aborted) {
      await sleep(this.#retryPeriodMs, signal, this.#clock).catch(() => undefined);
      if (signal.aborted) return;
      const began = this.#clock.monotonic();
      const left = Math.max(this.#retryPeriodMs, renewedAt + this.#renewDeadlineMs - began);
      try {
        if (await this.#attempt(signal, left)) {
          renewedAt = began;
          continue;
        }
        // A conflict alone says nothing: the next attempt reads who wrote.
        const holder = this.#observed?.lease.spec?.holderIdentity;
        if (holder && holder !== this.identity) failure = new Error(`leadership went to ${holder}`);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.log.warn({ err: error, lease: this.#options.name }, 'cannot renew the leader lease');
      }
      if (failure === undefined && this.#clock.monotonic() - renewedAt < this.#renewDeadlineMs) continue;
      this.#renewing = undefined;
      this.#options.onLost(
        failure ?? new Error(`the leader lease was not renewed for ${this.#renewDeadlineMs / 1000} s`),
      );
      return;
    }
  }

  /** One look, and one write when it is our turn. True when the lease is ours afterwards. */
  async #attempt(signal: AbortSignal, timeoutMs: number): Promise<boolean> {
    const call = { signal, timeoutMs };
    const { client, namespace, name } = this.#options;
    const held = this.#observed?.lease;
    // The holder knows the lease's newest version, so it can write without reading; a conflict makes it read again.
    const lease =
      this.isLeader && held ? held : await client.get<Lease>(LEASES, { namespace, name }, call).catch(absent);
    try {
      if (lease === undefined) {
        const created = await client.create<Lease>(
          LEASES,
          {
            apiVersion: 'coordination.k8s.io/v1',
            kind: 'Lease',
            metadata: { name, namespace },
            spec: this.#claim(undefined),
          },
          call,
        );
        this.#observe(created);
        return true;
      }
      this.#observe(lease);
      if (!this.#mayTake(lease)) return false;
      this.#observe(await client.update<Lease>(LEASES, { ...lease, spec: this.#claim(lease.spec) }, call));
      return true;
    } catch (error) {
      if (isNotFound(error)) this.#observed = undefined;
      if (!isConflict(error) && !isAlreadyExists(error) && !isNotFound(error)) throw error;
      if (this.isLeader)
        this.#observeOrForget(await client.get<Lease>(LEASES, { namespace, name }, call).catch(absent));
      return false;
    }
  }

  #mayTake(lease: Lease): boolean {
    const { holderIdentity, leaseDurationSeconds } = lease.spec ?? {};
    if (!holderIdentity || holderIdentity === this.identity) return true;
    const lasts = leaseDurationSeconds === undefined ? this.#leaseDurationMs : leaseDurationSeconds * 1000;
    return this.#clock.monotonic() - (this.#observed?.at ?? Infinity) > lasts;
  }

  #observe(lease: Lease): void {
    if (this.#observed?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion)
      this.#observed = { lease, at: this.#clock.monotonic() };
  }

  #observeOrForget(lease: Lease | undefined): void {
    if (lease === undefined) this.#observed = undefined;
    else this.#observe(lease);
  }

  #claim(spec: Lease['spec']): NonNullable<Lease['spec']> {
    const now = this.#microTime();
    const ours = spec?.holderIdentity === this.identity;
    return {
      ...spec,
      holderIdentity: this.identity,
      leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
      acquireTime: ours ? (spec.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (spec?.leaseTransitions ?? 0) + (ours || spec === undefined ? 0 : 1),
    };
  }

  /** Kubernetes' MicroTime takes exactly six digits. */
  #microTime(): string {
    return new Date(this.#clock.now()).toISOString().replace('Z', '000Z');
  }
}

const JITTER = 1.2;

function absent(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}
