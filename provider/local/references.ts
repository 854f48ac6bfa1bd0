/** References between the manifests that were given. */
import type { KindDefinition, Managed } from '../api/kind.ts';
import { ANNOTATION, externalNameOf } from '../runtime/managed/annotations.ts';
import { References } from '../runtime/managed/references.ts';
import type { LocalStore } from './store.ts';

export const referencesIn = (
  store: LocalStore,
  kind: KindDefinition,
  seen: (object: Managed) => Managed = (object) => object,
): References =>
  new References(kind, {
    get: (name, namespace, object) => {
      const found = store.get(name, namespace, object);
      return found && seen(found);
    },
    list: (name, namespace) =>
      store
        .list(name)
        .filter(({ metadata }) => metadata.namespace === namespace)
        .map(seen),
  });

/**
 * The resource with the names of what it refers to: those that they have, or, as nothing is made by a plan, are to have.
 * @throws ResourceError for a reference to what is not among the manifests.
 */
export async function withNames(resource: Managed, kind: KindDefinition, store: LocalStore): Promise<Managed> {
  const named = ({ metadata, ...rest }: Managed, name: string): Managed => ({
    ...rest,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [ANNOTATION.externalName]: name } },
  });
  const names = await referencesIn(store, kind, (other) => named(other, externalNameOf(other))).resolve(resource);
  const { spec } = resource;
  return { ...resource, spec: { ...spec, forProvider: { ...spec.forProvider, ...names } } };
}
