/**
 * `npm test`: the checks, then every test project. With arguments, which go to vitest, it runs only what they ask for and
 * says what it left out.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary, NotAvailableError } from './rig/binaries.ts';
import { format, lint, programFile, runChecks, runNode, types } from './rig/checks.ts';
import { debianTools } from './rig/debian.ts';
import { toolPath } from './rig/tool-path.ts';
import { postgresBinaries } from './rig/postgres-binaries.ts';
import { type Project, projects } from './rig/projects.ts';
import { type Count, count, parseArguments, type Report } from './rig/report.ts';

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Builds what is missing now, so that no test's time runs out over it. */
async function prepare({ needs }: Project): Promise<void> {
  for (const name of needs.binaries) {
    await binary(name);
  }
  for (const major of process.env['XDB_TEST_POSTGRES_URL'] ? [] : needs.postgres) {
    await postgresBinaries(major);
  }
  if (needs.backupTools) await toolPath('postgresql-18');
  if (needs.mysql) {
    if (!process.env['XDB_TEST_MYSQL_URL']) await debianTools('mysql-9.7');
    if (!process.env['XDB_TEST_MARIADB_URL']) {
      await debianTools('mariadb-10.11');
      await debianTools('mariadb-11.8');
    }
  }
}

async function runProject(project: Project, args: readonly string[], folder: string): Promise<Count> {
  const file = join(folder, `${project.name}.json`);
  const vitest = ['run', '--project', project.name, '--passWithNoTests'];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const code = await runNode(programFile('vitest', 'vitest'), [...vitest, ...reporters, ...args]);
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return count(text === undefined ? undefined : (JSON.parse(text) as Report), code);
}

async function main(args: readonly string[]): Promise<Count> {
  const { chosen, rest } = parseArguments(args);
  const total: Count = { passed: 0, failed: 0, skipped: 0 };
  const unknown = chosen.filter((name) => !projects.some((project) => project.name === name));
  if (unknown.length > 0) {
    say(`no such project: ${unknown.join(', ')}; there are ${projects.map(({ name }) => name).join(', ')}`);
    return { ...total, failed: unknown.length };
  }
  const checks = [types, lint, format];
  const isCi = process.env['CI'] === 'true';
  const wanted = projects.filter(({ name, onRequest }) =>
    chosen.length === 0 ? isCi || onRequest !== true : chosen.includes(name),
  );
  if (args.length === 0) {
    total.failed += (await runChecks(checks)).length;
  } else {
    const others = projects.filter((project) => !wanted.includes(project));
    const left = [...checks.map(({ name }) => `check ${name}`), ...others.map(({ name }) => `project ${name}`)];
    say(`left out, as there are arguments: ${left.join(', ')}`);
  }

  const summary: string[] = [];
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-test-'));
  try {
    for (const project of wanted) {
      try {
        await prepare(project);
      } catch (error) {
        const missing = error instanceof NotAvailableError;
        total[missing ? 'skipped' : 'failed']++;
        summary.push(`  ${project.name.padEnd(12)} ${missing ? 'skipped' : 'failed'}: ${messageOf(error)}`);
        continue;
      }
      const result = await runProject(project, rest, folder);
      total.passed += result.passed;
      total.failed += result.failed;
      total.skipped += result.skipped;
      const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
      summary.push(`  ${project.name.padEnd(12)} ${result.passed} passed, ${result.failed} failed${skipped}`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  say(`\n${summary.join('\n')}`);
  if (total.passed + total.failed + total.skipped === 0) {
    say('no test was found');
    total.failed++;
  }
  if (total.skipped > 0 && isCi) {
    say(`${total.skipped} skipped, which counts as failed where CI=true`);
    total.failed += total.skipped;
  }
  return total;
}

let total: Count;
try {
  total = await main(process.argv.slice(2));
} catch (error) {
  say(messageOf(error));
  total = { passed: 0, failed: 1, skipped: 0 };
}
say(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
