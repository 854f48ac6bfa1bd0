/** Runs the dump or load tool of an engine on this machine, as a container would. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RunError } from '../backup/errors.ts';
import { MEETING, type ToolContainer, type ToolFolders, type ToolServer } from '../backup/tools/tool.ts';
import type { ConnectionSettings } from '../engines/engine.ts';

export interface ToolProcess {
  /** Where the runner meets it. */
  folder: string;
  /** Fulfilled when the script has ended before it met the runner, which would go on waiting for it. */
  vanished: Promise<RunError>;
  /** Ends it if it still runs, and deletes its files. */
  stop(): Promise<void>;
}

export const toolServer = (settings: ConnectionSettings, version: string): ToolServer => ({
  host: settings.host,
  port: settings.port,
  username: settings.username,
  ...(settings.password === undefined ? {} : { password: settings.password.reveal() }),
  database: settings.database,
  version,
  tls: {
    mode: settings.tls.mode,
    ...(settings.tls.ca === undefined ? {} : { ca: settings.tls.ca }),
    ...(settings.tls.cert === undefined ? {} : { cert: settings.tls.cert }),
    ...(settings.tls.key === undefined ? {} : { key: settings.tls.key.reveal() }),
  },
});

/** @param tools Folder with the programs; those on the PATH when not given. */
export async function startTool(
  make: (folders: ToolFolders) => ToolContainer,
  tools: string | undefined,
): Promise<ToolProcess> {
  const own = await mkdtemp(join(tmpdir(), 'xdb-tool-'));
  const folders: ToolFolders = { work: join(own, 'work'), secrets: join(own, 'secrets') };
  const container = make(folders);
  await mkdir(folders.secrets, { mode: 0o700 });
  for (const [name, text] of Object.entries(container.files))
    await writeFile(join(folders.secrets, name), text, { mode: 0o600 });
  const [command = '', ...args] = container.command;
  const path = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  const child: ChildProcess = spawn(command, args, {
    env: { ...container.env, PATH: tools === undefined ? path : `${tools}:${path}`, HOME: own, TMPDIR: own },
    stdio: 'ignore',
  });
  const ended = once(child, 'close');
  ended.catch(() => {});
  const vanished = new Promise<RunError>((resolve) => {
    const unmet = (how: string): void => {
      // The first that a script does when they have met is to ask its tool for the version.
      if (!existsSync(join(folders.work, MEETING.version)))
        resolve(new RunError('ToolVanished', `the script around the tools of the engine ${how} before it could begin`));
    };
    child.once('error', (error) => unmet(`could not be started (${error.message})`));
    child.once('exit', (code, signal) => unmet(`ended with ${signal ?? `exit code ${code}`}`));
  });
  return {
    folder: folders.work,
    vanished,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill();
      await ended.catch(() => {});
      await rm(own, { recursive: true, force: true });
    },
  };
}
