/** Accounts and roles as SQL. Passwords are the plugin's own strings by the time they come here. */
import { Secret } from '../../../common/secret.ts';
import type { Mark } from '../../../resources/model/objects.ts';
import type { AccountOptions } from '../../../resources/model/roles.ts';
import type { Step } from '../../../resources/model/steps.ts';
import { accountSql } from '../accounts.ts';
import type { MysqlInfo } from '../info.ts';
import { attributeOf, markRole as markRoleOf } from '../mark.ts';
import {
  account,
  integer,
  join,
  keyword,
  literal,
  roleName,
  secretBytes,
  secretLiteral,
  type Sql,
  sql,
} from '../sql.ts';

type Of<K extends Step['kind']> = Extract<Step, { kind: K }>;

/** How an account is to log in from now on. */
export interface Authentication {
  /** Empty only in texts that are shown: the account's own. */
  plugin: string;
  /** The string that the plugin stores; undefined = it needs none. */
  stored?: Buffer;
  /** In its place, where the server takes no password that it cannot look at. */
  password?: Secret;
  /** Further ways to log in, which the account keeps. */
  before?: readonly Authentication[];
  after?: readonly Authentication[];
}

export function createRole(step: Of<'createRole'>, authentication: Authentication | undefined, info: MysqlInfo): Sql[] {
  const isRole = step.attributes.login === false;
  const { mark: given, ...unmarked } = step;
  if (info.engine === 'mariadb' && given !== undefined) {
    const { announce, give } = mariadbMark(step, isRole, given);
    return [announce, ...createRole(unmarked, authentication, info), ...give];
  }
  if (isRole) {
    const role = nameOf(step, true, info);
    if (step.mark === undefined) return [sql`CREATE ROLE ${role}`];
    // What CREATE ROLE makes, which takes no attribute: so there is never a role that lacks its mark.
    const parts = [
      sql`CREATE USER ${role}`,
      ...(authentication === undefined ? [] : [identified(authentication, info)]),
      sql`ACCOUNT LOCK PASSWORD EXPIRE ATTRIBUTE ${literal(attributeOf(step.mark, true))}`,
    ];
    return [join(parts, ' ')];
  }
  const parts = [
    sql`CREATE USER ${account(step.name, step.host)}`,
    ...(authentication === undefined ? [] : [identified(authentication, info)]),
    ...options(step.account ?? {}, step.connectionLimit),
    ...(step.mark === undefined ? [] : [sql`ATTRIBUTE ${literal(attributeOf(step.mark))}`]),
  ];
  return [join(parts, ' ')];
}

interface Named {
  name: string;
  host?: string;
}

/** Roles have no host on MariaDB. */
const keyOf = ({ name, host }: Named, isRole: boolean): { name: string; host: string } => ({
  name,
  host: isRole ? '' : (host ?? '%'),
});

/**
 * The mark is there before the account, and its maker has it until the account does: so an account without one, of a
 * creation that was cut off, is told from one that somebody else has made.
 */
function mariadbMark(of: Named, isRole: boolean, mark: Mark): { announce: Sql; give: Sql[] } {
  const role = roleName(markRoleOf(keyOf(of, isRole), mark));
  return {
    announce: sql`CREATE OR REPLACE ROLE ${role}`,
    give: [
      sql`GRANT ${role} TO ${isRole ? roleName(of.name) : account(of.name, of.host)}`,
      sql`REVOKE ${role} FROM CURRENT_USER`,
    ],
  };
}

/** What was said before the creation that the server has refused. */
export const takeBackRole = (step: Of<'createRole'>, info: MysqlInfo): Sql[] =>
  info.engine === 'mariadb' && step.mark !== undefined
    ? [dropMark(markRoleOf(keyOf(step, step.attributes.login === false), step.mark))]
    : [];

const dropMark = (role: string): Sql => sql`DROP ROLE IF EXISTS ${roleName(role)}`;

export function alterRole(step: Of<'alterRole'>, authentication: Authentication | undefined, info: MysqlInfo): Sql[] {
  const parts = [
    ...(authentication === undefined ? [] : [identified(authentication, info)]),
    ...(step.discardOldPassword === true && info.engine === 'mysql' ? [sql`DISCARD OLD PASSWORD`] : []),
    ...options(step.account ?? {}, step.connectionLimit),
  ];
  return parts.length === 0 ? [] : [join([sql`ALTER USER ${account(step.name, step.host)}`, ...parts], ' ')];
}

export function setPassword(step: Of<'setPassword'>, authentication: Authentication, info: MysqlInfo): Sql[] {
  const change = sql`ALTER USER ${account(step.name, step.host)} ${identified(authentication, info)}`;
  // On MariaDB the other password is a way to log in of its own.
  return [step.retain === true && info.engine === 'mysql' ? sql`${change} RETAIN CURRENT PASSWORD` : change];
}

