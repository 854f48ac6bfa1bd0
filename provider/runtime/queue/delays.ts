/** Keys that are due later. One entry per key: the earliest time wins, requests merge. One timer for all. */
import { type Clock, MAX_TIMER_MS } from '../clock.ts';
import { merge, type Request } from './item.ts';

interface Entry {
  key: string;
  /** Monotonic ms. */
  at: number;
  request: Request;
  /** Replaced or cancelled; skipped when it comes up. */
  dead: boolean;
}

export class Delays {
  readonly #clock: Clock;
  readonly #due: (key: string, request: Request) => void;
  readonly #entries = new Map<string, Entry>();
  /** Binary heap by `at`. */
  readonly #heap: Entry[] = [];
  #timer: { at: number; cancel: () => void } | undefined;

  constructor(clock: Clock, due: (key: string, request: Request) => void) {
    this.#clock = clock;
    this.#due = due;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** @param ms capped at 24 h */
  add(key: string, ms: number, request: Request): void {
    const at = this.#clock.monotonic() + Math.min(ms, MAX_TIMER_MS);
    const known = this.#entries.get(key);
    if (known !== undefined && known.at <= at) {
      known.request = merge(known.request, request);
      return;
    }
    if (known !== undefined) known.dead = true;
    const entry = { key, at, request: known === undefined ? request : merge(known.request, request), dead: false };
    this.#entries.set(key, entry);
    this.#push(entry);
    this.#arm();
  }

  /** Forgets the key; returns what was waiting. */
  cancel(key: string): Request | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.dead = true;
    this.#entries.delete(key);
    return entry.request;
  }

  clear(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#entries.clear();
    this.#heap.length = 0;
  }

  #arm(): void {
    while (this.#heap[0]?.dead) this.#pop();
    const first = this.#heap[0];
    if (first === undefined) {
      this.#timer?.cancel();
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined && this.#timer.at === first.at) return;
    this.#timer?.cancel();
    const cancel = this.#clock.timer(first.at - this.#clock.monotonic(), () => {
      this.#fire();
    });
    this.#timer = { at: first.at, cancel };
  }

  #fire(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    const due: Entry[] = [];
    for (let first = this.#heap[0]; first !== undefined && (first.dead || first.at <= now); first = this.#heap[0]) {
      this.#pop();
      if (first.dead) continue;
      this.#entries.delete(first.key);
      due.push(first);
    }
    this.#arm();
    for (const entry of due) this.#due(entry.key, entry.request);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    heap.push(entry);
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.at <= entry.at) break;
      heap[i] = heap[parent]!;
      heap[parent] = entry;
      i = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      const right = left + 1;
      let least = i;
      if (left < heap.length && heap[left]!.at < heap[least]!.at) least = left;
      if (right < heap.length && heap[right]!.at < heap[least]!.at) least = right;
      if (least === i) break;
      [heap[i], heap[least]] = [heap[least]!, heap[i]!];
      i = least;
    }
  }
}
