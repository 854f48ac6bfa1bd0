/** Which Secrets a configuration names. */
import type { ProviderConfig } from '../../api/provider-config.ts';
import { ResourceError } from '../../common/errors.ts';

export const nameOf = (config: ProviderConfig): string => `${config.kind} ${JSON.stringify(config.metadata.name)}`;

export interface SecretName {
  namespace: string;
  name: string;
}

/** Every Secret that a connection with this configuration reads. */
export function secretsOf(config: ProviderConfig): SecretName[] {
  const { credentials, tls } = config.spec;
  return [credentials.secretRef, tls?.caSecretRef, tls?.clientCertSecretRef]
    .filter((ref) => ref !== undefined)
    .map((ref) => locate(config, ref));
}

/**
 * Where a Secret of this configuration is. A namespaced configuration reads its own namespace only, whatever it says:
 * otherwise its author could borrow the provider's rights to read the Secrets of others.
 */
export function locate(config: ProviderConfig, ref: { name: string; namespace?: string | undefined }): SecretName {
  const own = config.metadata.namespace;
  if (config.kind === 'ProviderConfig') return { namespace: own ?? '', name: ref.name };
  if (ref.namespace === undefined)
    throw new ResourceError('InvalidProviderConfig', `${nameOf(config)}: a secretRef needs a namespace`);
  return { namespace: ref.namespace, name: ref.name };
}
