/**
 * The command line's stand-in for a cluster: manifests in, plans or reconciled resources out. Claims and composites
 * go through the function, everything after that is what the provider runs.
 */
import type { KindDefinition, KubeObject, Managed } from '../api/kind.ts';
import { managedKinds } from '../api/registry.ts';
import { parse } from '../api/validate.ts';
import type { ServerConnection, Servers } from '../controllers/servers/connection.ts';
import { SecretCredentials } from '../controllers/sql/credentials.ts';
import { type Credentials, SqlConnector } from '../controllers/sql/external.ts';
import { planners } from '../controllers/sql/planners.ts';
import type { ConnectionSettings, Engine, Statement } from '../engines/engine.ts';
import { BatchingReader } from '../engines/reader.ts';
import { openEngine } from '../engines/registry.ts';
import type { Plan, PlanContext, Reader } from '../resources/planner.ts';
import { ANNOTATION, appliedOf, externalNameOf, hasCreated } from '../runtime/managed/annotations.ts';
import { conditionOf } from '../runtime/managed/conditions.ts';
import { ManagedReconciler } from '../runtime/managed/reconciler.ts';
import { Compositions } from './compositions.ts';
import { expand } from './function-client.ts';
import { type Imported, type ImportOptions, importServer } from './import.ts';
import { ManifestError, secretValues } from './manifests.ts';
import { PlannedObjects, PlanningReader } from './planning-reader.ts';
import { referencesIn, withNames } from './references.ts';
import { siblingsOf } from './siblings.ts';
import { LocalStore } from './store.ts';

/** What must be there before what: a plan is printed, and an apply begins, in this order. */
const ORDER = ['Role', 'Database', 'Schema', 'Extension', 'Grant', 'DefaultPrivileges'];
/** Rounds that an apply may take; each resolves what waited for the round before. */
const MAX_ROUNDS = 10;
/** Kinds that say how a cluster is set up, and are not made on a server. */
const SILENT = /^(?:(?:Cluster)?ProviderConfig|ProviderConfigUsage|Composition|CompositeResourceDefinition)$/;

export interface ResourcePlan {
  resource: Managed;
  statements: Statement[];
  unchangeable: string[];
  /** Whether the object is there; undefined when nobody could tell. */
  exists?: boolean;
  /** Why this resource cannot be planned. */
  problem?: string;
}

export interface ResourceResult {
  resource: Managed;
  ready: boolean;
  synced: boolean;
  message: string;
}

/** Resources that are reconciled side by side: their reads are answered together. */
const GROUP = 64;

function kindOf(resource: Managed): KindDefinition {
  const kind = managedKinds.find((candidate) => candidate.kind === resource.kind);
  if (kind === undefined) throw new Error(`${resource.kind} is not a kind of xdatabase`);
  return kind;
}

/** Of one kind each, in the order of kinds. */
const inGroups = (resources: readonly Managed[]): Managed[][] =>
  [...Map.groupBy(resources, ({ kind }) => kind).values()].flatMap((same) =>
    Array.from({ length: Math.ceil(same.length / GROUP) }, (_, n) => same.slice(n * GROUP, (n + 1) * GROUP)),
  );

export class Workspace {
  readonly #engine: Engine;
  readonly #reader: BatchingReader;
  readonly #store: LocalStore;
  readonly #settings: ConnectionSettings;
  readonly #credentials: Credentials;
  #leftOut: Managed[] = [];

  constructor(settings: ConnectionSettings, store: LocalStore) {
    this.#settings = settings;
    this.#engine = openEngine(settings);
    this.#reader = new BatchingReader(this.#engine);
    this.#store = store;
    this.#credentials = new SecretCredentials(
      async (namespace, name) => await Promise.resolve(this.#store.secret(namespace, name)),
      () => new Date(),
    );
  }

  get engine(): Engine {
    return this.#engine;
  }

