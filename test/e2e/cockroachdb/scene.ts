/**
 * Where the scenarios CR1 to CR7 play: one cluster and one provider for the stand-ins of all versions, and in each version a
 * namespace for each scenario. A scenario is told once; its steps run in all versions at the same time.
 */
import { Client } from 'pg';
import { test } from 'vitest';
import type { KubeObject, Managed } from '../../../provider/api/kind.ts';
import { Simulator, type SimulatedVersion, simulatedVersions } from '../../rig/cockroachdb/simulator.ts';
import type { Cluster } from '../../rig/kubernetes.ts';
import { waitFor } from '../../rig/process.ts';
import * as objects from '../objects.ts';
import type { ProviderProcess } from '../provider-process.ts';
import { type Manifests, manifests } from './manifests.ts';

export interface Theatre {
  cluster: Cluster;
  servers: ReadonlyMap<SimulatedVersion, Simulator>;
  /** Another one after a restart. */
  provider: ProviderProcess;
}

export interface Login {
  name: string;
  password?: string;
}

const ROOT: Login = { name: 'root' };
/** Managed resources of ours whose conditions say why something is not as it should be. */
const KINDS = ['Role', 'Database', 'Schema', 'Grant', 'DefaultPrivileges', 'Backup', 'BackupSchedule', 'Restore'];

export const S3_SECRET = 'very/secret+key';

export class Scene {
  readonly cluster: Cluster;
  readonly server: Simulator;
  readonly version: SimulatedVersion;
  readonly namespace: string;
  /** What resources are to be reached by: that of the manifests. */
  config = { kind: 'ProviderConfig', name: 'example-host' };
  #manifests: Manifests | undefined;

  constructor({ cluster, servers }: Theatre, version: SimulatedVersion, scenario: string) {
    this.cluster = cluster;
    this.server = servers.get(version)!;
    this.version = version;
    this.namespace = `${scenario}-v${version.replace('.', '-')}`;
  }

  /** A certificate as tls.crt and tls.key; of root unless said otherwise. */
  certificate(commonName = 'root', notAfter?: Date): Record<string, string> {
    const { certificate, key } = this.server.authority!.issue({
      commonName,
      usage: 'client',
      hosts: [],
      ...(notAfter === undefined ? {} : { notAfter }),
    });
    return { 'tls.crt': certificate, 'tls.key': key };
  }

  get ca(): string {
    return this.server.authority!.certificate;
  }

  secret(name: string, values: Record<string, string>, namespace = this.namespace): KubeObject {
    return objects.secret(namespace, name, values);
  }

  get platform(): string {
    return `${this.namespace}-platform`;
  }

  /** What the administrator logs in with in the manifests, which come without it. */
  rootSecret(namespace = this.namespace): KubeObject {
    return this.secret('cockroachdb-root', { 'ca.crt': this.ca, ...this.certificate() }, namespace);
  }

  /** A configuration of ours with its Secret. */
  configured(name: string, values: Record<string, string>, namespace = this.namespace): KubeObject[] {
    const ref = { name: `${name}-admin` };
    return [
      this.secret(ref.name, values, namespace),
      {
        apiVersion: 'm.xdatabase.dev/v1alpha1',
        kind: 'ProviderConfig',
        metadata: { namespace, name },
        spec: {
          engine: 'cockroachdb',
          endpoint: this.server.host,
          port: this.server.port,
          credentials: { secretRef: ref },
          tls: { caSecretRef: ref, ...('password' in values ? {} : { clientCertSecretRef: ref }) },
        },
      },
    ];
  }

