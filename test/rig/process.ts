/** Starting, watching and stopping the server programs of the rig. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface ServerProcessOptions {
  /** Shown in messages, e.g. "etcd". */
  name: string;
  command: string;
  args: readonly string[];
  /** Both output streams go here, appended. */
  logFile: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  uid?: number | undefined;
  gid?: number | undefined;
  /** What asks for a quick and clean end. Default SIGTERM. */
  stopSignal?: NodeJS.Signals;
  /** A folder to delete if this process dies without having stopped the server. */
  folder?: string;
}

export interface ServerProcess {
  readonly pid: number;
  /** Resolves when the program has ended, for whatever reason. */
  readonly ended: Promise<void>;
  readonly running: boolean;
  /** Sends the stop signal (or the one given), waits, and after 20 s kills. Safe to call twice. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** The last lines of the log, for messages. */
  logTail(lines?: number): string;
}

// A test process can be killed without warning; a server that outlived it would hold memory and a port for ever. So each
// server has a shell at its side that waits on a pipe from us: "done" means the server was stopped in order, the end of the
// pipe without it means that we died.
const watchdogScript = `
read -r word && [ "$word" = done ] && exit 0
kill "-$2" "$1" 2>/dev/null
left=100
while [ $left -gt 0 ] && kill -0 "$1" 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
kill -KILL "$1" 2>/dev/null
[ -z "$3" ] || rm -rf -- "$3"`;

function guard(pid: number, stopSignal: NodeJS.Signals, folder: string): ChildProcess {
  const args = ['-c', watchdogScript, 'watchdog', String(pid), stopSignal.replace('SIG', ''), folder];
  const watchdog = spawn('/bin/sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  watchdog.stdin?.on('error', () => {});
  watchdog.on('error', () => {});
  watchdog.unref();
  return watchdog;
}

/**
 * Starts a program in a process group of its own (Ctrl-C in the terminal is ours to handle, in order) and sees to it that it
 * ends when this process ends, however that comes about.
 *
 * @throws Error when the program cannot be started at all; one that starts and then fails is seen through `ended`.
 */
export async function startProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  const log = openSync(options.logFile, 'a');
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    detached: true,
    stdio: ['ignore', log, log],
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await once(child, 'spawn').catch((error: unknown) => {
    throw new Error(`${options.name} could not be started: ${String(error)}`, { cause: error });
  });
  const { pid } = child;
  if (pid === undefined) {
    throw new Error(`${options.name} could not be started`);
  }
  const watchdog = guard(pid, stopSignal, options.folder ?? '');
  let running = true;
  void ended.then(() => {
    running = false;
    watchdog.stdin?.end('done\n');
  });
  child.unref();

  return {
    pid,
    ended,
    get running() {
      return running;
    },
    async stop(signal = stopSignal) {
      if (!running) {
        return;
      }
      // A stopped program must be awaited, so from here on it keeps this process alive.
      child.ref();
      child.kill(signal);
      const patience = new AbortController();
      await Promise.race([
        ended,
        delay(20_000, undefined, { signal: patience.signal }).then(
          () => child.kill('SIGKILL'),
          () => {},
        ),
      ]);
      patience.abort();
      await ended;
    },
    logTail: (lines = 20) => logTail(options.logFile, lines),
  };
}

function logTail(file: string, lines: number): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}

/**
 * Asks `probe` again and again until it returns something other than undefined or false. An error that the probe throws means
 * "not yet", and the last one is part of the message if time runs out.
 *
 * @throws Error when `server` (if given) ends first, or after `timeout` milliseconds (default 60,000).
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  options: { timeout?: number; interval?: number; server?: ServerProcess } = {},
): Promise<T> {
  const { timeout = 60_000, interval = 50, server } = options;
  const deadline = Date.now() + timeout;
  let last: Error | undefined;
  while (true) {
    try {
      const result = await probe();
      if (result !== undefined && result !== false) {
        return result;
      }
    } catch (error) {
      last = error instanceof Error ? error : new Error(String(error));
    }
    if (server && !server.running) {
      throw new Error(`${what}: the program ended. The end of its log:\n${server.logTail()}`);
    }
    if (Date.now() > deadline) {
      const why = last === undefined ? '' : `; last answer: ${last.message}`;
      const log = server ? `\nThe end of its log:\n${server.logTail()}` : '';
      throw new Error(`${what}: not within ${timeout} ms${why}${log}`, { cause: last });
    }
    await delay(interval);
  }
}

/**
 * Below those that this and other systems give to connections that go out. A port that such a connection may have at any
 * moment would be gone before a server that takes seconds to start has come to listen.
 */
const FIRST_PORT = 12_000;
const LAST_PORT = 32_000;

/** Whether nobody listens there; it is held until `release`. */
async function tryPort(port: number): Promise<(() => Promise<void>) | undefined> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return async () => {
    server.close();
    await once(server, 'close');
  };
}

/** Ports that were free a moment ago, all different. Another server may still take one before its use: be ready to retry. */
export async function freePorts(count: number): Promise<number[]> {
  const held = new Map<number, () => Promise<void>>();
  while (held.size < count) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    const release = held.has(port) ? undefined : await tryPort(port);
    if (release) held.set(port, release);
  }
  for (const release of held.values()) await release();
  return [...held.keys()];
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) {
    throw new Error('no free port');
  }
  return port;
}
