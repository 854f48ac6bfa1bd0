/** What the tests of backups share: tools and runner as processes that meet in a folder, as the containers of a pod do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeResult, type Place, type RunRequestInput, type RunResult } from '../../provider/backup/contract.ts';
import { RUNNER_PROCESS } from '../../provider/backup/job-spec.ts';
import type { ToolContainer, ToolFolders } from '../../provider/backup/tools/tool.ts';
import { builtProgram } from '../rig/servers.ts';

export interface Finished {
  result: RunResult;
  /** Of the runner, then of the tools. */
  codes: (number | null)[];
  log: string;
}

export interface Pod {
  runner: ChildProcess;
  tools: ChildProcess[];
  finished: Promise<Finished>;
}

/** A folder for one test file. */
export class World {
  readonly folder: string;
  #made = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<World> {
    return new World(await mkdtemp(join(tmpdir(), 'xdatabase-backup-')));
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async file(name: string, text: string): Promise<string> {
    const path = join(this.folder, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  }

  /** Places of a new tool container. */
  folders(): ToolFolders {
    this.#made += 1;
    return { work: join(this.folder, `work-${this.#made}`), secrets: join(this.folder, `secrets-${this.#made}`) };
  }

  filesystem(prefix = ''): Place {
    return { type: 'filesystem', path: join(this.folder, 'files'), prefix };
  }

  async s3(server: { endpoint: string; accessKeyId: string; secretAccessKey: string }, bucket: string, prefix = '') {
    return {
      type: 's3',
      bucket,
      region: 'us-east-1',
      endpoint: server.endpoint,
      prefix,
      credentials: {
        accessKeyIdFile: await this.file('access-key-id', server.accessKeyId),
        secretAccessKeyFile: await this.file('secret-access-key', server.secretAccessKey),
      },
    } satisfies Place;
  }

  /** Starts one tool as its container would. */
  async tool(container: ToolContainer, path: string): Promise<ChildProcess> {
    const secrets = container.env['XDB_SECRETS'] ?? '';
    await mkdir(secrets, { recursive: true });
    for (const [name, text] of Object.entries(container.files))
      await writeFile(join(secrets, name), text, { mode: 0o640 });
    const [command = '', ...args] = container.command;
    return spawn(command, args, {
      env: { ...container.env, PATH: `${path}:${process.env['PATH']}`, TMPDIR: this.folder },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }

  /** Starts a runner and the tools that it needs. `program` is the runner as Node is given it: flags, then its file. */
  async start(
    request: RunRequestInput,
    tools: readonly { container: ToolContainer; path: string }[] = [],
    program: readonly string[] = [builtProgram('runner')],
  ): Promise<Pod> {
    const id = randomUUID();
    const requestFile = await this.file(`request-${id}.json`, JSON.stringify(request));
    const resultFile = join(this.folder, `result-${id}.json`);
    const started = await Promise.all(tools.map(({ container, path }) => this.tool(container, path)));
    const runner = spawn(process.execPath, [...program, '--request', requestFile, '--result', resultFile], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...RUNNER_PROCESS.env },
    });
    let log = '';
    for (const process of [runner, ...started])
      for (const stream of [process.stdout, process.stderr])
        stream?.setEncoding('utf8').on('data', (text: string) => {
          log += text;
        });
    const ends = [runner, ...started].map(async (child) => (await once(child, 'close'))[0] as number | null);
    const finished = Promise.all(ends).then(async (codes) => {
      const result = decodeResult(await readFile(resultFile, 'utf8'));
      if (result === undefined) throw new Error(`the runner left no result: ${log}`);
      return { result, codes, log };
    });
    // A test that has failed by then does not wait for it.
    finished.catch(() => {});
    return { runner, tools: started, finished };
  }

  async run(...args: Parameters<World['start']>): Promise<Finished> {
    return await (await this.start(...args)).finished;
  }
}
