/** A Grant with memberOf: the membership of one role in another, with its options. */
import type { GrantParameters } from '../api/grant.ts';
import { invalidSpec, ResourceError, waiting } from '../common/errors.ts';
import { type AppliedMembership, readAppliedMemberships } from './applied.ts';
import { denied } from './grant-authority.ts';
import type { MembershipObserved } from './model/privileges.ts';
import type { Membership } from './model/roles.ts';
import type { ServerInfo } from './model/server.ts';
import type { Step } from './model/steps.ts';
import type { Plan, PlanContext } from './planner.ts';
import type { PrivilegeTable } from './privilege-set.ts';

/** What engines that can tell add to the model's read. */
export interface MembershipAuthority extends MembershipObserved {
  /** Whether the administrator may grant the group. */
  mayGrant?: boolean;
  /** The grantor that the server notes when the administrator grants. */
  asGrantor?: string;
  /** Whether the server keeps one membership per grantor. */
  perGrantor?: boolean;
  /** The way by which the group is a member of the role already. */
  cycle?: string[];
  /** Whether members of the group can no longer log in with a password. */
  endsPasswordLogin?: boolean;
}

type Held = Membership & { grantor?: string };
const OPTIONS = ['admin', 'inherit', 'set'] as const;

export async function planMembership(
  spec: GrantParameters,
  context: PlanContext,
  table: PrivilegeTable,
): Promise<Plan> {
  const { role, memberOf } = pair(spec);
  const { reader } = context;
  validate(spec, table, context);
  if (readAppliedMemberships(context.applied).length === 0 && !isEmptyRecord(context.applied))
    throw invalidSpec(
      'memberOf: this Grant gave privileges and cannot become a membership: delete it and create another',
    );
  const observed: MembershipAuthority = await reader.read('membership', { role, memberOf });
  if (observed.missing.length > 0)
    throw waiting(`${observed.missing.join(', ')} does not exist; it is looked for again`);
  if (observed.cycle !== undefined)
    throw new ResourceError(
      'MembershipCycle',
      `"${role}" cannot become a member of "${memberOf}", which is a member of it already: ${observed.cycle.map((name) => `"${name}"`).join(' in ')}`,
      { retryable: false, code: '0LP01' },
    );
  if (role === reader.server.admin.name && observed.endsPasswordLogin === true)
    throw invalidSpec(`memberOf: "${memberOf}" would end the password login of the administrator "${role}"`);
  const before = readAppliedMemberships(context.applied).filter((entry) => entry.memberOf === memberOf);
  const want = { ...wanted(spec), ...inheritance(spec, observed, reader.server) };
  const { steps, granting } = difference(spec, want, observed, before);
  if (granting && observed.mayGrant === false)
    throw denied(
      `cannot make "${role}" a member of "${memberOf}": "${reader.server.admin.name}" has no ADMIN OPTION on it; GRANT "${memberOf}" TO "${reader.server.admin.name}" WITH ADMIN OPTION`,
    );
  return {
    exists: context.owned && !granting,
    steps,
    unchangeable: [],
    applied: [wanted(spec)],
    atProvider: { granted: [`membership of "${role}" in "${memberOf}"`], objects: 1 },
  };
}

export async function planMembershipDelete(spec: GrantParameters, context: PlanContext): Promise<Plan> {
  const { role = '', memberOf = '' } = spec;
  const before = readAppliedMemberships(context.applied);
  const observed: MembershipAuthority = await context.reader.read('membership', { role, memberOf });
  const ours = observed.memberships.filter((held) => isOurs(held, observed));
  const given = context.owned || before.some((entry) => entry.memberOf === memberOf);
  const steps: Step[] =
    given && observed.missing.length === 0 && ours.length > 0
      ? [{ kind: 'revokeMembership', role, memberOf, ...withoutDefault(memberOf, observed) }]
      : [];
  return { exists: steps.length > 0, steps, unchangeable: [], atProvider: {} };
}

function pair(spec: GrantParameters): { role: string; memberOf: string } {
  const { role, memberOf } = spec;
  if (role === undefined || memberOf === undefined) throw invalidSpec('role and memberOf: are not resolved');
  if (role === 'PUBLIC') throw invalidSpec('role: PUBLIC cannot be a member of a group');
  return { role, memberOf };
}

const isEmptyRecord = (applied: unknown): boolean => !Array.isArray(applied) || applied.length === 0;

function validate(spec: GrantParameters, table: PrivilegeTable, { reader: { server } }: PlanContext): void {
  if (spec.grantor !== undefined) throw invalidSpec('grantor: cannot be chosen for memberOf');
  const option = (['withInherit', 'withSet'] as const).find((name) => spec[name] !== undefined);
  if (option === undefined || (option === 'withInherit' && spec.withSet === undefined && server.accounts)) return;
  const since = table.membershipOptions;
  if (since === undefined) throw invalidSpec(`${option}: ${server.product} has no such option of memberships`);
  if (server.versionNumber < since.versionNumber)
    throw invalidSpec(`${option}: needs version ${since.label} or newer, and the server is ${server.product}`);
}

