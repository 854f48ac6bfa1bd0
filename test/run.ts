/**
 * `npm test`: the checks, then every test project. With arguments, which go to vitest, it runs only what they ask for and
 * says what it left out.
 */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary, NotAvailableError } from './rig/binaries.ts';
import { format, lint, programFile, runChecks, runNode, types } from './rig/checks.ts';
import { debianTools } from './rig/debian.ts';
import { inLanes, WORKERS_VARIABLE } from './rig/lanes.ts';
import { toolPath } from './rig/tool-path.ts';
import { postgresBinaries } from './rig/postgres-binaries.ts';
import { buildPrograms, PROGRAMS_VARIABLE } from './rig/programs.ts';
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

const programsIn = (folder: string): string => join(folder, 'programs');

async function runProject(
  project: Project,
  args: readonly string[],
  folder: string,
  workers: number,
  isHeld: boolean,
): Promise<Count> {
  const file = join(folder, `${project.name}.json`);
  const vitest = ['run', '--project', project.name, '--passWithNoTests'];
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const env = {
    [WORKERS_VARIABLE]: process.env[WORKERS_VARIABLE] ?? String(workers),
    [PROGRAMS_VARIABLE]: process.env[PROGRAMS_VARIABLE] ?? programsIn(folder),
    // Every test file and every program that one starts would compile the same packages again.
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(folder, 'compiled'),
    // The servers written in Go live for minutes: memory that is collected less often costs them less of the two cores.
    GOGC: process.env['GOGC'] ?? '400',
  };
  const code = await runNode(programFile('vitest', 'vitest'), [...vitest, ...reporters, ...args], { env, isHeld });
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return count(text === undefined ? undefined : (JSON.parse(text) as Report), code);
}

/** Why it cannot be run, if so: a count of its own. */
async function whyNot(project: Project): Promise<{ count: Count; why: string } | undefined> {
  try {
    await prepare(project);
    return undefined;
  } catch (error) {
    const isMissing = error instanceof NotAvailableError;
    const none = { passed: 0, failed: 0, skipped: 0 };
    return {
      count: isMissing ? { ...none, skipped: 1 } : { ...none, failed: 1 },
      why: `${isMissing ? 'skipped' : 'failed'}: ${messageOf(error)}`,
    };
  }
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
    // First all that is missing: what is built takes every core.
    const missing = new Map<Project, { count: Count; why: string }>();
    for (const project of wanted) {
      const reason = await whyNot(project);
      if (reason !== undefined) missing.set(project, reason);
    }
    const ready = wanted.filter((project) => !missing.has(project));
    if (ready.some(({ setup }) => setup.includes('programs'))) {
      // Programs of tests run as other users too.
      await chmod(folder, 0o755);
      await buildPrograms(programsIn(folder));
    }
    const counts = await inLanes(
      ready,
      async (project, workers, isBeside) => await runProject(project, rest, folder, workers, isBeside),
    );
    for (const project of wanted) {
      const reason = missing.get(project);
      const result = reason?.count ?? counts[ready.indexOf(project)]!;
      total.passed += result.passed;
      total.failed += result.failed;
      total.skipped += result.skipped;
      const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
      const text = reason?.why ?? `${result.passed} passed, ${result.failed} failed${skipped}`;
      summary.push(`  ${project.name.padEnd(12)} ${text}`);
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
