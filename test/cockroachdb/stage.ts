/** Backup kinds of one namespace, reconciled as they are in a cluster, but with objects that are kept in memory. */
import { kinds } from '../../provider/api/registry.ts';
import type { Managed } from '../../provider/api/kind.ts';
import type { ProviderConfig } from '../../provider/api/provider-config.ts';
import { parse } from '../../provider/api/validate.ts';
import type { WorkServices } from '../../provider/controllers/jobs/work.ts';
import { BackupConnector, NativeConnector } from '../../provider/controllers/native/connector.ts';
import { LocalStore } from '../../provider/local/store.ts';
import { conditionOf } from '../../provider/runtime/managed/conditions.ts';
import { ManagedReconciler } from '../../provider/runtime/managed/reconciler.ts';
import { References } from '../../provider/runtime/managed/references.ts';
import { waitFor } from '../rig/process.ts';
import type { World } from './world.ts';

const NAMESPACE = 'team-a';

export class Stage {
  readonly store = new LocalStore();
  readonly replaced: string[] = [];
  /** Runs of schedules, as the metrics hear of them. */
  readonly ended: string[] = [];
  readonly #world: World;
  readonly #connector: BackupConnector;
  readonly #versions = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    const config = {
      apiVersion: 'm.xdatabase.dev/v1alpha1',
      kind: 'ProviderConfig',
      metadata: { name: 'crdb', namespace: NAMESPACE, uid: 'config' },
      spec: {
        engine: 'cockroachdb',
        storages: [
          {
            name: 'main',
            s3: {
              bucket: 'testbucket',
              region: 'us-east-1',
              prefix: 'backups/',
              endpoint: 'http://minio.example:9000',
              credentialsSecretRef: {
                name: 's3',
                accessKeyIdKey: 'AWS_ACCESS_KEY_ID',
                secretAccessKeyKey: 'AWS_SECRET_ACCESS_KEY',
                sessionTokenKey: 'AWS_SESSION_TOKEN',
              },
            },
          },
        ],
      },
    } as unknown as ProviderConfig;
    const { engine, server } = world;
    const services: WorkServices = {
      config: () => config,
      connect: async () =>
        await Promise.resolve({
          engine,
          reader: async () => await world.reader(),
          endpoint: { host: server.host, port: server.port, tlsMode: 'disable' },
          settings: server.settings,
        }),
      get: (kind, namespace, name) => this.store.get(kind, namespace, name),
      list: (kind, namespace) => this.store.list(kind).filter((r) => r.metadata.namespace === namespace),
      readSecret: async ({ namespace, name }) => {
        const secret = this.store.secret(namespace, name);
        const version = String(this.#versions.get(name) ?? 0);
        return await Promise.resolve(
          secret === undefined ? undefined : { ...secret, metadata: { ...secret.metadata, resourceVersion: version } },
        );
      },
      guard: { check: () => {}, leaves: () => undefined, tenant: () => undefined },
      runnerImage: 'runner',
      providerNamespace: 'system',
      now: () => new Date(),
      onReplaced: (resource) => this.replaced.push(resource.metadata.name),
    };
    const native = new NativeConnector({
      services,
      observer: { ended: (resource, _role, { ok }) => this.ended.push(`${resource.metadata.name} ${ok}`) },
      pollMs: 1000,
    });
    this.#connector = new BackupConnector(services, native, native);
    this.secret('s3', { AWS_ACCESS_KEY_ID: 'MYKEY', AWS_SECRET_ACCESS_KEY: 'my/secret+key' });
  }

  secret(name: string, values: Record<string, string>): void {
    this.store.addSecret(NAMESPACE, name, values);
    this.#versions.set(name, (this.#versions.get(name) ?? 0) + 1);
  }

  /** Takes in a resource, with the defaults of its kind. */
  add(kind: string, name: string, forProvider: object): void {
    const definition = kinds.find((candidate) => candidate.kind === kind)!;
    const manifest = {
      apiVersion: `${definition.group}.m.xdatabase.dev/v1alpha1`.replace(/^(.*)\.m\.xdatabase\.dev\.m/, '$1.m'),
      kind,
      metadata: { name, namespace: NAMESPACE },
      spec: { forProvider, providerConfigRef: { kind: 'ProviderConfig', name: 'crdb' } },
    };
    this.store.add(parse(definition, manifest) as unknown as Managed);
  }

  get(kind: string, name: string): Managed {
    const found = this.store.get(kind, NAMESPACE, name);
    if (found === undefined) throw new Error(`${kind} ${name} is gone`);
    return found;
  }

  edit(kind: string, name: string, change: object): void {
    Object.assign(this.get(kind, name).spec.forProvider, change);
  }

  /** One pass, as the provider makes it; a new process knows no more than a pass does. */
  async pass(kind: string, name: string): Promise<Managed | undefined> {
    const definition = kinds.find((candidate) => candidate.kind === kind)!;
    const reconciler = new ManagedReconciler({
      store: this.store.ofKind(kind),
      connector: this.#connector,
      references: new References(definition, { get: () => undefined, list: () => [] }),
      metrics: { firstReconcile: () => {}, firstReady: () => {}, deleted: () => {}, drift: () => {} },
      now: () => new Date(),
    });
    await reconciler.reconcile(NAMESPACE, name, new AbortController().signal, Date.now());
    return this.store.get(kind, NAMESPACE, name);
  }

  /** Passes until the phase, or a condition's reason, is that one. */
  async until(kind: string, name: string, wanted: string): Promise<Managed> {
    return await waitFor(`${kind} ${name} is ${wanted}`, async () => {
      const seen = await this.pass(kind, name);
      if (seen === undefined) return undefined;
      const reasons = ['Ready', 'Synced'].map((type) => conditionOf(seen, type as 'Ready')?.reason);
      return [seen.status?.atProvider?.['phase'], ...reasons].includes(wanted) ? seen : undefined;
    });
  }

  async delete(kind: string, name: string): Promise<void> {
    this.get(kind, name).metadata.deletionTimestamp = new Date().toISOString();
    await waitFor(`${kind} ${name} is gone`, async () =>
      (await this.pass(kind, name)) === undefined ? true : undefined,
    );
  }

  message(kind: string, name: string, type: 'Ready' | 'Synced' = 'Synced'): string {
    return conditionOf(this.get(kind, name), type)?.message ?? '';
  }

  /** Everything that anybody could read of the resources. */
  get visible(): string {
    const statements = this.#world.server.simulator?.statements.map(({ text }) => text) ?? [];
    const jobs = [...(this.#world.server.simulator?.state.jobs.values() ?? [])].map(({ description }) => description);
    return JSON.stringify([this.store.all(), this.store.events, statements, jobs]);
  }
}
