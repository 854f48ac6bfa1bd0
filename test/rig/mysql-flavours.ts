/** How servers of MySQL and MariaDB are made, and the data that a new one has. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants, createWriteStream, existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DebianTools, debianTools } from './debian.ts';
import { withLock } from './lock.mjs';

export type MariadbVersion = '10.11' | '11.8';

/** What differs between the two in how a server is made. */
export interface Flavour {
  flavour: 'mysql' | 'mariadb';
  title: string;
  program: string;
  tools: DebianTools;
  settings: Record<string, string>;
  /** What makes the data of a new server: arguments but the folder, and what the program is told. */
  initialisation: { args: readonly string[]; input: string };
}

/** A server refuses to run as root unless told by name. */
export const asUser = (): string[] => (process.getuid?.() === 0 ? ['--user=root'] : []);

export async function mysqlFlavour(): Promise<Flavour> {
  const tools = await debianTools('mysql-9.7');
  const places = { basedir: join(tools.folder, 'usr'), 'plugin-dir': join(tools.folder, 'usr/lib/mysql/plugin') };
  const paths = Object.entries(places).map(([name, path]) => `--${name}=${path}`);
  return {
    flavour: 'mysql',
    title: 'MySQL 9.7',
    program: 'mysqld',
    tools,
    settings: { mysqlx: 'OFF', 'secure-file-priv': 'NULL', ...places },
    initialisation: { args: ['--initialize-insecure', '--innodb-redo-log-capacity=8M', ...paths], input: '' },
  };
}

export async function mariadbFlavour(version: MariadbVersion): Promise<Flavour> {
  const tools = await debianTools(`mariadb-${version}`);
  const shares = ['usr/share/mariadb', 'usr/share/mysql'].map((path) => join(tools.folder, path));
  const share = shares.find((path) => existsSync(join(path, `${path.split('/').at(-1)}_system_tables.sql`)));
  if (share === undefined) throw new Error(`${tools.folder} holds no system tables of MariaDB`);
  const places = {
    basedir: join(tools.folder, 'usr'),
    'lc-messages-dir': share,
    'plugin-dir': join(tools.folder, 'usr/lib/mysql/plugin'),
  };
  const paths = Object.entries(places).map(([name, path]) => `--${name}=${path}`);
  const names = ['system_tables', 'performance_tables', 'system_tables_data'];
  const files = names.map((name) => join(share, `${share.split('/').at(-1)}_${name}.sql`));
  const texts = await Promise.all(files.map(async (file) => await readFile(file, 'utf8')));
  const variables = 'SET @auth_root_socket=NULL;\nSET @skip_auth_anonymous=1;\nUSE mysql;\n';
  return {
    flavour: 'mariadb',
    title: `MariaDB ${version}`,
    program: 'mariadbd',
    tools,
    settings: places,
    initialisation: {
      args: ['--bootstrap', ...paths, '--skip-log-bin', '--default-storage-engine=Aria', '--max-allowed-packet=32M'],
      // The accounts without a password that it makes go at once; ours is made by the init file.
      input: `${variables}${texts.join('\n')}\nDELETE FROM mysql.global_priv WHERE User = 'root';\n`,
    },
  };
}

/** Gives a server that is to be started the data of a new one, which is made once for each version: that takes seconds. */
export async function copyNewData(kind: Flavour, target: string): Promise<void> {
  const stamp = createHash('sha256').update(JSON.stringify(kind.initialisation)).digest('hex').slice(0, 8);
  const made = join(kind.tools.folder, '..', `data-${stamp}`);
  if (!existsSync(made))
    await withLock(
      `${made}.lock`,
      () => {},
      async () => {
        if (existsSync(made)) return;
        const draft = await mkdtemp(`${made}.`);
        try {
          await initialise(kind, join(draft, 'data'));
          // What tells servers from each other: each makes its own.
          await rm(join(draft, 'data', 'auto.cnf'), { force: true });
          await rename(join(draft, 'data'), made);
        } finally {
          await rm(draft, { recursive: true, force: true });
        }
      },
    );
  await cp(made, target, { recursive: true, mode: constants.COPYFILE_FICLONE });
}

async function initialise(kind: Flavour, data: string): Promise<void> {
  const { args, input } = kind.initialisation;
  // MySQL makes the folder, and refuses one that is there.
  if (kind.flavour === 'mariadb') await mkdir(join(data, 'mysql'), { recursive: true });
  const server = kind.tools.command(kind.program);
  const more = ['--no-defaults', ...args, `--datadir=${data}`, ...asUser()];
  await run(`making the data of ${kind.title}`, server, more, input);
}

async function run(
  what: string,
  { command, args }: { command: string; args: string[] },
  more: readonly string[],
  input: string,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'xdatabase-init-'));
  const log = join(folder, 'log');
  const output = createWriteStream(log);
  try {
    // One that starts clears the temporary folder of what it takes for its own, and another may be at work there.
    const env = { ...process.env, TMPDIR: folder };
    const child = spawn(command, [...args, ...more], { stdio: ['pipe', 'pipe', 'pipe'], cwd: folder, env });
    child.stdout.pipe(output, { end: false });
    child.stderr.pipe(output, { end: false });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const code = await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    await new Promise((resolve) => output.end(resolve));
    if (code !== 0) throw new Error(`${what} failed (exit ${String(code)}):\n${await readFile(log, 'utf8')}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
