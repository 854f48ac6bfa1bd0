/**
 * Statements that take the rights of another role and cannot be in a transaction. The administrator becomes that role in a
 * transaction that joins it and leaves it again: a session stays the role that it is, so the membership is never committed,
 * and whatever cuts us off leaves none behind.
 */
import { retryingConflicts } from '../conflicts.ts';
import type { Borrowed } from './membership.ts';
import { isRetryable } from './errors.ts';
import { type Session, UNLIMITED_MS } from './session.ts';
import { ident, join, type Sql, sql } from './sql.ts';

export async function runTogether(session: Session, statements: readonly Sql[]): Promise<void> {
  if (statements.length === 0) return;
  await retryingConflicts(isRetryable, async () => {
    await session.execute(`BEGIN; ${join(statements, '; ').text}; COMMIT`);
  });
}

/** The session is that role from here on, until `beOneself`. For `before` the administrator has the rights of both. */
export async function become(
  session: Session,
  role: string,
  { take, giveBack, admin }: Borrowed,
  before: readonly Sql[] = [],
): Promise<void> {
  await runTogether(session, [
    ...take,
    ...before,
    sql`SET ROLE ${ident(role)}`,
    // Until the end of this transaction, which has to give back.
    sql`SET LOCAL ROLE ${ident(admin)}`,
    ...giveBack,
  ]);
}

/** Never throws; a session that cannot be put back is not used again. */
export async function beOneself(session: Session, { admin }: Borrowed): Promise<void> {
  await session.restore(sql`SET ROLE ${ident(admin)}`.text);
}

export async function runByItself(session: Session, statement: Sql): Promise<void> {
  await retryingConflicts(isRetryable, async () => {
    await session.execute(statement.text, UNLIMITED_MS);
  });
}
