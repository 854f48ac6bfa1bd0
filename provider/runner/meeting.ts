/** The runner's side of the meeting with the script of an engine container (see tools/script.ts). */
import { closeSync, constants, createReadStream, openSync, writeSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { disposable, dispose } from '../backup/disposable.ts';
import { RunError } from '../backup/errors.ts';
import { MEETING, NOT_EMPTY } from '../backup/tools/tool.ts';
import { lastWords, saysFull } from './last-words.ts';

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const POLL_MS = 50;
/** How long the other container may take to appear: its image may have to be pulled. */
const APPEAR_MS = 3_600_000;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

export class Meeting {
  readonly #folder: string;
  #control: number | undefined;
  #report: Socket | undefined;
  /** Exit code of the tool; undefined when its container ended without a word. */
  #exit: Promise<number | undefined> = Promise.resolve(undefined);

  constructor(folder: string) {
    this.#folder = folder;
  }

  #path(file: string): string {
    return join(this.#folder, file);
  }

  /** Waits until the script is there; from now on it knows when we are gone, and we when it is. */
  async join(signal: AbortSignal): Promise<void> {
    const deadline = Date.now() + APPEAR_MS;
    for (;;) {
      signal.throwIfAborted();
      try {
        this.#control = openSync(this.#path(MEETING.control), O_WRONLY | O_NONBLOCK);
        break;
      } catch (error) {
        // Not made yet, or made and not opened yet.
        if (!['ENOENT', 'ENXIO'].includes(codeOf(error) ?? '')) throw error;
      }
      if (Date.now() > deadline)
        throw new RunError('ToolVanished', 'the container with the tools of the engine has not started within an hour');
      await delay(POLL_MS, undefined, { signal });
    }
    const report = new Socket({
      fd: openSync(this.#path(MEETING.report), O_RDONLY | O_NONBLOCK),
      readable: true,
      writable: false,
    });
    this.#report = report;
    let words = '';
    // Before the script has its end of the report open, leaving it would keep it waiting for ever.
    const here = new Promise<void>((resolve) => {
      report.setEncoding('utf8').on('data', (text: string) => {
        words += text;
        resolve();
      });
      report.once('close', resolve);
    });
    this.#exit = new Promise((resolve) => {
      report.on('error', () => {});
      report.once('close', () => {
        const code = /\n(\d+)\n$/.exec(words)?.[1];
        resolve(code === undefined ? undefined : Number(code));
      });
    });
    await here;
  }

  #say(word: string): void {
    if (this.#control === undefined) throw new Error('nobody was met');
    try {
      writeSync(this.#control, `${word}\n`);
    } catch (error) {
      // The tool is gone already: its exit tells why.
      if (codeOf(error) !== 'EPIPE') throw error;
    }
  }

  async toolVersion(): Promise<string> {
    const said = await readFile(this.#path(MEETING.version), 'utf8').catch(() => '');
    // Some say the path that they were called by.
    return (
      said
        .trim()
        .split('\n')[0]
        ?.replace(/^\S*\//, '')
        .slice(0, 200) || 'unknown'
    );
  }

  async #require(what: string): Promise<void> {
    const code = await this.#exit;
    if (code === 0) return;
    if (code === NOT_EMPTY)
      throw new RunError('TargetNotEmpty', 'the target is not empty; nothing was loaded, and it is as it was');
    const words = await lastWords(createReadStream(this.#path(MEETING.log), 'utf8')).catch(() => '');
    if (code === undefined)
      throw new RunError(
        'ToolVanished',
        `the container of the ${what} tool was killed${words === '' ? '' : `: ${words}`}`,
      );
    const full = what === 'load' ? saysFull(words) : 'no';
    if (full !== 'no')
      throw new RunError(
        'TargetFull',
        `the server has ${full === 'likely' ? 'most likely ' : ''}no space left for what is loaded: ${words}`,
      );
    throw new RunError('ToolFailed', `the ${what} tool failed (exit code ${code})${words === '' ? '' : `: ${words}`}`);
  }

  /** The dump. It ends without an error only after the tool ended with exit code 0. */
  async *dump(signal: AbortSignal): AsyncIterable<Buffer> {
    const data = new Socket({
      fd: openSync(this.#path(MEETING.data), O_RDONLY | O_NONBLOCK),
      readable: true,
      writable: false,
    });
    const stop = (): void => {
      data.destroy();
    };
    signal.addEventListener('abort', stop, { once: true });
    // A script that ends without having begun leaves a FIFO that nobody will ever write to.
    void this.#exit.then((code) => {
      if (code !== 0) data.destroy();
    });
    try {
      this.#say('start');
      try {
        for await (const part of data) yield disposable(part as Buffer);
      } catch (error) {
        if (codeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
      }
      signal.throwIfAborted();
      await this.#require('dump');
      this.#say('done');
    } finally {
      signal.removeEventListener('abort', stop);
      data.destroy();
    }
  }

  /** Which entries of a PostgreSQL archive are loaded. To be said before `load`. */
  async choose(entries: readonly number[]): Promise<void> {
    await writeFile(this.#path(MEETING.entries), entries.map((id) => `${id};\n`).join(''));
  }

  /**
   * Feeds the load tool with all of `body`, and waits until it is done. When `body` fails, the tool is ended before it could
   * take what came so far for the whole.
   */
  async load(body: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    this.#say('start');
    const data = await this.#openForWriting(signal);
    const stop = (): void => {
      data.destroy();
    };
    signal.addEventListener('abort', stop, { once: true });
    data.on('error', () => {});
    const gone = this.#exit.then(() => 'gone' as const);
    void gone.then(stop);
    try {
      for await (const part of body) {
        if (data.destroyed) break;
        const hasRoom = data.write(part, () => {
          dispose(part);
        });
        if (!hasRoom) await drained(data);
      }
      signal.throwIfAborted();
      if (!data.destroyed) {
        await new Promise<void>((resolve) => {
          data.once('close', () => resolve());
          data.end(() => resolve());
        });
        data.destroy();
        this.#say('done');
      }
      const leave = (): void => this.leave();
      signal.addEventListener('abort', leave, { once: true });
      await this.#require('load').finally(() => signal.removeEventListener('abort', leave));
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener('abort', stop);
      data.destroy();
    }
  }

  async #openForWriting(signal: AbortSignal): Promise<Socket> {
    let ended = false;
    void this.#exit.then(() => {
      ended = true;
    });
    for (;;) {
      signal.throwIfAborted();
      try {
        const fd = openSync(this.#path(MEETING.data), O_WRONLY | O_NONBLOCK);
        return new Socket({ fd, readable: false, writable: true });
      } catch (error) {
        if (codeOf(error) !== 'ENXIO') throw error;
      }
      if (ended) await this.#require('load');
      await delay(POLL_MS, undefined, { signal });
    }
  }

  /** Rows of each table after loading, where the tool was told to count. */
  async rows(): Promise<{ schema: string; table: string; rows: number }[] | undefined> {
    const text = await readFile(this.#path(MEETING.rows), 'utf8').catch(() => undefined);
    return text
      ?.split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [rows = '', ...names] = line.split('\t');
        const [schema = '', table = ''] = names.map((name) => Buffer.from(name, 'hex').toString('utf8'));
        return { rows: Number(rows), schema, table };
      });
  }

  /** Ends the tool, unless it was told that all is done. */
  leave(): void {
    if (this.#control !== undefined) closeSync(this.#control);
    this.#control = undefined;
    this.#report?.destroy();
  }
}

const drained = async (socket: Socket): Promise<void> => {
  if (socket.destroyed || !socket.writableNeedDrain) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.once('drain', done);
    socket.once('close', done);
  });
};
