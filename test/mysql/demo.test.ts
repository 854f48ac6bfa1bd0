/** The demo, as a process, for the engines that are not in npm. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

const demo = async (engine: string, env: NodeJS.ProcessEnv = {}) =>
  await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(
      process.execPath,
      [join(root, 'examples/demo/main.ts'), '--engine', engine, '--json'],
      { env: { ...process.env, ...env }, maxBuffer: 1 << 24 },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });

interface Document {
  ok: boolean;
  server: string;
  secondPlanStatements: number;
  resources: { ready: boolean }[];
  proofs: { ok: boolean }[];
}

test.each(['mysql', 'mariadb'])(
  'the demo with %s makes everything ready, proves what each role may, and has nothing left to do',
  async (engine) => {
    const { code, stdout } = await demo(engine);
    expect(code).toBe(0);
    const document = JSON.parse(stdout) as Document;
    expect(document).toMatchObject({ ok: true, secondPlanStatements: 0 });
    expect(document.server.toLowerCase()).toContain(engine);
    expect(document.resources).toHaveLength(7);
    expect(document.proofs).toHaveLength(12);
    expect(document.proofs.every(({ ok }) => ok)).toBe(true);
    expect(stdout).not.toMatch(/\$A\$005\$|USING '(?!\*\*\*)|AS 0x/);
  },
);

test('without the server the demo says what is missing', async () => {
  const cache = await mkdtemp(join(tmpdir(), 'xdatabase-empty-'));
  try {
    const { code, stderr } = await demo('mysql', { XDG_CACHE_HOME: cache, PATH: '/nowhere' });
    expect(code).toBe(2);
    expect(stderr).toMatch(/demo: mysql cannot be had on this machine: .*apt-get is not there/);
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
});

test('an unknown engine is named, with those that are known', async () => {
  const { code, stderr } = await demo('oracle');
  expect(code).toBe(2);
  expect(stderr).toContain('engine "oracle" is not in this release; use postgres or mysql or mariadb');
});
