/** Role: spec → steps. */
import { RoleKind, type Role, type RoleParameters, roleReference } from '../api/role.ts';
import { defined, forCreation } from './creation.ts';
import { kept, nothingLeft } from './deletion.ts';
import type { RoleAttributes, RoleObserved } from './model/roles.ts';
import type { Step } from './model/steps.ts';
import { isImpossibleName, refuseLongName, refuseReservedRole } from './names.ts';
import { isOursToDrop, ownershipOf, wasAdopted } from './ownership.ts';
import type { Plan, PlanContext, Planner } from './planner.ts';
import {
  accountKey,
  accountOptions,
  pluginInstead,
  refuseOpenAccount,
  refuseUnclearName,
  sessionLimitOf,
} from './role-account.ts';
import { dropSteps, reasonToStay } from './role-deletion.ts';
import { alterationOf, settingSteps, untilOf } from './role-differences.ts';
import { leavingSteps, type Memberships, planMemberships } from './role-memberships.ts';
import { passwordSteps, refuseQuickRotation } from './role-password.ts';
import { refuseNamesakes } from './role-namesakes.ts';
import { ATTRIBUTE_DEFAULTS, givenAttributes, readRecord, recordOf } from './role-record.ts';
import { refuseRepeatedSettings } from './settings.ts';
import { notYours } from './tenant.ts';
import { refuseUnknownFields } from './unknown-fields.ts';

const nameOf = (name: string): string => `role ${JSON.stringify(name)}`;

export class RolePlanner implements Planner<Role> {
  readonly kind = RoleKind;
  readonly isNamed = true;

  async plan(resource: Role, context: PlanContext): Promise<Plan> {
    const spec = resource.spec.forProvider;
    const { reader, externalName: name } = context;
    const { server } = reader;
    refuseReservedRole(server.engine, name, server.admin.name);
    refuseLongName(server.engine, 'role', name);
    refuseUnknownFields('Role', spec, server.engine);
    refuseUnclearName(name, spec, server);
    refuseRepeatedSettings(forCreation(resource).configurationParameters ?? [], 'forProvider.configurationParameters');
    refuseQuickRotation(spec);
    const observed = await reader.read('role', accountKey(name, spec));
    if (observed !== undefined) return await change(spec, observed, context);
    const wanted = forCreation(resource);
    await refuseNamesakes(spec, context);
    return create(name, wanted, spec, await planMemberships(wanted, undefined, [], context), context);
  }

  async planDelete(resource: Role, context: PlanContext): Promise<Plan> {
    const { reader, externalName: name } = context;
    if (isImpossibleName(reader.server.engine, name)) return nothingLeft();
    const observed = await reader.read('role', accountKey(name, resource.spec.forProvider));
    if (observed === undefined || !isOursToDrop(observed.mark, context, isProven(observed, context)))
      return await withoutAccount(accountKey(name, resource.spec.forProvider), context);
    refuseReservedRole(reader.server.engine, name, reader.server.admin.name);
    const why = wasAdopted(context) ? undefined : await reasonToStay(resource.spec.forProvider, context);
    if (why !== undefined) return stay(accountKey(name, resource.spec.forProvider), observed, why);
    const steps = wasAdopted(context)
      ? await leavingSteps(
          roleReference(name, resource.spec.forProvider.host),
          readRecord(context.applied).memberOf,
          observed,
          context,
        )
      : await dropSteps(resource.spec.forProvider, context);
    if (steps.length === 0) return kept(nameOf(name), 'it was there before this resource');
    return { exists: true, steps, unchangeable: [], atProvider: {} };
  }
}

/** Nothing of ours is left, unless somebody else dropped the account and did not know of its mark. */
async function withoutAccount(key: { name: string; host?: string }, { reader, mark }: PlanContext): Promise<Plan> {
  if (reader.server.accounts?.marksOutlive !== true) return nothingLeft();
  const { marks } = await reader.read('roleDependencies', key);
  if (marks?.includes(mark.uid) !== true) return nothingLeft();
  return { exists: true, steps: [{ kind: 'dropMark', ...key, mark }], unchangeable: [], atProvider: {} };
}

