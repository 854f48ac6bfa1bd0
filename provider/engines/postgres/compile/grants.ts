/** Grants, default privileges and memberships as SQL. */
import type { Acting } from '../../../resources/grant-authority.ts';
import { objectKey } from '../../../resources/grant-target.ts';
import type { Grantee, ObjectTarget } from '../../../resources/model/objects.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Step } from '../../../resources/model/steps.ts';
import { POSTGRES_PRIVILEGES } from '../privileges.ts';
import { empty, ident, join, keyword, type Sql, sql } from '../sql.ts';
import { objectClause } from './grants-objects.ts';

type Kind = 'grant' | 'revoke' | 'grantDefault' | 'revokeDefault' | 'grantMembership' | 'revokeMembership';
export type GrantStep = Extract<Step, { kind: Kind }>;
type ObjectStep = Extract<Step, { kind: 'grant' | 'revoke' }>;
type DefaultStep = Extract<Step, { kind: 'grantDefault' | 'revokeDefault' }>;

const KINDS: Readonly<Record<Kind, true>> = {
  grant: true,
  revoke: true,
  grantDefault: true,
  revokeDefault: true,
  grantMembership: true,
  revokeMembership: true,
};

export const isGrantStep = (step: Step): step is GrantStep => Object.hasOwn(KINDS, step.kind);

/** One step, as statements that belong into one transaction. */
export const compileGrantStep = (step: GrantStep, info: ServerInfo): Sql[] => compileGrantSteps([step], info);

/** More objects than this make another statement, so that none grows without bounds. */
const OBJECTS_AT_ONCE = 500;

/**
 * Consecutive steps, as statements that belong into one transaction: the same change of several objects is one
 * statement, and SET ROLE surrounds what one role does.
 */
export function compileGrantSteps(steps: readonly GrantStep[], info: ServerInfo): Sql[] {
  const statements: Sql[] = [];
  let acting: Acting = {};
  const become = (next: Acting) => {
    if (next.grantor === acting.grantor && next.borrow === acting.borrow) return;
    statements.push(...leave(acting, info), ...enter(next, info));
    acting = next;
  };
  for (const group of merged(steps)) {
    become(actingOf(group[0], info));
    statements.push(...statementsOf(group, info));
  }
  become({});
  return statements;
}

function actingOf(step: GrantStep & Acting, info: ServerInfo): Acting {
  if (step.kind === 'grantMembership' || step.kind === 'revokeMembership') return {};
  const { grantor, borrow } = step;
  if (grantor === undefined || grantor === info.admin.name) return {};
  return borrow === true ? { grantor, borrow } : { grantor };
}

function enter({ grantor, borrow }: Acting, info: ServerInfo): Sql[] {
  if (grantor === undefined) return [];
  const become = sql`SET LOCAL ROLE ${ident(grantor)}`;
  if (borrow !== true) return [become];
  const options = info.versionNumber >= 160_000 ? sql` WITH INHERIT TRUE, SET TRUE` : empty;
  return [sql`GRANT ${ident(grantor)} TO ${ident(info.admin.name)}${options}`, become];
}

function leave({ grantor, borrow }: Acting, info: ServerInfo): Sql[] {
  if (grantor === undefined) return [];
  const admin = ident(info.admin.name);
  const by = info.versionNumber >= 160_000 ? sql` GRANTED BY ${admin}` : empty;
  const giveBack = borrow === true ? [sql`REVOKE ${ident(grantor)} FROM ${admin}${by}`] : [];
  // Not RESET: what a session begins as may be said by the owner of the database.
  return [sql`SET LOCAL ROLE ${admin}`, ...giveBack];
}

type Group = [GrantStep, ...GrantStep[]];

function merged(steps: readonly GrantStep[]): Group[] {
  const groups: Group[] = [];
  let last: string | undefined;
  for (const step of steps) {
    const shape = shapeOf(step);
    const group = groups.at(-1);
    if (shape !== undefined && shape === last && group !== undefined && group.length < OBJECTS_AT_ONCE)
      group.push(step);
    else groups.push([step]);
    last = shape;
  }
  return groups;
}

/** What must be equal for two steps to be one statement. */
function shapeOf(step: GrantStep): string | undefined {
  if (step.kind !== 'grant' && step.kind !== 'revoke') return undefined;
  const { on, ...rest } = step;
  const isAll = on.name === '*';
  return isAll || on.columns !== undefined ? undefined : JSON.stringify([rest, on.type, on.database]);
}

