/** Sends steps: one statement after another, as a transaction around changes of the schema protects nothing there. */
import { ResourceError } from '../../common/errors.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Step } from '../../resources/model/steps.ts';
import { codeOf } from '../postgres/errors.ts';
import type { Session } from '../postgres/session.ts';
import { ident, sql } from '../postgres/sql.ts';
import type { Command } from './command.ts';
import { RESTART, UNKNOWN } from './errors.ts';
import { retryingConflicts } from '../conflicts.ts';
import { mergeGrants } from './compile/grants.ts';
import { compileGroup } from './compile/steps.ts';
import { prepare } from './prepare.ts';

/** Throws what the server said; a change that was cut off half-way goes on with the next observation. */
export async function runSteps(session: Session, steps: readonly Step[], info: ServerInfo): Promise<void> {
  for (const group of mergeGrants(steps)) {
    const [step] = group;
    if (step === undefined) continue;
    const commands = compileGroup(group, info, await prepare(session, step, info));
    for (const command of commands) await send(session, command);
  }
}

export async function send(session: Session, { sql: statement, secrets, as }: Command): Promise<void> {
  const once = async (): Promise<void> => {
    if (secrets === undefined) await session.execute(statement.text);
    else
      await session.query(
        statement.text,
        secrets.map((secret) => secret.reveal()),
      );
  };
  if (as === undefined) {
    await retrying(once);
    return;
  }
  await session.execute(sql`SET ROLE ${ident(as)}`.text);
  try {
    await retrying(once);
  } finally {
    // A session that kept the role would do with it what it is asked next.
    await session.execute('RESET ROLE');
  }
}

/** Statements that had no effect are sent again; of which nobody knows whether they had one are not. */
export async function retrying<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await retryingConflicts((error) => codeOf(error) === RESTART, work);
  } catch (error) {
    const code = codeOf(error);
    if (code !== UNKNOWN) throw error;
    throw new ResourceError(
      'CompletionUnknown',
      `the server cannot tell whether the change was carried out (${UNKNOWN}); it is looked at again`,
      { code, cause: error },
    );
  }
}
