/** Attributes, limits and settings of a role that is there: only what differs is sent. */
import type { RoleParameters } from '../api/role.ts';
import { invalidSpec } from '../common/errors.ts';
import { defined } from './creation.ts';
import type { RoleAttributes, RoleObserved } from './model/roles.ts';
import type { Step } from './model/steps.ts';
import { accountChanges, accountKey, sessionLimitOf } from './role-account.ts';
import { ATTRIBUTE_DEFAULTS, givenAttributes, type RoleRecord } from './role-record.ts';
import { settingChanges } from './settings.ts';

type AlterRole = Extract<Step, { kind: 'alterRole' }>;

/** undefined when nothing differs. */
export function alterationOf(spec: RoleParameters, observed: RoleObserved, before: RoleRecord): AlterRole | undefined {
  const wanted = givenAttributes(spec);
  for (const attribute of before.attributes)
    wanted[attribute] ??= attribute === 'login' ? true : ATTRIBUTE_DEFAULTS[attribute];
  const attributes: RoleAttributes = {};
  for (const [attribute, value] of Object.entries(wanted) as [keyof RoleAttributes, boolean][])
    if (observed.attributes[attribute] !== value && !isFixed(attribute, observed)) attributes[attribute] = value;
  const connectionLimit = sessionLimitOf(spec) ?? (before.connectionLimit ? -1 : undefined);
  const validUntil = untilOf(spec) ?? (before.validUntil ? 'infinity' : undefined);
  const limits = defined({
    connectionLimit: connectionLimit === (observed.connectionLimit ?? -1) ? undefined : connectionLimit,
    validUntil: validUntil === undefined || isSameInstant(validUntil, observed.validUntil) ? undefined : validUntil,
  });
  const account = observed.account === undefined ? undefined : accountChanges(spec, observed.account, before.account);
  if (Object.keys(attributes).length === 0 && Object.keys(limits).length === 0 && account === undefined)
    return undefined;
  return {
    kind: 'alterRole',
    ...accountKey(observed.name, spec),
    attributes,
    ...limits,
    ...(account === undefined ? {} : { account }),
  };
}

/**
 * Without a fraction, which servers round up and we would take for another second at each look.
 * @throws ResourceError InvalidSpec for a day or a second that is in no calendar.
 */
export function untilOf({ validUntil }: RoleParameters): string | undefined {
  if (validUntil === undefined || validUntil === 'infinity') return validUntil;
  const [year = 0, month = 0, day = 0] = validUntil.slice(0, 10).split('-').map(Number);
  const isDay = year > 0 && new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
  if (!isDay || Number.isNaN(Date.parse(validUntil)))
    throw invalidSpec(`forProvider.validUntil: ${JSON.stringify(validUntil)} is in no calendar`);
  return validUntil.replace(/\.\d+/, '');
}

/** An attribute that the server knows nothing of, or cannot change. */
const isFixed = (attribute: keyof RoleAttributes, { attributes }: RoleObserved): boolean =>
  attribute === 'login' && attributes.superUser === undefined;

/** No time at all and infinity are the same promise; servers keep whole seconds. */
function isSameInstant(wanted: string, observed = 'infinity'): boolean {
  if (wanted === 'infinity' || observed === 'infinity') return wanted === observed;
  return Math.floor(Date.parse(wanted) / 1000) === Math.floor(Date.parse(observed) / 1000);
}

export const isExpired = (validUntil: string | undefined, now: Date): boolean =>
  validUntil !== undefined && validUntil !== 'infinity' && Date.parse(validUntil) <= now.getTime();

/** A list that is given is the whole list; without one, only what an earlier list set is taken back. */
export function settingSteps(spec: RoleParameters, observed: RoleObserved, before: RoleRecord): Step[] {
  const wanted = spec.configurationParameters;
  const resettable = wanted === undefined ? before.settings : observed.settings.map(({ name }) => name);
  return settingChanges(wanted ?? [], observed.settings, resettable).map((item) => ({
    kind: 'setRoleSetting',
    name: observed.name,
    ...item,
  }));
}
