/** The stand-in itself: it refuses what CockroachDB refuses, and shows the columns that the documentation shows. */
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Simulator, simulatedVersions } from '../rig/cockroachdb/simulator.ts';
import shapes from '../rig/cockroachdb/shapes.json' with { type: 'json' };

describe.each(simulatedVersions)('The simulated CockroachDB %s', (version) => {
  let simulator: Simulator;
  let client: Client;
  beforeAll(async () => {
    simulator = await Simulator.start({ version });
    client = new Client({
      host: simulator.host,
      port: simulator.port,
      user: 'root',
      password: simulator.rootPassword,
      database: 'defaultdb',
    });
    await client.connect();
    await client.query('CREATE TABLE public.t (id int)');
    for (const statement of [
      'CREATE ROLE app',
      'CREATE ROLE holder',
      "CREATE EXTERNAL CONNECTION held AS 'nodelocal://1/held'",
      'GRANT USAGE ON EXTERNAL CONNECTION held TO holder',
      'CREATE SCHEMA closed',
      'CREATE TABLE closed.t (id int)',
      'CREATE FUNCTION f(a INT8) RETURNS INT8 LANGUAGE SQL AS $$ SELECT a $$',
      'CREATE FUNCTION f(a TEXT) RETURNS INT8 LANGUAGE SQL AS $$ SELECT 1 $$',
      'CREATE PROCEDURE p() LANGUAGE SQL AS $$ SELECT 1 $$',
      'CREATE DATABASE viewed',
      'SET database = viewed',
      'CREATE VIEW v AS SELECT 1 AS one',
      'SET database = defaultdb',
    ])
      await client.query(statement);
  });
  afterAll(async () => {
    await client.end();
    await simulator.stop();
  });
  const code = async (text: string, params?: unknown[]): Promise<string> =>
    await client.query(text, params).then(
      () => '',
      (error: unknown) => (error as { code: string }).code,
    );

  test.each([
    'CREATE ROLE x SUPERUSER',
    'CREATE ROLE x NOINHERIT',
    'CREATE ROLE x CONNECTION LIMIT 3',
    'CREATE EXTENSION citext',
    "CREATE TABLESPACE t LOCATION '/'",
    'CREATE DATABASE x WITH IS_TEMPLATE true',
    'DROP DATABASE defaultdb WITH (FORCE)',
    'GRANT SELECT (id) ON t TO app',
    'GRANT app TO root WITH INHERIT TRUE',
    'GRANT SELECT ON t TO app GRANTED BY root',
    "COMMENT ON ROLE app IS 'x'",
    'ALTER DEFAULT PRIVILEGES GRANT SELECT ON LARGE OBJECTS TO app',
    'ALTER ROLE app SET ROLE TO',
    'VACUUM',
    'LISTEN x',
    'DO $$ BEGIN END $$',
    "SECURITY LABEL ON ROLE app IS 'x'",
    "BACKUP DATABASE defaultdb TO 'nodelocal://1/x'",
    "RESTORE DATABASE defaultdb FROM 'nodelocal://1/x'",
  ])('does not know %s', async (text) => {
    expect(await code(text)).toBe('42601');
  });

  test.each([
    ['SELECT pg_advisory_lock(1)', '42883'],
    ['SELECT * FROM aclexplode(NULL)', '42883'],
    ['SELECT relacl FROM pg_class', '42883'],
    ['SELECT * FROM pg_shdepend', '42883'],
    ['SELECT * FROM pg_stat_activity', '42883'],
    ['SELECT * FROM pg_authid', '42883'],
    ['CREATE ROLE pg_x', '42939'],
    ['CREATE ROLE "with space"', '42602'],
    ['CREATE ROLE app', '42710'],
    ['DROP ROLE nobody', '42704'],
    ['DROP ROLE root', '42501'],
    ['CREATE DATABASE defaultdb', '42P04'],
    ['CREATE DATABASE x CONNECTION LIMIT 5', '0A000'],
    ["CREATE DATABASE x ENCODING 'LATIN1'", '0A000'],
    ['GRANT SELECT ON TABLE nowhere TO app', '42P01'],
    ['GRANT TRUNCATE ON TABLE t TO app', '0LP01'],
    ['GRANT SELECT ON TABLE t TO nobody', '42704'],
    ['GRANT SELECT ON TABLE t TO public WITH GRANT OPTION', '0LP01'],
    ['GRANT admin TO admin', '0LP01'],
    ['REVOKE admin FROM root', '42501'],
    ['DROP OWNED BY app CASCADE', '0A000'],
    ['SHOW GRANTS FOR nobody', '42704'],
    ["SET nonsense = 'x'", '42704'],
    ["CREATE EXTERNAL CONNECTION c AS 'ftp://x'", '22023'],
    ["BACKUP DATABASE nowhere INTO 'nodelocal://1/x'", '3D000'],
    ["RESTORE DATABASE defaultdb FROM LATEST IN 'nodelocal://1/empty'", '58030'],
    ["ALTER ROLE app SET search_path = 'a, b'", '0A000'],
    ["ALTER DATABASE defaultdb SET search_path = 'a, b'", '0A000'],
    ['ALTER DATABASE viewed RENAME TO seen', '2BP01'],
    ['GRANT EXECUTE ON FUNCTION p TO app', '42809'],
    ['GRANT EXECUTE ON PROCEDURE f(INT8) TO app', '42809'],
    ['GRANT EXECUTE ON FUNCTION f TO app', '42725'],
    ['ALTER TABLE closed.t OWNER TO app', '42501'],
    ['DROP OWNED BY holder', '0A000'],
    ['DROP ROLE holder', '2BP01'],
  ])('answers %s with %s', async (text, expected) => {
    expect(await code(text)).toBe(expected);
  });

  test('commits what came before a schema change, and notes that somebody relied on a transaction', async () => {
    const notices: string[] = [];
    client.on('notice', ({ message }) => notices.push(message ?? ''));
    await client.query('BEGIN');
    await client.query('INSERT INTO t VALUES (1)');
    await client.query('CREATE SCHEMA s1');
    await client.query('ROLLBACK');
    const commits = simulator.version >= 250_200;
    expect(notices.some((notice) => notice.startsWith('auto-committing transaction'))).toBe(commits);
    expect((await client.query('SELECT id FROM t')).rows).toHaveLength(commits ? 1 : 0);
    expect(simulator.violations.splice(0)).toHaveLength(1);
    await client.query('CREATE SCHEMA s2; CREATE SCHEMA s3');
    expect(simulator.violations.splice(0)).toHaveLength(2);
  });

  test('notes secrets in the text of a statement', async () => {
    await code("CREATE EXTERNAL CONNECTION leaky AS 's3://b?AWS_ACCESS_KEY_ID=a&AWS_SECRET_ACCESS_KEY=s'");
    expect(simulator.violations.splice(0)).toHaveLength(1);
    const { rows } = await client.query('SHOW EXTERNAL CONNECTION leaky');
    expect(rows).toEqual([
      {
        connection_name: 'leaky',
        connection_uri: 's3://b?AWS_ACCESS_KEY_ID=a&AWS_SECRET_ACCESS_KEY=redacted',
        connection_type: 'STORAGE',
      },
    ]);
  });

  test('has the statements that came with a version from that version on', async () => {
    expect(await code("CHECK EXTERNAL CONNECTION 'nodelocal://1/x'")).toBe(simulator.version >= 250_100 ? '' : '42601');
    expect(await code("ALTER EXTERNAL CONNECTION leaky AS 'nodelocal://1/x'")).toBe(
      simulator.version >= 250_400 ? '' : '42601',
    );
    expect(await code('CREATE ROLE rls BYPASSRLS')).toBe(simulator.version >= 250_200 ? '' : '42601');
  });

  test('shows the columns of the golden file, and the file names a page for each', async () => {
    for (const [text, name] of [
      ['SHOW DATABASES', 'SHOW DATABASES'],
      ['SHOW ROLES', 'SHOW ROLES'],
      ['SHOW GRANTS', 'SHOW GRANTS'],
      ['SHOW GRANTS ON TABLE t', 'SHOW GRANTS ON TABLE'],
      ['SHOW DEFAULT PRIVILEGES', 'SHOW DEFAULT PRIVILEGES'],
      ['SHOW SCHEDULES FOR BACKUP', 'SHOW SCHEDULES FOR BACKUP'],
      ['SHOW JOBS', 'SHOW JOBS'],
      ['SHOW JOB 1', 'SHOW JOB'],
    ] as const) {
      const { fields } = await client.query(text);
      const variant = shapes[name].variants.findLast(({ from }) => from <= simulator.version);
      expect(fields.map((field) => field.name)).toEqual(Object.keys(variant?.columns ?? {}));
    }
    for (const { page } of Object.values(shapes)) expect(page).toMatch(/^https:\/\/www\.cockroachlabs\.com\/docs\//);
  });

  test('gives 64-bit numbers that a JavaScript number cannot hold', async () => {
    const { rows } = await client.query("BACKUP DATABASE defaultdb INTO 'nodelocal://1/big' WITH detached");
    const id = String((rows[0] as { job_id: unknown }).job_id);
    expect(String(Number(id))).not.toBe(id);
  });
});
