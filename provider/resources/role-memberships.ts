/** The groups that a role joins and leaves. Memberships that others made are left alone. */
import { TRAITS } from '../api/engines.ts';
import { type RoleParameters, roleReference } from '../api/role.ts';
import { invalidSpec, ResourceError, waiting } from '../common/errors.ts';
import { DefaultRoles } from './default-roles.ts';
import type { MembershipAuthority } from './grant-membership.ts';
import type { Membership, RoleObserved } from './model/roles.ts';
import type { Step } from './model/steps.ts';
import type { PlanContext } from './planner.ts';
import { namedRole, shortestName } from './role-account.ts';

type Held = Membership & { grantor?: string };
const OPTIONS = ['admin', 'inherit', 'set'] as const;

export interface Memberships {
  steps: Step[];
  /** The groups that this resource has joined, or is about to. */
  made: string[];
  /** Why a group cannot be joined. Everything else of the role is applied first. */
  problem?: ResourceError;
}

/** `made`: the groups that this resource has joined so far. */
export async function planMemberships(
  spec: RoleParameters,
  observed: RoleObserved | undefined,
  made: readonly string[],
  context: PlanContext,
): Promise<Memberships> {
  const name = roleReference(context.externalName, spec.host);
  const wanted = wantedOf(spec, name, context);
  const plan: Memberships = { steps: [], made: [] };
  const left = made.filter((role) => !wanted.has(role));
  const defaults = new DefaultRoles(observed, context.reader.server, spec.privileges?.login !== false, left);
  for (const asked of wanted.values()) {
    const group = defaults.wish(asked);
    const held = (observed?.memberOf ?? []).filter(({ role }) => role === group.role);
    if (made.includes(group.role)) plan.made.push(group.role);
    if (isEnough(held, held, group)) continue;
    const answer: MembershipAuthority = await context.reader.read('membership', { role: name, memberOf: group.role });
    const problem = await obstacle(name, group.role, answer, context);
    if (problem !== undefined) {
      plan.problem ??= problem;
      continue;
    }
    const ours = oursOf(answer, held);
    if (isEnough(held, ours, group)) continue;
    const change = changeOf(group, held, ours);
    plan.steps.push({
      kind: 'grantMembership',
      memberOf: group.role,
      ...change,
      role: name,
      ...defaults.after(group.role, change),
    });
    if (ours.length === 0 && !plan.made.includes(group.role)) plan.made.push(group.role);
  }
  return { ...plan, steps: [...plan.steps, ...(await leavingSteps(name, left, observed, context, defaults))] };
}

/** Takes back the memberships that this resource made. */
export async function leavingSteps(
  role: string,
  groups: readonly string[],
  observed: RoleObserved | undefined,
  context: PlanContext,
  defaults = new DefaultRoles(observed, context.reader.server),
): Promise<Step[]> {
  const steps: Step[] = [];
  for (const memberOf of new Set(groups)) {
    const held = (observed?.memberOf ?? []).filter((membership) => membership.role === memberOf);
    if (held.length === 0) continue;
    const answer: MembershipAuthority = await context.reader.read('membership', { role, memberOf });
    if (oursOf(answer, held).length > 0)
      steps.push({ kind: 'revokeMembership', role, memberOf, ...defaults.after(memberOf, { inherit: false }) });
  }
  return steps;
}

function wantedOf(spec: RoleParameters, name: string, { reader: { server } }: PlanContext): Map<string, Membership> {
  const hasOptions = server.major >= TRAITS[server.engine].membershipOptionsSince;
  const wanted = new Map<string, Membership>();
  for (const { role: written, admin, inherit, set } of spec.memberOf ?? []) {
    if (written === undefined) continue; // an optional reference that leads nowhere yet
    const role = shortestName(written, server);
    if (role === name)
      throw invalidSpec(`forProvider.memberOf: role ${JSON.stringify(name)} cannot be a member of itself`);
    if (!hasOptions && (inherit !== undefined || set !== undefined))
      throw invalidSpec(
        `forProvider.memberOf: inherit and set need PostgreSQL 16 or newer; the server is ${server.product}`,
      );
    if (server.accounts !== undefined && set !== undefined)
      throw invalidSpec(`forProvider.memberOf: set means nothing to ${server.product}; leave it out`);
    wanted.set(role, {
      role,
      ...(admin === undefined ? {} : { admin }),
      ...(inherit === undefined ? {} : { inherit }),
      ...(set === undefined ? {} : { set }),
    });
  }
  return wanted;
}

/** An option that is given as true must come from somebody, one that is given as false must not come from us. */
function isEnough(held: readonly Held[], ours: readonly Held[], wanted: Membership): boolean {
  if (held.length === 0) return false;
  // Whoever makes a role gets a membership in it that only administers: no right of the group's comes with that.
  if (!isUsable(held) && wanted.inherit === undefined && wanted.set === undefined) return false;
  return OPTIONS.every((option) => {
    if (wanted[option] === undefined) return true;
    return wanted[option] ? held.some((row) => row[option] === true) : !ours.some((row) => row[option] === true);
  });
}

const isUsable = (held: readonly Held[]): boolean => held.some(({ inherit, set }) => set !== false || inherit === true);

/** From PostgreSQL 16 on, each grantor's membership is one of its own. */
const oursOf = (answer: MembershipAuthority, held: readonly Held[]): Held[] =>
  held.filter(({ grantor }) => answer.perGrantor !== true || grantor === answer.asGrantor);

/** The options that have to be said: those that are wanted and that our own membership has otherwise. */
function changeOf(wanted: Membership, held: readonly Held[], ours: readonly Held[]): Partial<Membership> {
  const change: Partial<Membership> = {};
  for (const option of OPTIONS)
    if (wanted[option] !== undefined && (ours.length === 0 || ours[0]?.[option] !== wanted[option]))
      change[option] = wanted[option];
  if (held.length > 0 && !isUsable(held) && wanted.inherit === undefined && wanted.set === undefined) change.set = true;
  return change;
}

async function obstacle(
  name: string,
  group: string,
  answer: MembershipAuthority,
  context: PlanContext,
): Promise<ResourceError | undefined> {
  const { reader } = context;
  // The role itself may be about to be made.
  if ((await reader.read('role', namedRole(group, reader.server))) === undefined)
    return waiting(`role ${JSON.stringify(group)} (forProvider.memberOf) does not exist yet`);
  if (answer.cycle !== undefined)
    return new ResourceError(
      'MembershipCycle',
      `forProvider.memberOf: ${JSON.stringify(name)} cannot become a member of ${JSON.stringify(group)}, which is a member of it already: ${answer.cycle.map((role) => JSON.stringify(role)).join(' in ')}`,
      { retryable: false },
    );
  if (answer.mayGrant === false)
    return new ResourceError(
      'PermissionDenied',
      `forProvider.memberOf: cannot make ${JSON.stringify(name)} a member of ${JSON.stringify(group)}: the administrator ${JSON.stringify(reader.server.admin.name)} has no ADMIN OPTION on it`,
      { retryable: false },
    );
  return undefined;
}
