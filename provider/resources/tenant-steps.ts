/**
 * The last look before anything is sent for a tenant of a shared server: every role, database and schema that a step
 * names has to be the tenant's on the server itself. It sees what a spec, an annotation or a planner's mistake came to.
 */
import { roleReference } from '../api/role.ts';
import { ResourceError } from '../common/errors.ts';
import type { Grantee, ObjectTarget } from './model/objects.ts';
import type { Step } from './model/steps.ts';
import type { Plan, PlanContext } from './planner.ts';
import { type IsOwn, isOwnSchema, ownDatabase, ownRole, type RoleKey } from './tenant-own.ts';
import { notYours, type Tenant } from './tenant.ts';

/** What a step names. */
interface Names {
  roles: RoleKey[];
  databases: string[];
  schemas: { database: string; name: string }[];
  /** Groups that somebody joins. */
  groups: string[];
  settings: string[];
  /** Whether something becomes the administrator's. */
  toAdmin: boolean;
}

const SERVERS_TEMPLATES: ReadonlySet<string> = new Set(['template0', 'template1']);

/** The first reason for which a step is not the tenant's to have; undefined when there is none. */
async function strangeness(step: Step, context: PlanContext, tenant: Tenant): Promise<ResourceError | undefined> {
  const names = namesOf(step);
  const isRole = ownRole(context, tenant);
  // Whoever loses a right of its own loses it anywhere, also where what it was on is another's by now.
  if (isRevoke(step) && names.roles.length > 0 && (await all(isRole, names.roles))) return undefined;
  if (names.toAdmin)
    return notYours("what this role owns would become the administrator's, which is not this namespace's");
  const groups = names.groups.filter((group) => !tenant.mayJoin(group)).map((name): RoleKey => ({ name }));
  const strangeRole = await firstOther(isRole, [...names.roles, ...groups]);
  if (strangeRole !== undefined) return stranger('role', roleReference(strangeRole.name, strangeRole.host));
  const strangeDatabase = await firstOther(ownDatabase(context, tenant), names.databases);
  if (strangeDatabase !== undefined) return stranger('database', strangeDatabase);
  for (const { database, name } of names.schemas)
    if (!(await isOwnSchema(database, name, context, tenant))) return stranger('schema', name);
  for (const setting of names.settings) {
    if (tenant.maySet(setting) || (await context.reader.read('setting', { name: setting })).anybodyMaySet) continue;
    return settingNotAllowed(setting);
  }
  return undefined;
}

/** The plan, of which every step is the tenant's. Throws NotYours, or what else refuses a step. */
export async function admitted(plan: Plan, context: PlanContext): Promise<Plan> {
  for (const step of context.tenant === undefined ? [] : plan.steps) {
    const refusal = await strangeness(step, context, context.tenant!);
    if (refusal !== undefined) throw refusal;
  }
  return plan;
}

/**
 * A deletion ends: what is not the tenant's to change stays as it is, and an event says so. Grants and revokes stand for
 * themselves; of other steps all are sent or none. Throws for an heir that is another's: without it the objects would go.
 */
export async function withoutStrange(plan: Plan, context: PlanContext): Promise<Plan> {
  const { tenant } = context;
  if (tenant === undefined || plan.steps.length === 0) return plan;
  let steps: Step[] = [];
  const notes = [...(plan.notes ?? [])];
  for (const step of plan.steps) {
    const refusal = await strangeness(step, context, tenant);
    if (refusal === undefined) {
      steps.push(step);
      continue;
    }
    if (step.kind === 'reassignOwned') throw refusal;
    notes.push({ reason: 'KeptExternalResource', message: refusal.message });
    if (step.kind === 'grant' || isRevoke(step)) continue;
    steps = [];
    break;
  }
  return { ...plan, steps, exists: steps.length > 0, notes };
}

const stranger = (what: string, name: string): ResourceError =>
  notYours(
    `${what} ${JSON.stringify(name)} is on this server and was not made by a resource of this namespace; choose another name, or let the platform hand it over`,
  );

const settingNotAllowed = (setting: string): ResourceError =>
  new ResourceError(
    'SettingNotAllowed',
    `setting ${JSON.stringify(setting)}: not every session may change it, and the ClusterProviderConfig does not allow it (allowedSettings)`,
    { retryable: false },
  );

async function all<Key>(isOwn: IsOwn<Key>, keys: readonly Key[]): Promise<boolean> {
  return (await firstOther(isOwn, keys)) === undefined;
}

async function firstOther<Key>(isOwn: IsOwn<Key>, keys: readonly Key[]): Promise<Key | undefined> {
  const answers = await Promise.all(keys.map(async (key) => await isOwn(key)));
  return keys.find((_, index) => answers[index] === false);
}

