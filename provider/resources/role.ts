/** Role: spec → steps. */
import { RoleKind, type Role, type RoleParameters } from '../api/role.ts';
import { defined, forCreation } from './creation.ts';
import { kept, nothingLeft } from './deletion.ts';
import { invalidSpec } from './errors.ts';
import type { RoleAttributes, RoleObserved, Step } from './model.ts';
import { refuseLongName, refuseReservedRole } from './names.ts';
import { isOursToDrop, ownershipOf, wasAdopted } from './ownership.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';
import { dropSteps } from './role-deletion.ts';
import { alterationOf, isExpired, settingSteps } from './role-differences.ts';
import { leavingSteps, type Memberships, planMemberships } from './role-memberships.ts';
import { ATTRIBUTE_DEFAULTS, givenAttributes, readRecord, recordOf } from './role-record.ts';

const nameOf = (name: string): string => `role ${JSON.stringify(name)}`;

export class RolePlanner implements Planner<Role> {
  readonly kind = RoleKind;

  async plan(resource: Role, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { reader, externalName: name } = context;
    const { server } = reader;
    refuseReservedRole(server.engine, name, server.admin.name);
    refuseLongName(server.engine, 'role', name);
    refuseOfOtherEngines(spec, server.engine);
    const observed = await reader.read('role', { name });
    if (observed !== undefined) return await change(spec, observed, context);
    const wanted = forCreation(resource);
    return create(name, wanted, spec, await planMemberships(wanted, undefined, [], context), context);
  }

  async planDelete(resource: Role, context: PlanContext): Promise<Plan> {
    const { reader, externalName: name } = context;
    const observed = await reader.read('role', { name });
    if (observed === undefined || !isOursToDrop(observed.mark, context)) return nothingLeft();
    refuseReservedRole(reader.server.engine, name, reader.server.admin.name);
    const steps = wasAdopted(context)
      ? await leavingSteps(readRecord(context.applied).memberOf, observed, context)
      : await dropSteps(resource.spec.forProvider, context);
    if (steps.length === 0) return kept(nameOf(name), 'it was there before this resource');
    return { exists: true, steps, unchangeable: [], atProvider: {} };
  }
}

function create(
  name: string,
  wanted: RoleParameters,
  spec: RoleParameters,
  memberships: Memberships,
  context: PlanContext,
): Plan {
  const attributes: RoleAttributes = { login: true, ...givenAttributes(wanted) };
  const { connectionLimit, validUntil } = wanted;
  const password = attributes.login === false ? undefined : context.password?.value;
  const role: Step = {
    kind: 'createRole',
    name,
    attributes,
    ...defined({ connectionLimit, validUntil, password }),
    mark: context.mark,
  };
  const settings = (wanted.configurationParameters ?? []).map(
    (parameter): Step => ({ kind: 'setRoleSetting', name, setting: parameter.name, value: parameter.value }),
  );
  const declared = new Set(spec.memberOf?.map((membership) => membership.role));
  const made = memberships.made.filter((group) => declared.has(group));
  return {
    exists: false,
    steps: [role, ...memberships.steps, ...settings],
    unchangeable: [],
    applied: recordOf(spec, made, {}),
    atProvider: {},
  };
}

async function change(spec: RoleParameters, observed: RoleObserved, context: PlanContext): Promise<Plan> {
  const { name } = observed;
  const before = readRecord(context.applied);
  const ownership = ownershipOf(nameOf(name), observed.mark, spec.adopt, context);
  const memberships = await planMemberships(spec, observed, before.memberOf, context);
  const alteration = alterationOf(spec, observed, before);
  const steps: Step[] = [
    ...(ownership.mark ? [{ kind: 'mark' as const, on: { type: 'role' as const, name }, mark: context.mark }] : []),
    ...(alteration === undefined ? [] : [alteration]),
    ...memberships.steps,
    ...settingSteps(spec, observed, before),
    ...(await passwordSteps(observed, alteration, context)),
  ];
  // Whatever can be applied is applied before somebody hears of what cannot.
  if (steps.length === 0 && memberships.problem !== undefined) throw memberships.problem;
  return {
    exists: true,
    steps,
    unchangeable: [],
    applied: recordOf(spec, memberships.made, ownership.record),
    atProvider: {
      attributes: (Object.keys(ATTRIBUTE_DEFAULTS) as (keyof RoleAttributes)[]).filter(
        (attribute) => observed.attributes[attribute],
      ),
      memberOf: [...new Set(observed.memberOf.map((membership) => membership.role))],
    },
  };
}

async function passwordSteps(
  observed: RoleObserved,
  alteration: Extract<Step, { kind: 'alterRole' }> | undefined,
  context: PlanContext,
): Promise<Step[]> {
  const { reader, password, now } = context;
  const { name } = observed;
  const mayLogIn = alteration?.attributes.login ?? observed.attributes.login;
  if (password === undefined || mayLogIn === false) return [];
  const step: Step = { kind: 'setPassword', name, password: password.value };
  const wasExpired = isExpired(observed.validUntil, now);
  // Who could not log in until now cannot be asked whether the password is right.
  if (alteration?.attributes.login === true || (wasExpired && alteration?.validUntil !== undefined)) return [step];
  // To others than superusers an expired password looks like a wrong one, for ever.
  if (wasExpired && !reader.server.admin.superUser) return [];
  const answer = await reader.checkPassword(name, observed.host, password.value);
  return answer === 'mismatch' ? [step] : [];
}

function refuseOfOtherEngines(spec: RoleParameters, engine: string): void {
  if (engine === 'mysql' || engine === 'mariadb') return;
  for (const field of ['host', 'require', 'resourceOptions', 'authenticationPlugin', 'accountLocked'] as const)
    if (spec[field] !== undefined)
      throw invalidSpec(`forProvider.${field} is for MySQL and MariaDB; the server is ${engine}`);
}
