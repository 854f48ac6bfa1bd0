/** Grants, default privileges and memberships as SQL. */
import { ResourceError } from '../../../common/errors.ts';
import type { Acting } from '../../../resources/grant-authority.ts';
import type { Grantee, ObjectTarget } from '../../../resources/model/objects.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { Step } from '../../../resources/model/steps.ts';
import { expandPrivileges, type ObjectPrivileges } from '../../../resources/privilege-set.ts';
import { ident, join, keyword, qualified, type Sql, sql } from '../../postgres/sql.ts';
import { type Command, command } from '../command.ts';
import { COCKROACH_PRIVILEGES } from '../privileges.ts';
import { typeSql } from '../types.ts';

type Of<K extends Step['kind']> = Extract<Step, { kind: K }>;
type ObjectStep = Of<'grant'> | Of<'revoke'>;
type DefaultStep = Of<'grantDefault'> | Of<'revokeDefault'>;

/** More objects than this make another statement, so that none grows without bounds. */
const OBJECTS_AT_ONCE = 100;

const isObjectStep = (step: Step): step is ObjectStep => step.kind === 'grant' || step.kind === 'revoke';

const invalid = (message: string): ResourceError => new ResourceError('InvalidSpec', message, { retryable: false });

/** Neighbours that differ only in the object, of one kind: each statement is a change of the schema, and takes its time. */
export function mergeGrants(steps: readonly Step[]): Step[][] {
  const groups: Step[][] = [];
  let last = '';
  for (const step of steps) {
    const key = isObjectStep(step) ? sameness(step) : '';
    const group = groups.at(-1);
    if (key !== '' && key === last && group !== undefined && group.length < OBJECTS_AT_ONCE) group.push(step);
    else groups.push([step]);
    last = key;
  }
  return groups;
}

function sameness(step: ObjectStep): string {
  const { on, ...rest } = step;
  return on.type === 'global' || on.type === 'routine' ? '' : JSON.stringify([on.type, rest]);
}

/** One change of one or several objects. */
export function grantObjects(steps: readonly ObjectStep[], info: ServerInfo, admin: string): Command[] {
  const [step] = steps;
  if (step === undefined) return [];
  const { on } = step;
  if (on.columns !== undefined)
    throw invalid('columns: CockroachDB has no privileges on single columns; grant on the table or on a view of it');
  const object = COCKROACH_PRIVILEGES.objects[on.type];
  if (object === undefined) throw invalid(`CockroachDB has no privileges on objects of type ${on.type}`);
  const words = privilegeWords(step.privileges, object, info);
  const grantee = granteeWord(step.kind === 'grant' ? step.to : step.from);
  const { grantor } = step as Acting;
  const as = grantor === undefined || grantor === admin ? {} : { as: grantor };
  const isSystem = on.type === 'global';
  const target = isSystem ? sql`` : sql` ON ${targetOf(steps.map((one) => one.on))}`;
  const system = isSystem ? sql`SYSTEM ` : sql``;
  if (step.kind === 'grant') {
    const option = step.withGrantOption === true ? sql` WITH GRANT OPTION` : sql``;
    return [{ sql: sql`GRANT ${system}${words}${target} TO ${grantee}${option}`, ...as }];
  }
  const option = step.grantOptionOnly === true ? sql`GRANT OPTION FOR ` : sql``;
  return [{ sql: sql`REVOKE ${option}${system}${words}${target} FROM ${grantee}`, ...as }];
}

/** ALL when it is all of them: that is what the server keeps, and what a later version's new privileges belong to. */
function privilegeWords(privileges: readonly string[], object: ObjectPrivileges, info: ServerInfo): Sql {
  const all = expandPrivileges(['ALL'], object, info);
  if (all.length > 1 && all.every((name) => privileges.includes(name))) return sql`ALL`;
  const known = object.privileges.map(({ name }) => name);
  return join(privileges.map((name) => keyword(name, known)));
}

const granteeWord = (grantee: Grantee): Sql => (grantee.public === true ? sql`public` : ident(grantee.name));

function targetOf(targets: readonly ObjectTarget[]): Sql {
  const [first] = targets;
  const names = join(targets.map(pathOf));
  switch (first?.type) {
    case 'database':
      return sql`DATABASE ${names}`;
    case 'schema':
      return sql`SCHEMA ${names}`;
    case 'sequence':
      return sql`SEQUENCE ${names}`;
    case 'type':
      return sql`TYPE ${names}`;
    case 'routine':
      return first?.routineType === 'procedure' ? sql`PROCEDURE ${names}` : sql`FUNCTION ${names}`;
    default:
      return sql`TABLE ${names}`;
  }
}

export function pathOf({ type, database = '', schema = '', name = '', args }: ObjectTarget): Sql {
  if (type === 'database') return ident(database);
  if (type === 'schema') return ident(schema);
  if (type !== 'routine' || args === undefined) return qualified(schema, name);
  return sql`${qualified(schema, name)}(${join(args.map(typeSql))})`;
}

const DEFAULTS: Readonly<Record<string, Sql>> = {
  table: sql`TABLES`,
  sequence: sql`SEQUENCES`,
  type: sql`TYPES`,
  schema: sql`SCHEMAS`,
  function: sql`FUNCTIONS`,
};

export function changeDefault(step: DefaultStep, info: ServerInfo): Command[] {
  const { creator, schema, objectType } = step;
  const objects = DEFAULTS[objectType];
  const object = COCKROACH_PRIVILEGES.defaults[objectType];
  if (objects === undefined || object === undefined)
    throw invalid(`objectType: CockroachDB has no default privileges on objects of type ${objectType}`);
  const place = schema === undefined ? sql`` : sql` IN SCHEMA ${ident(schema)}`;
  const head = sql`ALTER DEFAULT PRIVILEGES FOR ROLE ${ident(creator)}${place}`;
  const words = privilegeWords(step.privileges, object, info);
  if (step.kind === 'grantDefault') {
    const option = step.withGrantOption === true ? sql` WITH GRANT OPTION` : sql``;
    return [command(sql`${head} GRANT ${words} ON ${objects} TO ${granteeWord(step.to)}${option}`)];
  }
  const option = step.grantOptionOnly === true ? sql`GRANT OPTION FOR ` : sql``;
  return [command(sql`${head} REVOKE ${option}${words} ON ${objects} FROM ${granteeWord(step.from)}`)];
}

export function grantMembership({ role, memberOf, admin, inherit, set }: Of<'grantMembership'>): Command[] {
  if (inherit === false || set === false)
    throw invalid('memberOf: a member of a group has all its rights in CockroachDB; remove inherit and set');
  const [group, member] = [ident(memberOf), ident(role)];
  if (admin === false)
    return [command(sql`GRANT ${group} TO ${member}`), command(sql`REVOKE ADMIN OPTION FOR ${group} FROM ${member}`)];
  return [
    command(admin === true ? sql`GRANT ${group} TO ${member} WITH ADMIN OPTION` : sql`GRANT ${group} TO ${member}`),
  ];
}

export const revokeMembership = ({ role, memberOf }: Of<'revokeMembership'>): Command[] => [
  command(sql`REVOKE ${ident(memberOf)} FROM ${ident(role)}`),
];
