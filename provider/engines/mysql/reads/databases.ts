/** Databases, in one statement for all names. */
import type { DatabaseObserved } from '../../../resources/model/databases.ts';
import type { Mark } from '../../../resources/model/objects.ts';
import type { Reads } from '../../../resources/model/reads.ts';
import type { MysqlInfo } from '../info.ts';
import { MARKS, readMark, withoutMark } from '../mark.ts';
import type { Row, Session } from '../session.ts';
import { empty, join, literal, sql } from '../sql.ts';

export async function readDatabases(
  session: Session,
  queries: readonly Reads['database']['query'][],
  info: MysqlInfo,
): Promise<(DatabaseObserved | undefined)[]> {
  const comment = info.engine === 'mariadb' ? sql`SCHEMA_COMMENT` : sql`NULL`;
  const names = join(queries.map(({ name }) => literal(name)));
  const marks =
    info.engine === 'mariadb'
      ? empty
      : sql` UNION ALL SELECT NULL, NULL, NULL, CONVERT(JSON_EXTRACT(User_attributes, '$.metadata.databases') USING utf8mb4)
          FROM mysql.user WHERE User = ${literal(MARKS.name)} AND Host = ${literal(MARKS.host)}`;
  const rows = await session.query(
    sql`SELECT SCHEMA_NAME AS name, DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation,
      ${comment} AS comment FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN (${names})${marks}`,
  );
  // A server that does not tell letters apart by case stores small ones; elsewhere the collation must not.
  const keyOf = (name: string): string => (info.lowerCaseNames === 0 ? name : name.toLowerCase());
  const found = rows.filter((row) => row['name'] !== null);
  const byName = new Map(found.map((row) => [keyOf(String(row['name'])), row]));
  const apart = marksIn(rows.find((row) => row['name'] === null));
  return queries.map(({ name }) => {
    const row = byName.get(keyOf(name));
    return row === undefined ? undefined : observed(name, row, apart[name]);
  });
}

/** The marks of MySQL's databases, which stand in a row of their own. */
function marksIn(row: Row | undefined): Partial<Record<string, Mark>> {
  const all = JSON.parse(String(row?.['comment'] ?? '{}')) as Partial<Record<string, Mark>> | null;
  return Object.assign(Object.create(null) as object, all);
}

function observed(name: string, row: Row, apart: Mark | undefined): DatabaseObserved {
  const comment = typeof row['comment'] === 'string' ? row['comment'] : undefined;
  const mark = apart ?? readMark(comment);
  return {
    name,
    owner: '',
    encoding: String(row['charset']),
    collation: String(row['collation']),
    ...(comment === undefined ? {} : { comment: withoutMark(comment) }),
    ...(mark === undefined ? {} : { mark }),
  };
}
