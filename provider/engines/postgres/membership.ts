/**
 * An administrator that is no superuser must be a member of a role to act for it. Membership is taken only for as long
 * as it is needed, and given back whatever happens; roles whose members lose their password login are never joined.
 */
import type { Step } from '../../resources/model.ts';
import { ResourceError } from '../../resources/errors.ts';
import type { ServerInfo } from '../engine.ts';
import type { Session } from './session-pool.ts';
import { ident, join, type Sql, sql } from './sql.ts';

/** Cloud roles that change how their members log in, or that nobody may join. */
const NEVER_JOINED = /^(rds_iam|rdsadmin|rds_superuser|cloudsql.*|azure.*|alloydb.*)$/;

/** Roles that the step acts for, as far as the step itself says. */
function actsFor(step: Step): string[] {
  switch (step.kind) {
    case 'createDatabase':
    case 'createSchema':
      return step.owner === undefined ? [] : [step.owner];
    case 'alterDatabase':
      return step.owner === undefined ? [] : [step.owner];
    case 'alterSchemaOwner':
      return [step.owner];
    case 'reassignOwned':
      return step.to === null ? [step.from] : [step.from, step.to];
    case 'dropOwned':
      return [step.role];
    default:
      return [];
  }
}

/** Objects whose present owner the step acts for. */
function ownedObject(step: Step): { catalog: 'database' | 'schema'; name: string } | undefined {
  switch (step.kind) {
    case 'alterDatabase':
    case 'setDatabaseSetting':
    case 'dropDatabase':
      return { catalog: 'database', name: step.name };
    case 'alterSchemaOwner':
    case 'revokeSchemaPublic':
    case 'dropSchema':
      return { catalog: 'schema', name: step.name };
    case 'mark':
      return step.on.type === 'database' || step.on.type === 'schema'
        ? { catalog: step.on.type, name: step.on.name }
        : undefined;
    default:
      return undefined;
  }
}

const OWNERS = {
  database: 'SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = $1',
  schema: 'SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname = $1',
};

/** Which of the roles exist and are neither the administrator nor one it can act for already. */
const MISSING = (versionNumber: number): string => `
SELECT r.rolname FROM pg_roles r WHERE r.rolname = ANY($1) AND r.rolname <> current_user
AND NOT ${versionNumber >= 160000 ? "(pg_has_role(current_user, r.oid, 'SET') AND pg_has_role(current_user, r.oid, 'USAGE'))" : "pg_has_role(current_user, r.oid, 'MEMBER')"}`;

export interface Borrowed {
  take: Sql[];
  giveBack: Sql[];
}

const NOTHING: Borrowed = { take: [], giveBack: [] };

/** What has to surround the steps so that the administrator may run them. */
export async function borrow(session: Session, steps: readonly Step[], info: ServerInfo): Promise<Borrowed> {
  if (info.admin.superUser) return NOTHING;
  const roles = new Set(steps.flatMap(actsFor));
  for (const object of steps.map(ownedObject)) {
    if (object === undefined) continue;
    const [row] = await session.query(OWNERS[object.catalog], [object.name]);
    if (row !== undefined) roles.add(row['owner'] as string);
  }
  if (roles.size === 0) return NOTHING;
  const rows = await session.query(MISSING(info.versionNumber), [[...roles]]);
  const missing = rows.map((row) => row['rolname'] as string).filter((role) => role !== 'pg_database_owner');
  const refused = missing.find((role) => NEVER_JOINED.test(role) || role.startsWith('pg_'));
  if (refused !== undefined)
    throw new ResourceError(
      'PermissionDenied',
      `the administrator ${JSON.stringify(info.admin.name)} would have to join role ${JSON.stringify(refused)}, which it must not`,
    );
  if (missing.length === 0) return NOTHING;
  const names = join(missing.map(ident));
  const admin = ident(info.admin.name);
  return {
    take: [
      info.versionNumber >= 160000
        ? sql`GRANT ${names} TO ${admin} WITH INHERIT TRUE, SET TRUE`
        : sql`GRANT ${names} TO ${admin}`,
    ],
    giveBack: [
      info.versionNumber >= 160000
        ? sql`REVOKE ${names} FROM ${admin} GRANTED BY ${admin}`
        : sql`REVOKE ${names} FROM ${admin}`,
    ],
  };
}
