/** `npm run bench -- NAME`: measurements to be read, never a test that a busy machine could fail. */
import { parseArgs } from 'node:util';
import { BACKUP_ENGINES, type BackupEngine } from '../../provider/backup/contract.ts';
import { compareBackups } from './backup.ts';
import { compareFunctions } from './function.ts';
import { measureOurs } from './ours.ts';
import { compareWithProviderSql } from './provider-sql.ts';

interface BenchOptions {
  resources: number;
  engines: BackupEngine[] | undefined;
  json: boolean;
  profile: string | undefined;
}

interface Bench {
  about: string;
  /** Default of --resources. */
  resources: number;
  run(options: BenchOptions): Promise<void>;
}

const benches: Record<string, Bench> = {
  'provider-sql': {
    about: 'our provider beside provider-sql: --resources Roles and as many Grants (default 500)',
    resources: 500,
    run: compareWithProviderSql,
  },
  ours: {
    about: 'our provider alone with --resources of both kinds (default 10000), and a new one among them',
    resources: 10_000,
    run: measureOurs,
  },
  function: {
    about: 'our function beside function-patch-and-transform: --resources calls of each kind in a round (default 2000)',
    resources: 2000,
    run: compareFunctions,
  },
  backup: {
    about:
      'a backup through the runner beside the bare dump tool of each engine: --resources megabytes of rows (default 2000)',
    resources: 2000,
    run: compareBackups,
  },
};

const usage = (): string =>
  [
    'Usage: npm run bench -- NAME [--resources N] [--engine ENGINE]… [--json] [--profile FOLDER]',
    '',
    ...Object.entries(benches).map(([name, { about }]) => `  ${name.padEnd(14)} ${about}`),
    '',
    `--engine leaves out the others of a backup: ${BACKUP_ENGINES.join(', ')}.`,
    '--json prints the numbers for programs; --profile has our provider write a CPU profile there.',
    '',
  ].join('\n');

class UsageError extends Error {}

function parse(args: string[]): { bench: Bench; options: BenchOptions } {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      resources: { type: 'string' },
      engine: { type: 'string', multiple: true },
      json: { type: 'boolean' },
      profile: { type: 'string' },
    },
  });
  const [name = '', ...others] = positionals;
  const bench = Object.hasOwn(benches, name) ? benches[name] : undefined;
  if (bench === undefined)
    throw new UsageError(name === '' ? 'which bench?' : `there is no bench ${JSON.stringify(name)}`);
  if (others.length > 0) throw new UsageError(`one bench at a time, not also ${others.join(', ')}`);
  const resources = Number(values.resources ?? bench.resources);
  if (!Number.isInteger(resources) || resources < 1)
    throw new UsageError(`--resources must be a whole number above 0, not ${JSON.stringify(values.resources)}`);
  const engines = values.engine?.map((engine) => {
    const known = BACKUP_ENGINES.find((one) => one === engine);
    if (known === undefined) throw new UsageError(`there are no backups of ${JSON.stringify(engine)}`);
    return known;
  });
  return { bench, options: { resources, engines, json: values.json ?? false, profile: values.profile } };
}

async function main(): Promise<number> {
  let chosen: ReturnType<typeof parse>;
  try {
    chosen = parse(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage()}`);
    return 2;
  }
  await chosen.bench.run(chosen.options);
  return 0;
}

// What is still open, a kept-alive connection say, must not keep a finished bench from ending.
process.exit(await main());
