/** The benches share their servers with the tests, and run outside of them. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../rig/checks.ts';

test('`npm run bench` starts without a test runner, and says what it can measure', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'test/bench/main.ts')], { encoding: 'utf8' });
  expect(stderr).toContain('Usage: npm run bench -- NAME');
  expect(status).toBe(2);
});
