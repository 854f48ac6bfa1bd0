/**
 * Whose rights a grant or revoke uses. By default those of the object's owner; the administrator gets at them in the
 * least way that works: as itself, by SET ROLE, by a grant option of its own, or by a membership that it takes for
 * the length of the change and gives back in the same transaction.
 */
import { ResourceError } from '../common/errors.ts';
import type { AclObserved, GrantObserved, GrantQuery, Privilege } from './model/privileges.ts';

/** How the administrator can use the rights of a role. */
export interface Reach {
  /** Without SET ROLE. */
  inherit: boolean;
  /** By SET ROLE. */
  set: boolean;
  /** By a membership that it may take and give back. */
  borrow: boolean;
  /** The role to become, where that is another: the owner of the database for pg_database_owner. */
  as?: string;
}

/** A grant option that somebody the administrator can act as holds; `*` is an owner's, for every privilege. */
export interface GrantOption {
  privilege: string;
  column?: string;
  role: string;
}

/**
 * What engines whose objects have owners add to the model's reads. Where `reach` is absent, the administrator's
 * rights are the server's business alone.
 */
export interface AuthorityQuery extends GrantQuery {
  /** The role that the spec names as grantor. */
  grantor?: string;
}
export interface AuthorityObserved extends GrantObserved {
  reach?: Record<string, Reach>;
  objects: AuthorityAcl[];
}
export interface AuthorityAcl extends AclObserved {
  privileges: HeldPrivilege[];
  options?: GrantOption[];
  /** Privileges that are held on the server but not here: granting them here ends only that, and once more grants them. */
  restricted?: readonly string[];
}
export interface HeldPrivilege extends Privilege {
  column?: string;
  /** The column in the letters in which it was granted, where a REVOKE has to use those. */
  columnAsGranted?: string;
  /** The grantor has the owner's rights by now: what it does counts as the owner's, so it cannot revoke this. */
  shadowed?: boolean;
}

/** How a step is run; on steps beside what the model says of them. */
export interface Acting {
  /** SET ROLE to this; undefined = as the administrator. */
  grantor?: string;
  /** Whether the membership in the grantor is taken for it, and given back in the same transaction. */
  borrow?: true;
}

export interface Authority {
  admin: string;
  reach: Record<string, Reach> | undefined;
}

/** Rights of the owner, without the last resort of borrowing them. */
function asOwner(owner: string, reach: Record<string, Reach>): Acting | undefined {
  const way = reach[owner];
  if (way?.inherit) return {};
  return way?.set ? { grantor: way.as ?? owner } : undefined;
}

function borrowed(role: string, reach: Record<string, Reach>): Acting | undefined {
  const way = reach[role];
  return way?.borrow ? { grantor: way.as ?? role, borrow: true } : undefined;
}

function asRole(role: string, { admin, reach }: Authority): Acting | undefined {
  if (role === admin) return {};
  return reach?.[role]?.set ? { grantor: role } : borrowed(role, reach ?? {});
}

/** How to grant one privilege on one object; undefined when there is no way. */
export function actToGrant(
  acl: AuthorityAcl,
  privilege: string,
  column: string | undefined,
  grantor: string | undefined,
  authority: Authority,
): Acting | undefined {
  const { reach, admin } = authority;
  if (reach === undefined) return grantor === undefined || grantor === admin ? {} : { grantor };
  const holders = (acl.options ?? []).filter(
    (option) =>
      (option.privilege === '*' || option.privilege === privilege) &&
      (option.column === undefined || option.column === column),
  );
  if (grantor !== undefined && grantor !== acl.owner)
    return holders.some((option) => option.role === grantor) ? asRole(grantor, authority) : undefined;
  const owner = asOwner(acl.owner, reach);
  if (owner !== undefined) return owner;
  const own = holders.find((option) => option.role === admin || reach[option.role]?.inherit);
  if (own !== undefined) return {};
  const other = holders.find((option) => reach[option.role]?.set);
  return other === undefined ? borrowed(acl.owner, reach) : { grantor: other.role };
}

/** How to revoke what one grantor gave; undefined when there is no way. */
export function actToRevoke(acl: AuthorityAcl, held: HeldPrivilege, authority: Authority): Acting | undefined {
  const { reach, admin } = authority;
  if (reach === undefined) return {};
  if (held.grantor === acl.owner) return asOwner(acl.owner, reach) ?? borrowed(acl.owner, reach);
  if (held.shadowed) return undefined;
  return held.grantor === admin ? {} : asRole(held.grantor, authority);
}

/** Whether a held privilege is what a grant by `grantor` (undefined = the default) makes. */
export function isOurs(
  acl: AuthorityAcl,
  held: HeldPrivilege,
  grantor: string | undefined,
  { admin, reach }: Authority,
): boolean {
  if (reach === undefined) return true;
  const actsAsOwner = (role: string) => (acl.options ?? []).some((o) => o.role === role && o.privilege === '*');
  if (grantor !== undefined && grantor !== acl.owner && !actsAsOwner(grantor)) return held.grantor === grantor;
  if (held.grantor === acl.owner || held.grantor === admin) return true;
  const mine = reach[held.grantor];
  return asOwner(acl.owner, reach) === undefined && (mine?.inherit === true || mine?.set === true);
}

export const denied = (message: string): ResourceError =>
  new ResourceError('PermissionDenied', message, { retryable: false });
