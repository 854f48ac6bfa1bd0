/** Sends steps: one transaction per batch, one round trip per transaction; what is in none, see act-as.ts. */
import { ResourceError, withOpenOutcome } from '../../common/errors.ts';
import type { Secret } from '../../common/secret.ts';
import type { Acting } from '../../resources/grant-authority.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Step } from '../../resources/model/steps.ts';
import { become, beOneself, runByItself, runTogether } from './act-as.ts';
import type { Batch } from './batches.ts';
import { createDatabase } from './compile/databases.ts';
import { compileStep, compileSteps, type Prepared } from './compile/steps.ts';
import { dropDatabase } from './drop-database.ts';
import { codeOf, isLostSession } from './errors.ts';
import { borrow, explainRefusal, INSUFFICIENT_PRIVILEGE } from './membership.ts';
import { verifierOf } from './scram.ts';
import type { Session } from './session.ts';

/** Takes the verifiers that are sent instead of passwords. */
export type OnVerifier = (step: Step, verifier: Secret) => void;

export async function runBatch(
  session: Session,
  batch: Batch,
  info: ServerInfo,
  onVerifier: OnVerifier,
): Promise<void> {
  const [step] = batch.steps;
  if (!batch.alone || step === undefined) await runTransaction(session, batch.steps, info, onVerifier);
  else if (step.kind === 'createDatabase') await runCreation(session, step, info);
  else if (step.kind === 'dropDatabase') await dropDatabase(session, step.name, info);
  else if (step.kind === 'alterDatabase') await runMove(session, step, info);
  else throw new Error(`a step of kind ${step.kind} is run elsewhere`);
}

async function runTransaction(
  session: Session,
  steps: readonly Step[],
  info: ServerInfo,
  onVerifier?: OnVerifier,
): Promise<void> {
  const prepared = new Map<Step, Prepared>();
  for (const step of steps) {
    const found = await prepare(session, step);
    prepared.set(step, found);
    if (found.verifier !== undefined) onVerifier?.(step, found.verifier);
  }
  const statements = compileSteps(steps, info, prepared);
  if (statements.length === 0) return;
  const { take, giveBack, refused } = await borrow(session, steps, info);
  try {
    await runTogether(session, [...take, ...statements, ...giveBack]);
  } catch (error) {
    // A mark helps people; who may not write it may still make the object.
    if (codeOf(error) === INSUFFICIENT_PRIVILEGE && steps.some(isMarked))
      await runTransaction(session, steps.map(withoutMark), info, onVerifier);
    else throw grantorsRefusal(error, steps) ?? explainRefusal(error, refused, info);
  }
}

const isMarked = (step: Step): boolean => step.kind !== 'mark' && 'mark' in step && step.mark !== undefined;

function withoutMark(step: Step): Step {
  if (!isMarked(step)) return step;
  const { mark: _mark, ...rest } = step as Step & { mark?: unknown };
  return rest as Step;
}

/** CREATE DATABASE, and in one transaction all that makes it complete. */
async function runCreation(
  session: Session,
  step: Extract<Step, { kind: 'createDatabase' }>,
  info: ServerInfo,
): Promise<void> {
  const { take, giveBack, joined, refused } = await borrow(session, [step], info);
  const [create, ...rest] = createDatabase(step, info, joined.length > 0);
  try {
    await runByItself(session, create!);
  } catch (error) {
    // Without an answer of the server nobody knows what is there now.
    throw isAnswer(error) ? explainRefusal(error, refused, info) : withOpenOutcome(error);
  }
  await runTogether(session, [...take, ...rest, ...giveBack]).catch((error: unknown) => {
    // The owner's from the beginning, so that only the mark is missing, which helps people.
    const isWhole = joined.length === 0 && step.owner !== undefined;
    if (isWhole && codeOf(error) === INSUFFICIENT_PRIVILEGE) return;
    throw withOpenOutcome(error);
  });
}

/** Whether the server itself refused, and its session lives on. */
const isAnswer = (error: unknown): boolean => codeOf(error).length === 5 && !isLostSession(error);

/** A database is moved by its owner, where the administrator may do that only by joining the owner. */
async function runMove(
  session: Session,
  { tablespace, ...step }: Extract<Step, { kind: 'alterDatabase' }>,
  info: ServerInfo,
): Promise<void> {
  const move = { kind: 'alterDatabase', name: step.name, tablespace } as Step;
  const borrowed = await borrow(session, [move], info);
  const [owner] = borrowed.joined;
  try {
    if (owner !== undefined) await become(session, owner, borrowed);
    for (const statement of compileStep(move, info)) await runByItself(session, statement);
  } catch (error) {
    throw owner === undefined ? explainRefusal(error, borrowed.refused, info) : ownersRefusal(error, owner);
  } finally {
    if (owner !== undefined) await beOneself(session, borrowed);
  }
  await runTransaction(session, [step], info);
}

/** What the owner may not, the administrator cannot do as the owner either. */
function ownersRefusal(error: unknown, owner: string): unknown {
  if (!(error instanceof Error) || codeOf(error) !== INSUFFICIENT_PRIVILEGE) return error;
  return new ResourceError(
    'PermissionDenied',
    `${error.message} (${INSUFFICIENT_PRIVILEGE}); the administrator is no superuser and acts as the owner ${JSON.stringify(owner)} here, who needs CREATE on the tablespace`,
    { code: INSUFFICIENT_PRIVILEGE, cause: error },
  );
}

/** In whose name a privilege is given or taken has to get at what it is on, though that be its own. */
function grantorsRefusal(error: unknown, steps: readonly Step[]): ResourceError | undefined {
  const grantors = [...new Set(steps.flatMap((step) => (step as Acting).grantor ?? []))];
  if (!(error instanceof Error) || codeOf(error) !== INSUFFICIENT_PRIVILEGE || grantors.length === 0) return undefined;
  if (!error.message.startsWith('permission denied for schema ')) return undefined;
  return new ResourceError(
    'PermissionDenied',
    `${error.message} (${INSUFFICIENT_PRIVILEGE}); the administrator is no superuser and acts as ${grantors.map((role) => JSON.stringify(role)).join(', ')} here, who needs USAGE on the schema`,
    { code: INSUFFICIENT_PRIVILEGE, cause: error },
  );
}

async function prepare(session: Session, step: Step): Promise<Prepared> {
  const ask = async (query: string, name: string): Promise<Record<string, unknown> | undefined> =>
    (await session.query(query, [name]))[0];
  switch (step.kind) {
    case 'createRole':
    case 'setPassword':
      return step.password === undefined ? {} : { verifier: await verifierOf(step.password) };
    case 'mark':
      return { comment: ((await ask(COMMENTS[step.on.type], step.on.name))?.['comment'] ?? null) as string | null };
    case 'createExtension':
      return { comment: ((await ask(DESCRIPTION, step.name))?.['comment'] ?? null) as string | null };
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
  dropMark: 'DROP ROLE',
  grant: 'GRANT',
  revoke: 'REVOKE',
  grantMembership: 'GRANT',
  revokeMembership: 'REVOKE',
  grantDefault: 'ALTER DEFAULT PRIVILEGES',
  revokeDefault: 'ALTER DEFAULT PRIVILEGES',
  mark: 'COMMENT',
  initSQL: 'initSQL',
  endScript: 'DROP OWNED, DROP ROLE',
};
