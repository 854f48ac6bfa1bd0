/**
 * Every way in which one namespace of a shared server could reach what is another's, or raise its own rights, and what
 * refuses it. test/e2e/isolation.test.ts tries them all; fields.test.ts sees to it that no field of a kind is missing.
 *
 * Names: `iso_a…` is namespace a's. `iso_b…` is b's own. The platform has role `iso_dba` and database `iso_platform`, and
 * in b's database what begins with `platform`. Namespace b has resources that claim the platform's two as well.
 */
import { databases, extensions, schemas } from './database-tries.ts';
import { defaults, grants } from './grant-tries.ts';
import { roles } from './role-tries.ts';
import type { Try } from './try.ts';

export const tries: readonly Try[] = [...databases, ...schemas, ...extensions, ...roles, ...grants, ...defaults];

/** Fields that name nothing of others and raise nothing, and why. */
export const harmless: Readonly<Record<string, readonly [why: string, ...fields: string[]]>> = {
  Database: [
    "what a new database is like, and how many may use it: it is its namespace's own",
    'encoding',
    'collation',
    'characterClassification',
    'localeProvider',
    'locale',
    'icuRules',
    'strategy',
    'characterSet',
    'comment',
    'allowConnections',
    'connectionLimit',
    'isTemplate',
    'expiresAt',
  ],
  Schema: ['what becomes of its own schema', 'dropPolicy'],
  Extension: [
    'a version that the server offers; an extension of its own database that is on the list',
    'version',
    'adopt',
  ],
  Role: [
    'how its own login is, and Secrets of the same namespace; the rest is of other engines',
    'privileges.login',
    'privileges.inherit',
    'connectionLimit',
    'memberOf[].admin',
    'memberOf[].inherit',
    'memberOf[].set',
    'validUntil',
    'host',
    'require.type',
    'require.subject',
    'require.issuer',
    'require.cipher',
    'resourceOptions.maxQueriesPerHour',
    'resourceOptions.maxUpdatesPerHour',
    'resourceOptions.maxConnectionsPerHour',
    'resourceOptions.maxUserConnections',
    'authenticationPlugin.name',
    'authenticationPlugin.authString',
    'accountLocked',
    'passwordSecretRef.name',
    'passwordSecretRef.key',
    'passwordRotation.every',
    'passwordRotation.trigger',
    'passwordRotation.overlap',
    'passwordLifetimeDays',
    'onDelete.dropOwned',
    'onDelete.keepIfOwner',
    'onDelete.revokeGrants',
  ],
  Grant: ['how its own rights are given', 'withOption', 'withInherit', 'withSet', 'exclusive'],
  DefaultPrivileges: ['what new objects of its own roles give', 'objectType', 'privileges', 'withOption'],
};
