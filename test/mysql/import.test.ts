/** A server that people have used for years, taken over as it is. Each has a server of its own: all that is there counts. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import type { Managed } from '../../provider/api/kind.ts';
import { type MysqlServer, startMariadb, startMysql } from '../rig/mysql.ts';
import { builtProgram } from '../rig/servers.ts';
import { name, text } from './planned.ts';

const main = builtProgram('xdb');

const DATABASES = ['shop', 'my_db', 'Odd `db` 100%', 'vacant'];
/** User and host. */
const ACCOUNTS: readonly (readonly [string, string])[] = [
  ['app', '%'],
  ['app', '10.0.0.0/255.255.255.0'],
  ['report', 'localhost'],
  ["o'neil", '%'],
  ['mail@corp.com', '%'],
  ['Case', '::1'],
  ['case', '%'],
];
const account = ([user, host]: readonly [string, string]): string => `${text(user)}@${text(host)}`;
const [app, local, report, neil, mail, upper, lower] = ACCOUNTS.map(account) as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
];

function statements(isMariadb: boolean): string[] {
  const role = (of: string): string => (isMariadb ? text(of) : `${text(of)}@'%'`);
  return [
    ...DATABASES.map((database) => `CREATE DATABASE ${name(database)} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`),
    'ALTER DATABASE vacant CHARACTER SET latin1',
    ...DATABASES.slice(0, 3).flatMap((database) => [
      `CREATE TABLE ${name(database)}.${name('t one')} (id int, ${name('Na,me')} text)`,
      `CREATE TABLE ${name(database)}.gone (id int)`,
      `CREATE PROCEDURE ${name(database)}.p() SELECT 1`,
      `CREATE FUNCTION ${name(database)}.p() RETURNS int DETERMINISTIC RETURN 1`,
    ]),
    ...ACCOUNTS.map((one, n) => `CREATE USER ${account(one)} IDENTIFIED BY 'Secret-${n}'`),
    `ALTER USER ${app} WITH MAX_USER_CONNECTIONS 5 MAX_QUERIES_PER_HOUR 100`,
    `ALTER USER ${local} REQUIRE SUBJECT '/CN=app' AND ISSUER '/CN=ca'`,
    `ALTER USER ${report} ACCOUNT LOCK PASSWORD EXPIRE INTERVAL 90 DAY`,
    `ALTER USER ${neil} REQUIRE X509`,
    `CREATE ROLE ${role('readers')}, ${role('writers')}`,
    `GRANT SELECT ON shop.* TO ${role('readers')}`,
    `GRANT ${role('readers')} TO ${role('writers')}`,
    `GRANT ${role('readers')} TO ${app}`,
    `GRANT ${role('writers')} TO ${report} WITH ADMIN OPTION`,
    isMariadb ? `SET DEFAULT ROLE 'writers' FOR ${report}` : `SET DEFAULT ROLE ${role('writers')} TO ${report}`,
    `GRANT PROCESS, RELOAD ON *.* TO ${app}`,
    `GRANT SELECT ON *.* TO ${mail} WITH GRANT OPTION`,
    ...(isMariadb
      ? [`GRANT SELECT ON ${name('shop')}.gone TO PUBLIC`]
      : [`GRANT BACKUP_ADMIN ON *.* TO ${app}`, `GRANT AUDIT_ABORT_EXEMPT ON *.* TO ${lower} WITH GRANT OPTION`]),
    `GRANT ALL ON shop.* TO ${app} WITH GRANT OPTION`,
    `GRANT SELECT, INSERT ON ${name(String.raw`my\_db`)}.* TO ${local}`,
    // As people write it: a pattern of several.
    `GRANT SELECT ON my_db.* TO ${lower}`,
    `GRANT SELECT ON ${name('test%')}.* TO ${lower}`,
    `GRANT DELETE ON ${name('test%')}.* TO ${upper}`,
    `GRANT ALL ON ${name(String.raw`Odd ${'`'}db${'`'} 100\%`)}.* TO ${neil}`,
    `GRANT USAGE ON vacant.* TO ${upper} WITH GRANT OPTION`,
    ...DATABASES.slice(0, 3).flatMap((database) => [
      `GRANT SELECT, UPDATE ON ${name(database)}.${name('t one')} TO ${mail}`,
      `GRANT INSERT (id), UPDATE (id, ${name('Na,me')}) ON ${name(database)}.${name('t one')} TO ${neil}`,
      `GRANT ALL ON ${name(database)}.gone TO ${lower} WITH GRANT OPTION`,
      `GRANT EXECUTE ON PROCEDURE ${name(database)}.p TO ${lower}`,
      `GRANT EXECUTE, ALTER ROUTINE ON FUNCTION ${name(database)}.p TO ${report} WITH GRANT OPTION`,
    ]),
    'GRANT SELECT ON shop.gone TO ' + upper,
    'DROP TABLE my_db.gone',
    ...(isMariadb ? [`GRANT PROXY ON ${app} TO ${report}`] : []),
  ];
}

