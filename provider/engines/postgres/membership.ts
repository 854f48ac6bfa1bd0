/**
 * An administrator that is no superuser must be a member of a role to act for it. Membership is taken only where it is
 * missing and may be had, for as long as it is needed, and afterwards all is as it was before. A role that cannot be
 * joined is not tried: what the administrator holds by itself may do, and if it does not, the error names the role.
 */
import { ResourceError } from '../../common/errors.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Step } from '../../resources/model/steps.ts';
import { codeOf } from './errors.ts';
import type { Session } from './session.ts';
import { ident, keyword, type Sql, sql } from './sql.ts';

/** Cloud roles that change how their members log in, or that nobody may join. */
const NEVER_JOINED = /^(rds.*|cloudsql.*|azure.*|alloydb.*|pg_.*)$/;

/** Whose rights the steps need, by the objects and roles that they name. */
interface Needs {
  roles: string[];
  /** Owners of databases. */
  databases: string[];
  /** Whoever has a session in these databases, as DROP DATABASE ends them. */
  sessions: string[];
  schemas: string[];
  extensions: string[];
  /** Whether something is made in the session's database. */
  creates: boolean;
}

function need(needs: Needs, step: Step): void {
  const add = (list: string[], name: string | null | undefined): void => {
    if (name !== undefined && name !== null) list.push(name);
  };
  switch (step.kind) {
    case 'createDatabase':
      add(needs.roles, step.owner);
      break;
    case 'alterDatabase':
      add(needs.roles, step.owner);
      needs.databases.push(step.name);
      break;
    case 'setDatabaseSetting':
      needs.databases.push(step.name);
      break;
    case 'dropDatabase':
      needs.databases.push(step.name);
      needs.sessions.push(step.name);
      break;
    case 'createSchema':
      add(needs.roles, step.owner);
      needs.creates = true;
      break;
    case 'alterSchemaOwner':
      needs.roles.push(step.owner);
      needs.schemas.push(step.name);
      needs.creates = true;
      break;
    case 'revokeSchemaPublic':
    case 'dropSchema':
      needs.schemas.push(step.name);
      break;
    case 'createExtension':
      add(needs.schemas, step.schema);
      needs.creates = true;
      break;
    case 'moveExtension':
      needs.schemas.push(step.schema);
      needs.extensions.push(step.name);
      break;
    case 'updateExtension':
    case 'dropExtension':
      needs.extensions.push(step.name);
      break;
    case 'mark':
      if (step.on.type === 'database') needs.databases.push(step.on.name);
      if (step.on.type === 'schema') needs.schemas.push(step.on.name);
      if (step.on.type === 'extension') needs.extensions.push(step.on.name);
      break;
    case 'reassignOwned':
      needs.roles.push(step.from);
      add(needs.roles, step.to);
      break;
    case 'dropOwned':
      needs.roles.push(step.role);
      break;
    default:
  }
}

/**
 * Roles that have to be acted for and are not yet. `joinable`: it may be granted to the administrator, which takes
 * ADMIN OPTION, or up to 15 CREATEROLE. `inherit` and `set` are what it granted itself earlier.
 */
const missing = ({ versionNumber }: ServerInfo): string => `
WITH here AS (SELECT oid, datdba FROM pg_database WHERE datname = current_database()),
wanted AS (
  SELECT oid FROM pg_roles WHERE rolname = ANY($1)
  UNION SELECT datdba FROM pg_database WHERE datname = ANY($2)
  UNION SELECT usesysid FROM pg_stat_activity WHERE datname = ANY($3)
  -- pg_database_owner has no members but the owner of the database.
  UNION SELECT CASE r.rolname WHEN 'pg_database_owner' THEN here.datdba ELSE r.oid END
    FROM here, pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = ANY($4)
  UNION SELECT extowner FROM pg_extension WHERE extname = ANY($5)
  UNION SELECT datdba FROM here WHERE $6 AND NOT has_database_privilege(current_user, here.oid, 'CREATE'))
SELECT r.rolname AS role, NOT r.rolsuper AND NOT pg_has_role(r.oid, a.oid, 'MEMBER')
    AND (pg_has_role(a.oid, r.oid, 'MEMBER WITH ADMIN OPTION')${versionNumber >= 160_000 ? '' : ' OR a.rolcreaterole'}) AS joinable,
  ${versionNumber >= 160_000 ? 'm.inherit_option AS inherit, m.set_option AS set' : 'NULL AS inherit, NULL AS set'}
FROM pg_roles r JOIN pg_roles a ON a.rolname = current_user
LEFT JOIN pg_auth_members m ON m.roleid = r.oid AND m.member = a.oid AND m.grantor = a.oid
WHERE r.oid IN (SELECT oid FROM wanted) AND r.oid <> a.oid AND NOT ${
  versionNumber >= 160_000
    ? "(pg_has_role(a.oid, r.oid, 'SET') AND pg_has_role(a.oid, r.oid, 'USAGE'))"
    : "pg_has_role(a.oid, r.oid, 'MEMBER')"
} ORDER BY 1`;

