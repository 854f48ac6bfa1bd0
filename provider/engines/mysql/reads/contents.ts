/** What databases hold, for dropPolicy WhenEmpty. Triggers and indexes belong to tables and do not count by themselves. */
import type { Contents } from '../../../resources/model/databases.ts';
import type { Reads } from '../../../resources/model/reads.ts';
import type { MysqlInfo } from '../info.ts';
import type { Session } from '../session.ts';
import { join, literal, sql } from '../sql.ts';

const WORDS: Record<string, string> = {
  'BASE TABLE': 'table',
  'SYSTEM VERSIONED': 'table',
  VIEW: 'view',
  SEQUENCE: 'sequence',
  PROCEDURE: 'procedure',
  FUNCTION: 'function',
  PACKAGE: 'package',
  'PACKAGE BODY': 'package body',
  EVENT: 'event',
};

export async function readDatabaseContents(
  session: Session,
  queries: readonly Reads['databaseContents']['query'][],
  info: MysqlInfo,
): Promise<Contents[]> {
  const names = join(queries.map(({ name }) => literal(name)));
  const rows = await session.query(
    sql`SELECT TABLE_SCHEMA AS name, TABLE_TYPE AS what, COUNT(*) AS count FROM information_schema.TABLES
        WHERE TABLE_SCHEMA IN (${names}) GROUP BY 1, 2
      UNION ALL SELECT ROUTINE_SCHEMA, ROUTINE_TYPE, COUNT(*) FROM information_schema.ROUTINES
        WHERE ROUTINE_SCHEMA IN (${names}) GROUP BY 1, 2
      UNION ALL SELECT EVENT_SCHEMA, 'EVENT', COUNT(*) FROM information_schema.EVENTS
        WHERE EVENT_SCHEMA IN (${names}) GROUP BY 1, 2`,
  );
  return queries.map(({ name }) => {
    const counts = new Map<string, number>();
    for (const row of rows) {
      if (!isSame(String(row['name']), name, info)) continue;
      const what = WORDS[String(row['what'])] ?? String(row['what']).toLowerCase();
      counts.set(what, (counts.get(what) ?? 0) + Number(row['count']));
    }
    const parts = [...counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([what, count]) => `${count} ${what}${count === 1 ? '' : 's'}`);
    return { empty: parts.length === 0, summary: parts.join(', ') };
  });
}

const isSame = (a: string, b: string, { lowerCaseNames }: MysqlInfo): boolean =>
  lowerCaseNames === 0 ? a === b : a.toLowerCase() === b.toLowerCase();