  /** Takes in manifests: Secrets, managed resources, and claims that the function at `functionAddress` expands. */
  async load(objects: readonly KubeObject[], functionAddress: string): Promise<Managed[]> {
    const compositions = new Compositions(objects);
    const managed: Managed[] = [];
    for (const object of objects) {
      if (object.kind === 'Secret') this.#addSecret(object);
      else if (compositions.isComposite(object)) managed.push(...(await expand(functionAddress, object, compositions)));
      else if (managedKinds.some((kind) => kind.kind === object.kind)) managed.push(object as Managed);
      else if (!SILENT.test(object.kind))
        throw new ManifestError(
          `${object.kind} ${object.metadata.name}: this kind cannot be planned; give claims, composites and managed resources, and for kinds of your own their XRD and Composition too`,
        );
    }
    refuseTwice(managed);
    const valid = managed.map((resource) => this.#validated(resource));
    this.#leftOut = valid.filter(({ kind }) => !planners.has(kind));
    return valid
      .filter(({ kind }) => planners.has(kind))
      .map((resource) => this.#store.add(resource))
      .toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  }

  /** What was among the manifests and is made in a cluster only: backups, restores, copies and their schedules. */
  get leftOut(): readonly Managed[] {
    return this.#leftOut;
  }

  #validated(resource: Managed): Managed {
    const kind = kindOf(resource);
    const parsed = parse(kind, resource) as unknown as Managed;
    return { ...parsed, metadata: { ...parsed.metadata, namespace: parsed.metadata.namespace ?? 'default' } };
  }

  #addSecret(object: KubeObject): void {
    this.#store.addSecret(object.metadata.namespace ?? 'default', object.metadata.name, secretValues(object));
  }

