/** What has to be known, or done first, so that a step can succeed. */
import { ResourceError } from '../../common/errors.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Step } from '../../resources/model/steps.ts';
import { verifierOf } from '../postgres/scram.ts';
import type { Session } from '../postgres/session.ts';
import { ident, join, keyword, sql } from '../postgres/sql.ts';
import { type Command, command } from './command.ts';
import type { Prepared } from './compile/steps.ts';
import { COCKROACH_PRIVILEGES } from './privileges.ts';
import { readDefaultsOf, SYSTEM_SCHEMAS } from './reads/role-defaults.ts';
import { schedulesOf } from './reads/role-dependencies.ts';
import { existingRoles } from './reads/roles.ts';

type Of<K extends Step['kind']> = Extract<Step, { kind: K }>;

export async function prepare(session: Session, step: Step, info: ServerInfo): Promise<Prepared> {
  switch (step.kind) {
    case 'createRole':
    case 'setPassword':
      return step.password === undefined ? {} : { verifier: await verifierOf(step.password) };
    case 'mark':
      return { comment: await commentOf(session, step) };
    case 'dropDatabase':
      return step.restrict === true ? { before: await dropEmptySchemas(session, step.name) } : {};
    case 'reassignOwned':
      return { before: await handOverDatabase(session, step, info) };
    case 'dropOwned':
      return { before: await beforeDropOwned(session, step.role) };
    case 'dropRole':
      return { before: await beforeDropRole(session, step.name) };
    default:
      return {};
  }
}

async function commentOf(session: Session, { on }: Of<'mark'>): Promise<string | null> {
  if (on.type !== 'database' && on.type !== 'schema') return null;
  const query =
    on.type === 'database'
      ? 'SELECT comment FROM [SHOW DATABASES WITH COMMENT] WHERE database_name = $1'
      : "SELECT obj_description(oid, 'pg_namespace') AS comment FROM pg_catalog.pg_namespace WHERE nspname = $1";
  return ((await session.query(query, [on.name]))[0]?.['comment'] ?? null) as string | null;
}

/** To RESTRICT a schema counts as something, even an empty one. One that is not empty refuses to go. */
async function dropEmptySchemas(session: Session, database: string): Promise<Command[]> {
  const found = await session.query('SELECT database_name FROM [SHOW DATABASES] WHERE database_name = $1', [database]);
  if (found.length === 0) return [];
  const rows = await session.query(sql`SELECT schema_name FROM [SHOW SCHEMAS FROM ${ident(database)}]`.text, []);
  return rows
    .map((row) => row['schema_name'] as string)
    .filter((name) => name !== 'public' && !SYSTEM_SCHEMAS.has(name))
    .map((name) => command(sql`DROP SCHEMA IF EXISTS ${ident(database)}.${ident(name)} RESTRICT`));
}

/** REASSIGN OWNED hands over what is in the database; the database itself is handed over too. */
async function handOverDatabase(
  session: Session,
  { from, to }: Of<'reassignOwned'>,
  { admin }: ServerInfo,
): Promise<Command[]> {
  const query = 'SELECT database_name FROM [SHOW DATABASES] WHERE database_name = $1 AND owner = $2';
  if ((await session.query(query, [session.database, from])).length === 0) return [];
  return [command(sql`ALTER DATABASE ${ident(session.database)} OWNER TO ${ident(to ?? admin.name)}`)];
}

/** DROP OWNED refuses roles with privileges of no database, and leaves default privileges, which then keep the role. */
async function beforeDropOwned(session: Session, role: string): Promise<Command[]> {
  if (!(await existingRoles(session, [role])).has(role)) return [];
  const rows = await session.query('SELECT schema_name FROM [SHOW SCHEMAS]', []);
  const schemas = rows.map((row) => row['schema_name'] as string);
  const defaults = await readDefaultsOf(session, role, schemas);
  return [
    ...(await revokeOutside(session, role)),
    ...defaults.map(({ creator, schema, objectType, grantee, privilege, isTaken }) => {
      const whose = creator === undefined ? sql`FOR ALL ROLES` : sql`FOR ROLE ${ident(creator)}`;
      const place = schema === undefined ? sql`` : sql` IN SCHEMA ${ident(schema)}`;
      const word = keyword(privilege, DEFAULT_WORDS);
      const objects = keyword(objectType.toUpperCase(), ['TABLES', 'SEQUENCES', 'TYPES', 'SCHEMAS', 'ROUTINES']);
      const who = grantee === 'public' ? sql`public` : ident(grantee);
      const head = sql`ALTER DEFAULT PRIVILEGES ${whose}${place}`;
      return command(
        isTaken
          ? sql`${head} GRANT ${word} ON ${objects} TO ${who}`
          : sql`${head} REVOKE ${word} ON ${objects} FROM ${who}`,
      );
    }),
  ];
}

const DEFAULT_WORDS = [
  'ALL',
  ...Object.values(COCKROACH_PRIVILEGES.defaults).flatMap(({ privileges }) => privileges.map(({ name }) => name)),
];

/** Privileges that belong to no database: those of the system, and on external connections. */
async function revokeOutside(session: Session, role: string): Promise<Command[]> {
  const text = sql`SELECT DISTINCT object_name FROM [SHOW GRANTS FOR ${ident(role)}] WHERE grantee = `.text;
  const held = await session.query(`${text}$1 AND object_type = 'external_connection'`, [role]);
  return [
    ...(await revokeSystem(session, role)),
    ...held.map((row) =>
      command(sql`REVOKE ALL ON EXTERNAL CONNECTION ${ident(row['object_name'] as string)} FROM ${ident(role)}`),
    ),
  ];
}

async function revokeSystem(session: Session, role: string): Promise<Command[]> {
  const text = sql`SELECT privilege_type FROM [SHOW SYSTEM GRANTS FOR ${ident(role)}] WHERE grantee = `.text;
  const held = (await session.query(`${text}$1`, [role])).map((row) => String(row['privilege_type']).toUpperCase());
  if (held.length === 0) return [];
  const known = ['ALL', ...(COCKROACH_PRIVILEGES.objects.global?.privileges ?? []).map(({ name }) => name)];
  // One that this release does not know yet can only go with all of them.
  const words = held.every((name) => known.includes(name)) ? join(held.map((name) => keyword(name, known))) : sql`ALL`;
  return [command(sql`REVOKE SYSTEM ${words} FROM ${ident(role)}`)];
}

async function beforeDropRole(session: Session, role: string): Promise<Command[]> {
  if (!(await existingRoles(session, [role])).has(role)) return [];
  const schedules = await schedulesOf(session, [role]);
  if (schedules.length > 0)
    throw new ResourceError(
      'DependentObjects',
      `role ${JSON.stringify(role)} owns ${schedules.map(({ words }) => words).join(', ')}, which go with no other role: drop them first`,
    );
  const memberships = await session.query(
    'SELECT role_name, member FROM [SHOW GRANTS ON ROLE] WHERE role_name = $1 OR member = $1',
    [role],
  );
  return [
    ...(await revokeOutside(session, role)),
    ...memberships.map((row) =>
      command(sql`REVOKE ${ident(row['role_name'] as string)} FROM ${ident(row['member'] as string)}`),
    ),
  ];
}
