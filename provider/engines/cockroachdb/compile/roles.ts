/** Roles as SQL. A password goes as a verifier, and is bound. */
import { ResourceError } from '../../../common/errors.ts';
import type { Secret } from '../../../common/secret.ts';
import type { RoleAttributes } from '../../../resources/model/roles.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Step } from '../../../resources/model/steps.ts';
import { bound, ident, join, literal, type Sql, sql } from '../../postgres/sql.ts';
import { type Command, command } from '../command.ts';
import { refuseRoleName } from '../names.ts';
import { change } from './databases.ts';

type Of<K extends Step['kind']> = Extract<Step, { kind: K }>;

const ATTRIBUTES: Readonly<Partial<Record<keyof RoleAttributes, [on: Sql, off: Sql]>>> = {
  createDb: [sql`CREATEDB`, sql`NOCREATEDB`],
  createRole: [sql`CREATEROLE`, sql`NOCREATEROLE`],
  login: [sql`LOGIN`, sql`NOLOGIN`],
  replication: [sql`REPLICATION`, sql`NOREPLICATION`],
  bypassRls: [sql`BYPASSRLS`, sql`NOBYPASSRLS`],
};

const invalid = (message: string): ResourceError => new ResourceError('InvalidSpec', message, { retryable: false });

function options(step: Of<'createRole'> | Of<'alterRole'>, info: ServerInfo): Sql[] {
  refuseRoleName(step.name);
  const { attributes } = step;
  if (attributes.inherit === false)
    throw invalid('forProvider.privileges.inherit: every role of CockroachDB inherits; remove it');
  if (attributes.bypassRls === true && info.versionNumber < 250_200)
    throw invalid(`forProvider.privileges.bypassRls needs CockroachDB 25.2 or newer; the server is ${info.product}`);
  if (step.connectionLimit !== undefined && step.connectionLimit !== -1)
    throw invalid('forProvider.connectionLimit: CockroachDB limits no role by itself; remove it');
  const words = (Object.keys(ATTRIBUTES) as (keyof typeof ATTRIBUTES)[])
    .filter((name) => attributes[name] !== undefined && (name !== 'bypassRls' || info.versionNumber >= 250_200))
    .map((name) => ATTRIBUTES[name]![attributes[name] ? 0 : 1]);
  if (step.validUntil !== undefined)
    words.push(step.validUntil === 'infinity' ? sql`VALID UNTIL NULL` : sql`VALID UNTIL ${literal(step.validUntil)}`);
  return words;
}

/** There is no SUPERUSER: whoever is in the group admin may do everything. */
function adminMembership(name: string, isAdmin: boolean | undefined): Command[] {
  if (isAdmin === undefined) return [];
  return [command(isAdmin ? sql`GRANT admin TO ${ident(name)}` : sql`REVOKE admin FROM ${ident(name)}`)];
}

export function createRole(step: Of<'createRole'>, info: ServerInfo, verifier: Secret | undefined): Command[] {
  const words = options(step, info);
  if (verifier !== undefined) words.push(sql`PASSWORD ${bound(1)}`);
  const create =
    words.length === 0
      ? sql`CREATE ROLE ${ident(step.name)}`
      : sql`CREATE ROLE ${ident(step.name)} WITH ${join(words, ' ')}`;
  return [
    { sql: create, ...(verifier === undefined ? {} : { secrets: [verifier] }) },
    ...(step.attributes.superUser === true ? adminMembership(step.name, true) : []),
  ];
}

export function alterRole(step: Of<'alterRole'>, info: ServerInfo): Command[] {
  const words = options(step, info);
  return [
    ...(words.length === 0 ? [] : [command(sql`ALTER ROLE ${ident(step.name)} WITH ${join(words, ' ')}`)]),
    ...adminMembership(step.name, step.attributes.superUser),
  ];
}

export const setPassword = (step: Of<'setPassword'>, verifier: Secret): Command[] => [
  { sql: sql`ALTER ROLE ${ident(step.name)} WITH PASSWORD ${bound(1)}`, secrets: [verifier] },
];

export const setRoleSetting = ({ name, setting, value }: Of<'setRoleSetting'>): Command[] => [
  command(sql`ALTER ROLE ${ident(name)} ${change(setting, value)}`),
];

export const reassignOwned = ({ from, to }: Of<'reassignOwned'>): Command[] => [
  command(
    to === null
      ? sql`REASSIGN OWNED BY ${ident(from)} TO CURRENT_USER`
      : sql`REASSIGN OWNED BY ${ident(from)} TO ${ident(to)}`,
  ),
];

export const dropOwned = ({ role }: Of<'dropOwned'>): Command[] => [command(sql`DROP OWNED BY ${ident(role)}`)];

export const dropRole = ({ name }: Of<'dropRole'>): Command[] => [command(sql`DROP ROLE IF EXISTS ${ident(name)}`)];
