/**
 * Who may touch what on a server that several namespaces share: from Kubernetes objects alone, before the server is
 * asked, and by the marks on the server, before anything is sent.
 */
import { COMPOSED_LABEL, type Managed } from '../../api/kind.ts';
import { ResourceError, waiting } from '../../common/errors.ts';
import type { Mark } from '../../resources/model/objects.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import { notYours, type Owned, type Tenant } from '../../resources/tenant.ts';
import { hasCreated } from '../../runtime/managed/annotations.ts';
import { conditionOf } from '../../runtime/managed/conditions.ts';
import type { Claimed } from '../objects/identity.ts';
import { claimOf, granteeOf, heirsOf, isOfRole, type Mention, mentionsOf } from '../objects/identity.ts';
import type { Guard } from './guard.ts';
import { refuseBeyondLimits, refuseHeirs } from './limits.ts';
import type { ServerPolicy } from './policy.ts';

export interface Inventory {
  /** Every resource that claims the object, of all namespaces. */
  claimants(claim: Claimed): Managed[];
  /** The policy of the server that the resource refers to; undefined when there is no such configuration. */
  policy(resource: Managed): ServerPolicy | undefined;
  /** Every Role of that name, at whatever host its account is. */
  namesakes?(role: Managed): Managed[];
  /** Every resource of a kind that names the role. */
  naming?(kind: string, role: Claimed): Managed[];
}

/** Roles that PostgreSQL itself comes with. */
const PREDEFINED = /^pg_/;

/** Whether it was dropped at its end, and the end has been moved since. */
function isMadeAnew({ spec, status }: Managed): boolean {
  const { expired, expiresAt } = status?.atProvider ?? {};
  return expired !== undefined && expired !== 'Kept' && expiresAt !== spec.forProvider['expiresAt'];
}

/** Whether one composite has both. */
const isSibling = (a: Managed, b: Managed): boolean =>
  a.metadata.namespace === b.metadata.namespace &&
  a.metadata.labels?.[COMPOSED_LABEL.composite] !== undefined &&
  a.metadata.labels[COMPOSED_LABEL.composite] === b.metadata.labels?.[COMPOSED_LABEL.composite];

export class Tenancy implements Guard {
  readonly #inventory: Inventory;
  readonly #observes: (resource: Managed) => boolean;

  /** @param observes whether a resource only looks at its object: such a one manages nothing, and is in nobody's way */
  constructor(inventory: Inventory, observes: (resource: Managed) => boolean = () => false) {
    this.#inventory = inventory;
    this.#observes = observes;
  }

  check(resource: Managed): void {
    const policy = this.#inventory.policy(resource);
    if (policy === undefined) return; // connecting will say that the configuration is missing
    const isDeleted = resource.metadata.deletionTimestamp !== undefined;
    if (!isDeleted) {
      this.#oneManager(resource, policy);
      if (!hasCreated(resource)) this.#nothingTakenAway(resource, policy);
      if (!hasCreated(resource) || isMadeAnew(resource)) this.#nothingOnItsWayOut(resource, policy);
    }
    if (!policy.isolated) return;
    if (isDeleted) refuseHeirs(resource);
    else {
      refuseBeyondLimits(resource, policy);
      this.#oneNamespaceAName(resource, policy);
    }
    this.#ownNames(resource, policy, isDeleted ? heirsOf(resource) : mentionsOf(resource));
  }

