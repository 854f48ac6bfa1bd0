/** The managed reconciler's store over the Kubernetes API. */
import type { KindDefinition, KubeObject, Managed } from '../../api/kind.ts';
import type { KubeClient } from '../../runtime/kube/client.ts';
import type { EventRecorder } from '../../runtime/kube/events.ts';
import { ANNOTATION, annotation } from '../../runtime/managed/annotations.ts';
import type { ManagedStore } from '../../runtime/managed/store.ts';
import type { Secrets } from './secrets.ts';

/** The objects of one kind, as a watch keeps them; `put` records our own writes at once. */
export interface ObjectCache {
  get(key: string): KubeObject | undefined;
  put(object: KubeObject): void;
}

export type Recorder = Pick<EventRecorder, 'record'>;

export function kubeStore(
  definition: KindDefinition,
  client: KubeClient,
  cache: ObjectCache,
  secrets: Secrets,
  recorder: Recorder,
): ManagedStore {
  const component = `managed/${definition.kind}.${definition.group}`.toLowerCase();
  const refOf = (resource: Managed) => ({ namespace: resource.metadata.namespace ?? '', name: resource.metadata.name });
  const keep = (object: Managed): Managed => {
    cache.put(object);
    return withoutManagedFields(object);
  };
  return {
    get: async (namespace, name) => await Promise.resolve(cache.get(`${namespace}/${name}`) as Managed | undefined),

    patchMetadata: async (resource, patch) => {
      const finalizers = new Set(resource.metadata.finalizers);
      if (patch.addFinalizer !== undefined) finalizers.add(patch.addFinalizer);
      if (patch.removeFinalizer !== undefined) finalizers.delete(patch.removeFinalizer);
      const changesFinalizers = finalizers.size !== (resource.metadata.finalizers?.length ?? 0);
      return keep(
        await client.mergePatch<Managed>(definition, refOf(resource), {
          metadata: {
            // A conflict must abort: what follows was decided from this version.
            resourceVersion: resource.metadata.resourceVersion,
            ...(patch.annotations === undefined ? {} : { annotations: patch.annotations }),
            ...(changesFinalizers ? { finalizers: [...finalizers] } : {}),
          },
        }),
      );
    },

    patchForProvider: async (resource, patch) =>
      keep(
        await client.mergePatch<Managed>(
          definition,
          refOf(resource),
          { metadata: { resourceVersion: resource.metadata.resourceVersion }, spec: { forProvider: patch } },
          { fieldManager: 'managed.crossplane.io/api-simple-reference-resolver' },
        ),
      ),

    updateStatus: async (resource) =>
      keep(await client.update<Managed>(definition, resource, { subresource: 'status' })),

    publish: async (resource, details) => {
      await secrets.publish(resource, definition, details);
    },

    event: (resource, type, reason, message) => {
      const externalName = annotation(resource, ANNOTATION.externalName);
      recorder.record(resource, type, reason, message, {
        component,
        ...(externalName === undefined ? {} : { annotations: { [ANNOTATION.externalName]: externalName } }),
      });
    },
  };
}

/** They are the API server's own record, half of an object, and would go back to it with the next status. */
function withoutManagedFields(object: Managed): Managed {
  const { managedFields: _, ...metadata } = object.metadata as Managed['metadata'] & { managedFields?: unknown };
  return { ...object, metadata };
}
