/**
 * Runs the command of one container as a local process that sees what a container would see: its image and its volumes,
 * a root file system that it may not write, and processes of its own. Linux only, as root.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { NotAvailableError } from './binaries.ts';

/** A folder or file of this machine, and where the container sees it. */
export interface Mount {
  from: string;
  to: string;
  readOnly: boolean;
}

/** What an image holds, as folders of this machine that the container sees at the same place. */
export interface Image {
  folders: readonly string[];
  /** Folders that are at another place in the container. */
  mounts?: Readonly<Record<string, string>>;
  /** Searched for programs before /usr/bin and /bin. */
  path?: readonly string[];
  entrypoint?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** It is a whole file system, and the container sees nothing of this machine beside it. */
  isWhole?: boolean;
}

export interface SandboxOptions {
  image: Image;
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  mounts: readonly Mount[];
  /** An empty folder that becomes the root of the container. */
  root: string;
  logFile: string;
  uid: number;
  gid: number;
  groups: readonly number[];
  readOnlyRoot: boolean;
  noNewPrivileges: boolean;
  workingDirectory: string;
}

export interface Exit {
  exitCode: number;
  signal: number | undefined;
}

export interface Sandbox {
  ended: Promise<Exit>;
  /** To the first process of the container, which may ignore it, as in a container. */
  signal(signal: 'SIGTERM' | 'SIGKILL'): void;
}

const BASE = ['/usr', '/bin', '/sbin', '/lib', '/lib64', '/lib32', '/etc'];
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const SIGNALS: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** @throws NotAvailableError where mounts in a namespace of one's own are not allowed. */
export async function requireSandbox(): Promise<void> {
  try {
    await promisify(execFile)('unshare', ['--mount', '--pid', '--fork', 'sh', '-c', 'mount -t tmpfs none /mnt']);
  } catch (error) {
    throw new NotAvailableError(
      'pods run as local processes in mount namespaces of their own, which takes Linux and root',
      {
        cause: error,
      },
    );
  }
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Links of a merged /usr are links in the container too. */
async function show(root: string, folder: string): Promise<string[]> {
  const info = await lstat(folder).catch(() => undefined);
  if (info === undefined) return [];
  if (info.isSymbolicLink()) return [`/usr/bin/ln -s ${quote(await readlink(folder))} ${quote(root + folder)}`];
  return bind({ from: folder, to: folder, readOnly: true }, root, info.isDirectory());
}

function bind({ from, to, readOnly }: Mount, root: string, isFolder: boolean): string[] {
  const place = quote(root + to);
  return [
    isFolder ? `/usr/bin/mkdir -p ${place}` : `/usr/bin/mkdir -p "$(/usr/bin/dirname ${place})" && : > ${place}`,
    `/usr/bin/mount --bind ${quote(from)} ${place}`,
    ...(readOnly ? [`/usr/bin/mount -o remount,bind,ro ${place}`] : []),
  ];
}

async function script(options: SandboxOptions): Promise<string> {
  const { root, image, mounts } = options;
  const lines = ['set -e', `/usr/bin/mount -t tmpfs -o mode=0755 none ${quote(root)}`, `cd ${quote(root)}`];
  lines.push(
    '/usr/bin/mkdir -m 1777 tmp',
    '/usr/bin/mkdir -p proc dev run var/tmp',
    '/usr/bin/mount -t proc proc proc',
  );
  for (const device of DEVICES)
    lines.push(...bind({ from: `/dev/${device}`, to: `/dev/${device}`, readOnly: false }, root, false));
  lines.push(
    '/usr/bin/ln -s /proc/self/fd dev/fd',
    '/usr/bin/ln -s /proc/self/fd/1 dev/stdout',
    '/usr/bin/ln -s /proc/self/fd/2 dev/stderr',
  );
  if (image.isWhole !== true) for (const folder of BASE) lines.push(...(await show(root, folder)));
  for (const mount of mounts) lines.push(...bind(mount, root, (await lstat(mount.from)).isDirectory()));
  // After the volumes: what an image holds may be below /tmp on this machine, and a pod has a /tmp of its own.
  for (const folder of image.folders) lines.push(...(await show(root, folder)));
  for (const [to, from] of Object.entries(image.mounts ?? {}))
    lines.push(...bind({ from, to, readOnly: true }, root, true));
  if (options.readOnlyRoot) lines.push(`/usr/bin/mount -o remount,ro ${quote(root)}`);
  lines.push(`exec ${(image.isWhole === true ? fromOutside(options) : fromInside(options)).map(quote).join(' ')}`);
  return lines.join('\n');
}

/** An image of one program has none to become another user with, so that is done before its root is entered. */
function fromOutside({ root, uid, gid, groups, noNewPrivileges, command }: SandboxOptions): string[] {
  return [
    '/usr/bin/setpriv',
    '--inh-caps=-all',
    ...(noNewPrivileges ? ['--no-new-privs'] : []),
    '/usr/sbin/chroot',
    `--userspec=${uid}:${gid}`,
    `--groups=${groups.join(',')}`,
    root,
    ...command,
  ];
}

function fromInside(options: SandboxOptions): string[] {
  return [
    '/usr/sbin/chroot',
    options.root,
    '/usr/bin/setpriv',
    `--reuid=${options.uid}`,
    `--regid=${options.gid}`,
    options.groups.length === 0 ? '--clear-groups' : `--groups=${options.groups.join(',')}`,
    '--inh-caps=-all',
    ...(options.uid === 0 ? [] : ['--bounding-set=-all']),
    ...(options.noNewPrivileges ? ['--no-new-privs'] : []),
    '--',
    '/usr/bin/env',
    `--chdir=${options.workingDirectory}`,
    ...options.command,
  ];
}

export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const text = await script(options);
  const log = openSync(options.logFile, 'a');
  const path = [...(options.image.path ?? []), '/usr/local/bin', '/usr/bin', '/bin'].join(':');
  const child = spawn(
    '/usr/bin/unshare',
    ['--mount', '--pid', '--fork', '--kill-child=SIGKILL', '/bin/sh', '-c', text],
    {
      env: { PATH: path, HOME: '/', ...options.image.env, ...options.env },
      stdio: ['ignore', log, log],
      detached: true,
    },
  );
  closeSync(log);
  let isKilled = false;
  const ended = exitOf(child).then((exit) => (isKilled ? { exitCode: 137, signal: 9 } : exit));
  return {
    ended,
    signal: (signal) => {
      // unshare cannot pass this one on as its own end.
      isKilled = send(child, signal) && signal === 'SIGKILL';
    },
  };
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ exitCode: 128, signal: undefined }));
    child.once('exit', (code, signal) => {
      const number = signal === null ? undefined : (SIGNALS[signal] ?? 0);
      resolve({ exitCode: code ?? 128 + (number ?? 0), signal: number });
    });
  });
}

/** unshare waits for the first process of the container, which is its only child. Says whether there was one. */
function send(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): boolean {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return false;
  try {
    const [main] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
    process.kill(main === undefined || main === '' ? child.pid : Number(main), signal);
    return true;
  } catch {
    return false; // it has just ended
  }
}
