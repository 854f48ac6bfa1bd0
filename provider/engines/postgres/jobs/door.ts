/**
 * The target of a restore, closed for as long as its name changes. Who has closed it says so of itself in the same
 * transaction: a provider that is killed meanwhile leaves a mark by which the next one, or a later run, opens it again.
 */
import type { ServerInfo } from '../../../resources/model/server.ts';
import { borrow } from '../membership.ts';
import type { Session } from '../session.ts';
import { ident, join, keyword, literal, type Sql, sql } from '../sql.ts';

/** Followed by the name of the database. */
const CLOSED = 'xdatabase: has closed ';

const allowConnections = (database: string, isOpen: boolean): Sql =>
  sql`ALTER DATABASE ${ident(database)} WITH ALLOW_CONNECTIONS ${keyword(String(isOpen), ['true', 'false'])}`;

/** For one transaction. */
export const close = (database: string, login: string): Sql[] => [
  allowConnections(database, false),
  sql`COMMENT ON ROLE ${ident(login)} IS ${literal(CLOSED + database)}`,
];

export const open = (database: string): Sql => allowConnections(database, true);

const CLOSED_BY = `
SELECT substr(r.said, length($2) + 1) AS database, EXISTS (SELECT FROM pg_database WHERE datname = substr(r.said, length($2) + 1)) AS exists
FROM (SELECT shobj_description(oid, 'pg_authid') AS said FROM pg_roles WHERE rolname = $1) r WHERE starts_with(r.said, $2)`;

/** Opens what the login of a run has closed, if it has. It was open before: whoever closes it has looked into it first. */
export async function openAgain(session: Session, login: string, info: ServerInfo): Promise<void> {
  const [row] = await session.query(CLOSED_BY, [login, CLOSED]);
  if (row === undefined) return;
  const database = row['database'] as string;
  const { take, giveBack } = await borrow(session, [{ kind: 'alterDatabase', name: database }], info);
  const statements = [
    ...take,
    ...(row['exists'] === true ? [open(database)] : []),
    sql`COMMENT ON ROLE ${ident(login)} IS NULL`,
    ...giveBack,
  ];
  await session.execute(`BEGIN; ${join(statements, '; ').text}; COMMIT`);
}
