/** MySQL and MariaDB as an `Engine`. */
import type { ReadKind, Reads, Step } from '../../resources/model.ts';
import type { Secret } from '../../resources/secret.ts';
import type { ConnectionSettings, Engine, ServerInfo, Statement } from '../engine.ts';
import { SessionPool } from '../session-pool.ts';
import { WriteLog } from '../write-log.ts';
import { compileStep } from './compile/steps.ts';
import { circumstanceOf, Connector } from './connect.ts';
import { isLostSession, toResourceError } from './errors.ts';
import { runStep, triedOf } from './execute.ts';
import { type Flavour, type MysqlInfo, readInfo } from './info.ts';
import { MysqlJobs } from './jobs/operations.ts';
import { PasswordChecker } from './passwords.ts';
import { dispatchRead } from './reads/dispatch.ts';
import { readAccounts } from './reads/roles.ts';
import { ConnectionSession, type Session } from './session.ts';

/** Longer than a poll of a minute, so that sessions survive from one to the next. */
const IDLE_MS = 150_000;
/** What the server has loaded and what the administrator may do may change while the sessions stay. */
const INFO_MS = 5 * 60_000;
/** Sessions are at home in no database. */
const ANYWHERE = '';

export class MysqlEngine implements Engine {
  readonly seesAllDatabases = true;
  readonly writes = new WriteLog();
  readonly jobs: MysqlJobs;
  readonly #settings: ConnectionSettings;
  readonly #flavour: Flavour;
  readonly #pool: SessionPool<ConnectionSession>;
  readonly #passwords: PasswordChecker;
  #info: { answer: Promise<MysqlInfo>; at: number } | undefined;

  constructor(settings: ConnectionSettings, flavour: Flavour) {
    this.#settings = settings;
    this.#flavour = flavour;
    const connector = new Connector(settings);
    this.#pool = new SessionPool({
      limit: settings.connectionLimit,
      idleMs: IDLE_MS,
      open: async () => new ConnectionSession(await connector.open()),
      onLost: () => {
        this.#info = undefined;
      },
    });
    this.jobs = new MysqlJobs({
      info: async () => await this.info(),
      run: async (steps, signal) => {
        await this.run(steps, signal);
      },
      use: async (tried, work, signal) => {
        try {
          return await this.#pool.use(ANYWHERE, work, signal);
        } catch (error) {
          throw this.#explained(error, tried, signal);
        }
      },
      as: async (login, tried, work) =>
        await this.#pool.reserve(async () => {
          const session = new ConnectionSession(await connector.open(login));
          try {
            return await work(session);
          } catch (error) {
            throw this.#explained(error, tried, undefined);
          } finally {
            await session.end();
          }
        }),
    });
    this.#passwords = new PasswordChecker(async (name, host) => {
      const info = await this.info();
      const query = host === undefined ? { name } : { name, host };
      return (await this.#read(async (session) => await readAccounts(session, [query], info)))[0];
    });
  }

  async info(signal?: AbortSignal): Promise<MysqlInfo> {
    if (this.#info === undefined || Date.now() - this.#info.at > INFO_MS)
      this.#info = {
        answer: this.#read(async (session) => await readInfo(session, this.#flavour), 'login', signal),
        at: Date.now(),
      };
    const asked = this.#info;
    try {
      return await asked.answer;
    } catch (error) {
      if (this.#info === asked) this.#info = undefined;
      throw error;
    }
  }

  async read<K extends ReadKind>(
    kind: K,
    queries: readonly Reads[K]['query'][],
    signal?: AbortSignal,
  ): Promise<Reads[K]['result'][]> {
    const info = await this.info();
    const onAccount = this.#passwords.collect();
    return await this.#read(
      async (session) => await dispatchRead(kind, queries, info, session, onAccount),
      'read',
      signal,
    );
  }

  compile(steps: readonly Step[], info: ServerInfo): Statement[] {
    return steps.flatMap((step) =>
      compileStep(step, info as MysqlInfo).map(({ display }) => ({ text: display, database: ANYWHERE })),
    );
  }

  async run(steps: readonly Step[], signal?: AbortSignal): Promise<void> {
    const info = await this.info();
    for (const step of steps) {
      signal?.throwIfAborted();
      const done = (): void => {
        this.writes.record([step]);
        this.#passwords.forget(step);
      };
      try {
        const made = await this.#pool.use(ANYWHERE, async (session) => await runStep(session, step, info), signal);
        done();
        if (made?.stored !== undefined) this.#passwords.remember(step, made.plugin, made.stored);
      } catch (error) {
        done();
        throw this.#explained(error, triedOf(step), signal);
      }
    }
  }

  async checkPassword(
    name: string,
    host: string | undefined,
    password: Secret,
  ): Promise<'match' | 'mismatch' | 'unknown'> {
    return await this.#passwords.check(name, host, password);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** A read that met a dead session is asked again on another one. */
  async #read<T>(work: (session: Session) => Promise<T>, tried = 'read', signal?: AbortSignal): Promise<T> {
    for (let attempt = 0; ; attempt += 1)
      try {
        return await this.#pool.use(ANYWHERE, work, signal);
      } catch (error) {
        // After a restart every session of the pool may be dead.
        if (signal?.aborted === true || !isLostSession(error) || attempt > this.#settings.connectionLimit)
          throw this.#explained(error, tried, signal);
      }
  }

  #explained(error: unknown, tried: string, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted === true) return signal.reason;
    const explained = toResourceError(error, { ...circumstanceOf(this.#settings), tried });
    // What the administrator may do has changed, perhaps.
    if (explained.reason === 'PermissionDenied') this.#info = undefined;
    return explained;
  }
}
