/**
 * How a kind is defined: one zod schema gives its TypeScript type, its run-time validation and its CRD.
 * Nothing else in the project describes the shape of a kind.
 */
import { z } from 'zod';

/** The API version that all groups share. */
export const VERSION = 'v1alpha1';

/** API groups by short name. */
export const GROUPS = {
  config: 'm.xdatabase.dev',
  sql: 'sql.m.xdatabase.dev',
  backup: 'backup.m.xdatabase.dev',
} as const;
export type GroupName = keyof typeof GROUPS;

/** One CEL rule (`x-kubernetes-validations`), with the message a user reads. */
export interface CelRule {
  rule: string;
  message: string;
}

export interface PrinterColumn {
  name: string;
  type: 'string' | 'integer' | 'boolean' | 'date';
  jsonPath: string;
  priority?: number;
  description?: string;
}

/** A field of `spec.forProvider` that may also be given as `<field>Ref` or `<field>Selector`. */
export interface Reference {
  /** The field that receives the external name, e.g. `owner`. */
  field: string;
  /** The kind that is referred to, e.g. `Role`. */
  kind: string;
}

export interface KindDefinition {
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  shortNames: string[];
  categories: string[];
  namespaced: boolean;
  /** First sentence is the one-line description. */
  description: string;
  spec: z.ZodObject;
  /** Whether the fields of `spec` stand at the top level of the object, which then has no `spec`. */
  topLevel?: boolean;
  status: z.ZodObject | undefined;
  specRules: CelRule[];
  columns: PrinterColumn[];
  references: Reference[];
  managed: boolean;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface Condition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message?: string;
  lastTransitionTime: string;
  observedGeneration?: number;
}

/** Any Kubernetes object as JSON. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [key: string]: unknown;
}

export interface ProviderConfigReference {
  kind: 'ProviderConfig' | 'ClusterProviderConfig';
  name: string;
}

export type ManagementPolicy = 'Observe' | 'Create' | 'Update' | 'Delete' | 'LateInitialize' | '*';

/** A managed resource, with its `forProvider` and `atProvider` types. */
export interface Managed<F = Record<string, unknown>, A = Record<string, unknown>> extends KubeObject {
  spec: {
    forProvider: F;
    initProvider?: Partial<F>;
    providerConfigRef: ProviderConfigReference;
    managementPolicies?: ManagementPolicy[];
    writeConnectionSecretToRef?: { name: string };
  };
  status?: {
    atProvider?: A;
    conditions?: Condition[];
    observedGeneration?: number;
    lastHandledReconcileAt?: string;
  };
}

export const apiVersion = (definition: Pick<KindDefinition, 'group' | 'version'>): string =>
  `${definition.group}/${definition.version}`;

/** Labels that Crossplane gives to all that it composes: which composite, and for which claim where there is one. */
export const COMPOSED_LABEL = {
  composite: 'crossplane.io/composite',
  claimName: 'crossplane.io/claim-name',
  claimNamespace: 'crossplane.io/claim-namespace',
} as const;