  /** Of this scenario, once they have been read. */
  get manifests(): Manifests {
    if (this.#manifests === undefined) throw new Error(`${this.namespace} has not been opened`);
    return this.#manifests;
  }

  /** Reads the manifests, and makes the namespaces that they are for. */
  async read(file: string, ...others: string[]): Promise<Manifests> {
    const { host, port } = this.server;
    const suffix = `v${this.version.replace('.', '-')}`;
    const { namespace, platform } = this;
    this.#manifests = await manifests(file, { host, port, s3Secret: S3_SECRET, namespace, platform, suffix });
    const { kind, metadata } = this.#manifests.config;
    this.config = { kind, name: metadata.name };
    await this.apply(...[namespace, ...others].map((name) => objects.namespaceOf(name)));
    return this.#manifests;
  }

  /** The namespace with its configuration; nothing else of the manifests yet. */
  async open(file: string): Promise<void> {
    const { config } = await this.read(file);
    await this.apply(this.rootSecret(), config);
  }

  managed(
    kind: string,
    name: string,
    forProvider: Record<string, unknown>,
    more: Parameters<typeof objects.managed>[4] = {},
  ): KubeObject {
    return objects.managed(kind, this.namespace, name, forProvider, { config: this.config, ...more });
  }

  run(kind: string, name: string, forProvider: Record<string, unknown>, policies?: string[]): KubeObject {
    const resource = objects.run(kind, this.namespace, name, forProvider, this.config);
    if (policies !== undefined) Object.assign(resource['spec'] as object, { managementPolicies: policies });
    return resource;
  }

  async apply(...what: KubeObject[]): Promise<void> {
    await this.cluster.apply(what);
  }

  async get(kind: string, name: string): Promise<Managed> {
    return await objects.get(this.cluster, kind, this.namespace, name);
  }

  async ready(): Promise<void> {
    await objects.allReady(this.cluster, this.namespace);
  }

  async until(kind: string, name: string, type: string, status: string, reason?: string): Promise<Managed> {
    return await objects.untilCondition(this.cluster, kind, this.namespace, name, type, status, reason);
  }

  /** Waits for a reason of Synced, and gives the message. */
  async refused(kind: string, name: string, reason: string): Promise<string> {
    const seen = await this.until(kind, name, 'Synced', 'False', reason);
    return objects.conditionOf(seen, 'Synced')?.message ?? '';
  }

  async values(name: string): Promise<Record<string, string>> {
    return await objects.connectionSecret(this.cluster, this.namespace, name);
  }

  async login(secretName: string): Promise<Login> {
    const { username = '', password = '' } = await this.values(secretName);
    return { name: username, password };
  }

  async delete(kind: string, name: string): Promise<void> {
    await this.cluster.kubectl(['delete', objects.resourceName(kind), name, '-n', this.namespace, '--timeout=60s']);
  }

  async edit(kind: string, name: string, forProvider: object): Promise<void> {
    await this.patch(objects.resourceName(kind), name, { spec: { forProvider } });
  }

  async patch(resource: string, name: string, change: object): Promise<void> {
    const patch = JSON.stringify(change);
    await this.cluster.kubectl(['patch', resource, name, '-n', this.namespace, '--type=merge', '-p', patch]);
  }

  async events(reason: string): Promise<string[]> {
    return await objects.eventsOf(this.cluster, this.namespace, reason);
  }

  async sql<Row extends object = Record<string, unknown>>(text: string, database = 'defaultdb'): Promise<Row[]> {
    return await this.as<Row>(ROOT, text, database);
  }

  async as<Row extends object = Record<string, unknown>>(
    { name, password }: Login,
    text: string,
    database = 'defaultdb',
  ): Promise<Row[]> {
    const { host, port, rootPassword } = this.server;
    const client = new Client({
      host,
      port,
      user: name,
      password: password ?? rootPassword,
      database,
      ssl: { ca: this.ca },
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** The SQLSTATE with which it fails, or ''. */
  async code(login: Login, text: string, database?: string): Promise<string> {
    return await this.as(login, text, database).then(
      () => '',
      (error: unknown) => (error as { code?: string }).code ?? String(error),
    );
  }

  async column(text: string, database?: string): Promise<string[]> {
    return (await this.sql(text, database)).map((row) => String(Object.values(row)[0]));
  }

  async databases(): Promise<string[]> {
    return await this.column('SELECT database_name FROM [SHOW DATABASES] ORDER BY 1');
  }

  /** Without the group that CockroachDB has by itself, as the seed counted. */
  async users(): Promise<string[]> {
    return (await this.column('SELECT username FROM [SHOW ROLES] ORDER BY 1')).filter((name) => name !== 'admin');
  }

  /** As if the databases had been there for long: a backup is of ten seconds ago. */
  age(): void {
    for (const oid of this.server.made.keys()) this.server.made.set(oid, new Date(0));
  }

  /** As if they were being made just now, however long that takes. */
  rejuvenate(): void {
    for (const oid of this.server.made.keys()) this.server.made.set(oid, new Date(Date.now() + 3_600_000));
  }

  async eventually(what: string, probe: () => Promise<unknown>): Promise<void> {
    await waitFor(`${this.version}: ${what}`, async () => Boolean(await probe()), { timeout: 60_000 });
  }

  /** Nothing of ours is left: neither on the server nor in the namespace, which goes too (GONE). */
  async gone(databases: readonly string[] = ['defaultdb', 'postgres', 'system']): Promise<void> {
    await this.cluster.kubectl(['delete', 'namespace', this.namespace, '--wait=false']);
    await this.eventually('everything is gone', async () => {
      const { state } = this.server;
      const left = [...(await this.users()), ...state.schedules.keys(), ...state.connections.keys()];
      const kept = await this.databases();
      if (left.join() === 'root' && kept.join() === databases.join()) return true;
      throw new Error(`there are ${[...left, ...kept].join(', ')}; ${await this.said()}`);
    });
    await this.eventually('nothing of ours is in the namespace', async () => {
      const names = KINDS.map(objects.resourceName).join(',');
      return (await this.cluster.kubectl(['get', names, '-n', this.namespace, '-o', 'name'])) === '';
    });
  }

  /** Why what is left is left. */
  async said(): Promise<string> {
    const names = KINDS.map(objects.resourceName).join(',');
    const { items } = await this.cluster.get<{ items: Managed[] }>(names, '-n', this.namespace);
    return items
      .map((item) => `${item.kind} ${item.metadata.name}: ${objects.conditionOf(item, 'Synced')?.message}`)
      .join('; ');
  }
}

export type Step = (scene: Scene) => Promise<void>;

export interface Scenario {
  (promise: string, step: Step): void;
  /** Something that happens to all of them together. */
  once(what: string, step: Step): void;
}

/** Does it in all versions at once; what fails says in which. */
export async function inAll<P extends { readonly version: string }>(
  places: readonly P[],
  work: (place: P) => Promise<void>,
): Promise<void> {
  const outcomes = await Promise.allSettled(places.map(work));
  const failures = outcomes.flatMap((outcome, i) =>
    outcome.status === 'rejected' ? [{ version: places[i]!.version, error: outcome.reason as Error }] : [],
  );
  const [first] = failures;
  if (first === undefined) return;
  const where = failures.map(({ version }) => version).join(', ');
  throw Object.assign(new Error(`on CockroachDB ${where}: ${first.error.message}`, { cause: first.error }), {
    stack: first.error.stack,
  });
}

/** Defines the steps of one scenario; each runs in all versions at once, and the next begins when all have ended. */
export function scenario(theatre: Theatre, name: string): Scenario {
  let scenes: Scene[] | undefined;
  // The servers are there when the tests run.
  const all = (): Scene[] => (scenes ??= simulatedVersions.map((version) => new Scene(theatre, version, name)));
  const step = (promise: string, work: Step): void => {
    test(`${promise} (${simulatedVersions.join(', ')})`, async () => {
      await inAll(all(), work);
    });
  };
  return Object.assign(step, {
    once: (what: string, work: Step): void => {
      test(what, async () => {
        await work(all()[0]!);
      });
    },
  });
}
