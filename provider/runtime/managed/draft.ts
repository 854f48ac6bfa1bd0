/** A resource as one pass changes it: conditions are collected, and written at once when they say something new. */
import { isDeepStrictEqual } from 'node:util';
import type { Managed } from '../../api/kind.ts';
import { type NewCondition, setConditions } from './conditions.ts';
import type { ManagedStore, MetadataPatch } from './store.ts';

export class Draft {
  readonly #store: ManagedStore;
  readonly #now: () => Date;
  #resource: Managed;
  #storedStatus: Managed['status'];

  /** @param resource a copy of its own: it is changed in place */
  constructor(store: ManagedStore, resource: Managed, now: () => Date) {
    this.#store = store;
    this.#now = now;
    this.#resource = resource;
    this.#storedStatus = structuredClone(resource.status);
  }

  get resource(): Managed {
    return this.#resource;
  }

  /** The status as the API has it. */
  get storedStatus(): Managed['status'] {
    return this.#storedStatus;
  }

  get hasNews(): boolean {
    return !isDeepStrictEqual(this.#storedStatus, this.#resource.status);
  }

  set(...conditions: NewCondition[]): void {
    setConditions(this.#resource, this.#now(), ...conditions);
  }

  event(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#store.event(this.#resource, type, reason, message);
  }

  async patchMetadata(patch: MetadataPatch): Promise<void> {
    if (Object.keys(patch).length === 0) return;
    this.#accept(await this.#store.patchMetadata(this.#resource, patch));
  }

  async patchForProvider(patch: Record<string, unknown>): Promise<void> {
    this.#accept(await this.#store.patchForProvider(this.#resource, patch));
  }

  /** Writes nothing when the API has it already. */
  async writeStatus(): Promise<void> {
    const status = (this.#resource.status ??= {});
    if (this.#resource.metadata.generation !== undefined)
      status.observedGeneration = this.#resource.metadata.generation;
    if (this.hasNews) this.#accept(await this.#store.updateStatus(this.#resource));
  }

  /** Takes over a newer version from the store, without losing the status that this pass has built so far. */
  #accept(updated: Managed): void {
    const next = structuredClone(updated);
    this.#storedStatus = structuredClone(updated.status);
    if (this.#resource.status !== undefined) next.status = this.#resource.status;
    this.#resource = next;
  }
}
