/** The ways in which managed resources are looked up, besides by name. */
import type { KubeObject, Managed, ProviderConfigReference } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import type { Indexer } from '../../runtime/kube/store.ts';
import { externalNameOf } from '../../runtime/managed/annotations.ts';
import { type Claimed, claimOf, mentionsOf } from './identity.ts';
import { type SecretName, secretsOf } from './secret-names.ts';

export const claimKey = (claim: Claimed): string => `${claim.kind} ${claim.name}`;
export const secretKeyOf = (secret: SecretName): string => `${secret.namespace}/${secret.name}`;

const keyOfRef = ({ kind, name }: ProviderConfigReference, namespace: string | undefined): string =>
  kind === 'ProviderConfig' ? `${kind}/${namespace ?? ''}/${name}` : `${kind}/${name}`;

/** The configuration of the server that a resource lives on, as a key that is unique over kinds and namespaces. */
export const configKey = (resource: Managed): string =>
  keyOfRef(resource.spec.providerConfigRef, resource.metadata.namespace);

/** Every configuration that a resource names: a copy may read from another server. */
export function configRefsOf(resource: Managed): ProviderConfigReference[] {
  const source = resource.spec.forProvider['sourceProviderConfigRef'] as Partial<ProviderConfigReference> | undefined;
  const own = resource.spec.providerConfigRef;
  if (source?.name === undefined) return [own];
  return [own, { kind: source.kind ?? 'ClusterProviderConfig', name: source.name }];
}

export const configKeyOf = (config: KubeObject): string =>
  config.kind === 'ProviderConfig'
    ? `${config.kind}/${config.metadata.namespace ?? ''}/${config.metadata.name}`
    : `${config.kind}/${config.metadata.name}`;

/** Objects on the server that a resource waits for until they are there. */
function needsOf(resource: Managed): string[] {
  const { database, schema } = resource.spec.forProvider;
  const needs = mentionsOf(resource).map(claimKey);
  if (typeof database === 'string' && typeof schema === 'string')
    needs.push(claimKey({ kind: 'Schema', name: `${database}/${schema}` }));
  return needs;
}

/** Names of the objects that a resource refers to, as `namespace/name`; `namespace/*` when it selects them. */
function referredBy(resource: Managed): string[] {
  const namespace = resource.metadata.namespace ?? '';
  const fields = resource.spec.forProvider;
  const groups = Array.isArray(fields['memberOf']) ? (fields['memberOf'] as Record<string, unknown>[]) : [];
  const source = (fields['source'] ?? {}) as Record<string, unknown>;
  return [fields, source, ...groups].flatMap((holder) =>
    Object.entries(holder).flatMap(([field, value]) => {
      if (field.endsWith('Selector')) return [`${namespace}/*`];
      if (!field.endsWith('Ref') || typeof value !== 'object' || value === null) return [];
      return [`${namespace}/${String((value as { name?: unknown }).name)}`];
    }),
  );
}

export const managedIndexers: Record<string, Indexer<KubeObject>> = {
  claim: (object) => {
    const claim = claimOf(object as Managed);
    return claim === undefined ? [] : [claimKey(claim)];
  },
  roleName: (object) => (object.kind === 'Role' ? [externalNameOf(object)] : []),
  config: (object) => [
    ...new Set(configRefsOf(object as Managed).map((ref) => keyOfRef(ref, object.metadata.namespace))),
  ],
  needs: (object) => [...new Set(needsOf(object as Managed))],
  refers: (object) => [...new Set(referredBy(object as Managed))],
  namespace: (object) => [object.metadata.namespace ?? ''],
  secret: (object) => {
    const resource = object as Managed;
    const given = (resource.spec.forProvider['passwordSecretRef'] as { name?: string } | undefined)?.name;
    return [given, resource.spec.writeConnectionSecretToRef?.name]
      .filter((name) => name !== undefined)
      .map((name) => secretKeyOf({ namespace: resource.metadata.namespace ?? '', name }));
  },
};

export const configIndexers: Record<string, Indexer<KubeObject>> = {
  secret: (object) => {
    try {
      return secretsOf(object as ProviderConfig).map(secretKeyOf);
    } catch {
      return []; // an unusable reference finds no Secret; the reconcile says so
    }
  },
};
