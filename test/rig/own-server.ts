/** A server of the rig with what it keeps: it comes and goes at one address, and at the end its folder goes with it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ServerProcess, type ServerProcessOptions, startProcess, waitFor } from './process.ts';
import { serverFolder } from './server-folder.ts';

/** What a test may do to a server, besides asking it. */
export interface Lifecycle {
  /** Takes it away and keeps its data; `signal` says how, by default what asks it for a quick and clean end. */
  down(signal?: NodeJS.Signals): Promise<void>;
  /** Brings it back at the same address. */
  up(): Promise<void>;
  /** Ends it for good and deletes its data. Happens by itself when this process ends. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface OwnServerOptions extends ServerProcessOptions {
  /** Whether it takes requests. An error that it throws means "not yet". */
  ready: () => Promise<unknown>;
}

export class OwnServer implements Lifecycle {
  readonly #options: OwnServerOptions;
  #process: ServerProcess | undefined;

  private constructor(options: OwnServerOptions) {
    this.#options = options;
  }

  /** @throws Error with the end of the log when it does not come up; then nothing of it runs. */
  static async start(options: OwnServerOptions): Promise<OwnServer> {
    const server = new OwnServer(options);
    await server.up();
    return server;
  }

  /** As it runs now, or ran last. */
  get process(): ServerProcess {
    if (this.#process === undefined) throw new Error(`${this.#options.name} was never started`);
    return this.#process;
  }

  async up(): Promise<void> {
    if (this.#process?.running) return;
    const { ready, ...options } = this.#options;
    const server = await startProcess(options);
    this.#process = server;
    try {
      await waitFor(`${options.name} is ready`, async () => (await ready()) ?? true, { server });
    } catch (error) {
      await server.stop('SIGKILL');
      throw error;
    }
  }

  async down(signal?: NodeJS.Signals): Promise<void> {
    await this.#process?.stop(signal);
  }

  async stop(signal?: NodeJS.Signals): Promise<void> {
    await this.down(signal);
    const { folder } = this.#options;
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** The life of a server that somebody else runs. It is used as it is, and left as it is. */
export function notOurs(what: string): Lifecycle {
  const refuse = async (): Promise<void> => await Promise.reject(new Error(`${what} is not ours to stop`));
  return { down: refuse, up: refuse, stop: async () => {} };
}

/**
 * Starts something that has a folder of its own, whose name begins with `xdatabase-` and `prefix`. What does not start leaves
 * no folder. It is tried again when another program took one of its ports since it was found free.
 */
export async function startInFolder<T>(prefix: string, start: (folder: string) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const folder = await mkdtemp(join(await serverFolder(), `xdatabase-${prefix}-`));
    try {
      return await start(folder);
    } catch (error) {
      await rm(folder, { recursive: true, force: true });
      if (attempt === 3 || !/address already in use/i.test(String(error))) throw error;
    }
  }
}
