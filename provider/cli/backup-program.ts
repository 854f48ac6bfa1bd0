/** Options of xdb backup, restore and copy. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { ServerUrlError } from '../local/server-url.ts';
import type { BackupOptions, CopyOptions, RestoreOptions } from './backup-commands.ts';
import type { Output } from './output.ts';
import { parsePlace } from './place.ts';

const number = (value: string): number => {
  if (!/^[1-9]\d*$/.test(value)) throw new InvalidArgumentError('write a number from 1');
  return Number(value);
};

const collect = (value: string, all: string[] | undefined): string[] => [...(all ?? []), value];

const PLACE = 'folder, or s3://bucket/prefix?endpoint=URL&region=NAME with the AWS variables for who you are';
const TOOLS = 'folder with pg_dump, pg_restore and psql, or mysqldump and mysql; those on the PATH when not given';
const OWNER = 'PostgreSQL: role that becomes the owner of everything; the login must be a member of it';

/** The commands load what they need only when they are used: the S3 client is half of xdb. */
const commands = () => import('./backup-commands.ts');

export function addBackupCommands(program: Command, server: (value: string) => string, output: () => Output): void {
  const given = (url: string | undefined): string => {
    const found = url ?? process.env['XDB_SERVER'];
    if (found === undefined) throw new ServerUrlError('--server or XDB_SERVER is required');
    return found;
  };
  program
    .command('backup')
    .description('Dump one database into a folder or a bucket, checked and with a manifest, as the cluster does.')
    .option(
      '--server <url>',
      'server, login and database: postgres://user@host/database (default: $XDB_SERVER)',
      server,
    )
    .requiredOption('--to <place>', PLACE, parsePlace)
    .option('-n, --namespace <namespace>', 'first part of the key', 'local')
    .option('--name <name>', 'second part of the key', 'xdb')
    .option('--file-name <name>', 'name of the file; the time in UTC when not given')
    .addOption(new Option('--compression <kind>').choices(['zstd', 'gzip', 'none']).default('zstd'))
    .option('--level <n>', 'how hard it is compressed', number)
    .option('--recipient <key>', 'age public key that the file is encrypted for (repeatable)', collect)
    .option('--keep-last <n>', 'delete older backups of this database and name but so many', number)
    .option('--tools <folder>', TOOLS)
    .option('--json', 'print JSON')
    .action(async (options: BackupOptions) => {
      process.exitCode = await (await commands()).backup({ ...options, server: given(options.server) }, output());
    });
  program
    .command('restore')
    .description('Load a backup into an empty database, after all of it was checked.')
    .option('--server <url>', 'server, login and target: postgres://user@host/database (default: $XDB_SERVER)', server)
    .requiredOption('--from <place>', PLACE, parsePlace)
    .option('--key <key>', 'exact key of the file; the newest backup when not given')
    .option('--database <name>', 'database that the backup was taken of; the target when not given')
    .option('--before <time>', 'the newest backup from before this time, e.g. 2026-11-25T08:00:00Z')
    .option('-n, --namespace <namespace>', 'backups of this namespace only')
    .option('--name <name>', 'backups of this name only; needs --namespace')
    .option('--identity <file>', 'file with the age identity of an encrypted backup')
    .option('--owner <role>', OWNER)
    .option('--tools <folder>', TOOLS)
    .option('--json', 'print JSON')
    .action(async (options: RestoreOptions) => {
      process.exitCode = await (await commands()).restore({ ...options, server: given(options.server) }, output());
    });
  program
    .command('copy')
    .description('Copy one database into an empty one, on the same server or on another of its engine.')
    .requiredOption('--from <url>', 'server, login and database that is copied', server)
    .requiredOption('--to <url>', 'server, login and target', server)
    .option('--owner <role>', OWNER)
    .option('--transform <file>', 'SQL that is run in the copy, e.g. to make persons anonymous')
    .option('--tools <folder>', TOOLS)
    .option('--json', 'print JSON')
    .action(async (options: CopyOptions) => {
      process.exitCode = await (await commands()).copy(options, output());
    });
}
