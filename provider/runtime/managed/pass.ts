/**
 * One reconcile of one managed resource, in crossplane-runtime's order, so that every Crossplane tool and habit works.
 *
 * Three things differ from that order, all to spare the API server writes. The external name, the finalizer and
 * `create-pending` go in one patch, just before a create; after a create or update the resource is observed again at
 * once instead of through the queue, so that one status write tells the whole story; and `create-succeeded` is written
 * at a later look. SQL names are deterministic, so nothing depends on it.
 */
import type { Managed } from '../../api/kind.ts';
import { hasOpenOutcome, ResourceError } from '../../common/errors.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import * as at from './annotations.ts';
import * as condition from './conditions.ts';
import { Draft } from './draft.ts';
import type { ExternalClient, Observation } from './external.ts';
import { describe, during, Failure } from './failure.ts';
import type { ReconcileOutcome, ReconcilerOptions } from './options.ts';
import { type Policies, policiesOf } from './policies.ts';
import * as record from './record.ts';
import type { MetadataPatch } from './store.ts';

/** How long an object may stay invisible after it was created, as crossplane-runtime's creation grace period. */
const CREATION_GRACE_MS = 30_000;

/** How long a new resource may wait for others before it says so; what it waits for is usually made in the same second. */
const YOUNG_MS = 10_000;
const TRANSIENT: ReadonlySet<string> = new Set(['Waiting', 'ReferenceNotFound', 'ReferenceNotReady', 'NotYours']);

/** The state of one reconcile. */
export class Pass {
  readonly #options: ReconcilerOptions;
  readonly #policies: Policies;
  readonly #signal: AbortSignal;
  readonly #draft: Draft;
  #notBefore: number;

  constructor(options: ReconcilerOptions, resource: Managed, signal: AbortSignal, notBefore: number) {
    this.#options = options;
    this.#draft = new Draft(options.store, resource, options.now);
    this.#policies = policiesOf(options.managementPolicies === false ? undefined : resource.spec.managementPolicies);
    this.#signal = signal;
    this.#notBefore = notBefore;
  }

