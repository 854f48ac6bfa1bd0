/** Grants and memberships as SQL. Each statement is a change of its own: these servers have no transaction around them. */
import { invalidSpec } from '../../../common/errors.ts';
import type { ObjectTarget } from '../../../resources/model/objects.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Step } from '../../../resources/model/steps.ts';
import { availableOn } from '../../../resources/privilege-set.ts';
import { accountSql, granteeSql, parseAccount } from '../accounts.ts';
import { patternOf } from '../database-pattern.ts';
import { GRANT_OPTION, tableOfFlavour } from '../privileges.ts';
import { empty, ident, join, keyword, qualified, type Sql, sql } from '../sql.ts';

type Kind = 'grant' | 'revoke' | 'grantMembership' | 'revokeMembership';
export type GrantStep = Extract<Step, { kind: Kind }>;
type ObjectStep = Extract<Step, { kind: 'grant' | 'revoke' }>;

/** One step, as statements that are run in their order. */
export function compileGrantStep(step: GrantStep, info: ServerInfo): Sql[] {
  switch (step.kind) {
    case 'grantMembership':
      return grantMembership(step, info);
    case 'revokeMembership':
      return revokeMembership(step, info);
    case 'grant':
    case 'revoke':
      return step.on.type === 'proxy' ? proxy(step, info) : privilegeStatements(step, info);
  }
}

function privilegeStatements(step: ObjectStep, info: ServerInfo): Sql[] {
  const target = targetClause(step.on, info);
  if (step.kind === 'revoke') {
    const names = step.grantOptionOnly === true ? [GRANT_OPTION] : step.privileges;
    return apart(names, step.on).map(
      (list) => sql`REVOKE ${words(list, step.on, info)} ON ${target} FROM ${granteeSql(step.from, info)}`,
    );
  }
  refuseForgetful(step);
  const to = sql`ON ${target} TO ${granteeSql(step.to, info)}`;
  const withOption = sql` WITH GRANT OPTION`;
  if (step.withGrantOption === true) return [sql`GRANT ${words(step.privileges, step.on, info)} ${to}${withOption}`];
  if (!step.privileges.includes(GRANT_OPTION)) return [sql`GRANT ${words(step.privileges, step.on, info)} ${to}`];
  // WITH GRANT OPTION would also be that of the dynamic privileges in the statement, which have their own.
  const dynamic = step.privileges.filter((name) => info.dynamicPrivileges?.includes(name));
  const others = step.privileges.filter((name) => name !== GRANT_OPTION && !dynamic.includes(name));
  const list = others.length === 0 ? sql`USAGE` : words(others, step.on, info);
  const option = sql`GRANT ${list} ${to}${withOption}`;
  return dynamic.length === 0 ? [option] : [option, sql`GRANT ${words(dynamic, step.on, info)} ${to}`];
}

/** Both servers write such names into mysql.procs_priv as if they were latin1, and cannot read them after a restart. */
function refuseForgetful({ on, to }: Extract<Step, { kind: 'grant' }>): void {
  const names = [on.database, on.name, to.public === true ? '' : to.name];
  if (on.type === 'routine' && names.some((name) => /[^\0-\x7f]/.test(name ?? '')))
    throw invalidSpec(
      'routines: with characters beyond ASCII in the name of the account, the database or the routine, the server forgets the privilege when it restarts; grant EXECUTE on the database instead',
    );
}

/**
 * MySQL takes a REVOKE of every privilege and the option on *.* for REVOKE ALL PRIVILEGES, GRANT OPTION, which is about
 * the whole account: databases, tables and all.
 */
function apart(names: readonly string[], { type }: ObjectTarget): (readonly string[])[] {
  if (type !== 'global' || names.length === 1 || !names.includes(GRANT_OPTION)) return [names];
  return [names.filter((name) => name !== GRANT_OPTION), [GRANT_OPTION]];
}

