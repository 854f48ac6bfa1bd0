/** Claims of one cluster, and what people look at: what they say themselves, what they are composed of, who may log in. */
import type { KubeObject, Managed } from '../../../provider/api/kind.ts';
import type { Kubectl } from '../../rig/kubectl.ts';
import type { PostgresClient } from '../../rig/postgres-client.ts';
import { waitFor } from '../../rig/process.ts';
import { conditionOf, connectionSecret } from '../objects.ts';
import { CLAIMS, composedOf, unreadyOf } from '../platform.ts';

export type Version = keyof typeof CLAIMS;

const serverRef = { kind: 'ClusterProviderConfig', name: 'shared-postgres' };

export const isReady = (current: Managed): boolean =>
  conditionOf(current, 'Ready')?.status === 'True' && conditionOf(current, 'Ready')?.observedGeneration !== 0;

export class ClaimScene {
  readonly cluster: Kubectl;
  readonly server: PostgresClient;
  /** Where claims are, when nothing else is said. */
  readonly namespace: string;

  constructor(cluster: Kubectl, server: PostgresClient, namespace: string) {
    this.cluster = cluster;
    this.server = server;
    this.namespace = namespace;
  }

  claim(version: Version, name: string, spec: object, namespace = this.namespace): KubeObject {
    return {
      apiVersion: CLAIMS[version].apiVersion,
      kind: 'XDatabase',
      metadata: { namespace, name },
      spec: { serverRef, ...spec },
    };
  }

  async get(object: KubeObject): Promise<Managed> {
    const { name, namespace = '' } = object.metadata;
    return await this.cluster.get<Managed>(resourceOf(object), name, '-n', namespace);
  }

  async until(object: KubeObject, what: string, is: (current: Managed) => boolean): Promise<Managed> {
    const { name, namespace = '' } = object.metadata;
    return await waitFor(
      `${name}: ${what}`,
      async () => {
        const current = await this.get(object);
        if (is(current)) return current;
        throw new Error(`${JSON.stringify(current.status)} ${unreadyOf(await composedOf(this.cluster, namespace))}`);
      },
      { timeout: 120_000, interval: 300 },
    );
  }

  async ready(object: KubeObject): Promise<Managed> {
    await this.cluster.apply(object);
    return await this.until(object, 'is Ready', isReady);
  }

  async untilPhase(object: KubeObject, wanted: string): Promise<Managed> {
    return await this.until(object, `is ${wanted}`, ({ status }) => (status as { phase?: string }).phase === wanted);
  }

  /** Waits until a condition of the claim says so. */
  async says(object: KubeObject, type: string, words: RegExp): Promise<Managed> {
    return await this.until(object, `${type} says ${String(words)}`, (current) => {
      const condition = conditionOf(current, type);
      return condition?.status === 'False' && words.test(`${condition.reason}: ${condition.message}`);
    });
  }

  async delete(object: KubeObject, ...more: string[]): Promise<void> {
    const { name, namespace = '' } = object.metadata;
    const options = ['-n', namespace, '--timeout=120s', ...more];
    await this.cluster.kubectl(['delete', resourceOf(object), name, ...options]);
  }

  async login(secretName: string, namespace = this.namespace): Promise<{ name: string; password: string }> {
    const { username = '', password = '' } = await connectionSecret(this.cluster, namespace, secretName);
    return { name: username, password };
  }

  /** Whether that Secret opens that database now. */
  async enters(secretName: string, database: string): Promise<unknown[]> {
    return await this.server.queryAs(await this.login(secretName), database, 'SELECT 1 AS one');
  }

  /** Uid and generation of what a claim is composed of: the same as long as nothing is made anew or changed. */
  async generations(composite: string, namespace = this.namespace): Promise<string[]> {
    return (await composedOf(this.cluster, namespace))
      .filter(({ metadata }) => metadata.labels?.['crossplane.io/composite'] === composite)
      .map(({ metadata }) => `${metadata.uid} ${metadata.generation}`)
      .toSorted();
  }

  /** Databases and roles whose names begin so, or that runs have made for themselves. */
  async onServer(prefix: string): Promise<string[]> {
    const rows = await this.server.query<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1) OR datname LIKE 'xdatabase%'
       UNION ALL SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1) OR rolname LIKE 'xdatabase%' ORDER BY 1`,
      [prefix],
    );
    return rows.map(({ name }) => name);
  }

  /** Waits until nothing of these names is left on the server. */
  async gone(prefix: string): Promise<void> {
    await waitFor(
      `nothing of ${prefix} is left`,
      async () => {
        const left = await this.onServer(prefix);
        if (left.length === 0) return true;
        throw new Error(`${left.join(', ')}; ${unreadyOf(await composedOf(this.cluster, this.namespace))}`);
      },
      { timeout: 90_000, interval: 300 },
    );
  }
}

const resourceOf = ({ apiVersion }: KubeObject): string =>
  CLAIMS[apiVersion === CLAIMS.v1.apiVersion ? 'v1' : 'v2'].resource;
