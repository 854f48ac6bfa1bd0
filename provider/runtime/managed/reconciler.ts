/**
 * One reconcile of one managed resource, in crossplane-runtime's order, so that every Crossplane tool and habit works.
 *
 * Three things differ from that order, all to spare the API server writes. The external name, the finalizer and
 * `create-pending` go in one patch, just before a create; after a create or update the resource is observed again at
 * once instead of through the queue, so that one status write tells the whole story; and `create-succeeded` is written
 * at a later look. SQL names are deterministic, so nothing depends on it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Managed } from '../../api/kind.ts';
import { ResourceError } from '../../resources/errors.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import * as at from './annotations.ts';
import * as condition from './conditions.ts';
import type { ExternalClient, ExternalConnector, Observation } from './external.ts';
import { type Policies, policiesOf } from './policies.ts';
import type { ManagedStore, MetadataPatch } from './store.ts';

export interface ReconcileOutcome {
  /** ms until the next look; undefined = only when something changes. */
  requeueAfterMs?: number;
  /** The pass failed in a way that is worth trying again with backoff. */
  retry?: boolean;
}

export interface ReferenceResolver {
  /** The patch of forProvider that fills in references; empty when there is nothing to do. */
  resolve(resource: Managed): Promise<Record<string, unknown>>;
}

export interface ReconcilerMetrics {
  firstReconcile(resource: Managed): void;
  firstReady(resource: Managed): void;
  deleted(resource: Managed): void;
  drift(resource: Managed): void;
}

export interface ReconcilerOptions {
  store: ManagedStore;
  connector: ExternalConnector;
  references: ReferenceResolver;
  metrics: ReconcilerMetrics;
  /** False ignores spec.managementPolicies, as if every resource had the default. @defaultValue true */
  managementPolicies?: boolean;
  now: () => Date;
}

/** How long an object may stay invisible after it was created, as crossplane-runtime's creation grace period. */
const CREATION_GRACE_MS = 30_000;

/** How long a new resource may wait for others before it says so; what it waits for is usually made in the same second. */
const YOUNG_MS = 10_000;
/** How long after a create its success is recorded at the earliest: the looks before are those that the creation itself causes. */
const SUCCESS_AFTER_MS = 20_000;
const TRANSIENT: ReadonlySet<string> = new Set(['Waiting', 'ReferenceNotFound', 'ReferenceNotReady', 'NotYours']);

/** Where a pass failed: the event's reason, and what the Synced message begins with. */
class Failure extends Error {
  readonly event: string;
  readonly phase: string;
  readonly source: unknown;

  constructor(event: string, phase: string, source: unknown) {
    super(phase);
    this.event = event;
    this.phase = phase;
    this.source = source;
  }
}

async function during<T>(event: string, phase: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isConflict(error) || error instanceof Failure ? error : new Failure(event, phase, error);
  }
}

