/**
 * Views, routines, triggers and events cannot be moved between databases as tables can: they are read, kept in a table
 * beside the data, and made anew in the target by the same login, which stays their definer.
 */
import { ResourceError } from '../../../common/errors.ts';
import { codeOf } from '../errors.ts';
import { ident, integer, join, keyword, literal, qualified, type Sql, sql, tenantStatement } from '../sql.ts';
import type { Row, Session } from '../session.ts';

const KINDS = ['FUNCTION', 'PROCEDURE', 'PACKAGE', 'PACKAGE BODY', 'VIEW', 'TRIGGER', 'EVENT'] as const;
type Kind = (typeof KINDS)[number];

const VIEW_INVALID = '1356';

interface Program {
  kind: Kind;
  name: string;
  statement: string;
  sqlMode: string;
  charset: string;
  collation: string;
  timeZone: string;
}

const text = (row: Row | undefined, ...columns: string[]): string =>
  String(columns.map((column) => row?.[column]).find((value) => value !== undefined && value !== null) ?? '');

const listOf = (database: string): Sql => sql`
SELECT 'VIEW' AS kind, TABLE_NAME AS name, 0 AS place FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ${literal(database)}
UNION ALL SELECT ROUTINE_TYPE, ROUTINE_NAME, 0 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${literal(database)}
UNION ALL SELECT 'TRIGGER', TRIGGER_NAME, ACTION_ORDER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ${literal(database)}
UNION ALL SELECT 'EVENT', EVENT_NAME, 0 FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${literal(database)}`;

const isKind = (kind: string): kind is Kind => (KINDS as readonly string[]).includes(kind);

async function namesIn(session: Session, database: string): Promise<{ kind: Kind; name: string }[]> {
  const rows = await session.query(listOf(database));
  return rows
    .toSorted((a, b) => Number(a['place']) - Number(b['place']))
    .flatMap((row) => {
      const kind = String(row['kind']);
      return isKind(kind) ? [{ kind, name: String(row['name']) }] : [];
    });
}

/** The session is at home in the database, so that what it reads names no database. */
async function read(session: Session, kind: Kind, name: string): Promise<Program> {
  const [row] = await session.query(sql`SHOW CREATE ${keyword(kind, KINDS)} ${ident(name)}`);
  const column = `Create ${kind.toLowerCase().replaceAll(/\b\w/g, (letter) => letter.toUpperCase())}`;
  return {
    kind,
    name,
    statement: text(row, column, 'SQL Original Statement'),
    sqlMode: text(row, 'sql_mode'),
    charset: text(row, 'character_set_client') || 'utf8mb4',
    collation: text(row, 'collation_connection') || 'utf8mb4_general_ci',
    timeZone: text(row, 'time_zone'),
  };
}

/**
 * Keeps all programs of the database in a table, which appears complete. What could not be made anew is refused while
 * nothing has changed yet.
 */
export async function keep(session: Session, database: string, table: string): Promise<void> {
  const draft = qualified(database, `${table}_draft`);
  await session.execute(sql`DROP TABLE IF EXISTS ${draft}`);
  await session.execute(
    sql`CREATE TABLE ${draft} (place int PRIMARY KEY, kind varchar(16), name varchar(64), statement longtext, sql_mode varchar(4096), charset varchar(64), collation varchar(64), time_zone varchar(64)) CHARACTER SET utf8mb4`,
  );
  for (const [place, { kind, name }] of (await namesIn(session, database)).entries()) {
    if (kind === 'VIEW') await refuseInvalid(session, name);
    const program = await read(session, kind, name);
    const values = [
      program.kind,
      program.name,
      program.statement,
      program.sqlMode,
      program.charset,
      program.collation,
      program.timeZone,
    ].map(literal);
    await session.execute(sql`INSERT INTO ${draft} VALUES (${integer(place)}, ${join(values)})`);
  }
  await session.execute(sql`RENAME TABLE ${draft} TO ${qualified(database, table)}`);
}

/** A view outlives what it reads from, but cannot be made without it. */
async function refuseInvalid(session: Session, view: string): Promise<void> {
  try {
    await session.query(sql`SHOW COLUMNS FROM ${ident(view)}`);
  } catch (error) {
    if (codeOf(error) !== VIEW_INVALID) throw error;
    throw new ResourceError(
      'ViewInvalid',
      `view ${JSON.stringify(view)} reads from something that was not loaded, or that its SQL has dropped, and cannot be made; the target was left as it was`,
      { retryable: false },
    );
  }
}

async function kept(session: Session, database: string, table: string): Promise<Program[]> {
  const rows = await session.query(sql`SELECT * FROM ${qualified(database, table)} ORDER BY place`);
  return rows.map((row) => ({
    kind: String(row['kind']) as Kind,
    name: String(row['name']),
    statement: String(row['statement']),
    sqlMode: String(row['sql_mode']),
    charset: String(row['charset']),
    collation: String(row['collation']),
    timeZone: String(row['time_zone']),
  }));
}

export async function dropTriggers(session: Session, database: string): Promise<void> {
  for (const { kind, name } of await namesIn(session, database))
    if (kind === 'TRIGGER') await session.execute(sql`DROP TRIGGER IF EXISTS ${qualified(database, name)}`);
}

export const hasPrograms = async (session: Session, database: string): Promise<boolean> =>
  (await namesIn(session, database)).length > 0;

export async function dropPrograms(session: Session, database: string): Promise<void> {
  for (const { kind, name } of await namesIn(session, database))
    await session.execute(sql`DROP ${keyword(kind, KINDS)} IF EXISTS ${qualified(database, name)}`);
}

/** Tables (and sequences) of a database, but not those. */
export async function tablesOf(session: Session, database: string, but: readonly string[]): Promise<string[]> {
  const rows = await session.query(
    sql`SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${literal(database)} AND TABLE_TYPE <> 'VIEW'`,
  );
  return rows.map((row) => String(row['name'])).filter((name) => !but.includes(name));
}

/** Makes what a table of `from` keeps anew in the database that the session is at home in. Views may need each other. */
export async function remake(session: Session, from: string, table: string): Promise<void> {
  let left = await kept(session, from, table);
  while (left.length > 0) {
    const failed: Program[] = [];
    let failure: unknown;
    for (const program of left)
      try {
        await make(session, program);
      } catch (error) {
        failure ??= error;
        failed.push(program);
      }
    if (failed.length === left.length) throw failure;
    left = failed;
  }
}

async function make(
  session: Session,
  { kind, name, statement, sqlMode, charset, collation, timeZone }: Program,
): Promise<void> {
  const settings = [
    sql`character_set_client = ${literal(charset)}`,
    sql`collation_connection = ${literal(collation)}`,
    ...(kind === 'VIEW' ? [] : [sql`sql_mode = ${literal(sqlMode)}`]),
    ...(timeZone === '' ? [] : [sql`time_zone = ${literal(timeZone)}`]),
  ];
  await session.execute(sql`DROP ${keyword(kind, KINDS)} IF EXISTS ${ident(name)}`);
  await session.execute(sql`SET SESSION ${join(settings)}`);
  await session.execute(tenantStatement(statement));
}
