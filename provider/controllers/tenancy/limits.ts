/** What a configuration does not allow those who share its server, read from the spec alone. */
import type { Managed } from '../../api/kind.ts';
import { GUARDED_ROLE_ATTRIBUTES } from '../../api/permissions.ts';
import { ResourceError } from '../../common/errors.ts';
import { refuseServersSchema } from '../../resources/tenant-objects.ts';
import { notYours } from '../../resources/tenant.ts';
import { partsOf } from '../objects/identity.ts';
import type { ServerPolicy } from './policy.ts';

const SERVER_WIDE_FIELDS = [
  'languages',
  'foreignDataWrappers',
  'tablespaces',
  'parameters',
  'system',
  'databasePattern',
];

type Fields = Record<string, unknown>;
type Limit = (fields: Fields, part: string, policy: ServerPolicy) => void;

const LIMITS: Record<string, readonly Limit[]> = {
  Database: [refuseAdoption, limitTablespace],
  Role: [refuseAdoption, limitAttributes, refuseAdminAsHeir],
  Schema: [],
  Extension: [limitExtensions, refuseServersSchemas],
  Grant: [limitServerPrivileges, refuseServersSchemas],
  DefaultPrivileges: [refuseServersSchemas],
};

/** Throws the limit's own reason. What initProvider says counts like the rest: it is used once, and that is enough. */
export function refuseBeyondLimits(resource: Managed, policy: ServerPolicy): void {
  for (const [part, fields] of partsOf(resource))
    for (const limit of LIMITS[resource.kind] ?? []) limit(fields, part, policy);
}

/** The limit that a resource is held to while it is being deleted, too. */
export function refuseHeirs(resource: Managed): void {
  for (const [part, fields] of partsOf(resource)) refuseAdminAsHeir(fields, part);
}

/**
 * On a server of many, what no resource manages may be anybody's: taking it over is for its owner, the platform. A schema
 * or an extension is inside a database that is the tenant's own.
 */
function refuseAdoption(fields: Fields, part: string): void {
  if (fields['adopt'] !== true) return;
  throw new ResourceError(
    'AdoptionNotAllowed',
    `${part}.adopt: the ClusterProviderConfig isolates namespaces, so nothing on its server can be taken over; the platform can, with a ProviderConfig of its own`,
    { retryable: false },
  );
}

function limitAttributes(fields: Fields, part: string, policy: ServerPolicy): void {
  const wanted = (fields['privileges'] ?? {}) as Fields;
  for (const attribute of GUARDED_ROLE_ATTRIBUTES)
    if (wanted[attribute] === true && !policy.allowedRoleAttributes.has(attribute))
      throw new ResourceError(
        'AttributeNotAllowed',
        `${part}.privileges.${attribute}: the ClusterProviderConfig does not allow it; allowed are ${list(policy.allowedRoleAttributes)} (allowedRoleAttributes)`,
        { retryable: false },
      );
}

/** A function that becomes the administrator's would run with the administrator's rights. */
function refuseAdminAsHeir(fields: Fields, part: string): void {
  if ((fields['onDelete'] as Fields | undefined)?.['reassignOwnedToAdmin'] === true)
    throw notYours(
      `${part}.onDelete.reassignOwnedToAdmin: the administrator of a shared server takes nothing over; name a role of this namespace in reassignOwnedTo`,
    );
}

function limitServerPrivileges(fields: Fields, part: string, policy: ServerPolicy): void {
  const field = SERVER_WIDE_FIELDS.find((name) => fields[name] !== undefined && fields[name] !== false);
  if (field === undefined) return;
  const privileges = Array.isArray(fields['privileges']) ? fields['privileges'] : [];
  refusePrivileges(privileges.map(String), `${part}.${field}`, policy);
}

/** To put a database there takes CREATE on the tablespace. */
function limitTablespace({ tablespace }: Fields, part: string, policy: ServerPolicy): void {
  if (typeof tablespace === 'string' && tablespace !== 'pg_default')
    refusePrivileges(['CREATE'], `${part}.tablespace`, policy);
}

function refusePrivileges(privileges: readonly string[], path: string, policy: ServerPolicy): void {
  const refused = privileges
    .map((privilege) => privilege.toUpperCase())
    .filter((privilege) => !allowed(policy, privilege));
  if (refused.length > 0)
    throw new ResourceError(
      'PrivilegeNotAllowed',
      `${path}: ${refused.join(', ')} reaches beyond this namespace's databases and the ClusterProviderConfig does not allow it; allowed are ${list(policy.allowedServerPrivileges)} (allowedServerPrivileges)`,
      { retryable: false },
    );
}

const allowed = ({ allowedServerPrivileges }: ServerPolicy, privilege: string): boolean =>
  allowedServerPrivileges.has('*') || allowedServerPrivileges.has(privilege);

function limitExtensions(fields: Fields, part: string, { allowedExtensions }: ServerPolicy): void {
  if (allowedExtensions === undefined) return;
  const name = fields['extension'];
  if (typeof name === 'string' && !allowedExtensions.has(name))
    throw new ResourceError(
      'ExtensionNotAllowed',
      `${part}.extension: the ClusterProviderConfig does not allow ${JSON.stringify(name)}; allowed are ${list(allowedExtensions)} (allowedExtensions)`,
      { retryable: false },
    );
  if (fields['cascade'] === true)
    throw new ResourceError(
      'ExtensionNotAllowed',
      `${part}.cascade: it would install extensions that nobody has looked at; give each that is needed an Extension of its own, so that allowedExtensions applies to it`,
      { retryable: false },
    );
}

function refuseServersSchemas(fields: Fields, part: string): void {
  refuseServersSchema(fields['schema'], `${part}.schema`);
  if (!Array.isArray(fields['also'])) return;
  fields['also'].forEach((also: Fields, index) => {
    refuseServersSchema(also['schema'], `${part}.also[${index}].schema`);
  });
}

const list = (values: ReadonlySet<string>): string => (values.size === 0 ? 'none' : [...values].toSorted().join(', '));
