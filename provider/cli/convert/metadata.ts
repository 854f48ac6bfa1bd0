/** Labels and annotations that go along, and what belongs to the tools and the cluster that an object comes from. */
import { COMPOSED_LABEL, type KubeObject } from '../../api/kind.ts';

/** Set by Helm, which does not know the new object; by kubectl, of the old one; and by Crossplane, save for the pause. */
const OF_TOOLS = /^(meta\.helm\.sh\/|helm\.sh\/chart$|kubectl\.kubernetes\.io\/|crossplane\.io\/(?!paused$))/;

const isOfUser = ([key, value]: [string, string]): boolean =>
  !OF_TOOLS.test(key) && !(key === 'app.kubernetes.io/managed-by' && value === 'Helm');

const ofUser = (values: Record<string, string> | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(values ?? {}).filter(isOfUser));

export const userMetadata = ({
  metadata,
}: KubeObject): { labels: Record<string, string>; annotations: Record<string, string> } => ({
  labels: ofUser(metadata.labels),
  annotations: ofUser(metadata.annotations),
});

/** What the API server writes into metadata. */
const OF_SERVER: ReadonlySet<string> = new Set([
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'managedFields',
  'selfLink',
]);

/** An object out of `kubectl get -o yaml` as one that can be applied. */
export function plainMetadata(object: KubeObject): KubeObject {
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([key]) => !OF_SERVER.has(key)));
  const entries = Object.entries({ ...object, metadata }).filter(([key]) => key !== 'status');
  return Object.fromEntries(entries) as unknown as KubeObject;
}

/** The composite that made it, by the labels that Crossplane gives. */
export const composedBy = ({ metadata }: KubeObject): string | undefined => metadata.labels?.[COMPOSED_LABEL.composite];
