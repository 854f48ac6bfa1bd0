/** Sends steps one by one: every statement that changes accounts or databases commits by itself. */
import { ResourceError } from '../../common/errors.ts';
import type { Step } from '../../resources/model/steps.ts';
import { retryingConflicts } from '../conflicts.ts';
import type { Authentication, Found } from './compile/roles.ts';
import { compileStep, type Prepared, takeBack } from './compile/steps.ts';
import { authenticationOf, nobodys } from './credentials.ts';
import { codeOf, isLostSession, isRetryable } from './errors.ts';
import type { MysqlInfo } from './info.ts';
import { refuseOpenName, revokeLeftovers, revokeProxies } from './leftovers.ts';
import { MARK_KEY_CHARACTERS, markKey } from './mark.ts';
import { readAccounts } from './reads/roles.ts';
import { type Session, UNLIMITED_MS } from './session.ts';
import { integer, literal, type Sql, sql } from './sql.ts';

const PLUGIN_NOT_LOADED = '1524';
const PASSWORD_POLICY = '1819';
const OPERATION_FAILED = '1396';
/** CREATE USER is denied. */
const MAY_NOT: ReadonlySet<string> = new Set(['1227', '1044', '1142']);

async function pluginsThereAre(session: Session, error: unknown): Promise<ResourceError> {
  const rows = await session.query(
    sql`SELECT PLUGIN_NAME AS plugin FROM information_schema.PLUGINS
      WHERE PLUGIN_TYPE = 'AUTHENTICATION' AND PLUGIN_STATUS = 'ACTIVE' ORDER BY 1`,
  );
  const names = rows.map(({ plugin }) => String(plugin)).join(', ');
  return new ResourceError(
    'PluginNotLoaded',
    `${(error as Error).message} (${PLUGIN_NOT_LOADED}); the server has ${names}: choose another authenticationPlugin, or none for the default of the server`,
    { code: PLUGIN_NOT_LOADED, retryable: false, cause: error },
  );
}

/** Gives how the account logs in from now on, if the step says so. */
export async function runStep(session: Session, step: Step, info: MysqlInfo): Promise<Authentication | undefined> {
  await refuseReadOnly(session);
  if (step.kind === 'createDatabase' && step.revokeLeftovers === true) {
    await refuseOpenName(session, step.name);
    await revokeLeftovers(session, step.name, info);
  }
  const prepared = await prepare(session, step, info);
  try {
    await runStatements(session, step, info, compileStep(step, info, prepared));
  } catch (error) {
    if (codeOf(error) !== PASSWORD_POLICY || step.kind !== 'createRole' || step.attributes.login !== false) throw error;
    await runStatements(session, step, info, compileStep(step, info, { authentication: await nobodys(info) }));
  }
  if (step.kind === 'dropDatabase') await revokeLeftovers(session, step.name, info).catch(unlessDenied);
  if (step.kind === 'dropRole') await revokeProxies(session, step, info).catch(unlessDenied);
  return prepared.authentication;
}

async function runStatements(session: Session, step: Step, info: MysqlInfo, statements: readonly Sql[]): Promise<void> {
  for (const [index, statement] of statements.entries())
    try {
      await retryingConflicts(isRetryable, async () => {
        await session.execute(statement, step.kind === 'dropDatabase' ? UNLIMITED_MS : undefined);
      });
    } catch (refusal) {
      const error = codeOf(refusal) === OPERATION_FAILED ? await causeOf(session, refusal) : refusal;
      // A mark helps people; who may not write it may still make, or drop, the database.
      if (isMarkOfDatabase(step, index, statements.length) && MAY_NOT.has(codeOf(error))) continue;
      if (isRefusal(error) && index === makingIndex(step, statements.length)) await undo(session, step, info);
      throw codeOf(error) === PLUGIN_NOT_LOADED ? await pluginsThereAre(session, error) : error;
    }
}

/** "Operation … failed" is all that MariaDB says of an account; why is the error before it. */
async function causeOf(session: Session, error: unknown): Promise<unknown> {
  const said = await session.query(sql`SHOW ERRORS`);
  const first = said.find((row) => String(row['Code']) !== OPERATION_FAILED);
  if (first === undefined) return error;
  return Object.assign(new Error(String(first['Message']), { cause: error }), {
    errno: Number(first['Code']),
    sqlState: 'HY000',
  });
}