/** It keeps what it owns, and nobody logs in as it any more. */
function stay(key: { name: string; host?: string }, { attributes, account }: RoleObserved, why: string): Plan {
  const isOut = account === undefined ? attributes.login !== true : account.locked === true;
  if (isOut) return kept(nameOf(key.name), why);
  const without =
    account === undefined ? { attributes: { login: false } } : { attributes: {}, account: { locked: true } };
  return { exists: true, steps: [{ kind: 'alterRole', ...key, ...without }], unchangeable: [], atProvider: {} };
}

function create(
  name: string,
  wanted: RoleParameters,
  spec: RoleParameters,
  memberships: Memberships,
  context: PlanContext,
): Plan {
  const attributes: RoleAttributes = { login: true, ...givenAttributes(wanted) };
  const { server } = context.reader;
  const instead = pluginInstead(wanted, server);
  const isLogin = attributes.login !== false;
  const password = isLogin && instead === undefined ? context.password?.value : undefined;
  if (isLogin) refuseOpenAccount(wanted, password !== undefined, server);
  const plugin = wanted.authenticationPlugin;
  const role: Step = {
    kind: 'createRole',
    ...accountKey(name, wanted),
    attributes,
    ...defined({
      connectionLimit: sessionLimitOf(wanted),
      validUntil: untilOf(wanted),
      password,
      account: accountOptions(wanted),
      plugin: instead ?? (plugin === undefined ? undefined : { name: plugin.name }),
    }),
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
    ...(instead === undefined ? {} : { passwordless: true }),
  };
}

async function change(spec: RoleParameters, observed: RoleObserved, context: PlanContext): Promise<Plan> {
  const { name } = observed;
  // Said before anything else is asked: whether a password is right, for one, is nobody else's to know.
  if (observed.mark === undefined && !isProven(observed, context))
    throw notYours(`${nameOf(name)} exists already and does not carry the mark of this resource`);
  const before = readRecord(context.applied);
  const ownership = ownershipOf(nameOf(name), observed.mark, spec.adopt, context);
  const memberships = await planMemberships(spec, observed, before.memberOf, context);
  const alteration = alterationOf(spec, observed, before);
  const passwords = await passwordSteps(spec, observed, alteration, before, context);
  const isUnmarked =
    observed.mark === undefined
      ? isMarkedByNature(context)
      : observed.isMarkPending === true && observed.mark.uid === context.mark.uid;
  const steps: Step[] = [
    ...(ownership.mark || isUnmarked
      ? [{ kind: 'mark' as const, on: { type: 'role' as const, ...accountKey(name, spec) }, mark: context.mark }]
      : []),
    ...(alteration === undefined ? [] : [alteration]),
    ...memberships.steps,
    ...settingSteps(spec, observed, before),
    ...passwords.steps,
  ];
  // Whatever can be applied is applied before somebody hears of what cannot.
  if (steps.length === 0 && memberships.problem !== undefined) throw memberships.problem;
  return {
    exists: true,
    steps,
    unchangeable: unchangeableLogin(spec, observed, context),
    applied: recordOf(spec, memberships.made, ownership.record, passwords.isRetained),
    atProvider: {
      attributes: (Object.keys(ATTRIBUTE_DEFAULTS) as (keyof RoleAttributes)[]).filter(
        (attribute) => observed.attributes[attribute],
      ),
      memberOf: [...new Set(observed.memberOf.map((membership) => membership.role))],
    },
    ...(pluginInstead(spec, context.reader.server) === undefined ? {} : { passwordless: true }),
  };
}

/** An account has its mark where people do not write: one of ours without it was made by an older version. */
const isMarkedByNature = (context: PlanContext): boolean =>
  context.reader.server.accounts !== undefined && !wasAdopted(context);

const isProven = (observed: RoleObserved, { tenant, reader }: PlanContext): boolean =>
  tenant === undefined ||
  tenant.made({ kind: 'Role', name: roleReference(observed.name, observed.host) }, observed.mark, reader.server);

/** Where logins are accounts, a role is made as what it is. */
function unchangeableLogin(
  spec: RoleParameters,
  observed: RoleObserved,
  { reader: { server } }: PlanContext,
): string[] {
  const wanted = spec.privileges?.login ?? true;
  if (server.accounts === undefined || wanted === observed.attributes.login) return [];
  return [
    `forProvider.privileges.login is ${wanted} and ${server.product} has ${observed.attributes.login === true ? 'an account' : 'a role'} of that name, which it cannot turn into ${wanted ? 'an account' : 'a role'}: delete it, or choose another name`,
  ];
}
