/** What runs with the rights of an account because it has defined it. It fails, or worse, when the account is gone. */
import type { Reads } from '../../../resources/model/reads.ts';
import type { RoleDependencies } from '../../../resources/model/roles.ts';
import type { MysqlInfo } from '../info.ts';
import { MARK_KEY_CHARACTERS, markKeysOf, readMarkRole } from '../mark.ts';
import type { Session } from '../session.ts';
import { integer, join, literal, type Sql, sql } from '../sql.ts';

type Query = Reads['roleDependencies']['query'];

const definersSql = (definers: Sql): Sql => sql`
SELECT 'view' AS kind, TABLE_SCHEMA AS home, TABLE_NAME AS name, DEFINER AS definer FROM information_schema.VIEWS WHERE DEFINER IN (${definers})
UNION ALL SELECT LOWER(ROUTINE_TYPE), ROUTINE_SCHEMA, ROUTINE_NAME, DEFINER FROM information_schema.ROUTINES WHERE DEFINER IN (${definers})
UNION ALL SELECT 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME, DEFINER FROM information_schema.TRIGGERS WHERE DEFINER IN (${definers})
UNION ALL SELECT 'event', EVENT_SCHEMA, EVENT_NAME, DEFINER FROM information_schema.EVENTS WHERE DEFINER IN (${definers})`;

/** A role of MariaDB can be a definer too, and has no host. */
const definersOf = ({ name, host }: Query): string[] =>
  host === undefined ? [`${name}@%`, `${name}@`, name] : [`${name}@${host}`];

export async function readDefined(
  session: Session,
  queries: readonly Query[],
  { engine }: MysqlInfo,
): Promise<RoleDependencies[]> {
  const definers = [...new Set(queries.flatMap(definersOf))].map(literal);
  const rows = await session.query(definersSql(join(definers)));
  const marks = engine === 'mariadb' ? await readMarks(session, queries) : undefined;
  return queries.map((query) => {
    // Hosts have no case, and names have, whatever the collation of the catalog says.
    const isOwn = new Set(definersOf(query).map(comparable));
    const own = rows.filter((row) => isOwn.has(comparable(String(row['definer']))));
    const homes = [...Map.groupBy(own, (row) => String(row['home']))];
    return {
      owned: homes.map(([database, objects]) => ({
        database,
        objects: objects.map((row) => `${String(row['kind'])} ${String(row['name'])}`).toSorted(),
        count: objects.length,
      })),
      ownedDatabases: homes.map(([database]) => database),
      databases: [],
      ...(marks === undefined ? {} : { marks: markKeysOf(query).flatMap((key) => marks.get(key) ?? []) }),
    };
  });
}

/** The uids in all marks there are, by the account that they are for. */
async function readMarks(session: Session, queries: readonly Query[]): Promise<Map<string, string[]>> {
  const keys = [...new Set(queries.flatMap(markKeysOf))].map(literal);
  const rows = await session.query(
    sql`SELECT User AS role FROM mysql.global_priv WHERE Host = '' AND LEFT(User, ${integer(MARK_KEY_CHARACTERS)}) IN (${join(keys)})`,
  );
  const marks = new Map<string, string[]>();
  for (const role of rows.map((row) => String(row['role']))) {
    const key = role.slice(0, MARK_KEY_CHARACTERS);
    marks.set(key, [...(marks.get(key) ?? []), readMarkRole(role)?.uid ?? '']);
  }
  return marks;
}

function comparable(definer: string): string {
  const at = definer.lastIndexOf('@');
  return at < 0 ? definer : `${definer.slice(0, at)}@${definer.slice(at + 1).toLowerCase()}`;
}
