/**
 * Binds the managed reconciler to planners and engines: connect finds the server, observe plans, and create, update
 * and delete run the steps of the plan that observe made.
 */
import type { Managed } from '../../api/kind.ts';
import type { Step } from '../../resources/model/steps.ts';
import type { Plan, PlanContext, Planner, Reader } from '../../resources/planner.ts';
import { admitted, withoutStrange } from '../../resources/tenant-steps.ts';
import { appliedOf, externalNameOf, hasCreated, isCreating, isDeleted } from '../../runtime/managed/annotations.ts';
import type {
  ConnectOptions,
  Details,
  ExternalClient,
  ExternalConnector,
  Observation,
} from '../../runtime/managed/external.ts';
import { encodeRecord } from '../../runtime/managed/record-text.ts';
import type { ServerConnection, Servers } from '../servers/connection.ts';
import type { Guard } from '../tenancy/guard.ts';

/** Gives a resource what it publishes and what it logs in with; only Roles have either. */
export interface Credentials {
  password(resource: Managed): Promise<PlanContext['password']>;
  details(resource: Managed, connection: ServerConnection, plan: Plan, context: PlanContext): Details;
  /** What status.atProvider says of the password. */
  atProvider(resource: Managed, context: PlanContext): Record<string, unknown>;
}

export interface SqlConnectorOptions {
  planner: Planner;
  servers: Servers;
  guard: Guard;
  credentials: Credentials;
  now: () => Date;
}

export class SqlConnector implements ExternalConnector {
  readonly #options: SqlConnectorOptions;

  constructor(options: SqlConnectorOptions) {
    this.#options = options;
  }

  async connect(resource: Managed, { signal, notBefore, observeOnly }: ConnectOptions): Promise<ExternalClient> {
    this.#options.guard.check(resource);
    const connection = await this.#options.servers.connect(resource, signal);
    return new SqlExternal(this.#options, connection, notBefore, observeOnly);
  }

  pollAfter(resource: Managed): number {
    return this.#options.servers.pollAfter(resource);
  }
}

class SqlExternal implements ExternalClient {
  readonly #options: SqlConnectorOptions;
  readonly #connection: ServerConnection;
  readonly #notBefore: number;
  readonly #observeOnly: boolean;
  #steps: Step[] = [];
  /** Set by the first change: what was read before it is outdated. */
  #changedAt = 0;
  #password: PlanContext['password'] | undefined;
  #passwordAsked = false;

  constructor(options: SqlConnectorOptions, connection: ServerConnection, notBefore: number, observeOnly: boolean) {
    this.#options = options;
    this.#connection = connection;
    this.#notBefore = notBefore;
    this.#observeOnly = observeOnly;
  }

  async observe(resource: Managed): Promise<Observation> {
    const context = await this.#context(resource);
    const plan = isDeleted(resource)
      ? await this.#planDelete(resource, context)
      : await admitted(await this.#options.planner.plan(resource, context), context);
    this.#steps = plan.steps;
    return {
      exists: plan.exists,
      ...(this.#options.planner.isNamed ? { name: context.externalName } : {}),
      differences: plan.steps.length === 0 ? [] : this.#describe(plan.steps, context.reader),
      unchangeable: plan.unchangeable,
      ...(plan.unready === undefined ? {} : { unready: plan.unready }),
      atProvider: { ...plan.atProvider, ...this.#options.credentials.atProvider(resource, context) },
      connectionDetails: this.#options.credentials.details(resource, this.#connection, plan, context),
      appliedBefore: serialise(union(context.applied, plan.applied)),
      appliedAfter: serialise(plan.applied),
      notes: plan.notes ?? [],
    };
  }

  async #planDelete(resource: Managed, context: PlanContext): Promise<Plan> {
    const why = this.#options.guard.leaves(resource);
    if (why === undefined)
      return await withoutStrange(await this.#options.planner.planDelete(resource, context), context);
    const notes = [{ reason: 'KeptExternalResource', message: why }];
    return { exists: false, steps: [], unchangeable: [], atProvider: {}, notes };
  }

  async create(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#run(signal);
  }

  async update(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#run(signal);
  }

  async delete(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#run(signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#changedAt = this.#options.now().getTime();
    if (this.#steps.length > 0) await this.#connection.engine.run(this.#steps, signal);
    this.#changedAt = this.#options.now().getTime();
  }

  async #context(resource: Managed): Promise<PlanContext> {
    const reader = await this.#connection.reader(Math.max(this.#notBefore, this.#changedAt));
    if (!this.#passwordAsked) {
      // What nobody may set is not made up either.
      this.#password =
        isDeleted(resource) || this.#observeOnly ? undefined : await this.#options.credentials.password(resource);
      this.#passwordAsked = true;
    }
    const tenant = this.#options.guard.tenant(resource);
    // On a server that tenants share, even a look is at one's own only.
    const observes = this.#observeOnly && tenant === undefined;
    return {
      reader,
      ...(tenant === undefined ? {} : { tenant }),
      isManaged: (object) => this.#options.guard.manages?.(resource, object) ?? false,
      siblings: () => (this.#options.guard.siblings?.(resource) ?? []).map(({ spec }) => spec.forProvider),
      externalName: externalNameOf(resource),
      mark: {
        uid: resource.metadata.uid ?? '',
        resource: `${resource.metadata.namespace ?? ''}/${resource.metadata.name}`,
      },
      owned: hasCreated(resource) || observes,
      observes,
      creating: isCreating(resource),
      applied: appliedOf(resource),
      ...(this.#password === undefined ? {} : { password: this.#password }),
      now: this.#options.now(),
    };
  }

  #describe(steps: Step[], reader: Reader): string[] {
    return this.#connection.engine.compile(steps, reader.server).map((statement) => statement.text);
  }
}

const serialise = (value: unknown): string | null => (value === undefined ? null : encodeRecord(value));

/**
 * What may be on the server while a change is under way: what was applied before and what will be. Kept as a list of
 * alternatives only when they differ, so that an interrupted change never forgets what it has to take back.
 */
function union(before: unknown, after: unknown): unknown {
  if (before === undefined || JSON.stringify(before) === JSON.stringify(after)) return after;
  if (after === undefined) return before;
  return merge(before, after);
}

/** Arrays are united, objects merged key by key, and of two scalars the newer is taken. */
function merge(before: unknown, after: unknown): unknown {
  if (Array.isArray(before) && Array.isArray(after)) {
    const known = new Set(after.map((item) => JSON.stringify(item)));
    return [...after, ...before.filter((item) => !known.has(JSON.stringify(item)))];
  }
  if (isObject(before) && isObject(after)) {
    const merged: Record<string, unknown> = { ...before };
    for (const [key, value] of Object.entries(after)) merged[key] = key in before ? merge(before[key], value) : value;
    return merged;
  }
  return after;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
