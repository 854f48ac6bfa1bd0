/** What is asked and observed of privileges: on objects, by membership, and on objects to come. */
import type { Grantee, ObjectTarget } from './objects.ts';
import type { Membership } from './roles.ts';

export interface Privilege {
  privilege: string;
  grantable: boolean;
  grantor: string;
}

/** One existing object and what one grantee directly holds on it; `columns` when the privilege is on a column. */
export interface AclObserved {
  target: ObjectTarget;
  owner: string;
  privileges: (Privilege & { column?: string })[];
}

export interface GrantQuery {
  grantee: Grantee;
  targets: ObjectTarget[];
}

export interface GrantObserved {
  granteeExists: boolean;
  /** What the grant needs but is not there, in words ("schema \"app\" of database \"orders\""). Empty when all is there. */
  missing: string[];
  /** Every existing object that the targets cover. */
  objects: AclObserved[];
}

export interface MembershipQuery {
  role: string;
  memberOf: string;
}

export interface MembershipObserved {
  missing: string[];
  memberships: (Membership & { grantor?: string })[];
  /** The groups whose rights the role has without SET ROLE, where the server keeps a list of them. */
  defaultRoles?: string[];
}

export interface DefaultPrivilegesQuery {
  database: string;
  creator: string;
  grantee: Grantee;
  objectType: string;
  schema?: string;
}

export interface DefaultPrivilegesObserved {
  missing: string[];
  /** What the layer asked for (schema or global) holds for that grantee. */
  privileges: Privilege[];
  /** What the global layer, acldefault() included, gives that grantee. */
  inherited: Privilege[];
}