function statementsOf(group: Group, info: ServerInfo): Sql[] {
  const [step] = group;
  if (step.kind === 'grantMembership') return grantMembership(step, info);
  if (step.kind === 'revokeMembership') return [revokeMembership(step)];
  if (step.kind === 'grantDefault' || step.kind === 'revokeDefault') return [defaultStatement(step)];
  const targets = (group as ObjectStep[]).map(({ on }) => on);
  return [objectStatement(step, targets)];
}

function objectStatement(step: ObjectStep, targets: ObjectTarget[]): Sql {
  const distinct = [...new Map(targets.map((target) => [objectKey(target), target])).values()];
  const type = step.on.columns === undefined ? step.on.type : 'column';
  const names = privileges(step.privileges, POSTGRES_PRIVILEGES.objects[type]?.privileges ?? []);
  const columns = step.on.columns;
  const list = columns === undefined ? names : names.map((name) => sql`${name} (${join(columns.map(ident))})`);
  const on = sql`${join(list)} ON ${objectClause(distinct)}`;
  if (step.kind === 'grant')
    return sql`GRANT ${on} TO ${grantee(step.to)}${step.withGrantOption === true ? sql` WITH GRANT OPTION` : empty}`;
  return sql`REVOKE ${step.grantOptionOnly === true ? sql`GRANT OPTION FOR ` : empty}${on} FROM ${grantee(step.from)}`;
}

const DEFAULTS: Readonly<Record<string, Sql>> = {
  table: sql`TABLES`,
  sequence: sql`SEQUENCES`,
  function: sql`FUNCTIONS`,
  type: sql`TYPES`,
  schema: sql`SCHEMAS`,
  largeObject: sql`LARGE OBJECTS`,
};

function defaultStatement(step: DefaultStep): Sql {
  const objects = DEFAULTS[step.objectType];
  if (objects === undefined) throw new Error(`no default privileges for objects of type ${step.objectType}`);
  const names = join(privileges(step.privileges, POSTGRES_PRIVILEGES.defaults[step.objectType]?.privileges ?? []));
  const schema = step.schema === undefined ? sql`` : sql` IN SCHEMA ${ident(step.schema)}`;
  const head = sql`ALTER DEFAULT PRIVILEGES FOR ROLE ${ident(step.creator)}${schema}`;
  if (step.kind === 'grantDefault') {
    const option = step.withGrantOption === true ? sql` WITH GRANT OPTION` : empty;
    return sql`${head} GRANT ${names} ON ${objects} TO ${grantee(step.to)}${option}`;
  }
  const option = step.grantOptionOnly === true ? sql`GRANT OPTION FOR ` : empty;
  return sql`${head} REVOKE ${option}${names} ON ${objects} FROM ${grantee(step.from)}`;
}

function grantMembership(step: Extract<Step, { kind: 'grantMembership' }>, info: ServerInfo): Sql[] {
  const { admin, inherit, set } = step;
  const group = ident(step.memberOf);
  const member = ident(step.role);
  if (info.versionNumber < 160_000) {
    const grant = sql`GRANT ${group} TO ${member}${admin === true ? sql` WITH ADMIN OPTION` : empty}`;
    return admin === false ? [grant, sql`REVOKE ADMIN OPTION FOR ${group} FROM ${member}`] : [grant];
  }
  const option = (name: Sql, value: boolean | undefined) =>
    value === undefined ? [] : [sql`${name} ${value ? sql`TRUE` : sql`FALSE`}`];
  const options = [...option(sql`ADMIN`, admin), ...option(sql`INHERIT`, inherit), ...option(sql`SET`, set)];
  return [sql`GRANT ${group} TO ${member}${options.length === 0 ? sql`` : sql` WITH ${join(options)}`}`];
}

function revokeMembership(step: Extract<Step, { kind: 'revokeMembership' }>): Sql {
  const by = step.grantor === undefined ? sql`` : sql` GRANTED BY ${ident(step.grantor)}`;
  return sql`REVOKE ${ident(step.memberOf)} FROM ${ident(step.role)}${by}`;
}

/** PUBLIC is the keyword and never quoted; every other name is a role. */
const grantee = (to: Grantee): Sql => (to.public === true ? sql`PUBLIC` : ident(to.name));

/** Privileges are words of the table, whatever a step says. */
function privileges(names: readonly string[], known: readonly { name: string }[]): Sql[] {
  const allowed = known.map(({ name }) => name);
  return names.map((name) => keyword(name, allowed));
}
