/** Role: spec → steps. */
import { RoleKind, type Role, type RoleParameters } from '../api/role.ts';
import { invalidSpec, ResourceError, waiting } from './errors.ts';
import type { Membership, RoleAttributes, RoleObserved, Step } from './model.ts';
import { refuseLongName, refuseReservedRole } from './names.ts';
import { isOursToDrop, ownershipOf, wasAdopted } from './ownership.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';
import { isSameSetting } from './settings.ts';

interface Applied {
  adopted?: true;
  /** Attributes and limits that this resource has set at some time: they are put back when they leave the spec. */
  attributes?: string[];
  connectionLimit?: true;
  validUntil?: true;
  settings?: string[];
  memberOf?: string[];
}

/** What a role has when nobody says anything. */
const SERVER_DEFAULTS: Required<RoleAttributes> = {
  superUser: false,
  createDb: false,
  createRole: false,
  login: false,
  inherit: true,
  replication: false,
  bypassRls: false,
};

const nothing = (notes: Plan['notes'] = []): Plan => ({
  exists: false,
  steps: [],
  unchangeable: [],
  atProvider: {},
  notes,
});

export class RolePlanner implements Planner<Role> {
  readonly kind = RoleKind;

  async plan(resource: Role, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { reader, externalName: name } = context;
    refuseReservedRole(reader.server.engine, name, reader.server.admin.name);
    refuseLongName(reader.server.engine, 'role', name);
    refuseOfOtherEngines(spec, reader.server.engine);
    const observed = await reader.read('role', { name });
    const groups = await groupsOf(spec, observed, context);
    return observed === undefined ? create(name, spec, groups, context) : await change(spec, observed, groups, context);
  }

  async planDelete(resource: Role, context: PlanContext): Promise<Plan> {
    const { reader, externalName: name } = context;
    const observed = await reader.read('role', { name });
    if (observed === undefined || !isOursToDrop(observed.mark, context)) return nothing();
    refuseReservedRole(reader.server.engine, name, reader.server.admin.name);
    if (wasAdopted(context))
      return nothing([
        {
          reason: 'KeptExternalResource',
          message: `role ${JSON.stringify(name)} is kept: it was there before this resource`,
        },
      ]);
    const { owned, databases } = await reader.read('roleDependencies', { name });
    const { reassignOwnedTo, reassignOwnedToAdmin, dropOwned, revokeGrants } = resource.spec.forProvider.onDelete;
    const reassigns = reassignOwnedTo !== undefined || reassignOwnedToAdmin === true;
    if (owned.length > 0 && !reassigns && dropOwned !== true) throw blocked(name, owned);
    if (databases.length > 0 && !reassigns && dropOwned !== true && !revokeGrants)
      throw new ResourceError(
        'DependentObjects',
        `role ${JSON.stringify(name)} holds privileges in ${databases.map((d) => JSON.stringify(d)).join(', ')} and forProvider.onDelete.revokeGrants is false`,
      );
    const steps: Step[] = [];
    for (const database of databases) {
      if (reassigns) steps.push({ kind: 'reassignOwned', database, from: name, to: reassignOwnedTo ?? null });
      // After REASSIGN OWNED nothing is owned any more: what is left to drop are privileges.
      steps.push({ kind: 'dropOwned', database, role: name });
    }
    return { exists: true, steps: [...steps, { kind: 'dropRole', name }], unchangeable: [], atProvider: {} };
  }
}

function blocked(name: string, owned: { database: string; objects: string[]; count: number }[]): ResourceError {
  const parts = owned.map(({ database, objects, count }) => {
    const named = objects.slice(0, 5).join(', ');
    const rest = count - Math.min(objects.length, 5);
    const what = [named, rest > 0 ? `${rest} ${named === '' ? '' : 'other '}object${rest === 1 ? '' : 's'}` : '']
      .filter(Boolean)
      .join(' and ');
    return database === '' ? what : `${what} in database ${JSON.stringify(database)}`;
  });
  return new ResourceError(
    'DependentObjects',
    `role ${JSON.stringify(name)} owns ${parts.join('; ')}; set forProvider.onDelete.reassignOwnedTo or reassignOwnedToAdmin to give it away, or dropOwned to drop it`,
  );
}

interface Groups {
  join: Membership[];
  leave: { role: string; grantor?: string }[];
  applied: string[];
}

