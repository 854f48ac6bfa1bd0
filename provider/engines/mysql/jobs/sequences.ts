import type { Session } from '../session.ts';
import { ident, join, literal, qualified, sql, tenantStatement } from '../sql.ts';

/**
 * MariaDB: a default that a sequence gives names the database of the sequence, and goes on naming it when both have moved.
 * To be called on the login of the run, after all tables and sequences of `from` have moved to `to`; it may be repeated.
 */
export async function moveDefaults(session: Session, from: string, to: string): Promise<void> {
  const [old, home] = [from, to].map((database) => `nextval(${ident(database).text}.`) as [string, string];
  const rows = await session.query(
    sql`SELECT TABLE_NAME AS home, COLUMN_NAME AS name, COLUMN_DEFAULT AS expression FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ${literal(to)} AND INSTR(COLUMN_DEFAULT, ${literal(old)}) > 0`,
  );
  // All of a table at once: it cannot be opened while one of its sequences is not there.
  for (const [table, columns] of Map.groupBy(rows, (row) => String(row['home']))) {
    const changes = columns.map((row) => {
      const expression = tenantStatement(String(row['expression']).replaceAll(old, home));
      return sql`ALTER COLUMN ${ident(String(row['name']))} SET DEFAULT (${expression})`;
    });
    await session.execute(sql`ALTER TABLE ${qualified(to, table)} ${join(changes)}`);
  }
}
