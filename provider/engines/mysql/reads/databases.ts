/** Databases, in one statement for all names. */
import type { DatabaseObserved, Reads } from '../../../resources/model.ts';
import type { MysqlInfo } from '../info.ts';
import { readMark, withoutMark } from '../mark.ts';
import type { Row, Session } from '../session.ts';
import { join, literal, sql } from '../sql.ts';

export async function readDatabases(
  session: Session,
  queries: readonly Reads['database']['query'][],
  info: MysqlInfo,
): Promise<(DatabaseObserved | undefined)[]> {
  const comment = info.engine === 'mariadb' ? sql`SCHEMA_COMMENT` : sql`NULL`;
  const names = join(queries.map(({ name }) => literal(name)));
  const rows = await session.query(
    sql`SELECT SCHEMA_NAME AS name, DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation,
      ${comment} AS comment FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN (${names})`,
  );
  // A server that does not tell letters apart by case stores small ones; elsewhere the collation must not.
  const keyOf = (name: string): string => (info.lowerCaseNames === 0 ? name : name.toLowerCase());
  const byName = new Map(rows.map((row) => [keyOf(String(row['name'])), row]));
  return queries.map(({ name }) => {
    const row = byName.get(keyOf(name));
    return row === undefined ? undefined : observed(name, row);
  });
}

function observed(name: string, row: Row): DatabaseObserved {
  const comment = typeof row['comment'] === 'string' ? row['comment'] : undefined;
  const mark = readMark(comment);
  return {
    name,
    owner: '',
    encoding: String(row['charset']),
    collation: String(row['collation']),
    ...(comment === undefined ? {} : { comment: withoutMark(comment) }),
    ...(mark === undefined ? {} : { mark }),
  };
}
