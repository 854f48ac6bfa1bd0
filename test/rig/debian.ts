/**
 * Client and server programs that come as Debian packages: fetched once, with all that they need, and unpacked into the
 * user's cache. Nothing is installed on the machine.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NotAvailableError } from './binaries.ts';
import { withLock } from './lock.mjs';

interface PackageSet {
  suite: string;
  packages: readonly string[];
  /** As Debian calls it; that of this machine when not given. */
  architecture?: string;
}

const mariadb = ['mariadb-server-core', 'mariadb-server', 'mariadb-client-core', 'mariadb-client'];

/** MySQL's and MariaDB's packages share file names, so each has a tree of its own. */
const toolSets = {
  /** pg_dump, pg_restore and psql; newer clients serve older servers. */
  'postgresql-18': { suite: 'sid', packages: ['postgresql-client-18'] },
  'mysql-9.7': { suite: 'sid', packages: ['mysql-server-core', 'mysql-client-core', 'mysql-client'] },
  /** mariadb-server brings the server's plugins, ed25519 among them. */
  'mariadb-11.8': { suite: 'sid', packages: [...mariadb] },
  'mariadb-10.11': { suite: 'bookworm', packages: [...mariadb] },
} as const satisfies Record<string, PackageSet>;

export type ToolSetName = keyof typeof toolSets;

const libraries = { suite: 'bookworm', packages: ['libc6', 'libgcc-s1', 'libstdc++6'] } as const;

/** What Node is linked to. */
const librarySets = {
  'node-libraries-amd64': { ...libraries, architecture: 'amd64' },
  'node-libraries-arm64': { ...libraries, architecture: 'arm64' },
} as const satisfies Record<string, PackageSet>;

type PackageSetName = ToolSetName | keyof typeof librarySets;

export interface DebianTools {
  /** Where the packages are unpacked: the root of their paths, e.g. `<folder>/usr/share/mysql`. */
  folder: string;
  /** Version of each of the packages asked for, e.g. {"postgresql-client-18": "18.6-3"}. */
  versions: Record<string, string>;
  /**
   * How a program of the tree is started: by the tree's own loader, since its C library may be newer than the machine's.
   *
   * @param path e.g. "usr/lib/postgresql/18/bin/pg_dump"; a bare name is looked for in the usual folders.
   */
  command(path: string): { command: string; args: string[] };
}

const run = promisify(execFile);

function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'xdatabase', 'debian');
}

/** The machine's own mirror, and the key that its packages are signed with. */
async function mirror(): Promise<{ uri: string; key: string }> {
  const files = ['/etc/apt/sources.list'];
  for await (const file of glob('/etc/apt/sources.list.d/*.{sources,list}')) files.push(file);
  for (const file of files.filter((name) => existsSync(name))) {
    const text = await readFile(file, 'utf8');
    for (const stanza of text.split(/\n\s*\n/)) {
      const key = /^Signed-By:\s*(\/\S*debian-archive\S*)$/m.exec(stanza)?.[1];
      const uri = /^URIs:\s*(\S+)/m.exec(stanza)?.[1];
      if (key !== undefined && uri !== undefined && !/-security$/m.test(/^Suites:(.*)$/m.exec(stanza)?.[1] ?? '')) {
        return { uri, key };
      }
    }
    const line = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(?:bookworm|trixie|forky|sid|stable|testing|unstable)\s+main/m.exec(
      text,
    );
    const key = '/usr/share/keyrings/debian-archive-keyring.gpg';
    if (line?.[1] !== undefined && existsSync(key)) return { uri: line[1], key };
  }
  throw new NotAvailableError('no Debian mirror is named in the apt sources of this machine');
}

