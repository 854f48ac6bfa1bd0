/** Sends steps: one transaction per batch, one round trip per transaction. */
import { ResourceError, withOpenOutcome } from '../../common/errors.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Step } from '../../resources/model/steps.ts';
import type { Batch } from './batches.ts';
import { compileSteps, type Prepared } from './compile/steps.ts';
import { codeOf, isLostSession, isRetryable } from './errors.ts';
import { borrow } from './membership.ts';
import { isVerifier, scramVerifier } from './scram.ts';
import { type Session, UNLIMITED_MS } from './session.ts';
import { join, type Sql } from './sql.ts';

/** Runs work with a session of a database. */
export type Use = <T>(database: string, work: (session: Session) => Promise<T>) => Promise<T>;

/** Two sessions that change one catalog row, or wait for each other, are told so: the transaction is run again. */
const ATTEMPTS = 6;

/** `settle` is for what has to be put right even when nobody waits any more. */
export async function runBatch(
  { use, settle }: { use: Use; settle: Use },
  batch: Batch,
  info: ServerInfo,
): Promise<void> {
  let refused: string[] = [];
  let owed: readonly Sql[] = [];
  const send = async (steps: readonly Step[]): Promise<void> => {
    await use(batch.database, async (session) => {
      const prepared = new Map<Step, Prepared>();
      for (const step of steps) prepared.set(step, await prepare(session, step));
      const statements = compileSteps(steps, info, prepared);
      const borrowed = await borrow(session, steps, info);
      ({ refused } = borrowed);
      const { take, giveBack } = borrowed;
      if (!batch.alone) await runTogether(session, [...take, ...statements, ...giveBack]);
      else {
        owed = giveBack;
        await runAlone(session, take, statements, giveBack);
        owed = [];
      }
    });
  };
  try {
    await send(batch.steps);
  } catch (error) {
    // A membership that stays would be a right that nobody gave: a lost session does not excuse it.
    if (owed.length > 0)
      await settle(batch.database, async (session) => {
        await runTogether(session, owed);
      });
    if (codeOf(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    // A mark helps people; who may not write it may still make the object. What is alone has seen to that itself.
    if (batch.alone || !batch.steps.some(isMarked)) throw explained(error, refused, info);
    await send(batch.steps.map(withoutMark)).catch((again: unknown) => {
      throw explained(again, refused, info);
    });
  }
}

const INSUFFICIENT_PRIVILEGE = '42501';

const isMarked = (step: Step): boolean => step.kind !== 'mark' && 'mark' in step && step.mark !== undefined;

function withoutMark(step: Step): Step {
  if (!isMarked(step)) return step;
  const { mark: _mark, ...rest } = step as Step & { mark?: unknown };
  return rest as Step;
}

/** Names the roles whose membership would have helped. */
function explained(error: unknown, refused: readonly string[], { admin }: ServerInfo): unknown {
  if (refused.length === 0 || !(error instanceof Error) || codeOf(error) !== INSUFFICIENT_PRIVILEGE) return error;
  const roles = refused.map((role) => JSON.stringify(role)).join(', ');
  return new ResourceError(
    'PermissionDenied',
    `${error.message} (${INSUFFICIENT_PRIVILEGE}); administrator ${JSON.stringify(admin.name)} would have to be a member of ${roles}, which it may not become by itself`,
    { code: INSUFFICIENT_PRIVILEGE, cause: error },
  );
}

async function runTogether(session: Session, statements: readonly Sql[]): Promise<void> {
  if (statements.length === 0) return;
  await retrying(async () => {
    await session.execute(`BEGIN; ${join(statements, '; ').text}; COMMIT`);
  });
}

async function runAlone(
  session: Session,
  take: readonly Sql[],
  statements: readonly Sql[],
  giveBack: readonly Sql[],
): Promise<void> {
  await runTogether(session, take);
  for (const [index, statement] of statements.entries())
    await retrying(async () => {
      await session.execute(statement.text, UNLIMITED_MS);
    }).catch((error: unknown) => {
      const isMark = index > 0 && statement.text.startsWith('COMMENT');
      if (isMark && codeOf(error) === INSUFFICIENT_PRIVILEGE) return;
      // Without an answer of the server, or after a statement that it took, nobody knows what is there now.
      throw index > 0 || !isAnswer(error) ? withOpenOutcome(error) : error;
    });
  await runTogether(session, giveBack);
}

/** Whether the server itself refused, and its session lives on. */
const isAnswer = (error: unknown): boolean => codeOf(error).length === 5 && !isLostSession(error);

async function retrying(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1)
    try {
      await work();
      return;
    } catch (error) {
      if (!isRetryable(error) || attempt >= ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * 20 * (1 + Math.random())));
    }
}

async function prepare(session: Session, step: Step): Promise<Prepared> {
  const ask = async (query: string, name: string): Promise<Record<string, unknown> | undefined> =>
    (await session.query(query, [name]))[0];
  switch (step.kind) {
    case 'createRole':
    case 'setPassword':
      if (step.password === undefined) return {};
      return { verifier: isVerifier(step.password.reveal()) ? step.password : await scramVerifier(step.password) };
    case 'mark':
      return { comment: ((await ask(COMMENTS[step.on.type], step.on.name))?.['comment'] ?? null) as string | null };
    case 'createExtension':
      return { comment: ((await ask(DESCRIPTION, step.name))?.['comment'] ?? null) as string | null };
    case 'dropDatabase':
      return { isTemplate: (await ask(IS_TEMPLATE, step.name))?.['is'] === true };
    default:
      return {};
  }
}

const COMMENTS = {
  database: "SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1",
  role: "SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1",
  schema: "SELECT obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace WHERE nspname = $1",
  extension: "SELECT obj_description(oid, 'pg_extension') AS comment FROM pg_extension WHERE extname = $1",
};
const DESCRIPTION = 'SELECT comment FROM pg_available_extensions WHERE name = $1';
const IS_TEMPLATE = 'SELECT datistemplate AS is FROM pg_database WHERE datname = $1';

/** What was tried, for an error: the first words of the statements, without names and values. */
export const triedOf = (batch: Batch): string => [...new Set(batch.steps.map((step) => WORDS[step.kind]))].join(', ');

const WORDS: Record<Step['kind'], string> = {
  createDatabase: 'CREATE DATABASE',
  alterDatabase: 'ALTER DATABASE',
  setDatabaseSetting: 'ALTER DATABASE',
  dropDatabase: 'DROP DATABASE',
  createSchema: 'CREATE SCHEMA',
  alterSchemaOwner: 'ALTER SCHEMA',
  dropSchema: 'DROP SCHEMA',
  revokeSchemaPublic: 'REVOKE',
  createExtension: 'CREATE EXTENSION',
  updateExtension: 'ALTER EXTENSION',
  moveExtension: 'ALTER EXTENSION',
  dropExtension: 'DROP EXTENSION',
  createRole: 'CREATE ROLE',
  alterRole: 'ALTER ROLE',
  setPassword: 'ALTER ROLE … PASSWORD',
  setRoleSetting: 'ALTER ROLE … SET',
  reassignOwned: 'REASSIGN OWNED',
  dropOwned: 'DROP OWNED',
  dropRole: 'DROP ROLE',
  grant: 'GRANT',
  revoke: 'REVOKE',
  grantMembership: 'GRANT',
  revokeMembership: 'REVOKE',
  grantDefault: 'ALTER DEFAULT PRIVILEGES',
  revokeDefault: 'ALTER DEFAULT PRIVILEGES',
  mark: 'COMMENT',
  initSQL: 'initSQL',
};
