/** Who decides what a resource may name. */
import type { Managed } from '../../api/kind.ts';
import type { Owned, Tenant } from '../../resources/tenant.ts';

/** Refuses what another resource or another tenant has, before the server is asked. */
export interface Guard {
  check(resource: Managed): void;
  /** Why the deletion of a resource leaves everything as it is: what it is about is not, or no longer, its to change. */
  leaves(resource: Managed): string | undefined;
  /** On a server that tenants share: whose the resource is. */
  tenant(resource: Managed): Tenant | undefined;
  /** Whether a resource manages the object, on the server that the resource refers to. */
  manages?(resource: Managed, object: Owned): boolean;
  /** Other Grants to the same role on that server, as far as they are in force. */
  siblings?(resource: Managed): Managed[];
}
