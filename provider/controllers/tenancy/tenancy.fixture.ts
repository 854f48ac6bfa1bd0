/** Resources on one server, and what becomes of one of them there. */
import type { Managed } from '../../api/kind.ts';
import { ResourceError } from '../../common/errors.ts';
import { externalNameOf } from '../../runtime/managed/annotations.ts';
import { claimOf, granteeOf } from '../objects/identity.ts';
import type { ServerPolicy } from './policy.ts';
import { type Inventory, Tenancy } from './tenancy.ts';

export const open: ServerPolicy = {
  server: 'db:5432',
  isolated: false,
  allowedRoleAttributes: new Set(),
  allowedServerPrivileges: new Set(),
  allowedGroups: new Set(),
  allowedSettings: new Set(),
  allowedExtensions: undefined,
};

export const isolated: ServerPolicy = { ...open, isolated: true };

let counter = 0;

export function make(
  kind: string,
  namespace: string,
  name: string,
  forProvider: Record<string, unknown> = {},
  created = '2026-01-01T00:00:00Z',
): Managed {
  counter += 1;
  return {
    apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
    kind,
    metadata: {
      namespace,
      name: `${name}-${counter}`,
      uid: `uid-${counter}`,
      creationTimestamp: created,
      annotations: { 'crossplane.io/external-name': name },
    },
    spec: { forProvider, providerConfigRef: { kind: 'ClusterProviderConfig', name: 'shared' } },
  };
}

export const inventoryOf = (policy: ServerPolicy, ...resources: Managed[]): Inventory => ({
  claimants: (claim) =>
    resources.filter((r) => JSON.stringify(claimOf(r)) === JSON.stringify({ kind: claim.kind, name: claim.name })),
  policy: () => policy,
  namesakes: (role) => resources.filter((r) => r.kind === 'Role' && externalNameOf(r) === externalNameOf(role)),
  naming: (kind, role) => resources.filter((r) => r.kind === kind && granteeOf(r)?.name === role.name),
});

export function refusal(policy: ServerPolicy, resource: Managed, ...others: Managed[]): string | undefined {
  try {
    new Tenancy(inventoryOf(policy, resource, ...others)).check(resource);
    return undefined;
  } catch (error) {
    if (error instanceof ResourceError) return error.reason;
    throw error;
  }
}
