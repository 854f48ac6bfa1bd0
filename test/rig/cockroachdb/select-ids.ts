/** The ids that `PAUSE SCHEDULES <select>` and its relatives mean. */
import { backendOf } from './execute.ts';
import { rewritten } from './forward.ts';
import type { Session } from './session.ts';
import { Cursor, split } from './tokens.ts';

/** One id as it is or bound, or a query whose first column is ids. */
export async function idsOf(session: Session, cursor: Cursor): Promise<string[]> {
  const token = cursor.peek;
  if (token === undefined) throw cursor.error();
  if (token.kind === 'number' || token.kind === 'string' || token.kind === 'placeholder') {
    const id = cursor.integer();
    cursor.end();
    return [id];
  }
  const [query] = split(cursor.text.slice(token.start));
  if (query === undefined) throw cursor.error();
  const { text, params } = await rewritten(session, new Cursor(query.text, query.tokens, cursor.params));
  cursor.at = cursor.tokens.length;
  const { rows = [] } = await (await backendOf(session)).run(text, params);
  return rows.map(([id]) => id ?? '');
}
