/** The claim of the example and the demo, unchanged but for the engine, as processes. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../..');

test('the demo says that CockroachDB is simulated, ends with 0, and proves what each role may do', async () => {
  const { code, stdout } = await new Promise<{ code: number; stdout: string }>((resolve) => {
    const file = join(root, 'examples/demo/main.ts');
    execFile(process.execPath, [file, '--json', '--engine', 'cockroachdb'], { maxBuffer: 1 << 24 }, (error, out) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout: out });
    });
  });
  expect(code).toBe(0);
  const { ok, server, proofs, plan, secondPlanStatements } = JSON.parse(stdout) as {
    ok: boolean;
    server: string;
    plan: { text: string }[];
    secondPlanStatements: number;
    proofs: { role: string; what: string; allowed: boolean; ok: boolean }[];
  };
  expect({ ok, secondPlanStatements }).toEqual({ ok: true, secondPlanStatements: 0 });
  expect(server).toMatch(/^CockroachDB 26\.2\.\d+ \(simulated: /);
  expect(plan.map(({ text }) => text)).toContain('REVOKE CONNECT ON DATABASE "ledger" FROM public');
  const app = proofs.filter(({ role }) => role === 'ledger_app');
  expect(app).toContainEqual(
    expect.objectContaining({ what: 'INSERT into a table that the owner made afterwards', allowed: true, ok: true }),
  );
  expect(app).toContainEqual(expect.objectContaining({ what: 'CREATE TABLE', allowed: false, ok: true }));
});