async function groupsOf(
  spec: RoleParameters,
  observed: RoleObserved | undefined,
  context: PlanContext,
): Promise<Groups> {
  const { reader, externalName: name } = context;
  const hasOptions = reader.server.engine === 'postgres' && reader.server.versionNumber >= 160_000;
  const wanted = (spec.memberOf ?? []).flatMap(({ role, admin, inherit, set }): Membership[] =>
    role === undefined
      ? []
      : [
          {
            role,
            ...(admin === undefined ? {} : { admin }),
            ...(inherit === undefined ? {} : { inherit }),
            ...(set === undefined ? {} : { set }),
          },
        ],
  );
  const join: Membership[] = [];
  for (const group of wanted) {
    if (group.role === name)
      throw invalidSpec(`forProvider.memberOf: role ${JSON.stringify(name)} cannot be a member of itself`);
    if (!hasOptions && (group.inherit !== undefined || group.set !== undefined))
      throw invalidSpec(
        `forProvider.memberOf: inherit and set need PostgreSQL 16 or newer; the server is ${reader.server.product}`,
      );
    const held = observed?.memberOf.filter((membership) => membership.role === group.role) ?? [];
    if (held.some((membership) => satisfies(membership, group))) continue;
    const target = await reader.read('role', { name: group.role });
    if (target === undefined)
      throw waiting(`role ${JSON.stringify(group.role)} (forProvider.memberOf) does not exist yet`);
    if (target.memberOf.some((membership) => membership.role === name))
      throw invalidSpec(
        `forProvider.memberOf: ${JSON.stringify(group.role)} is itself a member of ${JSON.stringify(name)}, which would be a circle`,
      );
    join.push(group);
  }
  const applied = wanted.map((group) => group.role).toSorted();
  const before = ((context.applied ?? {}) as Applied).memberOf ?? [];
  const left = before.filter((role) => !applied.includes(role));
  const leave = (observed?.memberOf ?? [])
    .filter((membership) => left.includes(membership.role))
    .map(({ role, grantor }) => ({ role, ...(grantor === undefined ? {} : { grantor }) }));
  return { join, leave, applied };
}

/** An option that is not given is satisfied by any value. */
const satisfies = (held: Membership, wanted: Membership): boolean =>
  (['admin', 'inherit', 'set'] as const).every(
    (option) => wanted[option] === undefined || held[option] === wanted[option],
  );

function membershipSteps(role: string, groups: Groups): Step[] {
  return [
    ...groups.join.map(
      ({ role: memberOf, ...options }): Step => ({ kind: 'grantMembership', role, memberOf, ...options }),
    ),
    ...groups.leave.map(
      ({ role: memberOf, grantor }): Step => ({
        kind: 'revokeMembership',
        role,
        memberOf,
        ...(grantor === undefined ? {} : { grantor }),
      }),
    ),
  ];
}

function create(name: string, spec: RoleParameters, groups: Groups, context: PlanContext): Plan {
  const attributes: RoleAttributes = { login: true, ...given(spec) };
  const step: Step = {
    kind: 'createRole',
    name,
    attributes,
    ...(spec.connectionLimit === undefined ? {} : { connectionLimit: spec.connectionLimit }),
    ...(spec.validUntil === undefined ? {} : { validUntil: spec.validUntil }),
    ...(context.password === undefined ? {} : { password: context.password.value }),
    mark: context.mark,
  };
  const settings = (spec.configurationParameters ?? []).map(
    (parameter): Step => ({ kind: 'setRoleSetting', name, setting: parameter.name, value: parameter.value }),
  );
  // The membership first: a setting such as role=group is refused to a role that is no member.
  return {
    exists: false,
    steps: [step, ...membershipSteps(name, groups), ...settings],
    unchangeable: [],
    applied: appliedOf(spec, groups, false),
    atProvider: {},
  };
}

async function change(
  spec: RoleParameters,
  observed: RoleObserved,
  groups: Groups,
  context: PlanContext,
): Promise<Plan> {
  const { name } = observed;
  const before = (context.applied ?? {}) as Applied;
  const ownership = ownershipOf(`role ${JSON.stringify(name)}`, observed.mark, spec.adopt, context);
  const steps: Step[] = [];
  if (ownership.mark) steps.push({ kind: 'mark', on: { type: 'role', name }, mark: context.mark });
  const alter = differences(spec, observed, before);
  if (Object.keys(alter.attributes).length > 0 || alter.connectionLimit !== undefined || alter.validUntil !== undefined)
    steps.push({ kind: 'alterRole', name, ...alter });
  steps.push(...membershipSteps(name, groups), ...settingSteps(name, spec, observed, before));
  if (
    context.password !== undefined &&
    (await context.reader.checkPassword(name, observed.host, context.password.value)) === 'mismatch'
  )
    steps.push({ kind: 'setPassword', name, password: context.password.value });
  return {
    exists: true,
    steps,
    unchangeable: [],
    applied: appliedOf(spec, groups, ownership.adopted),
    atProvider: {
      attributes: (Object.keys(SERVER_DEFAULTS) as (keyof RoleAttributes)[]).filter(
        (attribute) => observed.attributes[attribute],
      ),
      memberOf: [...new Set(observed.memberOf.map((membership) => membership.role))],
    },
  };
}

