/** Roles as SQL. Passwords are verifiers by the time they come here. */
import type { Secret } from '../../../common/secret.ts';
import type { RoleAttributes } from '../../../resources/model/roles.ts';
import type { Step } from '../../../resources/model/steps.ts';
import { withMark } from '../mark.ts';
import { ident, integer, join, literal, type Sql, secretLiteral, sql } from '../sql.ts';
import { settingName } from './databases.ts';
import { settingValue } from './settings.ts';

type Of<K extends Step['kind']> = Extract<Step, { kind: K }>;

const ATTRIBUTES: Record<keyof RoleAttributes, [on: Sql, off: Sql]> = {
  superUser: [sql`SUPERUSER`, sql`NOSUPERUSER`],
  createDb: [sql`CREATEDB`, sql`NOCREATEDB`],
  createRole: [sql`CREATEROLE`, sql`NOCREATEROLE`],
  login: [sql`LOGIN`, sql`NOLOGIN`],
  inherit: [sql`INHERIT`, sql`NOINHERIT`],
  replication: [sql`REPLICATION`, sql`NOREPLICATION`],
  bypassRls: [sql`BYPASSRLS`, sql`NOBYPASSRLS`],
};

function options(step: Of<'createRole'> | Of<'alterRole'>): Sql[] {
  const words = (Object.keys(ATTRIBUTES) as (keyof RoleAttributes)[])
    .filter((name) => step.attributes[name] !== undefined)
    .map((name) => ATTRIBUTES[name][step.attributes[name] ? 0 : 1]);
  if (step.connectionLimit !== undefined) words.push(sql`CONNECTION LIMIT ${integer(step.connectionLimit)}`);
  if (step.validUntil !== undefined) words.push(sql`VALID UNTIL ${literal(step.validUntil)}`);
  return words;
}

export function createRole(step: Of<'createRole'>, verifier: Secret | undefined): Sql[] {
  const words = options(step);
  if (verifier !== undefined) words.push(sql`PASSWORD ${secretLiteral(verifier)}`);
  const create =
    words.length === 0
      ? sql`CREATE ROLE ${ident(step.name)}`
      : sql`CREATE ROLE ${ident(step.name)} WITH ${join(words, ' ')}`;
  return step.mark === undefined
    ? [create]
    : [create, sql`COMMENT ON ROLE ${ident(step.name)} IS ${literal(withMark(step.mark))}`];
}

export function alterRole(step: Of<'alterRole'>): Sql[] {
  const words = options(step);
  return words.length === 0 ? [] : [sql`ALTER ROLE ${ident(step.name)} WITH ${join(words, ' ')}`];
}

export const setPassword = (step: Of<'setPassword'>, verifier: Secret): Sql[] => [
  sql`ALTER ROLE ${ident(step.name)} PASSWORD ${secretLiteral(verifier)}`,
];

export const setRoleSetting = (step: Of<'setRoleSetting'>): Sql[] => [
  step.value === null
    ? sql`ALTER ROLE ${ident(step.name)} RESET ${settingName(step.setting)}`
    : sql`ALTER ROLE ${ident(step.name)} SET ${settingName(step.setting)} TO ${settingValue(step.setting, step.value)}`,
];

export const reassignOwned = (step: Of<'reassignOwned'>): Sql[] => [
  step.to === null
    ? sql`REASSIGN OWNED BY ${ident(step.from)} TO CURRENT_USER`
    : sql`REASSIGN OWNED BY ${ident(step.from)} TO ${ident(step.to)}`,
];

export const dropOwned = (step: Of<'dropOwned'>): Sql[] => [sql`DROP OWNED BY ${ident(step.role)}`];

export const dropRole = (step: Of<'dropRole'>): Sql[] => [sql`DROP ROLE IF EXISTS ${ident(step.name)}`];