  leaves(resource: Managed): string | undefined {
    const policy = this.#inventory.policy(resource);
    if (policy === undefined) return undefined;
    try {
      this.#oneManager(resource, policy);
      if (policy.isolated)
        this.#ownNames(
          resource,
          policy,
          mentionsOf(resource).filter((m) => isWhereItActs(m, resource)),
        );
      return undefined;
    } catch (error) {
      if (!(error instanceof ResourceError)) throw error;
      return error.message;
    }
  }

  manages(resource: Managed, object: Owned): boolean {
    const policy = this.#inventory.policy(resource);
    return policy !== undefined && this.#rivals(object, resource, policy).length > 0;
  }

  siblings(resource: Managed): Managed[] {
    const policy = this.#inventory.policy(resource);
    if (resource.kind !== 'Grant' || policy === undefined) return [];
    return this.#ofSameRole(resource, policy, { goes: false }).filter((other) => this.#isAllowed(other));
  }

  /** The others of its kind that have given the same role something on that server: those that go, or those that stay. */
  #ofSameRole(resource: Managed, policy: ServerPolicy, { goes }: { goes: boolean }): Managed[] {
    const role = granteeOf(resource);
    if (role === undefined) return [];
    return (this.#inventory.naming?.(resource.kind, role) ?? []).filter(
      (other) =>
        (other.metadata.deletionTimestamp !== undefined) === goes &&
        other.metadata.uid !== resource.metadata.uid &&
        hasCreated(other) &&
        this.#inventory.policy(other)?.server === policy.server,
    );
  }

  /** What is refused is not in force, and protects nothing. */
  #isAllowed(resource: Managed): boolean {
    try {
      this.check(resource);
      return true;
    } catch (error) {
      if (error instanceof ResourceError) return false;
      throw error;
    }
  }

  tenant(resource: Managed): Tenant | undefined {
    const policy = this.#inventory.policy(resource);
    if (policy?.isolated !== true) return undefined;
    return {
      made: (object, mark, server) => this.#made(object, mark, server, resource, policy),
      mayJoin: (group) => mayJoin(policy, group),
      maySet: (setting) => maySet(policy, setting),
    };
  }

  #made(object: Owned, mark: Mark | undefined, server: ServerInfo, resource: Managed, policy: ServerPolicy): boolean {
    const own = this.#rivals(object, resource, policy).filter(
      ({ metadata }) => metadata.namespace === resource.metadata.namespace,
    );
    if (server.unmarked?.includes(object.kind) !== true) return own.some(({ metadata }) => metadata.uid === mark?.uid);
    // No mark can tell: the oldest that claims it, and says that it has made it.
    const holder = this.#holder(object, resource, policy);
    return holder !== undefined && own.includes(holder) && hasCreated(holder);
  }

  /** Two resources never manage one object: the older wins. */
  #oneManager(resource: Managed, policy: ServerPolicy): void {
    const claim = claimOf(resource);
    if (claim === undefined || this.#observes(resource)) return;
    const winner = this.#holder(claim, resource, policy);
    if (winner === undefined || winner.metadata.uid === resource.metadata.uid) return;
    const where =
      winner.metadata.namespace === resource.metadata.namespace || !policy.isolated
        ? `by ${winner.kind} ${winner.metadata.namespace}/${winner.metadata.name}`
        : 'by a resource of another namespace';
    throw new ResourceError(
      'AlreadyManaged',
      `${claim.kind.toLowerCase()} ${JSON.stringify(claim.name)} on this server is already managed ${where}; choose another name or delete one of the two`,
      { retryable: false },
    );
  }

  /**
   * What is made for an object that is being deleted would hold it there: a database its owner, for one. Where another
   * resource is to have that object next, neither would ever end. The resources of a composite go one after another, so
   * what a sibling is to have next is waited for before its manager is seen to go.
   */
  #nothingOnItsWayOut(resource: Managed, policy: ServerPolicy): void {
    for (const mention of mentionsOf(resource)) {
      const [holder, ...next] = this.#rivals(mention, resource, policy).toSorted(byAge);
      if (holder === undefined) continue;
      const what = `${mention.path}: the ${mention.kind} that manages ${JSON.stringify(mention.name)} on this server`;
      if (holder.metadata.deletionTimestamp !== undefined) throw waiting(`${what} is being deleted`);
      if (next.some((other) => isSibling(other, resource)))
        throw waiting(`${what} is not yet the one that was made together with this resource`);
    }
  }

  /**
   * What another is about to take from the role would seem to be there already, and be gone when this one has said that
   * it is Ready. One that cannot be deleted is not waited for.
   */
  #nothingTakenAway(resource: Managed, policy: ServerPolicy): void {
    const going = this.#ofSameRole(resource, policy, { goes: true }).find(
      (other) =>
        (!policy.isolated || other.metadata.namespace === resource.metadata.namespace) &&
        conditionOf(other, 'Synced')?.status !== 'False',
    );
    if (going !== undefined)
      throw waiting(
        `forProvider.role: ${going.kind} ${going.metadata.namespace}/${going.metadata.name} is being deleted, and takes from the role what it gave`,
      );
  }

  /** Accounts of one name share their rights on databases, whatever their hosts: the older wins. */
  #oneNamespaceAName(resource: Managed, policy: ServerPolicy): void {
    const claim = claimOf(resource);
    if (claim?.kind !== 'Role') return;
    const oldest = this.#onServer(this.#inventory.namesakes?.(resource) ?? [], resource, policy).toSorted(byAge)[0];
    if (oldest === undefined || oldest.metadata.namespace === resource.metadata.namespace) return;
    throw new ResourceError(
      'AlreadyManaged',
      `role ${JSON.stringify(claim.name)}: a resource of another namespace manages an account of that name at another host on this server, and accounts of one name share their rights on databases; choose another name`,
      { retryable: false },
    );
  }

  #holder(claim: Claimed, resource: Managed, policy: ServerPolicy): Managed | undefined {
    return this.#rivals(claim, resource, policy).toSorted(byAge)[0];
  }

  /**
   * Everything that claims the object on that server. On a shared one, what another namespace claims by a
   * ProviderConfig of its own does not count: it may be anything, and may never have logged in.
   */
  #rivals(claim: Claimed, resource: Managed, policy: ServerPolicy): Managed[] {
    return this.#onServer(this.#inventory.claimants(claim), resource, policy);
  }

  #onServer(candidates: readonly Managed[], resource: Managed, policy: ServerPolicy): Managed[] {
    return candidates.filter(
      (candidate) =>
        !this.#observes(candidate) &&
        this.#inventory.policy(candidate)?.server === policy.server &&
        (!policy.isolated ||
          candidate.spec.providerConfigRef.kind === 'ClusterProviderConfig' ||
          candidate.metadata.namespace === resource.metadata.namespace),
    );
  }

  #ownNames(resource: Managed, policy: ServerPolicy, mentions: readonly Mention[]): void {
    for (const mention of mentions) {
      const holder = this.#holder(mention, resource, policy);
      if (holder !== undefined && holder.metadata.namespace === resource.metadata.namespace) continue;
      if (mention.isGroup === true && mayJoin(policy, mention.name)) continue;
      throw notYours(
        `${mention.path}: no ${mention.kind} of namespace ${JSON.stringify(resource.metadata.namespace)} manages ${JSON.stringify(mention.name)} on this server, and the ClusterProviderConfig isolates namespaces; create that ${mention.kind} in this namespace first`,
      );
    }
  }
}

/**
 * What a deletion works on: rights are taken from a role, and what is inside a database is dropped there. The rest of
 * what a resource names may be gone before it.
 */
const isWhereItActs = ({ path }: Mention, resource: Managed): boolean =>
  path === (isOfRole(resource) ? 'forProvider.role' : 'forProvider.database');

const mayJoin = ({ allowedGroups }: ServerPolicy, group: string): boolean =>
  allowedGroups.has(group) || (allowedGroups.has('*') && PREDEFINED.test(group));

function maySet({ allowedSettings }: ServerPolicy, setting: string): boolean {
  const name = setting.toLowerCase();
  if (allowedSettings.has('*') || allowedSettings.has(name)) return true;
  return [...allowedSettings].some((allowed) => allowed.endsWith('.*') && name.startsWith(allowed.slice(0, -1)));
}

const byAge = (a: Managed, b: Managed): number => {
  const [x, y] = [a, b].map((r) =>
    [r.metadata.creationTimestamp ?? '', r.metadata.namespace ?? '', r.metadata.name].join('\0'),
  );
  return x! < y! ? -1 : 1;
};
