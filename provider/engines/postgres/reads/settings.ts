/** Which settings of sessions are anybody's to change. */
import type { SettingObserved } from '../../../resources/model/databases.ts';
import type { Reads } from '../../../resources/model/reads.ts';
import type { Session } from '../session.ts';

/**
 * A setting that a module will define is a placeholder until then, and may turn out to be a superuser's: PostgreSQL
 * itself lets only superusers store one.
 */
const ANYBODYS = `SELECT lower(name) AS name FROM pg_settings WHERE context = 'user' AND lower(name) = ANY($1)`;

export async function readSettings(
  session: Session,
  queries: readonly Reads['setting']['query'][],
): Promise<SettingObserved[]> {
  const names = queries.map(({ name }) => name.toLowerCase());
  const found = new Set((await session.query(ANYBODYS, [names])).map((row) => row['name']));
  return names.map((name) => ({ anybodyMaySet: found.has(name) }));
}
