/** What is kept of objects of which there are as many as resources: memory is what they cost. And what has to be there. */
import type { KubeObject, ObjectMeta } from '../../api/kind.ts';

/** Of all Secrets of a cluster it is only known that they are there, in which version, and who holds them. */
export const secretVersion = ({ apiVersion, kind, metadata }: KubeObject): KubeObject => ({
  apiVersion,
  kind,
  metadata: {
    ...identity(metadata),
    ...(metadata.finalizers === undefined ? {} : { finalizers: metadata.finalizers }),
    ...(metadata.deletionTimestamp === undefined ? {} : { deletionTimestamp: metadata.deletionTimestamp }),
  },
});

/** Usages are counted. */
export const countedUsage = ({ apiVersion, kind, metadata, providerConfigRef }: KubeObject): KubeObject => ({
  apiVersion,
  kind,
  metadata: { ...identity(metadata), ...(metadata.labels === undefined ? {} : { labels: metadata.labels }) },
  providerConfigRef,
});

/**
 * What every reader of a managed resource counts on, of one that was stored before the schema demanded it. Without it, such
 * a one would fail for all of its kind instead of for itself.
 */
export function completed(object: KubeObject): KubeObject {
  const spec = fieldsOf(object['spec']);
  const { forProvider, providerConfigRef } = spec;
  if (isFields(forProvider) && isFields(providerConfigRef)) return object;
  return {
    ...object,
    spec: {
      ...spec,
      forProvider: fieldsOf(forProvider),
      providerConfigRef: { kind: 'ClusterProviderConfig', name: 'default', ...fieldsOf(providerConfigRef) },
    },
  };
}

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const fieldsOf = (value: unknown): Record<string, unknown> => (isFields(value) ? value : {});

function identity({ namespace, name, uid, resourceVersion }: ObjectMeta): ObjectMeta {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}