/** An administrator may write to a replica, and what it wrote would be nowhere else. */
async function refuseReadOnly(session: Session): Promise<void> {
  const [row] = await session.query(sql`SELECT @@GLOBAL.read_only AS value`);
  if (!['0', 'OFF'].includes(String(row?.['value'])))
    throw new ResourceError(
      'ReadOnlyServer',
      'the server is read-only (read_only): the endpoint leads to a replica; use the one of the primary',
      { code: '1290' },
    );
}

/** The statement of a database that is not about its mark comes last when it is made, and first when it is dropped. */
const isMarkOfDatabase = (step: Step, index: number, count: number): boolean =>
  (step.kind === 'createDatabase' && index !== makingIndex(step, count)) || (step.kind === 'dropDatabase' && index > 0);

/** Which of the statements makes the thing: a mark is announced before. */
const makingIndex = ({ kind }: Step, count: number): number | undefined =>
  kind === 'createDatabase' ? count - 1 : kind === 'createRole' && count > 1 ? 1 : undefined;

/** An administrator that may not is no reason to keep what is gone already. */
function unlessDenied(error: unknown): void {
  if (!MAY_NOT.has(codeOf(error)) && !['1045', '1698'].includes(codeOf(error))) throw error;
}

/** The server has done nothing. Whether a statement that was not answered did something is found out at the next look. */
const isRefusal = (error: unknown): boolean => /^\d+$/.test(codeOf(error)) && !isLostSession(error);

/** What cannot be undone is of no use to anybody, and no worse than what has failed already. */
async function undo(session: Session, step: Step, info: MysqlInfo): Promise<void> {
  for (const statement of takeBack(step, info)) await session.execute(statement).catch(() => {});
}

async function prepare(session: Session, step: Step, info: MysqlInfo): Promise<Prepared> {
  switch (step.kind) {
    case 'createRole':
    case 'alterRole':
    case 'setPassword': {
      const authentication = await authenticationOf(session, step, info);
      return authentication === undefined ? {} : { authentication };
    }
    case 'dropRole':
      return { found: await foundOf(session, step, info) };
    case 'alterDatabase':
      return step.comment === undefined ? {} : { comment: await commentOf(session, step.name, info) };
    case 'mark':
      return step.on.type === 'database'
        ? { comment: await commentOf(session, step.on.name, info) }
        : { found: await foundOf(session, step.on, info) };
    default:
      return {};
  }
}

/** With the marks that an account of that name had which is gone. */
async function foundOf(session: Session, of: { name: string; host?: string }, info: MysqlInfo): Promise<Found> {
  const [account] = await readAccounts(session, [of], info);
  if (account === undefined || info.engine === 'mysql') return { isRole: account?.isRole ?? false };
  const key = markKey({ name: account.user, host: account.host });
  const rows = await session.query(
    sql`SELECT User AS role FROM mysql.global_priv WHERE Host = '' AND LEFT(User, ${integer(MARK_KEY_CHARACTERS)}) = ${literal(key)}`,
  );
  return { isRole: account.isRole, marks: rows.map(({ role }) => String(role)) };
}

async function commentOf(session: Session, database: string, info: MysqlInfo): Promise<string | null> {
  if (info.engine === 'mysql') return null;
  const [row] = await session.query(
    sql`SELECT SCHEMA_COMMENT AS comment FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${literal(database)}`,
  );
  return (row?.['comment'] ?? null) as string | null;
}

/** What was tried, for an error: the first words of the statement, without names and values. */
export const triedOf = (step: Step): string => WORDS[step.kind] ?? step.kind;

const WORDS: Partial<Record<Step['kind'], string>> = {
  createDatabase: 'CREATE DATABASE',
  alterDatabase: 'ALTER DATABASE',
  dropDatabase: 'DROP DATABASE',
  createRole: 'CREATE USER',
  alterRole: 'ALTER USER',
  setPassword: 'ALTER USER … IDENTIFIED',
  dropRole: 'DROP USER',
  dropMark: 'DROP ROLE',
  grant: 'GRANT',
  revoke: 'REVOKE',
  initSQL: 'initSQL',
  grantMembership: 'GRANT',
  revokeMembership: 'REVOKE',
  mark: 'ALTER',
};
