/** Sends steps: one transaction per run of steps of one database, one round trip per transaction. */
import type { Step } from '../../resources/model.ts';
import type { ServerInfo } from '../engine.ts';
import { compileStep, databaseOf, type Prepared, runsAlone } from './compile/steps.ts';
import { isRetryable } from './errors.ts';
import { borrow } from './membership.ts';
import { isVerifier, scramVerifier } from './scram.ts';
import type { Session } from './session-pool.ts';
import { join, type Sql } from './sql.ts';

export interface Batch {
  database: string;
  /** Outside a transaction, by itself. */
  alone: boolean;
  steps: Step[];
}

export function batches(steps: readonly Step[], adminDatabase: string): Batch[] {
  const all: Batch[] = [];
  for (const step of steps) {
    const database = databaseOf(step) ?? adminDatabase;
    const alone = runsAlone(step);
    const last = all.at(-1);
    if (last !== undefined && !alone && !last.alone && last.database === database) last.steps.push(step);
    else all.push({ database, alone, steps: [step] });
  }
  return all;
}

/** Two sessions that change one catalog row, or wait for each other, are told so: the transaction is run again. */
const ATTEMPTS = 5;

export async function runBatch(session: Session, batch: Batch, info: ServerInfo): Promise<void> {
  const statements: Sql[] = [];
  for (const step of batch.steps) statements.push(...compileStep(step, info, await prepare(session, step)));
  const { take, giveBack } = await borrow(session, batch.steps, info);
  if (!batch.alone) {
    const text = join([...take, ...statements, ...giveBack], '; ').text;
    await retrying(async () => {
      try {
        await session.execute(`BEGIN; ${text}; COMMIT`);
      } catch (error) {
        await session.execute('ROLLBACK');
        throw error;
      }
    });
    return;
  }
  if (take.length > 0) await session.execute(join(take, '; ').text);
  try {
    await session.execute('SET statement_timeout TO 0');
    for (const statement of statements) await retrying(async () => await session.execute(statement.text));
  } finally {
    await session.execute(`RESET ROLE; SET statement_timeout TO 60000`);
    if (giveBack.length > 0) await session.execute(join(giveBack, '; ').text);
  }
}

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
  if ((step.kind === 'createRole' || step.kind === 'setPassword') && step.password !== undefined)
    return { verifier: isVerifier(step.password.reveal()) ? step.password : await scramVerifier(step.password) };
  if (step.kind === 'mark') return { comment: await commentOf(session, step) };
  return {};
}

const COMMENTS = {
  database: "SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1",
  role: "SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE rolname = $1",
  schema: "SELECT obj_description(oid, 'pg_namespace') AS comment FROM pg_namespace WHERE nspname = $1",
  extension: "SELECT obj_description(oid, 'pg_extension') AS comment FROM pg_extension WHERE extname = $1",
};

async function commentOf(session: Session, step: Extract<Step, { kind: 'mark' }>): Promise<string | null> {
  const [row] = await session.query(COMMENTS[step.on.type], [step.on.name]);
  return (row?.['comment'] ?? null) as string | null;
}

/** What was tried, for an error: the first words of the statements, without names and values. */
export function triedOf(batch: Batch): string {
  const words: Record<string, string> = {
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
  return [...new Set(batch.steps.map((step) => words[step.kind] ?? step.kind))].join(', ');
}
