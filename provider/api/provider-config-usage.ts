import { z } from 'zod';
import { GROUPS, type KindDefinition, type KubeObject, type ProviderConfigReference, VERSION } from './kind.ts';
import { objectName } from './text.ts';

const fields = z.object({
  providerConfigRef: z
    .object({
      kind: z.enum(['ProviderConfig', 'ClusterProviderConfig']).describe('Kind of the configuration.'),
      name: objectName('Name of the configuration.'),
    })
    .describe('The configuration that is used.'),
  resourceRef: z
    .object({
      apiVersion: z.string().min(1).max(317).describe('API version of the resource.'),
      kind: z.string().min(1).max(63).describe('Kind of the resource.'),
      name: objectName('Name of the resource.'),
    })
    .describe('The resource, in the same namespace, that uses it.'),
});

export const ProviderConfigUsageKind: KindDefinition = {
  group: GROUPS.config,
  version: VERSION,
  kind: 'ProviderConfigUsage',
  plural: 'providerconfigusages',
  singular: 'providerconfigusage',
  shortNames: [],
  categories: ['crossplane', 'provider', 'xdatabase'],
  namespaced: true,
  description:
    'ProviderConfigUsage says that a resource uses a ProviderConfig or a ClusterProviderConfig. The provider makes and removes it.',
  spec: fields,
  topLevel: true,
  status: undefined,
  specRules: [],
  columns: [
    { name: 'AGE', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    { name: 'CONFIG-KIND', type: 'string', jsonPath: '.providerConfigRef.kind' },
    { name: 'CONFIG-NAME', type: 'string', jsonPath: '.providerConfigRef.name' },
    { name: 'RESOURCE-KIND', type: 'string', jsonPath: '.resourceRef.kind' },
    { name: 'RESOURCE-NAME', type: 'string', jsonPath: '.resourceRef.name' },
  ],
  references: [],
  managed: false,
};

export interface ProviderConfigUsage extends KubeObject {
  kind: 'ProviderConfigUsage';
  providerConfigRef: ProviderConfigReference;
  resourceRef: { apiVersion: string; kind: string; name: string };
}
