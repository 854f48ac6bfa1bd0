/** The commands of xdb, their options and their exit codes. */
import { Argument, Command, InvalidArgumentError } from 'commander';
import release from '../../package.json' with { type: 'json' };
import { ServerUrlError } from '../local/server-url.ts';
import { addBackupCommands } from './backup-program.ts';
import { apply, type CommandOptions, EXIT, plan, verify } from './commands.ts';
import { completionScript, SHELLS, type Shell } from './completions.ts';
import { convertCommand, type ConvertCommandOptions } from './convert-command.ts';
import { importCommand, type ImportCommandOptions } from './import-command.ts';
import { terminal } from './output.ts';
import { status, type StatusOptions } from './status.ts';

const collect = (value: string, all: string[] | undefined): string[] => [...(all ?? []), value];

function server(value: string): string {
  if (/^[a-z]+:\/\/[^/@]*:[^/@]+@/.test(value))
    process.stderr.write(
      'xdb: other users of this machine can see a password in the command line; give it in XDB_PASSWORD instead\n',
    );
  if (!value.includes('://')) throw new InvalidArgumentError('write postgres://user@host:port/database');
  return value;
}

const SERVER_HELP = 'postgres://user@host:port/database?sslmode=verify-full&sslrootcert=FILE (default: $XDB_SERVER)';
const STATE_FILE = '.xdatabase/state.json';

function withServer<T extends { server?: string }>(options: T): T & { server: string } {
  const url = options.server ?? process.env['XDB_SERVER'];
  if (url === undefined) throw new ServerUrlError('--server or XDB_SERVER is required');
  return { ...options, server: url };
}

const output = () => terminal(process.stdout, process.stderr);

const EXIT_CODES = `
Exit codes of every command:
  0  done; nothing to change; everything ready
  1  failed, or something could not be done; the message says what
  2  plan: something would change; verify: something differs; status: something is not ready; any command: wrong usage`;

export function xdb(): Command {
  const program = new Command('xdb')
    .description('Databases, roles and grants on an existing server, from the claims that a cluster would get.')
    .version(release.version)
    .showHelpAfterError()
    .addHelpText('after', EXIT_CODES);
  addServerCommands(program);
  addBackupCommands(program, server, output);
  program
    .command('import')
    .description(
      'Print manifests for the roles, databases, schemas, extensions and rights that a server has. The state remembers them: a plan of them is empty. Notes go to standard error.',
    )
    .option('--server <url>', SERVER_HELP, server)
    .option('--state <file>', 'where it is kept that they were there before', STATE_FILE)
    .option('-n, --namespace <namespace>', 'namespace of the manifests', 'default')
    .option('--provider-config <name>', 'configuration that they refer to: its name, or ProviderConfig/name', 'default')
    .option('--json', 'print JSON')
    .action(async (options: ImportCommandOptions) => {
      process.exitCode = await importCommand(withServer(options), output(), terminal(process.stderr, process.stderr));
    });
  program
    .command('convert')
    .description(
      'Print manifests of obeleh/db-operator and of provider-sql as manifests of xdatabase, names kept. Notes go to standard error.',
    )
    .requiredOption(
      '-f, --filename <file>',
      'file or folder with manifests that name each other; - is standard input (repeatable)',
      collect,
    )
    .option('-n, --namespace <namespace>', 'namespace of objects that name none', 'default')
    .option('--adopt', 'take over what is on the servers already, as a running installation needs')
    .option('--json', 'print JSON, notes included')
    .action((options: ConvertCommandOptions) => {
      process.exitCode = convertCommand(options, output(), terminal(process.stderr, process.stderr));
    });
  program
    .command('status')
    .description('Show what became of claims in a cluster: all of them as a table, those that are named as trees.')
    .argument('[names...]', 'names of claims')
    .option('-n, --namespace <namespace>', 'namespace of the claims; that of the kubeconfig when not given')
    .option('-A, --all-namespaces', 'claims of all namespaces')
    .option('--resource <plural.version.group>', "kind of a platform's own to show too (repeatable)", collect)
    .option('--kubeconfig <file>', 'kubeconfig; $KUBECONFIG or ~/.kube/config when not given')
    .option('--json', 'print JSON')
    .action(async (names: string[], options: StatusOptions) => {
      process.exitCode = await status(names, options, output());
    });
  program
    .command('completions')
    .description('Print what a shell needs to complete xdb, e.g. source <(xdb completions bash).')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .action((shell: Shell) => {
      process.stdout.write(completionScript(program, shell));
    });
  return program;
}

function addServerCommands(program: Command): void {
  for (const [name, run, description] of [
    [
      'plan',
      plan,
      'Print the SQL that would be run. Exit code 0: nothing would change, 2: something would, 1: failed.',
    ],
    [
      'verify',
      verify,
      'Compare the server with the manifests. Exit code 0: it is as they say, 2: something differs, 1: something could not be compared.',
    ],
    ['apply', apply, 'Make the server what the manifests say. Exit code 0: everything is ready, 1: something is not.'],
  ] as const)
    program
      .command(name)
      .description(description)
      .requiredOption(
        '-f, --filename <file>',
        "file or folder with claims, composites, managed resources and Secrets, and the platform's XRDs and Compositions; - is standard input (repeatable)",
        collect,
      )
      .option('--server <url>', SERVER_HELP, server)
      .option('--state <file>', 'where generated passwords and what was applied are kept', STATE_FILE)
      .option('--json', 'print JSON')
      .action(async (options: CommandOptions) => {
        process.exitCode = await run(withServer(options), output());
      });
}

export { EXIT };
