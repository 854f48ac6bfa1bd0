/** The command line and the demo, as processes, at a real server. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newestPostgres, sharedPostgres } from '../rig/servers.ts';

const root = join(import.meta.dirname, '../..');
const server = sharedPostgres(newestPostgres());
let folder: string;
let claim: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xdb-'));
  claim = join(folder, 'claim.yaml');
  const example = await readFile(join(root, 'examples/claim.yaml'), 'utf8');
  await writeFile(claim, example.replace('spec:\n', 'spec:\n  databaseName: xdb_orders\n'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

const run = async (file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> =>
  await new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, file), ...args],
      { env: { ...process.env, ...env }, maxBuffer: 1 << 24 },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });

const xdb = async (command: string, ...args: string[]): Promise<Result> =>
  await run(
    'provider/cli/main.ts',
    [
      command,
      '-f',
      claim,
      '--state',
      join(folder, 'state.json'),
      '--server',
      `postgres://${server.adminUser}@${server.host}:${server.port}/postgres?sslmode=disable`,
      ...args,
    ],
    { XDB_PASSWORD: server.password },
  );

describe('xdb', () => {
  test('plan prints the SQL of the whole claim, exits 2 and leaves no trace', async () => {
    const { code, stdout } = await xdb('plan');
    expect(code).toBe(2);
    expect(stdout).toContain('CREATE DATABASE "xdb_orders" OWNER "xdb_orders_owner"');
    expect(stdout).toContain("PASSWORD '***'");
    expect(await server.query("SELECT FROM pg_roles WHERE rolname LIKE 'xdb_orders%'")).toEqual([]);
    await expect(stat(join(folder, 'state.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('apply makes it so, and the plan after it is empty', async () => {
    const applied = await xdb('apply', '--json');
    expect(applied.code).toBe(0);
    const { resources } = JSON.parse(applied.stdout) as { resources: { ready: boolean; synced: boolean }[] };
    expect(resources.length).toBeGreaterThan(10);
    expect(resources.every(({ ready, synced }) => ready && synced)).toBe(true);
    const plan = await xdb('plan', '--json');
    expect(plan.code).toBe(0);
    expect(JSON.parse(plan.stdout)).toMatchObject({ changes: 0 });
  });

  test('the state, which holds passwords, is for its owner only', async () => {
    expect((await stat(join(folder, 'state.json'))).mode & 0o077).toBe(0);
  });

  test('hand-made drift is planned with exactly the SQL that mends it', async () => {
    await server.query(
      'REVOKE USAGE ON SCHEMA app FROM xdb_orders_writers; GRANT SELECT ON ALL TABLES IN SCHEMA app TO xdb_orders_writers',
      [],
      'xdb_orders',
    );
    const plan = await xdb('plan', '--json');
    expect(plan.code).toBe(2);
    const { resources } = JSON.parse(plan.stdout) as {
      resources: { statements: { text: string; database: string }[] }[];
    };
    expect(resources.flatMap(({ statements }) => statements)).toEqual([
      { text: 'GRANT USAGE ON SCHEMA "app" TO "xdb_orders_writers"', database: 'xdb_orders' },
    ]);
    expect((await xdb('apply')).code).toBe(0);
    expect((await xdb('plan')).code).toBe(0);
  });

  test.each([
    [['plan', '-f', '/does/not/exist.yaml', '--server', 'postgres://x@127.0.0.1:1/x'], 1, /no such file/],
    [['plan', '-f', 'claim', '--server', 'nonsense'], 2, /postgres:\/\/user@host/],
    [['plan'], 2, /--filename/],
    [['nonsense'], 2, /unknown command/],
  ])('%j exits %i and says what is wrong', async (args, code, text) => {
    const result = await run('provider/cli/main.ts', args);
    expect(result.code).toBe(code);
    expect(result.stderr).toMatch(text);
  });

  test('a wrong password is told from other failures and shown nowhere', async () => {
    const { code, stdout, stderr } = await run(
      'provider/cli/main.ts',
      [
        'plan',
        '-f',
        claim,
        '--server',
        `postgres://${server.adminUser}@${server.host}:${server.port}/postgres?sslmode=disable`,
      ],
      { XDB_PASSWORD: 'not-the-password' },
    );
    expect(code).toBe(1);
    expect(stderr).toMatch(/password authentication failed.*\(28P01\)/);
    expect(stdout + stderr).not.toContain('not-the-password');
  });
});

test('the demo ends with 0, and proves that the app writes into later tables and creates none', async () => {
  const { code, stdout } = await run('examples/demo/main.ts', ['--json']);
  expect(code).toBe(0);
  const { ok, proofs, secondPlanStatements, connections } = JSON.parse(stdout) as {
    ok: boolean;
    secondPlanStatements: number;
    proofs: { role: string; what: string; allowed: boolean; ok: boolean }[];
    connections: { uri: string }[];
  };
  expect({ ok, secondPlanStatements }).toEqual({ ok: true, secondPlanStatements: 0 });
  const app = proofs.filter(({ role }) => role === 'orders_app');
  expect(app).toContainEqual(
    expect.objectContaining({ what: 'INSERT into a table that the owner made afterwards', allowed: true, ok: true }),
  );
  expect(app).toContainEqual(expect.objectContaining({ what: 'SELECT from it', allowed: true, ok: true }));
  expect(app).toContainEqual(expect.objectContaining({ what: 'CREATE TABLE', allowed: false, ok: true }));
  expect(connections.every(({ uri }) => uri.includes(':***@'))).toBe(true);
});
