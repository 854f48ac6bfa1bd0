/**
 * What logins have on servers where they are accounts (MySQL and MariaDB): a host, an authentication plugin, conditions
 * of the connection, limits, a lock. Only what the spec speaks of is managed, and what leaves the spec is put back.
 */
import { type RoleParameters, roleReference } from '../api/role.ts';
import { invalidSpec } from '../common/errors.ts';
import { defined } from './creation.ts';
import type { AccountObserved, AccountOptions, WantedPlugin } from './model/roles.ts';
import type { ServerInfo } from './model/server.ts';

/** The parts of an account that a spec may speak of, as they are recorded. */
export const ACCOUNT_PARTS = [
  'plugin',
  'require',
  'maxQueriesPerHour',
  'maxUpdatesPerHour',
  'maxConnectionsPerHour',
  'locked',
  'passwordLifetimeDays',
] as const;
export type AccountPart = (typeof ACCOUNT_PARTS)[number];

const LIMITS = ['maxQueriesPerHour', 'maxUpdatesPerHour', 'maxConnectionsPerHour'] as const;

/** The account as the server knows it. */
export const accountKey = (name: string, { host }: Pick<RoleParameters, 'host'>): { name: string; host?: string } =>
  host === undefined ? { name } : { name, host };

/** The parts that the spec speaks of. */
export const givenParts = (spec: RoleParameters): AccountPart[] =>
  ACCOUNT_PARTS.filter((part) => {
    if (part === 'plugin') return spec.authenticationPlugin !== undefined;
    if (part === 'require') return spec.require !== undefined;
    if (part === 'locked') return spec.accountLocked !== undefined;
    if (part === 'passwordLifetimeDays') return spec.passwordLifetimeDays !== undefined;
    return spec.resourceOptions?.[part] !== undefined;
  });

/** Sessions at a time, which two fields can say; -1 = no limit. */
export function sessionLimitOf(spec: RoleParameters): number | undefined {
  const most = spec.resourceOptions?.maxUserConnections;
  if (most === undefined) return spec.connectionLimit;
  const limit = most === 0 ? -1 : most;
  if (spec.connectionLimit !== undefined && spec.connectionLimit !== limit)
    throw invalidSpec(
      'forProvider.connectionLimit and forProvider.resourceOptions.maxUserConnections are the same limit: give one of them',
    );
  return limit;
}

/** What a new account gets. */
export const accountOptions = (spec: RoleParameters): AccountOptions | undefined =>
  optionsOf(spec, new Set(givenParts(spec)));

/** What has to be said so that the account is as the spec wants it; `before`: the parts that an earlier spec spoke of. */
export function accountChanges(
  spec: RoleParameters,
  observed: AccountObserved,
  before: readonly AccountPart[],
): AccountOptions | undefined {
  const wanted = optionsOf(spec, new Set([...givenParts(spec), ...before]));
  if (wanted === undefined) return undefined;
  const { require, locked, passwordLifetimeDays } = wanted;
  const limits = defined(
    Object.fromEntries(
      LIMITS.map((name) => [
        name,
        wanted.limits?.[name] === observed.limits?.[name] ? undefined : wanted.limits?.[name],
      ]),
    ),
  );
  const changes: AccountOptions = {
    ...(require === undefined || isSameRequirement(require, observed.require) ? {} : { require }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(locked === undefined || locked === observed.locked ? {} : { locked }),
    ...(passwordLifetimeDays === undefined || passwordLifetimeDays === observed.passwordLifetimeDays
      ? {}
      : { passwordLifetimeDays }),
  };
  return Object.keys(changes).length === 0 ? undefined : changes;
}

function optionsOf(spec: RoleParameters, parts: ReadonlySet<AccountPart>): AccountOptions | undefined {
  const limits = Object.fromEntries(
    LIMITS.filter((name) => parts.has(name)).map((name) => [name, spec.resourceOptions?.[name] ?? 0]),
  );
  const options: AccountOptions = {
    ...(parts.has('require') ? { require: requirementOf(spec) } : {}),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(parts.has('locked') ? { locked: spec.accountLocked ?? false } : {}),
    ...(parts.has('passwordLifetimeDays') ? { passwordLifetimeDays: spec.passwordLifetimeDays ?? null } : {}),
  };
  return Object.keys(options).length === 0 ? undefined : options;
}

function requirementOf({ require }: RoleParameters): NonNullable<AccountOptions['require']> {
  if (require === undefined) return { type: 'NONE' };
  const { type, subject, issuer, cipher } = require;
  return { type, ...defined({ subject, issuer, cipher }) };
}

const isSameRequirement = (
  wanted: NonNullable<AccountOptions['require']>,
  observed: AccountOptions['require'] = { type: 'NONE' },
): boolean =>
  (['type', 'subject', 'issuer', 'cipher'] as const).every((key) => (wanted[key] ?? '') === (observed[key] ?? ''));

/** How the account logs in, when that is not by a password of ours. */
export function pluginInstead(spec: RoleParameters, { accounts }: ServerInfo): WantedPlugin | undefined {
  const plugin = spec.authenticationPlugin;
  if (plugin === undefined || accounts === undefined) return undefined;
  const { name, authString } = plugin;
  if (authString !== undefined) return { name, authString };
  return accounts.passwordPlugins.includes(name) ? undefined : { name };
}

/** Others name the account `name@host`, so with an @ in the name the host has to be said. */
export function refuseUnclearName(name: string, { host }: RoleParameters, { accounts }: ServerInfo): void {
  if (accounts !== undefined && host === undefined && name.includes('@'))
    throw invalidSpec(
      `the name ${JSON.stringify(name)} could be an account at a host: give forProvider.host ("%" for any), as other resources call it ${JSON.stringify(roleReference(name, '%'))}`,
    );
}

/** A role as other resources name it. */
export function namedRole(text: string, { accounts }: ServerInfo): { name: string; host?: string } {
  const at = accounts === undefined ? -1 : text.lastIndexOf('@');
  return at < 0 ? { name: text } : { name: text.slice(0, at), host: text.slice(at + 1) };
}

/** The shortest of the ways in which a role can be named, in which a server's answers name it. */
export function shortestName(text: string, server: ServerInfo): string {
  const { name, host } = namedRole(text, server);
  return roleReference(name, host);
}

/** Without a password and without anything else to prove, an account would let in whoever asks. */
export function refuseOpenAccount(spec: RoleParameters, hasPassword: boolean, server: ServerInfo): void {
  if (server.accounts === undefined || hasPassword || pluginInstead(spec, server) !== undefined) return;
  if (spec.require?.type === 'X509' || spec.require?.type === 'SPECIFIED') return;
  throw invalidSpec(
    'this account would let in everybody: give it a password (spec.writeConnectionSecretToRef or forProvider.passwordSecretRef), a client certificate (forProvider.require) or another forProvider.authenticationPlugin',
  );
}
