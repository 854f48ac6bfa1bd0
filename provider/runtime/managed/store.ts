/**
 * Where the managed reconciler keeps its objects: the Kubernetes API in a cluster, files for the command line.
 * Every write returns the object as stored; a write against an outdated object throws with status 409.
 */
import type { KubeObject, Managed } from '../../api/kind.ts';
import type { Details } from './external.ts';

/** A change of metadata alone; what it does not name stays. */
export interface MetadataPatch {
  /** null removes. */
  annotations?: Record<string, string | null>;
  addFinalizer?: string;
  removeFinalizer?: string;
}

export interface SecretObject extends KubeObject {
  type?: string;
  /** Base64 values, as the API has them. */
  data?: Record<string, string>;
}

export interface ManagedStore {
  /** The newest known version, or undefined when the object is gone. */
  get(namespace: string, name: string): Promise<Managed | undefined>;
  patchMetadata(resource: Managed, patch: MetadataPatch): Promise<Managed>;
  /** Merge-patches spec.forProvider, for references and late initialisation. */
  patchForProvider(resource: Managed, patch: Record<string, unknown>): Promise<Managed>;
  /** Replaces the status. */
  updateStatus(resource: Managed): Promise<Managed>;
  /** Adds keys to the connection Secret; creates it when absent; writes nothing when equal. */
  publish(resource: Managed, details: Details): Promise<void>;
  /** Never waits and never fails. */
  event(resource: Managed, type: 'Normal' | 'Warning', reason: string, message: string): void;
}
