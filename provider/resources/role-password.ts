/** Which password an account gets, and how long the one before it still counts. */
import type { RoleParameters } from '../api/role.ts';
import { parseDuration } from '../common/duration.ts';
import { invalidSpec } from '../common/errors.ts';
import { Secret } from '../common/secret.ts';
import type { RoleObserved } from './model/roles.ts';
import type { Step } from './model/steps.ts';
import type { PlanContext } from './planner.ts';
import { accountKey, pluginInstead } from './role-account.ts';
import { isExpired } from './role-differences.ts';
import type { RoleRecord } from './role-record.ts';

type AlterRole = Extract<Step, { kind: 'alterRole' }>;

export interface PasswordPlan {
  steps: Step[];
  /** Whether the password before this one logs in too, because we said so. */
  isRetained: boolean;
}

/** A password that is never older than a look at it would be replaced at each. */
const SHORTEST_MS = 60_000;

export function refuseQuickRotation({ passwordRotation }: RoleParameters): void {
  const every = passwordRotation?.every;
  if (every !== undefined && parseDuration(every) < SHORTEST_MS)
    throw invalidSpec(`forProvider.passwordRotation.every: ${every} is out of range; allowed: 1m or more`);
}

export async function passwordSteps(
  spec: RoleParameters,
  observed: RoleObserved,
  alteration: AlterRole | undefined,
  before: RoleRecord,
  context: PlanContext,
): Promise<PasswordPlan> {
  const { password, reader } = context;
  const { name } = observed;
  const isHeld = before.retainsPassword && observed.account?.retainsPassword === true;
  const mayLogIn = alteration?.attributes.login ?? observed.attributes.login;
  if (mayLogIn === false) return { steps: [], isRetained: false };
  const instead = await pluginSteps(spec, observed, context);
  if (instead !== undefined) return { steps: instead, isRetained: false };
  if (password === undefined) return { steps: [], isRetained: isHeld };
  const key = accountKey(name, spec);
  const plugin = newPlugin(spec, observed, before);
  const step: Step = {
    kind: 'setPassword',
    ...key,
    password: password.value,
    ...(plugin === undefined ? {} : { plugin }),
  };
  if (plugin !== undefined || (await isWrong(observed, alteration, context))) {
    const mayRetain = plugin === undefined && reader.server.accounts?.dualPasswords === true && context.owned;
    const retain = mayRetain && password.generated && (password.overlapMs ?? 0) > 0;
    return { steps: [retain ? { ...step, retain } : step], isRetained: retain };
  }
  if (!isHeld || !isOver(context)) return { steps: [], isRetained: isHeld };
  return { steps: [{ kind: 'alterRole', ...key, attributes: {}, discardOldPassword: true }], isRetained: false };
}

async function isWrong(
  observed: RoleObserved,
  alteration: AlterRole | undefined,
  { reader, password, now }: PlanContext,
): Promise<boolean> {
  if (password === undefined) return false;
  const wasExpired = isExpired(observed.validUntil, now);
  // Who could not log in until now cannot be asked whether the password is right.
  if (alteration?.attributes.login === true || (wasExpired && alteration?.validUntil !== undefined)) return true;
  // To others than superusers an expired password looks like a wrong one, for ever.
  if (wasExpired && !reader.server.admin.superUser) return false;
  return (await reader.checkPassword(observed.name, observed.host, password.value)) === 'mismatch';
}

/** The time in which two passwords log in ends with the overlap. */
const isOver = ({ password, now }: PlanContext): boolean =>
  password?.changedAt === undefined || now.getTime() - Date.parse(password.changedAt) >= (password.overlapMs ?? 0);

/** The plugin that has to come with the password; undefined = the account keeps what it has. */
function newPlugin(spec: RoleParameters, { account }: RoleObserved, before: RoleRecord): string | undefined {
  if (account === undefined) return undefined;
  const wanted = spec.authenticationPlugin?.name;
  if (wanted !== undefined) return wanted === account.plugin ? undefined : wanted;
  // The spec named one that takes no password, and does no more.
  return before.account.includes('plugin') && !account.takesPassword ? DEFAULT_PLUGIN : undefined;
}

/** What stands for the server's own choice. */
const DEFAULT_PLUGIN = '';

/** Steps for an account that logs in by something else than a password of ours; undefined = it has a password. */
async function pluginSteps(
  spec: RoleParameters,
  { name, host, account }: RoleObserved,
  { reader }: PlanContext,
): Promise<Step[] | undefined> {
  const plugin = pluginInstead(spec, reader.server);
  if (plugin === undefined || account === undefined) return undefined;
  const { authString } = plugin;
  const isSame =
    plugin.name === account.plugin &&
    (authString === undefined || (await reader.checkPassword(name, host, new Secret(authString))) === 'match');
  return isSame ? [] : [{ kind: 'alterRole', ...accountKey(name, spec), attributes: {}, plugin }];
}
