/** DROP DATABASE, which ends the sessions in it, by an administrator that need not be a superuser. */
import { unfinishedLimit } from '../../resources/database-unfinished.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import { become, beOneself, runByItself, runTogether } from './act-as.ts';
import { codeOf } from './errors.ts';
import { readMark } from './mark.ts';
import { borrow, type Borrowed, explainRefusal, INSUFFICIENT_PRIVILEGE } from './membership.ts';
import type { Session } from './session.ts';
import { ident, integer, keyword, literal, type Sql, sql } from './sql.ts';

interface Found {
  owner: string;
  isTemplate: boolean;
  comment: string | null;
  limit: number;
}

const QUERY = `SELECT pg_get_userbyid(datdba) AS owner, datistemplate AS "isTemplate", datconnlimit AS limit,
  shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`;

/** What is sent in the end; who owns the database, and who is logged in to it, decides what comes before. */
export const dropStatement = (name: string): Sql => sql`DROP DATABASE IF EXISTS ${ident(name)} WITH (FORCE)`;

/**
 * Sends it. FORCE ends background processes too, as those of autovacuum, which is a superuser's to do; a drop without it has
 * them end by themselves. So where only such are left it is that.
 */
async function drop(session: Session, name: string): Promise<void> {
  try {
    await runByItself(session, dropStatement(name));
  } catch (error) {
    if (codeOf(error) !== INSUFFICIENT_PRIVILEGE || (await hasUsers(session, name))) throw error;
    await runByItself(session, sql`DROP DATABASE IF EXISTS ${ident(name)}`);
  }
}

/** Throws the server's error, or ResourceError when a membership is missing that the administrator may not take. */
export async function dropDatabase(session: Session, name: string, info: ServerInfo): Promise<void> {
  const [row] = await session.query(QUERY, [name]);
  if (row === undefined) return;
  const found = row as unknown as Found;
  const borrowed = await borrow(session, [{ kind: 'dropDatabase', name }], info);
  // A template is never dropped as such.
  const before = found.isTemplate ? [sql`ALTER DATABASE ${ident(name)} WITH IS_TEMPLATE false`] : [];
  try {
    if (borrowed.joined.length > 0) return await dropAsOwner(session, name, found, borrowed, before);
    await runTogether(session, before);
    await drop(session, name);
  } catch (error) {
    throw explainRefusal(error, borrowed.refused, info);
  }
}

/**
 * As the owner, who may drop it but not end everybody's sessions: those are ended just before, by the administrator. Whoever
 * is back at once is shut out first.
 */
async function dropAsOwner(
  session: Session,
  name: string,
  found: Found,
  borrowed: Borrowed,
  template: readonly Sql[],
): Promise<void> {
  const end = sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${literal(name)} AND pid <> pg_backend_pid() AND usesysid IS NOT NULL`;
  const role = borrowed.joined.includes(found.owner) ? found.owner : undefined;
  /** Gives the server's refusal when somebody came back before it was gone. */
  const attempt = async (): Promise<unknown> => {
    const before = [...template, end];
    let isReady = false;
    try {
      if (role === undefined) await runTogether(session, [...borrowed.take, ...before, ...borrowed.giveBack]);
      else await become(session, role, borrowed, before);
      isReady = true;
      await untilAlone(session, name);
      await drop(session, name);
      return undefined;
    } catch (error) {
      if (isReady && codeOf(error) === INSUFFICIENT_PRIVILEGE) return error;
      throw error;
    } finally {
      if (role !== undefined) await beOneself(session, borrowed);
    }
  };
  if ((await attempt()) === undefined) return;
  const mark = readMark(found.comment);
  const limit = mark === undefined ? found.limit : unfinishedLimit(name, mark);
  await setDoor(session, name, borrowed, false, limit);
  try {
    const refusal = await attempt();
    if (refusal !== undefined) throw refusal;
  } catch (error) {
    await setDoor(session, name, borrowed, true, found.limit).catch(() => {});
    throw error;
  }
}

/** How long an ended session may take to be gone; DROP DATABASE itself waits as long. */
const GOODBYE_MS = 5_000;
const LOOK_MS = 20;

/** A session that is told to end is there for a moment yet, and to end it once more takes the right to. */
async function untilAlone(session: Session, name: string): Promise<void> {
  for (const start = performance.now(); performance.now() - start < GOODBYE_MS; ) {
    if (!(await hasUsers(session, name))) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** Whether anybody's session is in it; background processes have no user. */
async function hasUsers(session: Session, name: string): Promise<boolean> {
  const query = 'SELECT FROM pg_stat_activity WHERE datname = $1 AND usesysid IS NOT NULL LIMIT 1';
  return (await session.query(query, [name])).length > 0;
}

/** In a transaction of its own: whoever comes before it is committed is ended after it. */
async function setDoor(
  session: Session,
  name: string,
  { take, giveBack }: Borrowed,
  isOpen: boolean,
  limit: number,
): Promise<void> {
  const open = keyword(String(isOpen), ['true', 'false']);
  const alter = sql`ALTER DATABASE ${ident(name)} WITH ALLOW_CONNECTIONS ${open} CONNECTION LIMIT ${integer(limit)}`;
  await runTogether(session, [...take, alter, ...giveBack]);
}
