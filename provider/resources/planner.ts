/**
 * One planner per kind: spec → desired, observe, desired + observed → steps. Planners are pure but for the reads
 * that they ask of the `Reader`; they know no engine and no Kubernetes API.
 */
import type { KindDefinition, Managed } from '../api/kind.ts';
import type { Secret } from '../common/secret.ts';
import type { Mark } from './model/objects.ts';
import type { ReadKind, Reads } from './model/reads.ts';
import type { ServerInfo } from './model/server.ts';
import type { Step } from './model/steps.ts';
import type { Owned, Tenant } from './tenant.ts';

/** Reads from the server. Calls of one moment are answered together by one statement. */
export interface Reader {
  readonly server: ServerInfo;
  read<K extends ReadKind>(kind: K, query: Reads[K]['query']): Promise<Reads[K]['result']>;
  /** Whether `password` logs `name` in; `unknown` when there is no way to tell. */
  checkPassword(name: string, host: string | undefined, password: Secret): Promise<'match' | 'mismatch' | 'unknown'>;
}

export interface PlanContext {
  reader: Reader;
  /** Name on the server. */
  externalName: string;
  /** The mark that objects of this resource carry. */
  mark: Mark;
  /** Whether this resource made or adopted the object already (its annotations say so). */
  owned: boolean;
  /** Whether the resource only looks at what is there, whoever made it. */
  observes?: boolean;
  /** Whether a creation was begun whose end nobody has seen yet. */
  creating?: boolean;
  /** What this resource applied earlier, as `Plan.applied` gave it; undefined before the first time. */
  applied: unknown;
  /**
   * `overlapMs`: how long the password before it may log in too, where the server has that.
   * Password of a Role: from its Secret, from its connection Secret, or freshly generated. */
  password?: { value: Secret; generated: boolean; changedAt?: string; overlapMs?: number };
  /** What other resources of this kind want of the same role on that server. */
  siblings?: () => readonly unknown[];
  /** Whether some resource still manages the object on that server. */
  isManaged?: (object: Owned) => boolean;
  /** On a server that tenants share: whose resource this is. */
  tenant?: Tenant;
  /** Names on the server of roles that memberOf refers to are resolved in the spec already. */
  now: Date;
}

export interface Plan {
  /** Whether the external object exists (for a Grant: whether everything it wants is granted, and it applied it). */
  exists: boolean;
  /** The changes that make observed equal to desired; empty = up to date. */
  steps: Step[];
  /** Differences that no step can remove (e.g. encoding): shown in UpToDate, never retried in a loop. */
  unchangeable: string[];
  /** Set when the object is there but not usable yet or any more. */
  unready?: { reason: string; message: string };
  /** Recorded on the resource before the steps run (the union of old and new) and after them (the new). JSON. */
  applied?: unknown;
  atProvider: Record<string, unknown>;
  /** The login takes no password, whatever Secret there is. */
  passwordless?: boolean;
  /** Non-secret and secret connection details to publish, beyond endpoint and port. */
  connectionDetails?: Record<string, string | Secret>;
  /** Things worth an event, e.g. what dropPolicy kept. */
  notes?: { reason: string; message: string }[];
}

export interface Planner<M extends Managed = Managed> {
  readonly kind: KindDefinition;
  /** Whether the external name is what the object is called on the server. */
  readonly isNamed?: true;
  /** Reads and compares. Throws ResourceError for an unusable spec or a refusal (NotYours, AlreadyExists…). */
  plan(resource: M, context: PlanContext): Promise<Plan>;
  /** What deletion takes; `exists: false` = nothing of ours is left. */
  planDelete(resource: M, context: PlanContext): Promise<Plan>;
}
