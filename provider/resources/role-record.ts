/** What a Role has set at some time: exactly that is put back when it leaves the spec. */
import type { RoleParameters } from '../api/role.ts';
import type { RoleAttributes } from './model/roles.ts';
import type { OwnershipRecord } from './ownership.ts';
import { ACCOUNT_PARTS, type AccountPart, givenParts, sessionLimitOf } from './role-account.ts';

export interface RoleRecord {
  attributes: (keyof RoleAttributes)[];
  connectionLimit: boolean;
  validUntil: boolean;
  /** Names of settings. */
  settings: string[];
  /** Parts of an account, where logins are accounts. */
  account: AccountPart[];
  /** Whether we let the password before the last log in too. */
  retainsPassword: boolean;
  /** Groups that this resource, and nobody else, made the role a member of. */
  memberOf: string[];
}

/** What a role has when nobody says anything. */
export const ATTRIBUTE_DEFAULTS: Readonly<Required<RoleAttributes>> = {
  superUser: false,
  createDb: false,
  createRole: false,
  login: false,
  inherit: true,
  replication: false,
  bypassRls: false,
};

/** The attributes that the spec speaks of. */
export const givenAttributes = ({ privileges }: RoleParameters): RoleAttributes =>
  Object.fromEntries(Object.entries(privileges ?? {}).filter(([, value]) => value !== undefined));

/** JSON for the annotation; what is empty is left out. */
export function recordOf(
  spec: RoleParameters,
  memberOf: readonly string[],
  ownership: OwnershipRecord,
  retainsPassword = false,
): object {
  const attributes = Object.keys(givenAttributes(spec)).toSorted();
  const account = givenParts(spec);
  const settings = spec.configurationParameters?.map(({ name }) => name).toSorted();
  return {
    ...ownership,
    ...(attributes.length === 0 ? {} : { attributes }),
    ...(sessionLimitOf(spec) === undefined ? {} : { connectionLimit: true }),
    ...(spec.validUntil === undefined ? {} : { validUntil: true }),
    ...(settings === undefined ? {} : { settings }),
    ...(account.length === 0 ? {} : { account }),
    ...(retainsPassword ? { retainsPassword } : {}),
    ...(memberOf.length === 0 ? {} : { memberOf: memberOf.toSorted() }),
  };
}

/** Reads the annotation, which people may edit: what does not belong in it is not there. */
export function readRecord(value: unknown): RoleRecord {
  const record = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const strings = (key: string): string[] =>
    Array.isArray(record[key]) ? record[key].filter((item) => typeof item === 'string') : [];
  return {
    attributes: strings('attributes').filter((name): name is keyof RoleAttributes =>
      Object.hasOwn(ATTRIBUTE_DEFAULTS, name),
    ),
    connectionLimit: record['connectionLimit'] === true,
    validUntil: record['validUntil'] === true,
    settings: strings('settings'),
    account: strings('account').filter((name): name is AccountPart => ACCOUNT_PARTS.includes(name as AccountPart)),
    retainsPassword: record['retainsPassword'] === true,
    memberOf: strings('memberOf'),
  };
}