const given = (spec: RoleParameters): RoleAttributes =>
  Object.fromEntries(Object.entries(spec.privileges ?? {}).filter(([, value]) => value !== undefined));

function differences(
  spec: RoleParameters,
  observed: RoleObserved,
  before: Applied,
): { attributes: RoleAttributes; connectionLimit?: number; validUntil?: string } {
  const wanted: RoleAttributes = { ...given(spec) };
  for (const attribute of (before.attributes ?? []) as (keyof RoleAttributes)[])
    wanted[attribute] ??= attribute === 'login' ? true : SERVER_DEFAULTS[attribute];
  const attributes: RoleAttributes = {};
  for (const [attribute, value] of Object.entries(wanted) as [keyof RoleAttributes, boolean][])
    if (observed.attributes[attribute] !== value) attributes[attribute] = value;
  const connectionLimit = spec.connectionLimit ?? (before.connectionLimit ? -1 : undefined);
  const validUntil = spec.validUntil ?? (before.validUntil ? 'infinity' : undefined);
  return {
    attributes,
    ...(connectionLimit === undefined || connectionLimit === (observed.connectionLimit ?? -1)
      ? {}
      : { connectionLimit }),
    ...(validUntil === undefined || isSameInstant(validUntil, observed.validUntil) ? {} : { validUntil }),
  };
}

/** No time at all and infinity are the same promise. */
function isSameInstant(wanted: string, observed: string | undefined): boolean {
  if (wanted === 'infinity') return observed === undefined || observed === 'infinity';
  return (
    observed !== undefined &&
    observed !== 'infinity' &&
    Math.floor(Date.parse(wanted) / 1000) === Math.floor(Date.parse(observed) / 1000)
  );
}

function settingSteps(name: string, spec: RoleParameters, observed: RoleObserved, before: Applied): Step[] {
  const wanted = spec.configurationParameters;
  const has = new Map(observed.settings.map((setting) => [setting.name.toLowerCase(), setting]));
  const steps: Step[] = (wanted ?? [])
    .filter(
      (parameter) => !isSameSetting(parameter.name, parameter.value, has.get(parameter.name.toLowerCase())?.value),
    )
    .map((parameter) => ({ kind: 'setRoleSetting', name, setting: parameter.name, value: parameter.value }));
  const kept = new Set((wanted ?? []).map((parameter) => parameter.name.toLowerCase()));
  // A list that is given is the whole list; without one, only what an earlier list set is taken back.
  const candidates = wanted === undefined ? (before.settings ?? []) : observed.settings.map((setting) => setting.name);
  for (const setting of candidates)
    if (!kept.has(setting.toLowerCase()) && has.has(setting.toLowerCase()))
      steps.push({ kind: 'setRoleSetting', name, setting, value: null });
  return steps;
}

const appliedOf = (spec: RoleParameters, groups: Groups, adopted: boolean): Applied => {
  const attributes = Object.keys(given(spec)).toSorted();
  return {
    ...(adopted ? { adopted: true as const } : {}),
    ...(attributes.length === 0 ? {} : { attributes }),
    ...(spec.connectionLimit === undefined ? {} : { connectionLimit: true as const }),
    ...(spec.validUntil === undefined ? {} : { validUntil: true as const }),
    ...(spec.configurationParameters === undefined
      ? {}
      : { settings: spec.configurationParameters.map((parameter) => parameter.name).toSorted() }),
    ...(groups.applied.length === 0 ? {} : { memberOf: groups.applied }),
  };
};

function refuseOfOtherEngines(spec: RoleParameters, engine: string): void {
  if (engine === 'mysql' || engine === 'mariadb') return;
  for (const field of ['host', 'require', 'resourceOptions', 'authenticationPlugin', 'accountLocked'] as const)
    if (spec[field] !== undefined)
      throw invalidSpec(`forProvider.${field} is for MySQL and MariaDB; the server is ${engine}`);
}
