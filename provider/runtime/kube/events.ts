/**
 * Kubernetes events: what happened to an object, for people. Best effort by design: recording never waits, never fails,
 * and gives up on what the API server does not take.
 *
 * The same event on the same object is one Event whose count grows; its name is derived from what it says, so that a
 * provider that was killed and started again goes on counting instead of adding another. Each object has a budget of 25
 * events, refilled by one every 5 minutes (client-go's numbers).
 *
 * Messages must be free of secrets; the passwords of URIs are hidden anyway.
 */
import { createHash } from 'node:crypto';
import type { KubeObject } from '../../api/kind.ts';
import { type Clock, realClock } from '../clock.ts';
import { type Log, scrub } from '../log.ts';
import { TokenBucket } from '../rate.ts';
import type { KubeClient } from './client.ts';
import { isAlreadyExists, isMissingRight, isNotFound } from './errors.ts';
import { EVENTS } from './resource.ts';

export type EventType = 'Normal' | 'Warning';

export interface EventOptions {
  annotations?: Record<string, string> | undefined;
  /** Who says so, e.g. `managed/role.sql.m.xdatabase.dev`. @defaultValue the recorder's */
  component?: string | undefined;
}

export interface EventRecorderOptions {
  client: KubeClient;
  log: Log;
  component: string;
  /** The process, e.g. the pod's name. */
  instance?: string;
  clock?: Clock;
  /** Events that wait to be sent; more are dropped. @defaultValue 5000 */
  capacity?: number;
  /** Events sent at once. @defaultValue 4 */
  concurrency?: number;
  /** Called for each event that is dropped. */
  onDrop?: (why: 'rate' | 'full' | 'failed') => void;
}

interface EventObject extends KubeObject {
  count: number;
  lastTimestamp: string;
}

interface Pending {
  event: EventObject;
  /** Occurrences that the server does not know yet. */
  occurrences: number;
}

/** What the server is known to hold. */
interface Known {
  count: number;
  at: number;
}

const AGGREGATION_MS = 10 * 60_000;
const OBJECT_BURST = 25;
const OBJECT_REFILL_PER_SECOND = 1 / 300;
const REMEMBERED = 4096;
const MESSAGE_BYTES = 1024;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  readonly #pending = new Map<string, Pending>();
  readonly #sending = new Set<string>();
  readonly #known = new Map<string, Known>();
  readonly #budgets = new Map<string, TokenBucket>();
  readonly #idle: (() => void)[] = [];
  #warnedAt = Number.NEGATIVE_INFINITY;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
  }

  /** Returns at once. */
  record(object: KubeObject, type: EventType, reason: string, message: string, options: EventOptions = {}): void {
    const uid = object.metadata.uid ?? `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`;
    const budget = remember(
      this.#budgets,
      uid,
      () => new TokenBucket({ rate: OBJECT_REFILL_PER_SECOND, burst: OBJECT_BURST, clock: this.#clock }),
    );
    if (!budget.tryTake()) return this.#options.onDrop?.('rate');
    const event = this.#build(object, type, reason, message, options);
    const name = event.metadata.name;
    const waiting = this.#pending.get(name);
    if (waiting !== undefined) {
      waiting.occurrences++;
      waiting.event.lastTimestamp = event.lastTimestamp;
      return;
    }
    if (this.#pending.size >= (this.#options.capacity ?? 5000)) return this.#options.onDrop?.('full');
    this.#pending.set(name, { event, occurrences: 1 });
    this.#pump();
  }

  /** Resolves when all events are sent, or after `timeoutMs`. */
  async flush(timeoutMs = 5_000): Promise<void> {
    if (this.#pending.size === 0 && this.#sending.size === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.timer(timeoutMs, resolve);
      this.#idle.push(() => {
        cancel();
        resolve();
      });
    });
  }

  #pump(): void {
    for (const [name, pending] of this.#pending) {
      if (this.#sending.size >= (this.#options.concurrency ?? 4)) return;
      // The same event is under way: its next occurrences go together, afterwards.
      if (this.#sending.has(name)) continue;
      this.#pending.delete(name);
      this.#sending.add(name);
      this.#send(name, pending)
        .catch((error: unknown) => {
          this.#options.onDrop?.('failed');
          this.#tell(error, name);
        })
        .finally(() => {
          this.#sending.delete(name);
          this.#pump();
        })
        .catch(() => undefined);
    }
    if (this.#pending.size === 0 && this.#sending.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** A right that is missing goes on missing, for every event: it is said once in a while. */
  #tell(error: unknown, event: string): void {
    const fields = { err: error, event };
    const now = this.#clock.monotonic();
    if (isMissingRight(error) && now - this.#warnedAt >= AGGREGATION_MS) {
      this.#warnedAt = now;
      this.#options.log.warn(fields, 'events are not recorded');
    } else this.#options.log.debug(fields, 'an event was not recorded');
  }

  async #send(name: string, { event, occurrences }: Pending): Promise<void> {
    const known = this.#known.get(name);
    const now = this.#clock.monotonic();
    let count: number;
    if (known !== undefined && now - known.at < AGGREGATION_MS)
      count = (await this.#increase(event, known.count + occurrences)) ?? (await this.#create(event, occurrences));
    else count = await this.#create(event, occurrences);
    remember(this.#known, name, () => ({ count, at: now })).count = count;
  }

  async #create(event: EventObject, occurrences: number): Promise<number> {
    try {
      await this.#options.client.create(EVENTS, { ...event, count: occurrences }, { patient: true });
      return occurrences;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const there = await this.#options.client.get<EventObject>(EVENTS, event.metadata, { patient: true });
    const count = (there.count ?? 1) + occurrences;
    await this.#increase(event, count);
    return count;
  }

  /** Undefined when the Event has expired on the server. */
  async #increase(event: EventObject, count: number): Promise<number | undefined> {
    try {
      await this.#options.client.mergePatch(
        EVENTS,
        event.metadata,
        { count, lastTimestamp: event.lastTimestamp },
        { patient: true },
      );
      return count;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #build(object: KubeObject, type: EventType, reason: string, message: string, options: EventOptions): EventObject {
    const { namespace, name, uid, resourceVersion } = object.metadata;
    const component = options.component ?? this.#options.component;
    const text = truncate(scrub(message));
    const timestamp = new Date(this.#clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const hash = createHash('sha256')
      .update(JSON.stringify([uid, object.kind, name, type, reason, text, component]))
      .digest('hex')
      .slice(0, 16);
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {
        name: `${name.slice(0, 230)}.${hash}`,
        // Events on cluster-scoped objects live in "default", as client-go has it.
        namespace: namespace ?? 'default',
        ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
      },
      involvedObject: { apiVersion: object.apiVersion, kind: object.kind, namespace, name, uid, resourceVersion },
      type,
      reason,
      message: text,
      source: { component },
      reportingComponent: component,
      reportingInstance: this.#options.instance ?? component,
      firstTimestamp: timestamp,
      lastTimestamp: timestamp,
      count: 1,
    };
  }
}

/** The value for a key, made when absent; the least recently used ones are forgotten. */
function remember<V>(map: Map<string, V>, key: string, make: () => V): V {
  const value = map.get(key) ?? make();
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= REMEMBERED) break;
    map.delete(oldest);
  }
  return value;
}

function truncate(text: string): string {
  if (Buffer.byteLength(text) <= MESSAGE_BYTES) return text;
  const cut = Buffer.from(text)
    .subarray(0, MESSAGE_BYTES - 3)
    .toString('utf8');
  return `${cut.replace(/\uFFFD+$/, '')}…`;
}
