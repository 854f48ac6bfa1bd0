/**
 * Secrets, read only when a resource names them. A metadata-only watch tells which version is current, so that a
 * Secret is fetched once per version and an edit is noticed within the second.
 */
import { createHash } from 'node:crypto';
import { apiVersion, type KindDefinition, type KubeObject, type Managed, type OwnerReference } from '../../api/kind.ts';
import { ResourceError } from '../../common/errors.ts';
import type { KubeClient } from '../../runtime/kube/client.ts';
import { isAlreadyExists, isNotFound, KubeError } from '../../runtime/kube/errors.ts';
import { SECRETS } from '../../runtime/kube/resource.ts';
import type { Details } from '../../runtime/managed/external.ts';
import type { SecretObject } from '../../runtime/managed/store.ts';

export const CONNECTION_SECRET_TYPE = 'connection.crossplane.io/v1alpha1';

/** The metadata of every Secret, as a watch keeps it. */
export interface SecretMetadata {
  get(key: string): KubeObject | undefined;
  put(object: KubeObject): void;
}

export class Secrets {
  readonly #client: KubeClient;
  readonly #metadata: SecretMetadata;
  readonly #read = new Map<string, SecretObject>();
  /** What was last published, as version and digest, so that an equal publish costs nothing. */
  readonly #published = new Map<string, string>();

  constructor(client: KubeClient, metadata: SecretMetadata) {
    this.#client = client;
    this.#metadata = metadata;
  }

  async get(namespace: string, name: string, signal?: AbortSignal): Promise<SecretObject | undefined> {
    const key = `${namespace}/${name}`;
    const version = this.#metadata.get(key)?.metadata.resourceVersion;
    const cached = this.#read.get(key);
    if (cached !== undefined && cached.metadata.resourceVersion === version) return cached;
    try {
      const secret = kept(await this.#client.get<SecretObject>(SECRETS, { namespace, name }, { signal }));
      this.#read.set(key, secret);
      return secret;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.forget(key);
      return undefined;
    }
  }

  /**
   * The same, but one that the watch has not told of counts as absent: for a Secret that most likely is yet to be made, the
   * API server need not be asked. Should it be there after all, `publish` throws a conflict, and knows it from then on.
   */
  async getKnown(namespace: string, name: string): Promise<SecretObject | undefined> {
    return this.#metadata.get(`${namespace}/${name}`) === undefined ? undefined : await this.get(namespace, name);
  }

  /** Whether this version of a Secret is one that we wrote, or have read already. */
  isOwnWrite(key: string, version: string | undefined): boolean {
    return version !== undefined && this.#read.get(key)?.metadata.resourceVersion === version;
  }

  /** Called when the watch says that a Secret is gone. */
  forget(key: string): void {
    this.#read.delete(key);
    this.#published.delete(key);
  }

  /**
   * Adds keys to the connection Secret of a resource; creates it when absent; writes nothing when equal.
   *
   * @throws KubeError, a conflict, when there is one that was not known of and says something else: what is to be published
   * was decided without it.
   */
  async publish(resource: Managed, definition: KindDefinition, details: Details): Promise<void> {
    const name = resource.spec.writeConnectionSecretToRef?.name;
    if (name === undefined) return;
    const namespace = resource.metadata.namespace ?? '';
    const key = `${namespace}/${name}`;
    const data = Object.fromEntries(
      Object.entries(details)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([k, v]) => [k, Buffer.from(typeof v === 'string' ? v : v.reveal()).toString('base64')]),
    );
    // Whose it is counts as well: another resource that would write the same must learn that the Secret is not its own.
    const digest = createHash('sha256')
      .update(JSON.stringify([resource.metadata.uid, data]))
      .digest('base64');
    const version = this.#metadata.get(key)?.metadata.resourceVersion;
    if (version !== undefined && this.#published.get(key) === `${version} ${digest}`) return;
    const stored = kept(await this.#write(resource, definition, namespace, name, data));
    this.#read.set(key, stored);
    this.#metadata.put(withoutData(stored));
    this.#published.set(key, `${stored.metadata.resourceVersion} ${digest}`);
  }

  async #write(
    resource: Managed,
    definition: KindDefinition,
    namespace: string,
    name: string,
    data: Record<string, string>,
  ): Promise<SecretObject> {
    const create = async (): Promise<SecretObject> =>
      await this.#client.create<SecretObject>(SECRETS, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { namespace, name, ownerReferences: [controllerReference(resource, definition)] },
        type: CONNECTION_SECRET_TYPE,
        data,
      });
    // One that the watch has not told of is most likely new; if it is not, the API server says so.
    const isUnknown = this.#metadata.get(`${namespace}/${name}`) === undefined;
    if (isUnknown)
      try {
        return await create();
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
    const existing = await this.get(namespace, name);
    if (existing === undefined) return await create();
    const controller = existing.metadata.ownerReferences?.find((owner) => owner.controller);
    const isFormer =
      existing.type === CONNECTION_SECRET_TYPE &&
      controller !== undefined &&
      isEarlier(controller, resource, definition);
    const isOurs =
      controller === undefined ? existing.type === CONNECTION_SECRET_TYPE : controller.uid === resource.metadata.uid;
    if (!isOurs && !isFormer)
      throw new ResourceError(
        'SecretNotOurs',
        `writeConnectionSecretToRef: Secret ${JSON.stringify(name)} exists and belongs to ${controller === undefined ? 'nobody that we know' : `${controller.kind} ${controller.name}`}; choose another name`,
        { retryable: false },
      );
    if (isFormer) {
      const others = (existing.metadata.ownerReferences ?? []).filter((owner) => owner !== controller);
      const ownerReferences = [...others, controllerReference(resource, definition)];
      const { uid, resourceVersion } = existing.metadata;
      return await this.#client.mergePatch<SecretObject>(
        SECRETS,
        { namespace, name },
        { data, metadata: { uid, resourceVersion, ownerReferences } },
      );
    }
    if (Object.entries(data).every(([k, v]) => existing.data?.[k] === v)) return existing;
    if (isUnknown) {
      this.#metadata.put(withoutData(existing));
      throw new KubeError({
        status: 409,
        reason: 'Conflict',
        message: `Secret ${JSON.stringify(name)} was made at the same time`,
      });
    }
    return await this.#client.mergePatch<SecretObject>(
      SECRETS,
      { namespace, name },
      { data, metadata: { uid: existing.metadata.uid } },
    );
  }
}

/**
 * Whether the owner is this resource in an earlier life: one that was deleted, or restored from a backup of the cluster with
 * its Secret. There are never two of that name, and what the earlier one published is still the password.
 */
const isEarlier = (owner: OwnerReference, { metadata }: Managed, { group, kind }: KindDefinition): boolean =>
  owner.uid !== metadata.uid &&
  owner.kind === kind &&
  owner.name === metadata.name &&
  owner.apiVersion.split('/')[0] === group;

export const controllerReference = (resource: Managed, definition: KindDefinition) => ({
  apiVersion: apiVersion(definition),
  kind: definition.kind,
  name: resource.metadata.name,
  uid: resource.metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

/** There may be as many Secrets as resources. */
function kept({ apiVersion, kind, type, data, metadata }: SecretObject): SecretObject {
  const { managedFields: _, ...known } = metadata as SecretObject['metadata'] & { managedFields?: unknown };
  return {
    apiVersion,
    kind,
    metadata: known,
    ...(type === undefined ? {} : { type }),
    ...(data === undefined ? {} : { data }),
  };
}

const withoutData = (secret: SecretObject): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: secret.metadata,
});