describe.each([
  ['MySQL 9.7', async () => await startMysql({ settings: { 'max-connections': '50' } })],
  ['MariaDB 10.11', async () => await startMariadb('10.11', { settings: { 'max-connections': '50' } })],
  ['MariaDB 11.8', async () => await startMariadb('11.8', { settings: { 'max-connections': '50' } })],
] as const)('%s with accounts, roles and grants of all kinds', (_, start) => {
  let server: MysqlServer;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'xdb-import-'));
    server = await start();
    // What the server's own account of the tests has for all.
    if (server.flavour === 'mariadb') await server.query("GRANT PROXY ON ''@'%' TO 'root'@'%' WITH GRANT OPTION");
    for (const statement of statements(server.flavour === 'mariadb')) await server.query(statement);
  });
  afterAll(async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const xdb = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    await new Promise((resolve) => {
      const url = `${server.flavour}://${server.adminUser}@${server.host}:${server.port}/?sslmode=disable`;
      const env = { ...process.env, XDB_PASSWORD: server.password, XDB_SERVER: url };
      const options = { env, cwd: folder, maxBuffer: 1 << 26 };
      execFile(process.execPath, [main, ...args], options, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });

  /** Everything that the grant tables hold, but who gave it and when. */
  async function rights(): Promise<string> {
    const accounts =
      server.flavour === 'mariadb' ? 'SELECT User, Host, Priv FROM mysql.global_priv' : 'SELECT * FROM mysql.user';
    const edges =
      server.flavour === 'mariadb'
        ? ['SELECT * FROM mysql.roles_mapping']
        : ['SELECT * FROM mysql.role_edges', 'SELECT * FROM mysql.default_roles', 'SELECT * FROM mysql.global_grants'];
    const tables = [
      accounts,
      ...edges,
      ...['db', 'tables_priv', 'columns_priv', 'procs_priv'].map((of) => `SELECT * FROM mysql.${of}`),
    ];
    const all: unknown[] = [];
    for (const table of tables)
      all.push(
        (await server.query(table)).map((row) => JSON.stringify({ ...row, Timestamp: 0, Grantor: '' })).toSorted(),
      );
    return JSON.stringify(all, undefined, 1);
  }

  test('is imported as manifests whose plan is empty, and taken over without a change of any right', {
    timeout: 180_000,
  }, async () => {
    const imported = await xdb('import');
    expect(imported).toMatchObject({ code: 0, stderr: '' });
    const file = join(folder, 'all.yaml');
    await writeFile(file, imported.stdout);
    const manifests = parseAllDocuments(imported.stdout).map((document) => document.toJS() as Managed);
    const count = (kind: string): number => manifests.filter((manifest) => manifest.kind === kind).length;
    expect([count('Role'), count('Database')]).toEqual([ACCOUNTS.length + 2, DATABASES.length]);
    expect(count('Grant')).toBeGreaterThan(20);
    expect(imported.stdout).not.toMatch(/Secret-\d|\$A\$|\*[0-9A-F]{40}/);
    for (const own of ['mysql.sys', 'mariadb.sys', 'root']) expect(imported.stdout).not.toContain(own);

    const plan = await xdb('plan', '-f', file, '--json');
    const { resources } = JSON.parse(plan.stdout) as {
      resources: { name: string; statements: unknown[]; unchangeable: unknown[]; problem?: string }[];
    };
    expect(
      resources.filter((r) => r.statements.length > 0 || r.unchangeable.length > 0 || r.problem !== undefined),
    ).toEqual([]);
    expect(plan.code).toBe(0);
    expect((await xdb('verify', '-f', file)).code).toBe(0);

    const before = await rights();
    expect(await xdb('apply', '-f', file)).toMatchObject({ code: 0 });
    expect(await rights()).toBe(before);
    expect((await xdb('plan', '-f', file)).code).toBe(0);
  });

  test('what somebody takes away by hand afterwards is seen', { timeout: 180_000 }, async () => {
    await server.query(`REVOKE UPDATE ON shop.${name('t one')} FROM ${mail}`);
    await server.query(`REVOKE SELECT ON my_db.* FROM ${lower}`);
    const { code, stdout } = await xdb('verify', '-f', join(folder, 'all.yaml'), '--json');
    const found = JSON.parse(stdout) as { resources: { kind: string; name: string; result: string }[] };
    const others = found.resources.filter(({ result }) => result !== 'AsDeclared');
    expect(others.map(({ kind }) => kind)).toEqual(['Grant', 'Grant']);
    expect(code).toBe(2);
  });
});