  /**
   * Manifests for what the server has. The state remembers that it was there before: a plan of them is empty, and what
   * they say is adopted, so that it is not dropped with them.
   */
  async import(options: ImportOptions): Promise<Imported> {
    await this.#reader.prepare();
    const imported = await importServer(this.#engine, this.#reader.at(0), options);
    const applied = JSON.stringify({ adopted: true });
    for (const manifest of imported.manifests) {
      if (manifest.spec.forProvider['adopt'] !== true) continue;
      const resource = this.#store.add(this.#validated(manifest));
      await this.#store
        .ofKind(manifest.kind)
        .patchMetadata(resource, { annotations: { [ANNOTATION.applied]: applied } });
    }
    return imported;
  }

  /** What would be done, without doing it. */
  async plan(resources: readonly Managed[]): Promise<ResourcePlan[]> {
    const info = await this.#engine.info();
    await this.#reader.prepare();
    const planned = new PlannedObjects();
    const plans: ResourcePlan[] = [];
    const reader = this.#reader.at(Date.now() - 1);
    // All at once, so that everything is read with few statements; then in order, as one plan builds on another.
    await Promise.allSettled(resources.map(async (resource) => await this.#planOne(resource, planned, reader)));
    for (const resource of resources) {
      try {
        const plan = await this.#planOne(resource, planned, reader);
        planned.add(plan.steps);
        const statements = this.#engine.compile(plan.steps, info);
        plans.push({ resource, statements, unchangeable: plan.unchangeable, exists: plan.exists });
      } catch (error) {
        plans.push({ resource, statements: [], unchangeable: [], problem: (error as Error).message });
      }
    }
    return plans;
  }

  async #planOne(written: Managed, planned: PlannedObjects, reader: Reader): Promise<Plan> {
    const planner = planners.get(written.kind);
    if (planner === undefined) throw new Error(`nothing plans ${written.kind}`);
    const resource = await withNames(written, kindOf(written), this.#store);
    const password = await this.#credentials.password(resource);
    const siblings = siblingsOf(resource, this.#store).map(
      async (one) => await withNames(one, kindOf(one), this.#store),
    );
    const others = (await Promise.allSettled(siblings)).flatMap((one) =>
      one.status === 'fulfilled' ? [one.value] : [],
    );
    const context: PlanContext = {
      reader: new PlanningReader(reader, planned),
      externalName: externalNameOf(resource),
      mark: { uid: resource.metadata.uid ?? '', resource: `${resource.metadata.namespace}/${resource.metadata.name}` },
      owned: hasCreated(resource),
      applied: appliedOf(resource),
      siblings: () => others.map(({ spec }) => spec.forProvider),
      ...(password === undefined ? {} : { password }),
      now: new Date(),
    };
    return await planner.plan(resource, context);
  }

  /** Reconciles until nothing waits any more. `progress` hears of each resource that is done. */
  async apply(
    resources: readonly Managed[],
    progress: (done: number, total: number) => void = () => {},
  ): Promise<ResourceResult[]> {
    await this.#reader.prepare();
    let waiting = [...resources];
    let finished = 0;
    for (let round = 0; waiting.length > 0 && round < MAX_ROUNDS; round += 1) {
      const left: Managed[] = [];
      for (const some of inGroups(waiting)) {
        const done = await Promise.all(some.map(async (resource) => await this.#reconcile(resource)));
        left.push(...some.filter((_, index) => done[index] !== true));
        finished += done.filter(Boolean).length;
        progress(finished, resources.length);
      }
      if (left.length === waiting.length) break;
      waiting = left;
    }
    return resources.map((resource) => this.#result(resource));
  }

  /** Marks resources as deleted and reconciles them away, dependants first. */
  async delete(resources: readonly Managed[]): Promise<void> {
    await this.#reader.prepare();
    for (const resource of resources.toReversed()) {
      const stored = this.#store.get(resource.kind, resource.metadata.namespace ?? '', resource.metadata.name);
      if (stored === undefined) continue;
      stored.metadata.deletionTimestamp = new Date().toISOString();
      await this.#reconcile(resource);
    }
  }

  async #reconcile(resource: Managed): Promise<boolean> {
    const planner = planners.get(resource.kind);
    if (planner === undefined) return false;
    const kind = kindOf(resource);
    const reconciler = new ManagedReconciler({
      store: this.#store.ofKind(resource.kind),
      connector: new SqlConnector({
        planner,
        servers: this.#servers(),
        guard: {
          check: () => {},
          leaves: () => undefined,
          tenant: () => undefined,
          siblings: (grant) => siblingsOf(grant, this.#store),
        },
        credentials: this.#credentials,
        now: () => new Date(),
      }),
      references: referencesIn(this.#store, kind),
      metrics: { firstReconcile: () => {}, firstReady: () => {}, deleted: () => {}, drift: () => {} },
      now: () => new Date(),
    });
    await reconciler.reconcile(
      resource.metadata.namespace ?? '',
      resource.metadata.name,
      new AbortController().signal,
      Date.now(),
    );
    const { ready, synced } = this.#result(resource);
    return ready && synced;
  }

  #servers(): Servers {
    const connection: ServerConnection = {
      engine: this.#engine,
      reader: async (notBefore) => await Promise.resolve(this.#reader.at(notBefore)),
      endpoint: { host: this.#settings.host, port: this.#settings.port, tlsMode: this.#settings.tls.mode },
      settings: this.#settings,
    };
    return { connect: async () => await Promise.resolve(connection), pollAfter: () => 0 };
  }

  #result(resource: Managed): ResourceResult {
    const stored =
      this.#store.get(resource.kind, resource.metadata.namespace ?? '', resource.metadata.name) ?? resource;
    const [ready, synced] = [conditionOf(stored, 'Ready'), conditionOf(stored, 'Synced')];
    return {
      resource: stored,
      ready: ready?.status === 'True',
      synced: synced?.status === 'True',
      message: (synced?.status === 'True' ? ready?.message : synced?.message) ?? '',
    };
  }

  async close(): Promise<void> {
    await this.#engine.close();
  }
}

/** One object that is written down in two ways has no meaning; the API server would keep the last. */
function refuseTwice(resources: readonly Managed[]): void {
  const seen = new Set<string>();
  for (const { kind, metadata } of resources) {
    const key = `${kind} ${metadata.namespace ?? 'default'}/${metadata.name}`;
    if (seen.has(key)) throw new ManifestError(`${key} is given twice`);
    seen.add(key);
  }
}
