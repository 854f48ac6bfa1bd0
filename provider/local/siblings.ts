/** Other Grants of the same server that are in force: what they give is not taken from under their hands. */
import type { Managed } from '../api/kind.ts';
import { hasCreated } from '../runtime/managed/annotations.ts';
import type { LocalStore } from './store.ts';

export const siblingsOf = (resource: Managed, store: LocalStore): Managed[] =>
  resource.kind === 'Grant' ? store.list('Grant').filter((other) => isSibling(resource, other)) : [];

const isSibling = (grant: Managed, other: Managed): boolean =>
  other.metadata.uid !== grant.metadata.uid &&
  other.metadata.deletionTimestamp === undefined &&
  hasCreated(other) &&
  JSON.stringify(other.spec.providerConfigRef) === JSON.stringify(grant.spec.providerConfigRef);
