/** A server that people have used for years, taken over as it is. Each has a server of its own: all that is there counts. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Managed } from '../../provider/api/kind.ts';
import { type PostgresServer, startPostgres } from '../rig/postgres.ts';
import { builtProgram, newestPostgres, postgresMajors } from '../rig/servers.ts';

const main = builtProgram('xdb');

const ROLES = Array.from({ length: 50 }, (_, n) => (n % 7 === 0 ? `Team "${n}" $x` : `role_${n}`));
const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The same on every run: the nth of a list. */
const pick = <T>(list: readonly T[], n: number): T => list[n % list.length]!;

function* rolesSql(): Iterable<string> {
  for (const [n, name] of ROLES.entries()) {
    const login = n % 3 === 0 ? 'NOLOGIN' : `LOGIN PASSWORD 'secret-${n}'`;
    const more = [
      n % 11 === 0 ? 'CREATEDB' : '',
      n % 13 === 0 ? 'NOINHERIT' : '',
      n % 17 === 0 ? 'CONNECTION LIMIT 5' : '',
    ];
    yield `CREATE ROLE ${quote(name)} ${login} ${more.join(' ')}`;
    if (n % 5 === 0) yield `ALTER ROLE ${quote(name)} SET search_path TO "$user", 'Odd, one', public`;
    if (n % 9 === 0) yield `ALTER ROLE ${quote(name)} VALID UNTIL '2040-01-31 12:00:00+00'`;
    if (n % 3 !== 0)
      yield `GRANT ${quote(pick(ROLES, n - (n % 3)))} TO ${quote(name)} ${n % 4 === 0 ? 'WITH ADMIN OPTION' : ''}`;
    if (n % 12 === 1) yield `GRANT pg_monitor TO ${quote(name)}`;
  }
}

const DATABASES = ['shop', 'Odd db', 'closed'];
const SHARED = [
  `CREATE DATABASE shop OWNER role_1 CONNECTION LIMIT 40`,
  `CREATE DATABASE "Odd db" TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'`,
  `CREATE DATABASE closed OWNER role_2`,
  `ALTER DATABASE shop SET work_mem = '5MB'`,
  `REVOKE ALL ON DATABASE closed FROM PUBLIC`,
  `GRANT CONNECT ON DATABASE closed TO role_4`,
];
const INSIDE = `
  CREATE SCHEMA app AUTHORIZATION role_1;
  CREATE SCHEMA "Big Schema";
  CREATE EXTENSION hstore SCHEMA app;
  CREATE TYPE app.mood AS ENUM ('a', 'b');
  CREATE SEQUENCE app.numbers;
  CREATE FUNCTION app.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION app.f(text, app.mood[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION app.secret() RETURNS int LANGUAGE sql AS 'SELECT 1';
  REVOKE ALL ON FUNCTION app.secret() FROM PUBLIC;
  SELECT lo_create(777);
  GRANT SELECT ON LARGE OBJECT 777 TO role_5;
  GRANT USAGE ON LANGUAGE plpgsql TO role_5;
  GRANT ALL ON SCHEMA public TO role_8 WITH GRANT OPTION;
  ALTER DEFAULT PRIVILEGES FOR ROLE role_1 IN SCHEMA app GRANT SELECT, INSERT ON TABLES TO role_4;
  ALTER DEFAULT PRIVILEGES FOR ROLE role_1 GRANT USAGE ON SEQUENCES TO role_5 WITH GRANT OPTION;
  ALTER DEFAULT PRIVILEGES FOR ROLE role_2 REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
  ALTER DEFAULT PRIVILEGES FOR ROLE role_2 GRANT SELECT ON TABLES TO PUBLIC;`;

function* insideSql(): Iterable<string> {
  yield INSIDE;
  for (let n = 0; n < 12; n += 1) yield `CREATE TABLE app.${quote(`t ${n}`)} (id int, "Name" text)`;
  for (let n = 0; n < 70; n += 1) {
    const to = quote(pick(ROLES, n * 3 + 1));
    const table = `app.${quote(`t ${n % 12}`)}`;
    const words = pick(['SELECT', 'SELECT, INSERT', 'UPDATE, DELETE', 'ALL'], n);
    if (n % 6 === 0) yield `GRANT SELECT (id), UPDATE ("Name") ON ${table} TO ${to}`;
    else
      yield `GRANT ${words} ON ${table} TO ${n % 23 === 0 ? 'PUBLIC' : to} ${n % 5 === 0 && n % 23 !== 0 ? 'WITH GRANT OPTION' : ''}`;
    if (n % 4 === 0) yield `GRANT USAGE ON SCHEMA app TO ${to}; GRANT USAGE ON SEQUENCE app.numbers TO ${to}`;
    if (n % 7 === 0)
      yield `GRANT EXECUTE ON FUNCTION app.f(text, app.mood[]) TO ${to}; GRANT USAGE ON TYPE app.mood TO ${to}`;
  }
}

// The catalogs change between majors, and the import reads them with the statements that all other tests try.
const imported = postgresMajors.filter((major) => ![14, 16, 17].includes(major));

