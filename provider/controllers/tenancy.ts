/**
 * Who may touch what on a server that several namespaces share. Everything here is decided from Kubernetes objects
 * alone, before the server is asked.
 */
import type { Managed } from '../api/kind.ts';
import { GUARDED_ROLE_ATTRIBUTES } from '../api/permissions.ts';
import { ResourceError } from '../resources/errors.ts';
import type { Claimed } from './identity.ts';
import { claimOf, mentionsOf } from './identity.ts';
import type { Guard } from './sql-external.ts';

/** What the server's configuration allows its tenants. */
export interface ServerPolicy {
  /** Identifies the server: two configurations with one endpoint are one server. */
  server: string;
  /** Whether resources may name only what their own namespace manages. */
  isolated: boolean;
  allowedRoleAttributes: ReadonlySet<string>;
  allowedServerPrivileges: ReadonlySet<string>;
  /** undefined = every extension. */
  allowedExtensions: ReadonlySet<string> | undefined;
}

export interface Inventory {
  /** Every resource that claims the object, of all namespaces. */
  claimants(claim: Claimed): Managed[];
  /** The policy of the server that the resource refers to; undefined when there is no such configuration. */
  policy(resource: Managed): ServerPolicy | undefined;
}

const SERVER_WIDE_FIELDS = [
  'languages',
  'foreignDataWrappers',
  'tablespaces',
  'parameters',
  'system',
  'databasePattern',
];

export class Tenancy implements Guard {
  readonly #inventory: Inventory;

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
  }

  check(resource: Managed): void {
    const policy = this.#inventory.policy(resource);
    if (policy === undefined) return; // connecting will say that the configuration is missing
    this.#oneManager(resource, policy);
    if (!policy.isolated || resource.metadata.deletionTimestamp !== undefined) return;
    refuseAdoption(resource);
    this.#ownNames(resource, policy);
    limitAttributes(resource, policy);
    limitServerPrivileges(resource, policy);
    limitExtensions(resource, policy);
  }

  /** Two resources never manage one object: the older wins. */
  #oneManager(resource: Managed, policy: ServerPolicy): void {
    const claim = claimOf(resource);
    if (claim === undefined) return;
    const winner = this.#holder(claim, policy.server);
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

  #holder(claim: Claimed, server: string): Managed | undefined {
    return this.#inventory
      .claimants(claim)
      .filter((candidate) => this.#inventory.policy(candidate)?.server === server)
      .toSorted(byAge)[0];
  }

  #ownNames(resource: Managed, policy: ServerPolicy): void {
    for (const mention of mentionsOf(resource)) {
      const holder = this.#holder(mention, policy.server);
      if (holder !== undefined && holder.metadata.namespace === resource.metadata.namespace) continue;
      if (mention.kind === 'Role' && allows(policy.allowedServerPrivileges, mention.name)) continue;
      throw new ResourceError(
        'NotYours',
        `${mention.path}: no ${mention.kind} of namespace ${JSON.stringify(resource.metadata.namespace)} manages ${JSON.stringify(mention.name)} on this server, and the ClusterProviderConfig isolates namespaces; create that ${mention.kind} in this namespace first`,
      );
    }
  }
}

const byAge = (a: Managed, b: Managed): number => {
  const [x, y] = [a, b].map((r) =>
    [r.metadata.creationTimestamp ?? '', r.metadata.namespace ?? '', r.metadata.name].join('\0'),
  );
  return x! < y! ? -1 : 1;
};

/**
 * On a server of many, what no resource manages may be anybody's: taking it over is for its owner, the platform. A schema
 * or an extension is inside a database that is the tenant's own.
 */
function refuseAdoption(resource: Managed): void {
  if (resource.spec.forProvider['adopt'] !== true || (resource.kind !== 'Database' && resource.kind !== 'Role')) return;
  throw new ResourceError(
    'AdoptionNotAllowed',
    'forProvider.adopt: the ClusterProviderConfig isolates namespaces, so nothing on its server can be taken over; the platform can, with a ProviderConfig of its own',
    { retryable: false },
  );
}

function limitAttributes(resource: Managed, policy: ServerPolicy): void {
  if (resource.kind !== 'Role') return;
  const wanted = (resource.spec.forProvider['privileges'] ?? {}) as Record<string, unknown>;
  for (const attribute of GUARDED_ROLE_ATTRIBUTES)
    if (wanted[attribute] === true && !policy.allowedRoleAttributes.has(attribute))
      throw new ResourceError(
        'AttributeNotAllowed',
        `forProvider.privileges.${attribute}: the ClusterProviderConfig does not allow it; allowed are ${list(policy.allowedRoleAttributes)} (allowedRoleAttributes)`,
        { retryable: false },
      );
}

function limitServerPrivileges(resource: Managed, policy: ServerPolicy): void {
  if (resource.kind !== 'Grant') return;
  const spec = resource.spec.forProvider;
  const field = SERVER_WIDE_FIELDS.find((name) => spec[name] !== undefined && spec[name] !== false);
  if (field === undefined) return;
  const privileges = (Array.isArray(spec['privileges']) ? spec['privileges'] : []).map((p) => String(p).toUpperCase());
  const refused = privileges.filter((privilege) => !allows(policy.allowedServerPrivileges, privilege));
  if (refused.length > 0)
    throw new ResourceError(
      'PrivilegeNotAllowed',
      `forProvider.${field}: ${refused.join(', ')} reaches beyond this namespace's databases and the ClusterProviderConfig does not allow it; allowed are ${list(policy.allowedServerPrivileges)} (allowedServerPrivileges)`,
      { retryable: false },
    );
}

function limitExtensions(resource: Managed, policy: ServerPolicy): void {
  if (resource.kind !== 'Extension' || policy.allowedExtensions === undefined) return;
  const name = (resource.spec.forProvider['extension'] ?? '') as string;
  if (!policy.allowedExtensions.has(name))
    throw new ResourceError(
      'ExtensionNotAllowed',
      `forProvider.extension: the ClusterProviderConfig does not allow ${JSON.stringify(name)}; allowed are ${list(policy.allowedExtensions)} (allowedExtensions)`,
      { retryable: false },
    );
}

/** `*` in the list allows all; names are compared without regard to case. */
const allows = (allowed: ReadonlySet<string>, name: string): boolean =>
  allowed.has('*') || allowed.has(name.toUpperCase());

const list = (values: ReadonlySet<string>): string => (values.size === 0 ? 'none' : [...values].toSorted().join(', '));
