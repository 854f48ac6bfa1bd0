/**
 * Keys that are ready to run, in order: high before low, first come first served within each, and keys whose group is
 * full aside until the group has room. One in `FAIR_SHARE` takes is offered to low first, so that a stream of changes
 * does not stop the routine altogether.
 */
import { merge, type Priority, type Request } from './item.ts';

interface Entry {
  key: string;
  request: Request;
  addedAt: number;
  /** Taken, or moved to the other priority; skipped when it comes up. */
  dead: boolean;
  /** The full group it waits for. */
  aside: string | undefined;
  /** The group whose free place brought it back from aside. */
  promotedBy: string | undefined;
}

export interface Taken {
  key: string;
  request: Request;
  addedAt: number;
  group: string | undefined;
}

export interface Groups {
  /** The group a key belongs to at this moment; undefined = none. */
  of(key: string): string | undefined;
  /** Most keys of one group that may be out at once. */
  limit: number;
}

const FAIR_SHARE = 16;

export class Ready {
  readonly #groups: Groups;
  readonly #entries = new Map<string, Entry>();
  readonly #lanes: Record<Priority, Fifo<Entry>> = { high: new Fifo(), low: new Fifo() };
  /** Entries that came up while their group was full. */
  readonly #aside = new Map<string, Record<Priority, Fifo<Entry>>>();
  readonly #out = new Map<string, number>();
  #takes = 0;

  constructor(groups: Groups) {
    this.#groups = groups;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  add(key: string, request: Request, now: number): void {
    const known = this.#entries.get(key);
    if (known === undefined) {
      const entry = { key, request, addedAt: now, dead: false, aside: undefined, promotedBy: undefined };
      this.#entries.set(key, entry);
      this.#lanes[request.priority].push(entry);
      return;
    }
    const merged = merge(known.request, request);
    // An add may well be the news that the key belongs to another group now.
    const waitsInVain = known.aside !== undefined && known.aside !== this.#groups.of(key);
    if (merged.priority === known.request.priority && !waitsInVain) {
      known.request = merged;
      return;
    }
    known.dead = true;
    const entry = { ...known, request: merged, dead: false, aside: undefined };
    this.#entries.set(key, entry);
    this.#lanes[merged.priority].push(entry);
  }

  /** The next key; `mayTakeLow` is asked once, when it is a low one's turn. */
  take(mayTakeLow: () => boolean): Taken | undefined {
    const lowFirst = this.#takes % FAIR_SHARE === FAIR_SHARE - 1;
    for (const priority of lowFirst ? (['low', 'high'] as const) : (['high', 'low'] as const)) {
      const found = this.#first(priority);
      if (found === undefined || (priority === 'low' && !mayTakeLow())) continue;
      const { entry, group } = found;
      this.#lanes[priority].shift();
      this.#takes++;
      entry.dead = true;
      this.#entries.delete(entry.key);
      if (group !== undefined) this.#out.set(group, (this.#out.get(group) ?? 0) + 1);
      return { key: entry.key, request: entry.request, addedAt: entry.addedAt, group };
    }
    return undefined;
  }

  /** A key of this group came back: the first that waits for the group is next in its priority. */
  release(group: string | undefined): void {
    if (group === undefined) return;
    const out = (this.#out.get(group) ?? 1) - 1;
    if (out > 0) this.#out.set(group, out);
    else this.#out.delete(group);
    this.#promote(group);
  }

  /** True when a low key could be taken but for `mayTakeLow`. */
  hasLow(): boolean {
    return this.#first('low') !== undefined;
  }

  clear(): void {
    this.#entries.clear();
    this.#aside.clear();
    this.#lanes.high.clear();
    this.#lanes.low.clear();
  }

  #promote(group: string): void {
    const aside = this.#aside.get(group);
    if (aside === undefined) return;
    for (const priority of ['high', 'low'] as const) {
      const entry = firstLive(aside[priority]);
      if (entry === undefined) continue;
      aside[priority].shift();
      entry.aside = undefined;
      entry.promotedBy = group;
      this.#lanes[priority].unshift(entry);
      break;
    }
    if (firstLive(aside.high) === undefined && firstLive(aside.low) === undefined) this.#aside.delete(group);
  }

  #first(priority: Priority): { entry: Entry; group: string | undefined } | undefined {
    const lane = this.#lanes[priority];
    for (let entry = firstLive(lane); entry !== undefined; entry = firstLive(lane)) {
      const group = this.#groups.of(entry.key);
      if (entry.promotedBy !== undefined && entry.promotedBy !== group) {
        // It went over to another group meanwhile: the place it was called for is still free.
        const { promotedBy } = entry;
        lane.shift();
        entry.promotedBy = undefined;
        this.#promote(promotedBy);
        lane.unshift(entry);
      }
      if (group === undefined || (this.#out.get(group) ?? 0) < this.#groups.limit) return { entry, group };
      lane.shift();
      entry.promotedBy = undefined;
      entry.aside = group;
      this.#setAside(group, entry);
    }
    return undefined;
  }

  #setAside(group: string, entry: Entry): void {
    let aside = this.#aside.get(group);
    if (aside === undefined) {
      aside = { high: new Fifo(), low: new Fifo() };
      this.#aside.set(group, aside);
    }
    aside[entry.request.priority].push(entry);
  }
}

function firstLive(lane: Fifo<Entry>): Entry | undefined {
  while (lane.first?.dead) lane.shift();
  return lane.first;
}

/** A list that is cheap to take from the front. */
class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  unshift(item: T): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  shift(): void {
    if (this.#head >= this.#items.length) return;
    this.#head++;
    if (this.#head === this.#items.length || (this.#head > 1024 && this.#head * 2 > this.#items.length)) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}
