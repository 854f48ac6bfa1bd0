/** What is checked without running the product. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export interface Check {
  name: string;
  package: string;
  /** The program's name in the package's `bin`. */
  program: string;
  args: readonly string[];
}

export const types: Check = { name: 'types', package: 'typescript', program: 'tsc', args: ['--noEmit', '-p', '.'] };

export const lint: Check = {
  name: 'lint',
  package: 'oxlint',
  program: 'oxlint',
  args: ['--type-aware', '--deny-warnings'],
};

export const format: Check = { name: 'format', package: '@biomejs/biome', program: 'biome', args: ['format', '.'] };

export const unused: Check = { name: 'unused', package: 'knip', program: 'knip', args: ['--no-progress'] };

/** The JavaScript file behind a package's program: run by our Node, it needs neither a shell nor the PATH. */
export function programFile(packageName: string, program: string): string {
  const require = createRequire(import.meta.url);
  const file = join(root, 'node_modules', packageName, 'package.json');
  const { bin } = require(file) as { bin: string | Record<string, string> };
  const path = typeof bin === 'string' ? bin : bin[program];
  if (path === undefined) {
    throw new Error(`${packageName} has no program ${program}`);
  }
  return join(dirname(file), path);
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  /** Shows what it says when it has ended, in one piece, so that it does not mix with what runs beside it. */
  isHeld?: boolean;
}

/** Runs a Node program in the repository's root, its output going where ours goes. Its exit code, or 128 and more for a signal. */
export async function runNode(file: string, args: readonly string[], options: RunOptions = {}): Promise<number> {
  const { env = {}, isHeld = false } = options;
  const output = isHeld ? 'pipe' : 'inherit';
  const child = spawn(process.execPath, [file, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', output, output],
  });
  const held: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => held.push(chunk));
  const forward = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  process.once('SIGTERM', forward);
  process.once('SIGINT', forward);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 129));
    });
  } finally {
    process.off('SIGTERM', forward);
    process.off('SIGINT', forward);
    process.stdout.write(Buffer.concat(held));
  }
}

/** Runs the checks one after another, all of them whatever the result; gives the names of those that failed. */
export async function runChecks(checks: readonly Check[]): Promise<string[]> {
  const failed: string[] = [];
  for (const check of checks) {
    const started = Date.now();
    const code = await runNode(programFile(check.package, check.program), check.args);
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${code === 0 ? 'ok    ' : 'FAILED'} ${check.name} (${seconds} s)\n`);
    if (code !== 0) {
      failed.push(check.name);
    }
  }
  return failed;
}
