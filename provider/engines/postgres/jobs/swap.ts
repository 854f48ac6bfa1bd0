/** The database beside and its target change names, in one transaction, with nobody in either. */
import type { HandOver } from '../../jobs.ts';
import type { Borrowed } from '../membership.ts';
import type { Session } from '../session.ts';
import { ident, join, literal, type Sql, sql } from '../sql.ts';
import { type Right, type Shape, swapNames } from './beside.ts';
import { close, open } from './door.ts';

/** What a login says of itself once its database has been handed over. */
const DONE = 'xdatabase: handed over';
/** How often sessions of others are ended before the door is shut first. */
const POLITE_ATTEMPTS = 3;
const ATTEMPTS = 6;
const OBJECT_IN_USE = '55006';

export const isDone = async (session: Session, login: string): Promise<boolean> => {
  const query = `SELECT 1 FROM pg_roles WHERE rolname = $1 AND shobj_description(oid, 'pg_authid') = $2`;
  return (await session.query(query, [login, DONE])).length > 0;
};

/** Background processes have no user: only a superuser may end them, and a change of names has them end by themselves. */
const others = sql`pid <> pg_backend_pid() AND usesysid IS NOT NULL`;

const sessionsIn = async (session: Session, database: string): Promise<number> =>
  (
    await session.query(`SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = $1 AND ${others.text}`, [
      database,
    ])
  )[0]?.['count'] as number;

/** What the target was like, and whose rights every transaction takes. */
interface Circumstances extends Pick<Borrowed, 'take' | 'giveBack'> {
  shape: Shape;
  rights: readonly Right[];
}

/** Ends the sessions of others if it may, and changes the names; gives the number of sessions that are in the way. */
export async function swap(session: Session, order: HandOver, circumstances: Circumstances): Promise<number> {
  const { target, beside, replaced, login } = order;
  const { shape, rights, take, giveBack } = circumstances;
  const run = async (...list: readonly Sql[]): Promise<void> => {
    await session.execute(`BEGIN; ${join([...take, ...list, ...giveBack], '; ').text}; COMMIT`);
  };
  const end = sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (${literal(target)}, ${literal(beside.name)}) AND ${others}`;
  const statements = swapNames({ ...order, done: DONE }, shape, rights);
  if (!order.endSessions) {
    const count = await sessionsIn(session, target);
    if (count > 0) return count;
  }
  let isShut = false;
  try {
    for (let attempt = 1; ; attempt += 1)
      try {
        if (order.endSessions) {
          if (attempt > POLITE_ATTEMPTS && !isShut) {
            await run(...close(target, login));
            isShut = true;
          }
          await run(end);
        }
        await run(...statements, ...(isShut ? [open(target), open(replaced)] : []));
        isShut = false;
        return 0;
      } catch (error) {
        if ((error as { code?: string }).code !== OBJECT_IN_USE || attempt >= ATTEMPTS) throw error;
        if (!order.endSessions) return Math.max(1, await sessionsIn(session, target));
      }
  } finally {
    // What fails here is done by whoever comes next: the login says what it has closed.
    if (isShut) await run(open(target), sql`COMMENT ON ROLE ${ident(login)} IS NULL`).catch(() => {});
  }
}
