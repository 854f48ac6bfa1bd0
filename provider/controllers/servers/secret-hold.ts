/**
 * Keeps the Secrets of a configuration that is in use from going away: without them, nothing that was made with them
 * could be taken back, and a namespace that is being deleted would wait for ever.
 */
import type { KubeObject } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import type { KubeClient } from '../../runtime/kube/client.ts';
import { isNotFound } from '../../runtime/kube/errors.ts';
import { SECRETS } from '../../runtime/kube/resource.ts';
import { SECRET_FINALIZER } from '../objects/finalizers.ts';
import { type SecretName, secretsOf } from '../objects/secret-names.ts';
import type { SecretMetadata } from '../objects/secrets.ts';

export class SecretHold {
  readonly #client: KubeClient;
  readonly #metadata: SecretMetadata;
  readonly #isNeeded: (secret: SecretName, except: KubeObject) => boolean;

  constructor(
    client: KubeClient,
    metadata: SecretMetadata,
    isNeeded: (secret: SecretName, except: KubeObject) => boolean,
  ) {
    this.#client = client;
    this.#metadata = metadata;
    this.#isNeeded = isNeeded;
  }

  async hold(config: ProviderConfig, inUse: boolean): Promise<void> {
    let secrets: SecretName[];
    try {
      secrets = secretsOf(config);
    } catch {
      return; // an unusable reference: connecting says so
    }
    for (const secret of secrets) await this.#set(secret, inUse || this.#isNeeded(secret, config));
  }

  async #set(secret: SecretName, held: boolean): Promise<void> {
    const known = this.#metadata.get(`${secret.namespace}/${secret.name}`);
    if (known === undefined) return;
    const finalizers = known.metadata.finalizers ?? [];
    const isHeld = finalizers.includes(SECRET_FINALIZER);
    // What is being deleted takes no new finalizer.
    if (isHeld === held || (held && known.metadata.deletionTimestamp !== undefined)) return;
    const next = held
      ? [...finalizers, SECRET_FINALIZER]
      : finalizers.filter((finalizer) => finalizer !== SECRET_FINALIZER);
    try {
      const updated = await this.#client.mergePatch(SECRETS, secret, {
        metadata: { resourceVersion: known.metadata.resourceVersion, finalizers: next },
      });
      this.#metadata.put({ apiVersion: 'v1', kind: 'Secret', metadata: updated.metadata });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