  async run(): Promise<ReconcileOutcome> {
    this.#options.metrics.firstReconcile(this.#draft.resource);
    if (at.isPaused(this.#draft.resource) || this.#policies.paused) return await this.#pause();
    this.#acknowledgeRequest();
    if (!this.#policies.supported) return await this.#refusePolicies();
    const deleted = at.isDeleted(this.#draft.resource);
    if (deleted && !this.#policies.mayDelete) return await this.#release();

    if (!deleted) await this.#resolveReferences();
    const external = await during('CannotConnectToProvider', 'connect failed', () =>
      this.#options.connector.connect(this.#draft.resource, {
        signal: this.#signal,
        notBefore: this.#notBefore,
        observeOnly: this.#policies.observeOnly,
        mayCreate: this.#policies.mayCreate,
        mayUpdate: this.#policies.mayUpdate,
      }),
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
    this.#draft.set(condition.notSynced(reason, text));
    if (failure.phase === 'create failed') this.#draft.set(condition.creating());
    if (failure.phase === 'delete failed') this.#draft.set(condition.deleting());
    if (condition.conditionOf(this.#draft.resource, 'Ready') === undefined) this.#draft.set(condition.creating());
    const isNews = this.#draft.hasNews;
    if (isNews) this.#draft.event('Warning', failure.event, text);
    try {
      await this.#draft.writeStatus();
    } catch (writeError) {
      if (!isNotFound(writeError) && !isConflict(writeError)) throw writeError;
    }
    return retryable ? { retry: true } : { requeueAfterMs: this.#options.connector.pollAfter(this.#draft.resource) };
  }

  /**
   * Resources of one composite are made at once and wait for each other for a moment. To say so would be two writes for
   * each, out of date at once, and Crossplane stops listening to a composite whose resources change too often.
   */
  #isOnlyYoung(reason: string): boolean {
    if (
      !TRANSIENT.has(reason) ||
      at.isDeleted(this.#draft.resource) ||
      this.#draft.storedStatus?.conditions !== undefined
    )
      return false;
    const born = Date.parse(this.#draft.resource.metadata.creationTimestamp ?? '');
    // The API server's clock may be ahead of ours: by little, the resource is young; by much, nobody knows.
    return Math.abs(this.#options.now().getTime() - born) < YOUNG_MS;
  }

  async #pause(): Promise<ReconcileOutcome> {
    if (condition.conditionOf(this.#draft.resource, 'Synced')?.reason !== 'ReconcilePaused')
      this.#draft.event('Normal', 'ReconciliationPaused', condition.paused().message ?? '');
    this.#draft.set(condition.paused());
    await this.#draft.writeStatus();
    return {};
  }

  #acknowledgeRequest(): void {
    const token = at.annotation(this.#draft.resource, at.ANNOTATION.reconcileRequestedAt);
    if (!token || this.#draft.resource.status?.lastHandledReconcileAt === token) return;
    (this.#draft.resource.status ??= {}).lastHandledReconcileAt = token;
    this.#draft.event('Normal', 'ReconcileRequestHandled', `Handling reconcile request ${JSON.stringify(token)}`);
  }

  async #refusePolicies(): Promise<ReconcileOutcome> {
    const message = `spec.managementPolicies ${JSON.stringify(this.#draft.resource.spec.managementPolicies)} is not a supported set of policies`;
    const known = condition.conditionOf(this.#draft.resource, 'Synced')?.message;
    if (known !== message) this.#draft.event('Warning', 'CannotUseInvalidManagementPolicy', message);
    this.#draft.set(condition.notSynced('ReconcileError', message));
    await this.#draft.writeStatus();
    return {};
  }

  /** Lets the Kubernetes object go; whatever is on the server stays there. */
  async #release(): Promise<ReconcileOutcome> {
    await this.#draft.patchMetadata({ removeFinalizer: at.FINALIZER });
    this.#options.metrics.deleted(this.#draft.resource);
    return {};
  }

  async #resolveReferences(): Promise<void> {
    await during('CannotResolveResourceReferences', 'cannot resolve references', async () => {
      const patch = await this.#options.references.resolve(this.#draft.resource);
      if (Object.keys(patch).length > 0) await this.#draft.patchForProvider(patch);
    });
  }

  async #observe(external: ExternalClient): Promise<Observation> {
    return await during('CannotObserveExternalResource', 'observe failed', () =>
      external.observe(this.#draft.resource, this.#signal),
    );
  }

  async #delete(external: ExternalClient, observation: Observation): Promise<ReconcileOutcome> {
    this.#notes(observation);
    const others = (this.#draft.resource.metadata.finalizers ?? []).filter((f) => f !== at.FINALIZER);
    if (others.length > 0 && observation.exists) {
      // Somebody else still needs the object, as Usages and foreground deletion do.
      this.#draft.set(condition.deleting(), condition.synced());
      await this.#draft.writeStatus();
      // Its going is an event; the poll is for one that was missed.
      return { requeueAfterMs: this.#options.connector.pollAfter(this.#draft.resource) };
    }
    if (!observation.exists) {
      const former = at.renamedFrom(this.#draft.resource);
      if (former !== undefined) this.#leave(former);
      return await this.#release();
    }
    await during('CannotDeleteExternalResource', 'delete failed', () =>
      external.delete(this.#draft.resource, this.#signal),
    );
    this.#draft.event('Normal', 'DeletedExternalResource', 'Successfully requested deletion of external resource');
    this.#notBefore = this.#options.now().getTime();
    const after = await this.#observe(external);
    if (!after.exists) return await this.#release();
    this.#draft.set(condition.deleting(), condition.synced());
    await this.#draft.writeStatus();
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
      await this.#draft.patchMetadata(record.seen(this.#draft.resource, this.#options.now()));
    }
    if (observation.differences.length > 0 && this.#mayChange(observation)) {
      await this.#update(external, observation);
      observation = await this.#observe(external);
    }
    await this.#record(observation);
    // A password that may not be set would be published and let nobody in.
    const { mayUpdate, observeOnly } = this.#policies;
    if (observation.differences.length === 0 || mayUpdate || observeOnly) await this.#publish(observation);
    return await this.#settle(observation);
  }

  #mayChange({ creates }: Observation): boolean {
    return this.#policies.mayUpdate || (creates === true && this.#policies.mayCreate);
  }

  async #create(external: ExternalClient, observation: Observation): Promise<void> {
    // Written against the version that was read: a conflict aborts, so a create never acts on an outdated spec.
    await during('CannotInitializeManagedResource', 'cannot record the creation', () =>
      this.#patchRecord(record.creation(this.#draft.resource, observation, this.#options.now())),
    );
    try {
      await external.create(this.#draft.resource, this.#signal);
    } catch (error) {
      // What may have been made after all is still ours: `create-pending` says so until a look finds it or does not.
      if (!hasOpenOutcome(error))
        await this.#draft.patchMetadata(record.failedCreation(this.#draft.resource, this.#options.now()));
      throw new Failure('CannotCreateExternalResource', 'create failed', error);
    }
    // The Secret first: should the process die here, the next pass still finds the password that was set.
    await this.#publish(observation);
    this.#draft.event('Normal', 'CreatedExternalResource', 'Successfully requested creation of external resource');
  }

  async #update(external: ExternalClient, observation: Observation): Promise<void> {
    this.#options.metrics.drift(this.#draft.resource);
    await this.#patchRecord(record.applied(this.#draft.resource, observation, observation.appliedBefore));
    await during('CannotUpdateExternalResource', 'update failed', () =>
      external.update(this.#draft.resource, this.#signal),
    );
    await this.#publish(observation);
    this.#draft.event('Normal', 'UpdatedExternalResource', 'Successfully requested update of external resource');
  }

  async #pendingCreation(observation: Observation): Promise<ReconcileOutcome> {
    const created = Date.parse(at.annotation(this.#draft.resource, at.ANNOTATION.createPending) ?? '');
    this.#apply(observation);
    this.#draft.set(condition.creating(), condition.synced());
    await this.#draft.writeStatus();
    const age = this.#options.now().getTime() - created;
    if (age < CREATION_GRACE_MS)
      this.#draft.event('Normal', 'PendingExternalResource', 'Waiting for the created external resource to appear');
    return { requeueAfterMs: 2_000 };
  }

  /** Narrows the record of what was applied, once everything that left the spec has been taken back. */
  async #record(observation: Observation): Promise<void> {
    if (observation.differences.length === 0)
      await this.#patchRecord(record.applied(this.#draft.resource, observation, observation.appliedAfter));
  }

  async #patchRecord(patch: MetadataPatch): Promise<void> {
    const former = at.renamedFrom(this.#draft.resource);
    await this.#draft.patchMetadata(patch);
    if (former !== undefined && patch.annotations?.[at.ANNOTATION.madeAs] !== undefined) this.#leave(former);
  }

  #leave(former: string): void {
    this.#draft.event(
      'Warning',
      'KeptExternalResource',
      `${JSON.stringify(former)}, which this resource made, stays on the server: its external name was changed`,
    );
  }

  async #publish(observation: Observation): Promise<void> {
    if (Object.keys(observation.connectionDetails).length === 0) return;
    await during('CannotPublishConnectionDetails', 'cannot publish connection details', () =>
      this.#options.store.publish(this.#draft.resource, observation.connectionDetails),
    );
  }

  async #settle(observation: Observation): Promise<ReconcileOutcome> {
    this.#notes(observation);
    this.#apply(observation);
    const wasReady = condition.conditionOf(this.#draft.resource, 'Ready')?.status === 'True';
    if (!observation.exists) this.#draft.set(condition.creating());
    else if (observation.unready === undefined) this.#draft.set(condition.available());
    else this.#draft.set(condition.unavailable(observation.unready.reason, observation.unready.message));
    const left = [...observation.differences, ...observation.unchangeable];
    if (left.length === 0) this.#draft.set(condition.upToDate());
    else if (!this.#policies.mayUpdate && (observation.unchangeable.length > 0 || !this.#mayChange(observation)))
      this.#draft.set(condition.notUpToDate('UpdateRestricted', left.join('; ')));
    else
      this.#draft.set(
        condition.notUpToDate(observation.differences.length > 0 ? 'UpdateRequested' : 'Unchangeable', left.join('; ')),
      );
    this.#draft.set(condition.synced(), ...(observation.conditions ?? []));
    const retry = this.#problem(observation);
    if (!wasReady && condition.conditionOf(this.#draft.resource, 'Ready')?.status === 'True')
      this.#options.metrics.firstReady(this.#draft.resource);
    await this.#draft.writeStatus();
    return retry ? { retry } : { requeueAfterMs: this.#options.connector.pollAfter(this.#draft.resource) };
  }

  /** Tells what could not be done beside all that could; says whether it is worth another try soon. */
  #problem({ problem }: Observation): boolean {
    if (problem === undefined) return false;
    const { reason, message, retryable } = describe(problem);
    this.#draft.set(condition.notSynced(reason, message));
    if (this.#draft.storedStatus?.conditions?.find(({ type }) => type === 'Synced')?.message !== message)
      this.#draft.event('Warning', 'CannotUpdateExternalResource', message);
    return retryable;
  }

  #apply(observation: Observation): void {
    (this.#draft.resource.status ??= {}).atProvider = observation.atProvider;
  }

  #notes(observation: Observation): void {
    for (const note of observation.notes) this.#draft.event(note.type ?? 'Normal', note.reason, note.message);
  }
}