const isRevoke = ({ kind }: Step): boolean =>
  kind === 'revoke' || kind === 'revokeDefault' || kind === 'revokeMembership';

function namesOf(step: Step): Names {
  const names: Names = {
    roles: [],
    databases: [],
    schemas: [],
    groups: [],
    settings: [],
    toAdmin: false,
  };
  const addRole = (...roles: (RoleKey | Grantee | string | null | undefined)[]): void => {
    for (const role of roles) {
      if (role === undefined || role === null) continue;
      if (typeof role === 'string') names.roles.push({ name: role });
      else if (!('public' in role && role.public)) names.roles.push(role);
    }
  };
  const add = (list: string[], ...values: (string | null | undefined)[]): void => {
    for (const value of values) if (value !== undefined && value !== null) list.push(value);
  };
  switch (step.kind) {
    case 'createDatabase':
      add(names.databases, step.name, SERVERS_TEMPLATES.has(step.template ?? '') ? undefined : step.template);
      addRole(step.owner);
      break;
    case 'alterDatabase':
      add(names.databases, step.name);
      addRole(step.owner);
      break;
    case 'setDatabaseSetting':
      add(names.databases, step.name);
      add(names.settings, step.setting);
      break;
    case 'initSQL':
      add(names.databases, step.database);
      if (step.owner !== '') addRole(step.owner);
      break;
    case 'dropDatabase':
      add(names.databases, step.name);
      break;
    case 'endScript':
      // The login is of no tenant, and its name comes from that of the database.
      add(names.databases, step.database);
      break;
    case 'createSchema':
      add(names.databases, step.database);
      addRole(step.owner);
      break;
    case 'alterSchemaOwner':
      add(names.databases, step.database);
      addRole(step.owner);
      names.schemas.push(step);
      break;
    case 'revokeSchemaPublic':
    case 'dropSchema':
      add(names.databases, step.database);
      names.schemas.push(step);
      break;
    case 'createExtension':
    case 'moveExtension':
      add(names.databases, step.database);
      if (step.schema !== undefined) names.schemas.push({ database: step.database, name: step.schema });
      break;
    case 'updateExtension':
    case 'dropExtension':
      add(names.databases, step.database);
      break;
    case 'createRole':
    case 'alterRole':
    case 'setPassword':
    case 'dropRole':
      addRole(step);
      break;
    case 'setRoleSetting':
      addRole(step.name);
      // Whoever logs in becomes another role: one that SET ROLE would let them become, so it is a name and no limit.
      if (step.setting.toLowerCase() === 'role') addRole(step.value ?? undefined);
      else add(names.settings, step.setting);
      break;
    case 'grantMembership':
      addRole(step.role);
      add(names.groups, step.memberOf);
      break;
    case 'revokeMembership':
      addRole(step.role);
      break;
    case 'reassignOwned':
      addRole(step.from, step.to);
      names.toAdmin = step.to === null;
      break;
    case 'dropOwned':
      addRole(step.role);
      break;
    case 'grant':
      addRole(step.to);
      addTarget(names, step.on);
      break;
    case 'revoke':
      addRole(step.from);
      addTarget(names, step.on);
      break;
    case 'grantDefault':
      addRole(step.creator, step.to);
      add(names.databases, step.database);
      break;
    case 'revokeDefault':
      addRole(step.from);
      add(names.databases, step.database);
      if (step.from.public === true) addRole(step.creator);
      break;
    case 'dropMark':
      // It says itself whose it is.
      break;
    case 'mark':
      if (step.on.type === 'role') addRole(step.on);
      if (step.on.type === 'database') add(names.databases, step.on.name);
      if (step.on.database !== undefined) add(names.databases, step.on.database);
      if (step.on.type === 'schema' && step.on.database !== undefined)
        names.schemas.push({ database: step.on.database, name: step.on.name });
      break;
    default:
      // A step that is not known here is not to be sent: this does not compile when one is forgotten.
      step satisfies never;
  }
  return names;
}

/** Objects in schemas are looked at by their owners, see tenant-objects.ts. */
function addTarget(names: Names, { type, database, schema, name }: ObjectTarget): void {
  // The account that somebody may act as.
  if (type === 'proxy' && name !== undefined) names.roles.push({ name });
  const inDatabase = database ?? (type === 'database' ? name : undefined);
  if (inDatabase === undefined) return;
  names.databases.push(inDatabase);
  if (type === 'schema' && schema !== undefined) names.schemas.push({ database: inDatabase, name: schema });
}
