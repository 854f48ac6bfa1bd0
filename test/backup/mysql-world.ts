/** A MySQL or MariaDB database with everything that a dump must carry. */
import type { MysqlClient } from '../rig/mysql-client.ts';

export const ROWS = 200_000;

const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;
const NUMBERS = '(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d + 10000 * f.d AS n FROM d a, d b, d c, d e, d f) AS n';

export async function fill(server: MysqlClient, database: string): Promise<void> {
  const statements = [
    'CREATE TABLE d (d int PRIMARY KEY)',
    'INSERT INTO d VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)',
    'CREATE TABLE people (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL, note text)',
    // What looks like the beginning of a statement, inside of a row.
    `INSERT INTO people (name, note) SELECT CONCAT('name ', n), CONCAT(HEX(n), '\\n/*!50013 DEFINER=\`a\`@\`b\` SQL SECURITY DEFINER */\\nCREATE DEFINER=\`a\`@\`b\` (\\'),(\\' ü 😀 ; \\\\') FROM ${NUMBERS}`,
    'CREATE TABLE events (id int PRIMARY KEY, at timestamp NOT NULL, data varbinary(1000), twice int AS (id * 2) STORED)',
    `INSERT INTO events (id, at, data) SELECT n, '2026-01-01', UNHEX('00ff0a5c27') FROM ${NUMBERS} WHERE n < 99980`,
    'CREATE TABLE `odd ``name`` ;--\n%$\\\'` (`co"l\n%$\\` longtext, b longblob)',
    "INSERT INTO `odd ``name`` ;--\n%$\\'` SELECT CONCAT(REPEAT('x', 1000000), d), REPEAT(UNHEX('0a00ff'), 100000) FROM d",
    'CREATE TABLE empty_one (id int)',
    'CREATE VIEW names AS SELECT name FROM people',
    'CREATE ALGORITHM=MERGE DEFINER=CURRENT_USER SQL SECURITY INVOKER VIEW names_of_names AS SELECT name FROM names',
    'CREATE FUNCTION one() RETURNS int DETERMINISTIC RETURN 1',
    "CREATE PROCEDURE two() BEGIN SELECT 'text that says\nCREATE DEFINER=`a`@`b` PROCEDURE x()\nSET @@GLOBAL.x = 1;\n' AS said; END",
    'CREATE TRIGGER stamp BEFORE INSERT ON events FOR EACH ROW SET NEW.data = NEW.data',
    "CREATE EVENT later ON SCHEDULE AT '2037-01-01' DO DELETE FROM empty_one",
    "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'",
    `CREATE FUNCTION ansi() RETURNS int DETERMINISTIC RETURN (SELECT "n" FROM (SELECT 1 AS "n", '\\' AS "m") AS "t")`,
    'CREATE EVENT "ansi" ON SCHEDULE AT \'2037-01-01\' DO DELETE FROM "empty_one"',
    'SET sql_mode = DEFAULT',
    ...(server.flavour === 'mariadb'
      ? [
          'CREATE SEQUENCE numbers START 5',
          'CREATE TABLE numbered (id bigint DEFAULT NEXTVAL(numbers), x int) WITH SYSTEM VERSIONING',
        ]
      : []),
  ];
  await server.query('SET GLOBAL max_allowed_packet = 67108864');
  const session = await server.login({ name: server.adminUser, password: server.password }, database);
  try {
    for (const statement of [...statements, ...laterStatements(database)]) await session.query(statement);
  } finally {
    await session.end();
  }
}

/** Around routines of another collation a dump speaks of its database by name. */
const laterStatements = (database: string): string[] => [
  `ALTER DATABASE ${quoted(database)} CHARACTER SET latin1`,
  'CREATE FUNCTION later() RETURNS int DETERMINISTIC RETURN 3',
];

/** What is in a database: rows and checksum of each table, and the bodies of everything else. */
export async function contents(server: MysqlClient, database: string): Promise<Record<string, unknown>> {
  const tables = await server.query<{ name: string }>(
    `SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? ORDER BY 1`,
    [database],
  );
  const found: Record<string, unknown> = {};
  for (const { name } of tables) {
    const [count] = await server.query<{ n: number }>(`SELECT COUNT(*) AS n FROM ${quoted(database)}.${quoted(name)}`);
    const [sum] = await server.query<{ Checksum: number }>(`CHECKSUM TABLE ${quoted(database)}.${quoted(name)}`);
    found[name] = [count?.n, sum?.Checksum];
  }
  found['routines'] = await server.query(
    'SELECT ROUTINE_NAME AS name, ROUTINE_DEFINITION AS body FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ? ORDER BY 1',
    [database],
  );
  found['triggers'] = await server.query(
    'SELECT TRIGGER_NAME AS name, ACTION_STATEMENT AS body FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = ? ORDER BY 1',
    [database],
  );
  found['events'] = await server.query(
    'SELECT EVENT_NAME AS name, EVENT_DEFINITION AS body FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ? ORDER BY 1',
    [database],
  );
  return found;
}