export class ManagedReconciler {
  readonly #options: ReconcilerOptions;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  async reconcile(namespace: string, name: string, signal: AbortSignal, notBefore: number): Promise<ReconcileOutcome> {
    const stored = await this.#options.store.get(namespace, name);
    if (stored === undefined) return {};
    const pass = new Pass(this.#options, structuredClone(stored), signal, notBefore);
    try {
      return await pass.run();
    } catch (error) {
      // A newer version is on its way through the watch; acting on the old one would only conflict again.
      if (isConflict(error)) throw error;
      if (isNotFound(error) && (await this.#options.store.get(namespace, name)) === undefined) return {};
      return await pass.fail(error);
    }
  }
}

/** The state of one reconcile. */
class Pass {
  readonly #options: ReconcilerOptions;
  readonly #policies: Policies;
  readonly #signal: AbortSignal;
  #resource: Managed;
  /** The status as stored, to see whether a write is needed. */
  #storedStatus: Managed['status'];
  #notBefore: number;

  constructor(options: ReconcilerOptions, resource: Managed, signal: AbortSignal, notBefore: number) {
    this.#options = options;
    this.#resource = resource;
    this.#storedStatus = structuredClone(resource.status);
    this.#policies = policiesOf(options.managementPolicies === false ? undefined : resource.spec.managementPolicies);
    this.#signal = signal;
    this.#notBefore = notBefore;
  }

  async run(): Promise<ReconcileOutcome> {
    this.#options.metrics.firstReconcile(this.#resource);
    if (at.isPaused(this.#resource) || this.#policies.paused) return await this.#pause();
    this.#acknowledgeRequest();
    if (!this.#policies.supported) return await this.#refusePolicies();
    const deleted = at.isDeleted(this.#resource);
    if (deleted && !this.#policies.mayDelete) return await this.#release();

    if (!deleted) await this.#resolveReferences();
    const external = await during('CannotConnectToProvider', 'connect failed', () =>
      this.#options.connector.connect(this.#resource, { signal: this.#signal, notBefore: this.#notBefore }),
    );
    const observation = await this.#observe(external);
    if (deleted) return await this.#delete(external, observation);
    return await this.#converge(external, observation);
  }

  /** Ends a failed pass: conditions, event, status, backoff. */
  async fail(error: unknown): Promise<ReconcileOutcome> {
    const failure = error instanceof Failure ? error : new Failure('CannotReconcile', 'reconcile failed', error);
    const { reason, message, retryable } = describe(failure.source);
    if (this.#isOnlyYoung(reason)) return { retry: true };
    const text = `${failure.phase}: ${message}`;
    this.#set(condition.notSynced(reason, text));
    if (failure.phase === 'create failed') this.#set(condition.creating());
    if (failure.phase === 'delete failed') this.#set(condition.deleting());
    if (condition.conditionOf(this.#resource, 'Ready') === undefined) this.#set(condition.creating());
    const isNews = !isDeepStrictEqual(this.#storedStatus, this.#resource.status);
    if (isNews) this.#options.store.event(this.#resource, 'Warning', failure.event, text);
    try {
      await this.#writeStatus();
    } catch (writeError) {
      if (!isNotFound(writeError) && !isConflict(writeError)) throw writeError;
    }
    return retryable ? { retry: true } : { requeueAfterMs: this.#options.connector.pollAfter(this.#resource) };
  }

  /**
   * Resources of one composite are made at once and wait for each other for a moment. To say so would be two writes for
   * each, out of date at once, and Crossplane stops listening to a composite whose resources change too often.
   */
  #isOnlyYoung(reason: string): boolean {
    if (!TRANSIENT.has(reason) || at.isDeleted(this.#resource) || this.#storedStatus?.conditions !== undefined)
      return false;
    return this.#options.now().getTime() - Date.parse(this.#resource.metadata.creationTimestamp ?? '') < YOUNG_MS;
  }

  async #pause(): Promise<ReconcileOutcome> {
    if (condition.conditionOf(this.#resource, 'Synced')?.reason !== 'ReconcilePaused')
      this.#options.store.event(this.#resource, 'Normal', 'ReconciliationPaused', condition.paused().message ?? '');
    this.#set(condition.paused());
    await this.#writeStatus();
    return {};
  }

  #acknowledgeRequest(): void {
    const token = at.annotation(this.#resource, at.ANNOTATION.reconcileRequestedAt);
    if (!token || this.#resource.status?.lastHandledReconcileAt === token) return;
    (this.#resource.status ??= {}).lastHandledReconcileAt = token;
    this.#options.store.event(
      this.#resource,
      'Normal',
      'ReconcileRequestHandled',
      `Handling reconcile request ${JSON.stringify(token)}`,
    );
  }

  async #refusePolicies(): Promise<ReconcileOutcome> {
    const message = `spec.managementPolicies ${JSON.stringify(this.#resource.spec.managementPolicies)} is not a supported set of policies`;
    const known = condition.conditionOf(this.#resource, 'Synced')?.message;
    if (known !== message)
      this.#options.store.event(this.#resource, 'Warning', 'CannotUseInvalidManagementPolicy', message);
    this.#set(condition.notSynced('ReconcileError', message));
    await this.#writeStatus();
    return {};
  }

  /** Lets the Kubernetes object go; whatever is on the server stays there. */
  async #release(): Promise<ReconcileOutcome> {
    await this.#patchMetadata({ removeFinalizer: at.FINALIZER });
    this.#options.metrics.deleted(this.#resource);
    return {};
  }

  async #resolveReferences(): Promise<void> {
    await during('CannotResolveResourceReferences', 'cannot resolve references', async () => {
      const patch = await this.#options.references.resolve(this.#resource);
      if (Object.keys(patch).length > 0)
        this.#accept(await this.#options.store.patchForProvider(this.#resource, patch));
    });
  }

  async #observe(external: ExternalClient): Promise<Observation> {
    return await during('CannotObserveExternalResource', 'observe failed', () =>
      external.observe(this.#resource, this.#signal),
    );
  }

  async #delete(external: ExternalClient, observation: Observation): Promise<ReconcileOutcome> {
    this.#notes(observation);
    const others = (this.#resource.metadata.finalizers ?? []).filter((f) => f !== at.FINALIZER);
    if (others.length > 0 && observation.exists) {
      // Somebody else still needs the object, as Usages and foreground deletion do.
      this.#set(condition.deleting(), condition.synced());
      await this.#writeStatus();
      return { requeueAfterMs: 2_000 };
    }
    if (!observation.exists) return await this.#release();
    await during('CannotDeleteExternalResource', 'delete failed', () => external.delete(this.#resource, this.#signal));
    this.#options.store.event(
      this.#resource,
      'Normal',
      'DeletedExternalResource',
      'Successfully requested deletion of external resource',
    );
    this.#notBefore = this.#options.now().getTime();
    const after = await this.#observe(external);
    if (!after.exists) return await this.#release();
    this.#set(condition.deleting(), condition.synced());
    await this.#writeStatus();
    return { requeueAfterMs: 1_000 };
  }

  async #converge(external: ExternalClient, first: Observation): Promise<ReconcileOutcome> {
    let observation = first;
    if (!observation.exists) {
      if (this.#policies.observeOnly)
        throw new Failure(
          'CannotObserveExternalResource',
          'observe failed',
          new ResourceError('ReconcileError', 'external resource does not exist', { retryable: false }),
        );
      if (!this.#policies.mayCreate) return await this.#settle(observation);
      await this.#create(external, observation);
      observation = await this.#observe(external);
      if (!observation.exists) return await this.#pendingCreation(observation);
    } else {
      await this.#patchMetadata({ ...this.#identity(), ...this.#completedCreation() });
    }
    if (observation.differences.length > 0 && this.#policies.mayUpdate) {
      await this.#update(external, observation);
      observation = await this.#observe(external);
    }
    await this.#record(observation);
    await this.#publish(observation);
    return await this.#settle(observation);
  }

  /** External name and finalizer, when they are not there yet. */
  #identity(): MetadataPatch {
    const patch: MetadataPatch = {};
    if (at.annotation(this.#resource, at.ANNOTATION.externalName) === undefined)
      patch.annotations = { [at.ANNOTATION.externalName]: at.externalNameOf(this.#resource) };
    if (!this.#resource.metadata.finalizers?.includes(at.FINALIZER)) patch.addFinalizer = at.FINALIZER;
    return patch;
  }

  /**
   * `create-succeeded`, at the first look some time after the one that created: by then Crossplane has had time to take in the
   * changes of all resources of a composite, and it allows a composite only a hundred at once.
   */
  #completedCreation(): MetadataPatch {
    const pending = at.annotation(this.#resource, at.ANNOTATION.createPending);
    if (pending === undefined || !at.hasCreated(this.#resource)) return {};
    if (at.annotation(this.#resource, at.ANNOTATION.createSucceeded) !== undefined) return {};
    if (this.#options.now().getTime() - Date.parse(pending) < SUCCESS_AFTER_MS) return {};
    return { annotations: { ...this.#identity().annotations, [at.ANNOTATION.createSucceeded]: pending } };
  }

  async #create(external: ExternalClient, observation: Observation): Promise<void> {
    const patch = this.#identity();
    // Written against the version that was read: a conflict aborts, so a create never acts on an outdated spec.
    await during('CannotInitializeManagedResource', 'cannot record the creation', () =>
      this.#patchMetadata({
        ...patch,
        annotations: {
          ...patch.annotations,
          [at.ANNOTATION.createPending]: at.timestamp(this.#options.now()),
          [at.ANNOTATION.applied]: observation.appliedBefore,
        },
      }),
    );
    try {
      await external.create(this.#resource, this.#signal);
    } catch (error) {
      await this.#patchMetadata({ annotations: { [at.ANNOTATION.createFailed]: at.timestamp(this.#options.now()) } });
      throw new Failure('CannotCreateExternalResource', 'create failed', error);
    }
    // The Secret first: should the process die here, the next pass still finds the password that was set.
    await this.#publish(observation);
    this.#options.store.event(
      this.#resource,
      'Normal',
      'CreatedExternalResource',
      'Successfully requested creation of external resource',
    );
  }

  async #update(external: ExternalClient, observation: Observation): Promise<void> {
    this.#options.metrics.drift(this.#resource);
    if (observation.appliedBefore !== (at.annotation(this.#resource, at.ANNOTATION.applied) ?? null))
      await this.#patchMetadata({ annotations: { [at.ANNOTATION.applied]: observation.appliedBefore } });
    await during('CannotUpdateExternalResource', 'update failed', () => external.update(this.#resource, this.#signal));
    await this.#publish(observation);
    this.#options.store.event(
      this.#resource,
      'Normal',
      'UpdatedExternalResource',
      'Successfully requested update of external resource',
    );
  }

  async #pendingCreation(observation: Observation): Promise<ReconcileOutcome> {
    const created = Date.parse(at.annotation(this.#resource, at.ANNOTATION.createPending) ?? '');
    this.#apply(observation);
    this.#set(condition.creating(), condition.synced());
    await this.#writeStatus();
    const age = this.#options.now().getTime() - created;
    if (age < CREATION_GRACE_MS)
      this.#options.store.event(
        this.#resource,
        'Normal',
        'PendingExternalResource',
        'Waiting for the created external resource to appear',
      );
    return { requeueAfterMs: 2_000 };
  }

  /** Narrows the record of what was applied, once everything that left the spec has been taken back. */
  async #record(observation: Observation): Promise<void> {
    if (observation.differences.length > 0) return;
    if (observation.appliedAfter === (at.annotation(this.#resource, at.ANNOTATION.applied) ?? null)) return;
    await this.#patchMetadata({ annotations: { [at.ANNOTATION.applied]: observation.appliedAfter } });
  }

  async #publish(observation: Observation): Promise<void> {
    if (Object.keys(observation.connectionDetails).length === 0) return;
    await during('CannotPublishConnectionDetails', 'cannot publish connection details', () =>
      this.#options.store.publish(this.#resource, observation.connectionDetails),
    );
  }

  async #settle(observation: Observation): Promise<ReconcileOutcome> {
    this.#notes(observation);
    this.#apply(observation);
    const wasReady = condition.conditionOf(this.#resource, 'Ready')?.status === 'True';
    if (!observation.exists) this.#set(condition.creating());
    else if (observation.unready === undefined) this.#set(condition.available());
    else this.#set(condition.unavailable(observation.unready.reason, observation.unready.message));
    const left = [...observation.differences, ...observation.unchangeable];
    if (left.length === 0) this.#set(condition.upToDate());
    else if (!this.#policies.mayUpdate) this.#set(condition.notUpToDate('UpdateRestricted', left.join('; ')));
    else
      this.#set(
        condition.notUpToDate(observation.differences.length > 0 ? 'UpdateRequested' : 'Unchangeable', left.join('; ')),
      );
    this.#set(condition.synced(), ...(observation.conditions ?? []));
    const retry = this.#problem(observation);
    if (!wasReady && condition.conditionOf(this.#resource, 'Ready')?.status === 'True')
      this.#options.metrics.firstReady(this.#resource);
    await this.#writeStatus();
    return retry ? { retry } : { requeueAfterMs: this.#options.connector.pollAfter(this.#resource) };
  }

  /** Tells what could not be done beside all that could; says whether it is worth another try soon. */
  #problem({ problem }: Observation): boolean {
    if (problem === undefined) return false;
    const { reason, message, retryable } = describe(problem);
    this.#set(condition.notSynced(reason, message));
    if (this.#storedStatus?.conditions?.find(({ type }) => type === 'Synced')?.message !== message)
      this.#options.store.event(this.#resource, 'Warning', 'CannotUpdateExternalResource', message);
    return retryable;
  }

  #apply(observation: Observation): void {
    (this.#resource.status ??= {}).atProvider = observation.atProvider;
  }

  #notes(observation: Observation): void {
    for (const note of observation.notes)
      this.#options.store.event(this.#resource, note.type ?? 'Normal', note.reason, note.message);
  }

  #set(...conditions: condition.NewCondition[]): void {
    condition.setConditions(this.#resource, this.#options.now(), ...conditions);
  }

  async #patchMetadata(patch: MetadataPatch): Promise<void> {
    if (Object.keys(patch).length === 0) return;
    this.#accept(await this.#options.store.patchMetadata(this.#resource, patch));
  }

  /** Takes over a newer version from the store, without losing the status that this pass has built so far. */
  #accept(updated: Managed): void {
    const next = structuredClone(updated);
    this.#storedStatus = structuredClone(updated.status);
    if (this.#resource.status !== undefined) next.status = this.#resource.status;
    this.#resource = next;
  }

  async #writeStatus(): Promise<void> {
    const status = (this.#resource.status ??= {});
    if (this.#resource.metadata.generation !== undefined)
      status.observedGeneration = this.#resource.metadata.generation;
    if (isDeepStrictEqual(this.#storedStatus, status)) return;
    this.#accept(await this.#options.store.updateStatus(this.#resource));
  }
}

/** The reason and the text of an error, as a condition shows them. */
function describe(error: unknown): { reason: string; message: string; retryable: boolean } {
  if (error instanceof ResourceError)
    return { reason: error.reason, message: error.message, retryable: error.retryable };
  const message = error instanceof Error ? error.message : String(error);
  return { reason: 'ReconcileError', message, retryable: true };
}
