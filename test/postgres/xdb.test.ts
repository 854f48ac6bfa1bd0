/** The command line and the demo, as processes, at a real server. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { filledIn, paste, shellBlocks } from '../rig/pages.ts';
import { waitFor } from '../rig/process.ts';
import { builtProgram, newestPostgres, sharedPostgres } from '../rig/servers.ts';

const root = join(import.meta.dirname, '../..');
const server = sharedPostgres(newestPostgres());
const url = `postgres://${server.adminUser}@${server.host}:${server.port}/postgres?sslmode=disable`;
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

const XDB = builtProgram('xdb');

/** A file of the project, or one of its programs. */
const run = async (file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> =>
  await new Promise((done) => {
    execFile(
      process.execPath,
      [resolve(root, file), ...args],
      { cwd: root, env: { ...process.env, ...env }, maxBuffer: 1 << 24 },
      (error, stdout, stderr) => {
        done({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });

const xdb = async (command: string, ...args: string[]): Promise<Result> =>
  await run(XDB, [command, '-f', claim, '--state', join(folder, 'state.json'), '--server', url, ...args], {
    XDB_PASSWORD: server.password,
  });

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
    [['plan', '-f', 'examples/claim.yaml'], 2, /--server or XDB_SERVER/],
    [['plan', '-f', 'examples/claim.yaml', '--server', 'oracle://x@y/z'], 2, /oracle:\/\/ is not known/],
    [['plan', '-f', 'examples/claim.yaml', '--server', 'postgres://a%@h/z'], 2, /%25/],
    [['plan', '-f', 'package.json', '--server', 'postgres://x@127.0.0.1:1/x'], 1, /apiVersion, kind and metadata.name/],
    [['plan', '-f', 'LICENSE', '--server', 'postgres://x@127.0.0.1:1/x'], 1, /LICENSE/],
    [
      ['plan', '-f', 'docs/kinds', '--server', 'postgres://x@127.0.0.1:1/x'],
      1,
      /docs\/kinds: there is no manifest in it/,
    ],
    [['plan', '-f', 'examples/claim.yaml', '-f', 'examples/claim.yaml'], 1, /orders-role-owner is given twice/],
    [['status', '--kubeconfig', '/does/not/exist'], 1, /\/does\/not\/exist/],
    [['restore', '--from', '/tmp'], 2, /--server or XDB_SERVER/],
    [['completions', 'tcsh'], 2, /bash, zsh, fish/],
  ])('%j exits %i and says what is wrong', async (args, code, text) => {
    // Two claims of one name are looked at before the server is.
    const env =
      code === 1 && args[0] === 'plan' && !args.includes('--server') ? { XDB_SERVER: 'postgres://x@h/x' } : {};
    const result = await run(XDB, args, env);
    expect(result.code).toBe(code);
    expect(result.stderr).toMatch(text);
    expect(result.stdout).toBe('');
  });

  test('a claim is what the Composition beside it makes of it; what only a cluster makes is named', async () => {
    const { code, stdout, stderr } = await run(
      XDB,
      [
        'plan',
        '-f',
        'examples/platform/large.yaml',
        '-f',
        'examples/platform/composition.yaml',
        '-f',
        'examples/platform/definition.yaml',
        '--server',
        url,
        '--json',
      ],
      { XDB_PASSWORD: server.password },
    );
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
    const { resources, leftOut } = JSON.parse(stdout) as {
      resources: { statements: { text: string }[] }[];
      leftOut: { kind: string }[];
    };
    expect(resources.flatMap(({ statements }) => statements.map(({ text }) => text)).join('\n')).toContain(
      'CREATE ROLE "team_b_ledger_deploy"',
    );
    expect(leftOut.map(({ kind }) => kind)).toEqual(['BackupSchedule']);
  });

  test('a claim of which there is no Composition, though it needs one, is refused with what is missing', async () => {
    const { code, stderr } = await run(XDB, ['plan', '-f', 'examples/platform/store.yaml', '--server', url]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Store cart: this kind cannot be planned.*XRD and Composition/);
  });

  test('a wrong password is told from other failures and shown nowhere', async () => {
    const { code, stdout, stderr } = await run(XDB, ['plan', '-f', claim, '--server', url], {
      XDB_PASSWORD: 'not-the-password',
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /password authentication failed.*\(28P01\); check user name and password in --server and XDB_PASSWORD/,
    );
    expect(stdout + stderr).not.toContain('not-the-password');
  });
});

describe('the state file', () => {
  let folder: string;
  let claim: string;
  const args = (command: string, state: string) => [command, '-f', claim, '--state', state, '--server', url];
  const env = { XDB_PASSWORD: server.password };
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'xdb-state-'));
    claim = join(folder, 'claim.yaml');
    const example = await readFile(join(root, 'examples/claim.yaml'), 'utf8');
    await writeFile(claim, example.replace('spec:\n', 'spec:\n  databaseName: xdb_state\n'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test('has one writer at a time; an apply that is interrupted is ended by the next, with Secrets that log in', async () => {
    const state = join(folder, 'state.json');
    const child = spawn(process.execPath, [XDB, ...args('apply', state)], {
      env: { ...process.env, ...env },
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    await waitFor('something was made', async () => (await readFile(state, 'utf8')).includes('"uid"'));
    child.kill('SIGSTOP');
    const second = await run(XDB, args('apply', state), env);
    child.kill('SIGCONT');
    child.kill('SIGINT');
    await ended;
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toContain(`process ${child.pid}`);

    const third = await run(XDB, args('apply', state), env);
    expect({ code: third.code, stderr: third.stderr }).toEqual({ code: 0, stderr: '' });
    expect((await run(XDB, args('plan', state), env)).code).toBe(0);
    const { secrets } = JSON.parse(await readFile(state, 'utf8')) as {
      secrets: Record<string, Record<string, string>>;
    };
    const logins = Object.values(secrets).map(({ username = '', password = '' }) => ({
      name: Buffer.from(username, 'base64').toString(),
      password: Buffer.from(password, 'base64').toString(),
    }));
    expect(logins.map(({ name }) => name).toSorted()).toEqual([
      'xdb_state_app',
      'xdb_state_migrate',
      'xdb_state_report',
    ]);
    for (const login of logins)
      expect(await server.queryAs(login, 'xdb_state', 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test.each(['{', '[]', '{"objects":{"Role/a/b":3},"secrets":{}}'])(
    'that holds %s is refused before anything is sent, and stays as it is',
    async (text) => {
      const state = join(folder, 'broken.json');
      await writeFile(state, text);
      const { code, stderr } = await run(XDB, args('apply', state), env);
      expect(code).toBe(1);
      expect(stderr).toMatch(/broken\.json is not one that xdb has written/);
      expect(await readFile(state, 'utf8')).toBe(text);
    },
  );

  test('in a place where nothing can be written is refused before anything is sent', async () => {
    const { code, stdout, stderr } = await run(XDB, args('apply', join(claim, 'state.json')), env);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/state\.json cannot be written: ENOTDIR|EEXIST/);
  });
});

test('what the quick start does on a server of yours is done by the program that the build makes', async () => {
  const place = join(folder, 'checkout');
  await mkdir(join(place, 'examples'), { recursive: true });
  await symlink(dirname(XDB), join(place, 'dist'));
  const [, own = ''] = shellBlocks('docs/quick-start.md', 'Without a cluster');
  const block = filledIn(own, [
    ['npm run build\n', ''],
    ['postgres://admin@db.example.org:5432/postgres', url],
    ["XDB_PASSWORD='…'", `XDB_PASSWORD='${server.password}'`],
    // It exits with 2, as there is something to do.
    ['plan -f examples/claim.yaml', 'plan -f examples/claim.yaml || [ $? = 2 ]'],
  ]);
  await writeFile(
    join(place, 'examples/claim.yaml'),
    (await readFile(claim, 'utf8')).replace('xdb_orders', 'quick_start'),
  );
  const said = await paste(block, place, { PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` });
  expect(said).toContain('CREATE DATABASE "quick_start"');
  expect(await server.query("SELECT datname FROM pg_database WHERE datname = 'quick_start'")).toHaveLength(1);
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
