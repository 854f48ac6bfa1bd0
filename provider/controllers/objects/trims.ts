/** What is kept of objects of which there are as many as resources: memory is what they cost. */
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

function identity({ namespace, name, uid, resourceVersion }: ObjectMeta): ObjectMeta {
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}