describe.each(imported)('PostgreSQL %i with 50 roles and hundreds of grants', (major) => {
  let server: PostgresServer;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'xdb-import-'));
    server = await startPostgres({ major });
    for (const statement of [...rolesSql(), ...SHARED]) await server.query(statement);
    for (const database of DATABASES) for (const statement of insideSql()) await server.query(statement, [], database);
    if (server.major >= 15) await server.query('GRANT SET ON PARAMETER log_statement TO role_5');
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const xdb = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    await new Promise((resolve) => {
      const url = `postgres://${server.adminUser}@${server.host}:${server.port}/postgres?sslmode=disable`;
      const env = { ...process.env, XDB_PASSWORD: server.password, XDB_SERVER: url };
      const options = { env, cwd: folder, maxBuffer: 1 << 26 };
      execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });
  const file = (name: string): string => join(folder, name);

  /** Everything but comments. */
  async function rights(): Promise<unknown> {
    const inside = async (database: string) =>
      await server.query(
        `SELECT (SELECT json_agg(json_build_array(nspname, nspowner, nspacl) ORDER BY nspname) FROM pg_namespace WHERE nspname !~ '^pg_') AS schemas,
          (SELECT json_agg(json_build_array(oid, relowner, relacl) ORDER BY oid) FROM pg_class WHERE relnamespace <> 'pg_catalog'::regnamespace) AS tables,
          (SELECT json_agg(json_build_array(attrelid, attname, attacl) ORDER BY attrelid, attname) FROM pg_attribute WHERE attacl IS NOT NULL) AS columns,
          (SELECT json_agg(json_build_array(oid, proacl) ORDER BY oid) FROM pg_proc) AS routines,
          (SELECT json_agg(d ORDER BY d::text) FROM pg_default_acl d) AS defaults`,
        [],
        database,
      );
    return [
      await server.query(`SELECT (SELECT json_agg(r ORDER BY rolname) FROM pg_authid r) AS roles,
        (SELECT json_agg(m ORDER BY m::text) FROM pg_auth_members m) AS members,
        (SELECT json_agg(json_build_array(datname, datdba, datacl) ORDER BY datname) FROM pg_database) AS databases`),
      ...(await Promise.all(DATABASES.map(inside))),
    ];
  }

  test('is imported as manifests whose plan is empty, and taken over without a change of any right', async () => {
    const imported = await xdb('import');
    expect(imported).toMatchObject({ code: 0, stderr: '' });
    await writeFile(file('all.yaml'), imported.stdout);
    const manifests = parseAllDocuments(imported.stdout).map((document) => document.toJS() as Managed);
    const count = (kind: string): number => manifests.filter((manifest) => manifest.kind === kind).length;
    expect([count('Role'), count('Database'), count('Extension')]).toEqual([50, 3, 3]);
    expect(count('Schema')).toBe(9);
    expect(count('DefaultPrivileges')).toBe(12);
    expect(count('Grant')).toBeGreaterThan(100);
    expect(imported.stdout).not.toContain('secret-');

    const plan = await xdb('plan', '-f', file('all.yaml'), '--json');
    const { resources } = JSON.parse(plan.stdout) as {
      resources: { name: string; statements: unknown[]; unchangeable: unknown[]; problem?: string }[];
    };
    expect(
      resources.filter((r) => r.statements.length > 0 || r.unchangeable.length > 0 || r.problem !== undefined),
    ).toEqual([]);
    expect(plan.code).toBe(0);
    expect((await xdb('verify', '-f', file('all.yaml'))).code).toBe(0);

    const before = await rights();
    expect(await xdb('apply', '-f', file('all.yaml'))).toMatchObject({ code: 0 });
    expect(await rights()).toEqual(before);
    expect((await xdb('plan', '-f', file('all.yaml'))).code).toBe(0);
  }, 180_000);

  // What follows is the command line's, and the same whatever the version.
  if (major !== newestPostgres()) return;

  test('is verified: what differs, what is missing and what cannot be told', async () => {
    await server.query(`REVOKE CONNECT ON DATABASE closed FROM role_4; ALTER ROLE role_8 CONNECTION LIMIT 3`);
    const role = (name: string, forProvider: object): object => ({
      apiVersion: 'sql.m.xdatabase.dev/v1alpha1',
      kind: 'Role',
      metadata: { name },
      spec: { forProvider },
    });
    const more = [role('new', {}), role('impossible', { memberOf: [{ role: 'impossible' }] })];
    await writeFile(file('more.json'), more.map((object) => JSON.stringify(object)).join('\n---\n'));
    const { code, stdout } = await xdb('verify', '-f', file('all.yaml'), '-f', file('more.json'), '--json');
    const { resources } = JSON.parse(stdout) as { resources: { kind: string; name: string; result: string }[] };
    const others = resources.filter(({ result }) => result !== 'AsDeclared');
    expect(others.map(({ kind, name, result }) => [kind, name.replace(/-\d+$/, ''), result])).toEqual([
      ['Role', 'new', 'Missing'],
      ['Role', 'impossible', 'Unknown'],
      ['Grant', 'role-4-closed', expect.stringMatching(/Missing|Differs/)],
    ]);
    expect(code).toBe(1);
    expect((await xdb('verify', '-f', file('all.yaml'))).code).toBe(2);
    expect((await xdb('apply', '-f', file('all.yaml'))).code).toBe(0);
    expect((await xdb('verify', '-f', file('all.yaml'))).code).toBe(0);
  }, 180_000);

  test('is imported without what a cluster manages already, and that is said', async () => {
    await server.query(`COMMENT ON ROLE role_10 IS 'managed by xdatabase: team-a/ten (0c7d)'`);
    const { stdout, stderr } = await xdb(
      'import',
      '--json',
      '--state',
      file('other.json'),
      '-n',
      'team-b',
      '--provider-config',
      'ProviderConfig/ours',
    );
    const manifests = JSON.parse(stdout) as Managed[];
    expect(manifests.some(({ kind, metadata }) => kind === 'Role' && metadata.name === 'role-10')).toBe(false);
    expect(stderr).toContain('role "role_10" is managed by team-a/ten already: left out');
    expect(manifests[0]).toMatchObject({
      metadata: { namespace: 'team-b' },
      spec: { providerConfigRef: { kind: 'ProviderConfig', name: 'ours' } },
    });
  });
});
