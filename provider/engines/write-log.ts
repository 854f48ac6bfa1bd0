/**
 * What this process changed on a server, in order, so that an answer that was read before a change is not given after
 * it. Coarse: a change concerns every question that shares a name with it.
 */
import type { Step } from '../resources/model/steps.ts';

/** An engine that can tell. Of one that cannot, answers are as old as the caller allows. */
export interface Writing {
  readonly writes: WriteLog;
}

/** Names that are remembered; when there are more, every earlier answer counts as outdated once. */
const REMEMBERED = 50_000;

export class WriteLog {
  #position = 0;
  /** Up to here all names count as changed. */
  #floor = 0;
  readonly #last = new Map<string, number>();

  /** Grows with every change. */
  get position(): number {
    return this.#position;
  }

  /** Call it when the steps have been run, successfully or not. */
  record(steps: readonly Step[]): void {
    this.#position += 1;
    if (this.#last.size > REMEMBERED) {
      this.#last.clear();
      this.#floor = this.#position;
    }
    for (const step of steps) for (const name of namesIn(step)) this.#last.set(name, this.#position);
  }

  /** Whether something that shares a name with the query was changed after `position`. */
  touched(query: unknown, position: number): boolean {
    if (this.#floor > position) return true;
    if (this.#position === position) return false;
    for (const name of namesIn(query)) if ((this.#last.get(name) ?? 0) > position) return true;
    return false;
  }
}

/** Words of the model that are no names. */
const NO_NAMES: ReadonlySet<string> = new Set([
  'kind',
  'type',
  'objectType',
  'privileges',
  'args',
  'columns',
  'sql',
  'password',
]);

function* namesIn(value: unknown): Iterable<string> {
  if (typeof value === 'string') yield value;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) if (!NO_NAMES.has(key)) yield* namesIn(inner);
}
