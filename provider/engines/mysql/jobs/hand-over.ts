/**
 * Tables move from beside into the target in one statement, and programs around it. How far it has come is the name of the
 * table, in the database beside, that keeps the programs which were loaded:
 *
 *   kept       all of them are in it; the target is untouched
 *   clearing   programs of the target are being dropped: from here on it can only go on
 *   moved      renamed in the statement that moves the tables; the programs are being made
 *   done
 */
import { Secret } from '../../../common/secret.ts';
import type { HandOver } from '../../jobs.ts';
import { retryingConflicts } from '../../conflicts.ts';
import { codeOf } from '../errors.ts';
import type { ConnectionSession, Session } from '../session.ts';
import { UNLIMITED_MS } from '../session.ts';
import { ident, join, literal, qualified, type Sql, sql } from '../sql.ts';
import { grant, LOAD, makeLogin, revoke, runPassword, soon } from './logins.ts';
import { dropPrograms, dropTriggers, hasPrograms, keep, remake, tablesOf } from './programs.ts';
import { moveDefaults } from './sequences.ts';
import type { JobSessions } from './sessions.ts';

const TABLES = {
  kept: 'xdatabase_hand_over',
  clearing: 'xdatabase_hand_over_clearing',
  moved: 'xdatabase_handed_over',
  done: 'xdatabase_hand_over_done',
} as const;

export type Phase = keyof typeof TABLES;

/** Undefined when it has not begun, also when there is no such database. */
export async function phaseOf(session: Session, beside: string): Promise<Phase | undefined> {
  const rows = await session.query(
    sql`SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${literal(beside)} AND TABLE_NAME IN (${join(Object.values(TABLES).map(literal))})`,
  );
  const names = new Set(rows.map(({ name }) => name));
  return (Object.keys(TABLES) as Phase[]).findLast((phase) => names.has(TABLES[phase]));
}

const step = (beside: string, from: Phase, to: Phase): Sql =>
  sql`${qualified(beside, TABLES[from])} TO ${qualified(beside, TABLES[to])}`;

export type Parties = Pick<HandOver, 'target' | 'replaced' | 'login'> & { beside: string };

/** From wherever it is to its end. */
export async function carryOn(
  sessions: JobSessions,
  { target, beside, replaced, login }: Parties,
  signal?: AbortSignal,
): Promise<void> {
  const info = await sessions.info();
  const run = { username: login, password: runPassword() };
  await makeLogin(sessions, { name: login, password: new Secret(run.password), validUntil: soon() }, signal);
  const asAdmin = async (work: (session: Session) => Promise<void>): Promise<void> => {
    await sessions.use('restore', work, signal);
  };
  await asAdmin(async (session) => {
    await session.execute(sql`CREATE DATABASE IF NOT EXISTS ${ident(replaced)}`);
    for (const database of [beside, target, replaced]) await session.execute(grant(LOAD, database, login, info));
  });
  await sessions.as(run, 'restore', async (session) => {
    const phase = await phaseOf(session, beside);
    if (phase === 'moved') return;
    await session.execute(sql`USE ${ident(beside)}`);
    if (phase === undefined) await keep(session, beside, TABLES.kept);
    await dropTriggers(session, beside);
  });
  // What is replaced may be defined by accounts that only the administrator may touch.
  await asAdmin(async (session) => {
    const phase = await phaseOf(session, beside);
    if (phase === 'moved' || !(await hasPrograms(session, target))) return;
    if (phase === 'kept') await session.execute(sql`RENAME TABLE ${step(beside, 'kept', 'clearing')}`);
    await dropPrograms(session, target);
  });
  await sessions.as(run, 'restore', async (session) => {
    await session.execute(sql`USE ${ident(target)}`);
    await move(session, { target, beside, replaced });
    if (info.engine === 'mariadb') await moveDefaults(session, beside, target);
    await remake(session, beside, TABLES.moved);
    await session.execute(sql`RENAME TABLE ${step(beside, 'moved', 'done')}`);
  });
  await asAdmin(async (session) => {
    for (const database of [beside, replaced]) await session.execute(revoke(database, login, info));
  });
}

/** All tables change places in one statement. */
async function move(session: ConnectionSession, { target, beside, replaced }: Omit<Parties, 'login'>): Promise<void> {
  const phase = (await phaseOf(session, beside)) ?? 'kept';
  if (phase === 'moved') return;
  const [fresh, old] = [await tablesOf(session, beside, Object.values(TABLES)), await tablesOf(session, target, [])];
  const renames = [
    ...old.map((name) => sql`${qualified(target, name)} TO ${qualified(replaced, name)}`),
    ...fresh.map((name) => sql`${qualified(beside, name)} TO ${qualified(target, name)}`),
    step(beside, phase, 'moved'),
  ];
  await retryingConflicts(isInUse, async () => {
    await session.execute(sql`RENAME TABLE ${join(renames)}`, UNLIMITED_MS);
  });
}

/** A transaction is still open in one of the tables; it is waited for. */
const isInUse = (error: unknown): boolean => codeOf(error) === '1205';