/** What belongs around statements of one transaction: a membership is never there for anybody else to see. */
export interface Borrowed {
  take: Sql[];
  giveBack: Sql[];
  /** Roles that are joined. */
  joined: string[];
  /** Who joins them. */
  admin: string;
  /** Roles that would have to be joined and cannot be. */
  refused: string[];
}

/** What has to surround the steps so that the administrator may run them. */
export async function borrow(session: Session, steps: readonly Step[], info: ServerInfo): Promise<Borrowed> {
  const borrowed: Borrowed = { take: [], giveBack: [], joined: [], refused: [], admin: info.admin.name };
  if (info.admin.superUser) return borrowed;
  const needs: Needs = { roles: [], databases: [], sessions: [], schemas: [], extensions: [], creates: false };
  for (const step of steps) need(needs, step);
  const { roles, databases, sessions, schemas, extensions, creates } = needs;
  const parameters = [roles, databases, sessions, schemas, extensions, creates];
  if (!parameters.some((value) => value === true || (Array.isArray(value) && value.length > 0))) return borrowed;
  const rows = await session.query(missing(info), parameters);
  // A role that the steps drop takes its memberships along.
  const dropped = new Set(steps.flatMap((step) => (step.kind === 'dropRole' ? [step.name] : [])));
  const admin = ident(info.admin.name);
  for (const row of rows) {
    const name = row['role'] as string;
    if (row['joinable'] !== true || NEVER_JOINED.test(name)) {
      borrowed.refused.push(name);
      continue;
    }
    borrowed.joined.push(name);
    const role = ident(name);
    const isNew = info.versionNumber >= 160_000;
    borrowed.take.push(
      isNew ? sql`GRANT ${role} TO ${admin} WITH INHERIT TRUE, SET TRUE` : sql`GRANT ${role} TO ${admin}`,
    );
    if (dropped.has(name)) continue;
    const [inherit, set] = [row['inherit'] as boolean | null, row['set'] as boolean | null];
    borrowed.giveBack.push(
      inherit === null || set === null
        ? sql`REVOKE ${role} FROM ${admin}`
        : sql`GRANT ${role} TO ${admin} WITH INHERIT ${truth(inherit)}, SET ${truth(set)}`,
    );
  }
  return borrowed;
}

const truth = (value: boolean): Sql => keyword(value ? 'TRUE' : 'FALSE', ['TRUE', 'FALSE']);

export const INSUFFICIENT_PRIVILEGE = '42501';

/** Names the roles whose membership would have helped. */
export function explainRefusal(error: unknown, refused: readonly string[], { admin }: ServerInfo): unknown {
  if (refused.length === 0 || !(error instanceof Error) || codeOf(error) !== INSUFFICIENT_PRIVILEGE) return error;
  const roles = refused.map((role) => JSON.stringify(role)).join(', ');
  return new ResourceError(
    'PermissionDenied',
    `${error.message} (${INSUFFICIENT_PRIVILEGE}); administrator ${JSON.stringify(admin.name)} would have to be a member of ${roles}, which it may not become by itself`,
    { code: INSUFFICIENT_PRIVILEGE, cause: error },
  );
}
