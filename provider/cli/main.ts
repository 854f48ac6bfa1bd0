#!/usr/bin/env node
/** xdb: plan and apply claims and managed resources on a server, without a cluster. */
import { Command, InvalidArgumentError } from 'commander';
import { apply, type CommandOptions, EXIT, plan } from './commands.ts';
import { terminal } from './output.ts';

const collect = (value: string, all: string[] | undefined): string[] => [...(all ?? []), value];

function server(value: string): string {
  if (/^[a-z]+:\/\/[^/@]*:[^/@]+@/.test(value))
    process.stderr.write(
      'xdb: other users of this machine can see a password in the command line; give it in XDB_PASSWORD instead\n',
    );
  if (!value.includes('://')) throw new InvalidArgumentError('write postgres://user@host:port/database');
  return value;
}

const program = new Command('xdb')
  .description('Databases, roles and grants on an existing server, from the claims that a cluster would get.')
  .showHelpAfterError()
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? EXIT.done : 2);
  });

for (const [name, run, description] of [
  ['plan', plan, 'Print the SQL that would be run. Exit code 0: nothing would change, 2: something would, 1: failed.'],
  ['apply', apply, 'Make the server what the manifests say. Exit code 0: everything is ready, 1: something is not.'],
] as const)
  program
    .command(name)
    .description(description)
    .requiredOption(
      '-f, --filename <file>',
      'file or folder with claims, composites, managed resources and Secrets; - is standard input (repeatable)',
      collect,
    )
    .option(
      '--server <url>',
      'postgres://user@host:port/database?sslmode=verify-full&sslrootcert=FILE (default: $XDB_SERVER)',
      server,
    )
    .option('--state <file>', 'where generated passwords and what was applied are kept', '.xdatabase/state.json')
    .option('--json', 'print JSON')
    .action(async (options: CommandOptions) => {
      const url = options.server ?? process.env['XDB_SERVER'];
      if (url === undefined) throw new Error('--server or XDB_SERVER is required');
      process.exitCode = await run({ ...options, server: url }, terminal(process.stdout, process.stderr));
    });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`xdb: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = EXIT.failed;
}
// Sessions that are still saying goodbye must not keep the shell waiting.
process.stdout.write('', () => {
  process.exit();
});