function wanted(spec: GrantParameters): AppliedMembership {
  return {
    memberOf: spec.memberOf!,
    ...(spec.withOption === true ? { admin: true } : {}),
    ...(spec.withInherit === undefined ? {} : { inherit: spec.withInherit }),
    ...(spec.withSet === undefined ? {} : { set: spec.withSet }),
  };
}

/** Whether the group shall be a default role, where an account has such. */
function inheritance(
  { withInherit, memberOf = '' }: GrantParameters,
  { defaultRoles = [] }: MembershipAuthority,
  { accounts }: ServerInfo,
): { inherit?: boolean } {
  if (accounts === undefined) return {};
  const inherit = inheritsByDefault('withInherit', withInherit, memberOf, defaultRoles, accounts.defaultRoles);
  return inherit === undefined ? {} : { inherit };
}

/** As a rule a group is a default role, as far as there is room; undefined = whatever it is. */
function inheritsByDefault(
  field: string,
  wanted: boolean | undefined,
  group: string,
  defaults: readonly string[],
  room: 'one' | 'many',
): boolean | undefined {
  const others = defaults.filter((name) => name !== group);
  const hasRoom = room === 'many' || others.length === 0;
  if (wanted === true && !hasRoom)
    throw invalidSpec(
      `${field}: the default role is "${others.join('", "')}", and there is one at a time; SET DEFAULT ROLE NONE first, or leave it out`,
    );
  return wanted ?? (hasRoom ? true : undefined);
}

/** The list of default roles, where it has to be said: some servers take the option together with the membership. */
function defaultsAfter(
  memberOf: string,
  { admin, inherit }: Partial<Membership>,
  observed: MembershipAuthority,
): { defaultRoles?: string[] } {
  const list = observed.defaultRoles;
  if (list === undefined) return {};
  if (inherit === false) return withoutDefault(memberOf, observed);
  const isKept = admin === false && list.includes(memberOf);
  return inherit === true || isKept ? { defaultRoles: [...list.filter((name) => name !== memberOf), memberOf] } : {};
}

/** The list of default roles as it is when the group is none any more. */
function withoutDefault(memberOf: string, { defaultRoles = [] }: MembershipAuthority): { defaultRoles?: string[] } {
  const left = defaultRoles.filter((name) => name !== memberOf);
  return left.length === defaultRoles.length ? {} : { defaultRoles: left };
}

const isOurs = (held: Held, observed: MembershipAuthority): boolean =>
  observed.perGrantor !== true || held.grantor === observed.asGrantor;

function difference(
  spec: GrantParameters,
  want: AppliedMembership,
  observed: MembershipAuthority,
  before: readonly AppliedMembership[],
): { steps: Step[]; granting: boolean } {
  const { role, memberOf } = pair(spec);
  const held = observed.memberships;
  const ours = held.filter((row) => isOurs(row, observed));
  const others = spec.exclusive === true ? held.filter((row) => !isOurs(row, observed)) : [];
  const change: { admin?: boolean; inherit?: boolean; set?: boolean } = {};
  for (const option of OPTIONS) {
    const value = want[option];
    if (value === true && !(others.length > 0 ? ours : held).some((row) => row[option] === true)) change[option] = true;
    if (value === false && ours.some((row) => row[option] === true)) change[option] = false;
    if (value === false && ours.length === 0 && held.length === 0) change[option] = false;
  }
  const gaveAdmin = spec.exclusive === true || before.some((entry) => entry.admin === true);
  if (want.admin !== true && gaveAdmin && ours.some((row) => row.admin === true)) change.admin = false;
  const absent = held.length === 0 || (others.length > 0 && ours.length === 0);
  // Whoever makes a role gets a membership that only administers it: no right of the group's comes with that.
  const isUsable = held.some((row) => row.set !== false || row.inherit === true);
  if (!absent && !isUsable && want.set === undefined && want.inherit === undefined) change.set = true;
  const granting = absent || Object.values(change).some((value) => value);
  const steps: Step[] = [];
  const defaults = defaultsAfter(memberOf, change, observed);
  if (absent || Object.keys(change).length > 0)
    steps.push({ kind: 'grantMembership', role, memberOf, ...change, ...defaults });
  for (const row of others)
    steps.push({
      kind: 'revokeMembership',
      role,
      memberOf,
      ...(row.grantor === undefined ? {} : { grantor: row.grantor }),
    });
  return { steps, granting };
}