/** What the server has under a name. */
export interface Found {
  isRole?: boolean;
  /** The marks of MariaDB that it has, or that an earlier one of that name has left. */
  marks?: readonly string[];
}

/** Of an account or of a role, which is not known any more. */
export const dropLeftMark = (step: Of<'dropMark'>): Sql[] =>
  (step.host === undefined ? [false, true] : [false]).map((isRole) =>
    dropMark(markRoleOf(keyOf(step, isRole), step.mark)),
  );

export const dropRole = (step: Of<'dropRole'>, { isRole = false, marks = [] }: Found, info: MysqlInfo): Sql[] => [
  isRole
    ? sql`DROP ROLE IF EXISTS ${nameOf(step, true, info)}`
    : sql`DROP USER IF EXISTS ${account(step.name, step.host)}`,
  ...marks.map(dropMark),
];

export function markRole({ on, mark }: Of<'mark'>, { isRole = false, marks = [] }: Found, info: MysqlInfo): Sql[] {
  if (info.engine === 'mysql')
    return [sql`ALTER USER ${account(on.name, on.host)} ATTRIBUTE ${literal(attributeOf(mark))}`];
  const { announce, give } = mariadbMark(on, isRole, mark);
  const own = markRoleOf(keyOf(on, isRole), mark);
  return [announce, ...marks.filter((name) => name !== own).map(dropMark), ...give];
}

const nameOf = ({ name, host }: { name: string; host?: string }, isRole: boolean, info: MysqlInfo): Sql =>
  isRole && info.engine === 'mariadb' ? roleName(name) : accountSql({ name, host: host ?? '%' }, info);

function identified(authentication: Authentication, { engine }: MysqlInfo): Sql {
  const { plugin, stored, before = [], after = [] } = authentication;
  if (plugin === '') return sql`IDENTIFIED BY ${secretLiteral(new Secret(''))}`;
  if (engine === 'mariadb')
    return sql`IDENTIFIED VIA ${join([...before, authentication, ...after].map(mariadbWay), ' OR ')}`;
  const name = literal(plugin);
  return stored === undefined ? sql`IDENTIFIED WITH ${name}` : sql`IDENTIFIED WITH ${name} AS ${secretBytes(stored)}`;
}

function mariadbWay({ plugin, stored, password }: Authentication): Sql {
  if (password !== undefined) return sql`${literal(plugin)} USING PASSWORD(${secretLiteral(password)})`;
  if (stored === undefined || stored.length === 0) return literal(plugin);
  return sql`${literal(plugin)} USING ${secretLiteral(new Secret(stored.toString('utf8')))}`;
}

const LIMITS = {
  maxQueriesPerHour: sql`MAX_QUERIES_PER_HOUR`,
  maxUpdatesPerHour: sql`MAX_UPDATES_PER_HOUR`,
  maxConnectionsPerHour: sql`MAX_CONNECTIONS_PER_HOUR`,
} as const;

/** In the order that the grammar wants: REQUIRE, WITH, then password and lock. */
function options(wanted: AccountOptions, connectionLimit: number | undefined): Sql[] {
  const parts: Sql[] = [];
  if (wanted.require !== undefined) parts.push(requireClause(wanted.require));
  const limits = (Object.keys(LIMITS) as (keyof typeof LIMITS)[]).flatMap((key) => {
    const value = wanted.limits?.[key];
    return value === undefined ? [] : [sql`${LIMITS[key]} ${integer(value)}`];
  });
  if (connectionLimit !== undefined) limits.push(sql`MAX_USER_CONNECTIONS ${integer(Math.max(connectionLimit, 0))}`);
  if (limits.length > 0) parts.push(sql`WITH ${join(limits, ' ')}`);
  if (wanted.locked !== undefined)
    parts.push(sql`ACCOUNT ${keyword(wanted.locked ? 'LOCK' : 'UNLOCK', ['LOCK', 'UNLOCK'])}`);
  const days = wanted.passwordLifetimeDays;
  if (days === null) parts.push(sql`PASSWORD EXPIRE DEFAULT`);
  else if (days === 0) parts.push(sql`PASSWORD EXPIRE NEVER`);
  else if (days !== undefined) parts.push(sql`PASSWORD EXPIRE INTERVAL ${integer(days)} DAY`);
  return parts;
}

function requireClause({ type, subject, issuer, cipher }: NonNullable<AccountOptions['require']>): Sql {
  if (type !== 'SPECIFIED') return sql`REQUIRE ${keyword(type, ['NONE', 'SSL', 'X509'])}`;
  const parts = [
    ...(subject === undefined ? [] : [sql`SUBJECT ${literal(subject)}`]),
    ...(issuer === undefined ? [] : [sql`ISSUER ${literal(issuer)}`]),
    ...(cipher === undefined ? [] : [sql`CIPHER ${literal(cipher)}`]),
  ];
  return sql`REQUIRE ${join(parts, ' AND ')}`;
}