/** Privileges are words of the table or of the server, whatever a step says. */
function words(names: readonly string[], { type, columns }: ObjectTarget, info: ServerInfo): Sql {
  const object = tableOfFlavour(info).objects[columns === undefined ? type : 'column'];
  const allowed = object === undefined ? [] : availableOn(object, info).map(({ name }) => name);
  const list = names.map((name) => keyword(name, allowed));
  if (columns === undefined) return join(list);
  const on = join(columns.map(ident));
  return join(list.map((name) => sql`${name} (${on})`));
}

function targetClause({ type, database = '', name = '', routineType }: ObjectTarget, info: ServerInfo): Sql {
  switch (type) {
    case 'global':
      return sql`*.*`;
    case 'database':
      return sql`${ident(patternOf(database, info))}.*`;
    case 'databasePattern':
      return sql`${ident(name)}.*`;
    case 'table':
      return qualified(database, name);
    case 'routine':
      return sql`${routineType === 'function' ? sql`FUNCTION` : sql`PROCEDURE`} ${qualified(database, name)}`;
    default:
      throw new Error(`privileges on ${type} cannot be granted on this server`);
  }
}

function proxy(step: ObjectStep, info: ServerInfo): Sql[] {
  const proxied = accountSql(parseAccount(step.on.name ?? ''), info);
  if (step.kind === 'grant') {
    const option = step.withGrantOption === true ? sql` WITH GRANT OPTION` : empty;
    return [sql`GRANT PROXY ON ${proxied} TO ${granteeSql(step.to, info)}${option}`];
  }
  const revoke = sql`REVOKE PROXY ON ${proxied} FROM ${granteeSql(step.from, info)}`;
  if (step.grantOptionOnly !== true) return [revoke];
  const again = sql`GRANT PROXY ON ${proxied} TO ${granteeSql(step.from, info)}`;
  // MySQL takes the option away when it is not said again; MariaDB needs to hear both.
  return info.engine === 'mysql' ? [again] : [revoke, again];
}

function grantMembership(step: Extract<Step, { kind: 'grantMembership' }>, info: ServerInfo): Sql[] {
  const [role, group] = [step.role, step.memberOf].map((name) => accountSql(parseAccount(name), info));
  if (role === undefined || group === undefined) return [];
  const grant = sql`GRANT ${group} TO ${role}${step.admin === true ? sql` WITH ADMIN OPTION` : empty}`;
  const defaults = defaultRoles(step.role, step.defaultRoles, info);
  if (step.admin !== false) return [grant, ...defaults];
  if (info.engine === 'mariadb') return [grant, sql`REVOKE ADMIN OPTION FOR ${group} FROM ${role}`, ...defaults];
  // MySQL has no way to take the option alone, and the default role goes with the membership.
  return [sql`REVOKE ${group} FROM ${role}`, grant, ...defaults];
}

function revokeMembership(step: Extract<Step, { kind: 'revokeMembership' }>, info: ServerInfo): Sql[] {
  const [role, group] = [step.role, step.memberOf].map((name) => accountSql(parseAccount(name), info));
  if (role === undefined || group === undefined) return [];
  const revoke = sql`REVOKE ${group} FROM ${role}`;
  // MySQL forgets a default role that is none any more by itself.
  return info.engine === 'mariadb' ? [...defaultRoles(step.role, step.defaultRoles, info), revoke] : [revoke];
}

function defaultRoles(role: string, names: readonly string[] | undefined, info: ServerInfo): Sql[] {
  if (names === undefined) return [];
  const to = accountSql(parseAccount(role), info);
  const list = names.length === 0 ? sql`NONE` : join(names.map((name) => accountSql(parseAccount(name), info)));
  return [info.engine === 'mariadb' ? sql`SET DEFAULT ROLE ${list} FOR ${to}` : sql`SET DEFAULT ROLE ${list} TO ${to}`];
}