async function fetchPackages(name: PackageSetName, set: PackageSet, draft: string): Promise<Record<string, string>> {
  for (const program of ['apt-get', 'dpkg-deb']) {
    await run(program, ['--version']).catch((error: unknown) => {
      throw new NotAvailableError(`the programs of ${name} come as Debian packages, and ${program} is not there`, {
        cause: error,
      });
    });
  }
  const { uri, key } = await mirror();
  const apt = join(draft, 'apt');
  await Promise.all(
    ['lists/partial', 'cache/archives/partial'].map((path) => mkdir(join(apt, path), { recursive: true })),
  );
  await writeFile(join(apt, 'sources.list'), `deb [signed-by=${key}] ${uri} ${set.suite} main\n`);
  await writeFile(join(apt, 'status'), '');
  const { architecture } = set;
  const options = Object.entries({
    'Dir::Etc::sourcelist': join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::Lists': join(apt, 'lists'),
    'Dir::State::status': join(apt, 'status'),
    'Dir::Cache': join(apt, 'cache'),
    'APT::Install-Recommends': 'false',
    'APT::Sandbox::User': '',
    'Acquire::Retries': '3',
    'Debug::NoLocking': 'true',
    ...(architecture === undefined ? {} : { 'APT::Architecture': architecture, 'APT::Architectures': architecture }),
  }).flatMap(([option, value]) => ['-o', `${option}=${value}`]);
  const limits = { maxBuffer: 64 * 1024 * 1024, env: { ...process.env, LC_ALL: 'C' } };
  const failed = (error: unknown): never => {
    throw new NotAvailableError(`the Debian packages of ${name} cannot be fetched: ${lastLine(error)}`);
  };
  await run('apt-get', [...options, '-q', 'update'], limits).catch(failed);
  const wanted = ['install', '--yes', '--download-only', ...set.packages];
  await run('apt-get', [...options, '-q', ...wanted], limits).catch(failed);
  const archives = join(apt, 'cache', 'archives');
  const versions: Record<string, string> = {};
  for (const file of (await readdir(archives)).filter((entry) => entry.endsWith('.deb'))) {
    const { stdout } = await run('dpkg-deb', ['--show', '--showformat', '${Package} ${Version}', join(archives, file)]);
    const [label = '', version = ''] = stdout.split(' ');
    if (set.packages.includes(label)) versions[label] = version;
    await run('dpkg-deb', ['--extract', join(archives, file), join(draft, 'root')]);
  }
  await rm(apt, { recursive: true, force: true });
  return versions;
}

/** Of what apt-get said, the end; a mirror's address in it stays out of the message. */
function lastLine(error: unknown): string {
  const said = (error as { stderr?: string }).stderr?.trim() || String(error);
  return (said.split('\n').at(-1) ?? '').replace(/https?:\/\/\S+/g, '(mirror)');
}

const machine: Record<string, { triplet: string; loader: string }> = {
  x64: { triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' },
};

async function open(name: ToolSetName, folder: string): Promise<DebianTools> {
  const kind = machine[process.arch];
  if (process.platform !== 'linux' || kind === undefined) {
    throw new NotAvailableError(
      `the programs of ${name} are Debian's, and this is ${process.platform} ${process.arch}`,
    );
  }
  const root = join(folder, 'root');
  const libraries = ['usr/lib', 'lib'].map((path) => join(root, path, kind.triplet)).filter((path) => existsSync(path));
  const loader = libraries.map((path) => join(path, kind.loader)).find((path) => existsSync(path));
  if (loader === undefined) throw new Error(`${root} has no ${kind.loader}`);
  const versions = JSON.parse(await readFile(join(folder, 'versions.json'), 'utf8')) as Record<string, string>;
  // Debian's /usr/bin/pg_dump is a script that looks for a cluster of this machine.
  const folders = ['usr/lib/postgresql/18/bin', 'usr/bin', 'usr/sbin'];
  return {
    folder: root,
    versions,
    command: (path) => {
      const places = path.includes('/') ? [path] : folders.map((place) => `${place}/${path}`);
      const file = places.map((place) => join(root, place)).find((place) => existsSync(place));
      if (file === undefined) throw new Error(`the packages of ${name} hold no ${path}`);
      return { command: loader, args: ['--library-path', libraries.join(':'), file] };
    },
  };
}

/** A folder with what the packages hold (`root`), fetched first if it is not in the cache. */
async function fetched(name: PackageSetName, set: PackageSet): Promise<string> {
  const stamp = createHash('sha256').update(JSON.stringify(set)).digest('hex').slice(0, 8);
  const folder = join(cacheFolder(), `${name}-${stamp}`);
  if (!existsSync(folder)) {
    await mkdir(cacheFolder(), { recursive: true });
    const onWait = (): void => {
      process.stderr.write(`xdatabase: another process is fetching ${name}, waiting for it\n`);
    };
    await withLock(`${folder}.lock`, onWait, async () => {
      if (existsSync(folder)) return;
      process.stderr.write(`xdatabase: fetching ${name} from Debian ${set.suite} (once)\n`);
      const draft = await mkdtemp(`${folder}.`);
      try {
        const versions = await fetchPackages(name, set, draft);
        await writeFile(join(draft, 'versions.json'), JSON.stringify(versions));
        await rename(draft, folder);
      } finally {
        await rm(draft, { recursive: true, force: true });
      }
    });
  }
  return folder;
}

/**
 * A set of programs, fetched first if it is not in the cache.
 *
 * @throws NotAvailableError when this machine has no apt, no mirror that is reached, or is no Linux with a known processor.
 */
export const debianTools = async (name: ToolSetName): Promise<DebianTools> =>
  await open(name, await fetched(name, toolSets[name]));

/**
 * The root of the paths of the libraries that Node needs on Linux.
 *
 * @throws NotAvailableError when this machine has no apt, or no mirror that is reached.
 */
export async function nodeLibraries(architecture: 'amd64' | 'arm64'): Promise<string> {
  const name = `node-libraries-${architecture}` as const;
  return join(await fetched(name, librarySets[name]), 'root');
}
