/** MySQL and MariaDB as an `Engine`. */
import type { Secret } from '../../common/secret.ts';
import type { Discovery } from '../../resources/model/discovery.ts';
import type { ReadKind, Reads } from '../../resources/model/reads.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Step } from '../../resources/model/steps.ts';
import type { ConnectionSettings, Engine, Statement } from '../engine.ts';
import { ServerSessions } from '../server-sessions.ts';
import { WriteLog } from '../write-log.ts';
import type { Authentication } from './compile/roles.ts';
import { compileStep } from './compile/steps.ts';
import { circumstanceOf, Connector } from './connect.ts';
import { isLostSession, toResourceError } from './errors.ts';
import { runStep, triedOf } from './execute.ts';
import type { Flavour } from './flavour.ts';
import { type MysqlInfo, readInfo } from './info.ts';
import { runTenantScript } from './init-sql.ts';
import { MysqlJobs } from './jobs/operations.ts';
import type { JobSessions } from './jobs/sessions.ts';
import { PasswordChecker } from './passwords.ts';
import { discover } from './reads/discovery.ts';
import { dispatchRead } from './reads/dispatch.ts';
import { readAccounts } from './reads/roles.ts';
import { ConnectionSession } from './session.ts';

/** Sessions are at home in no database. */
const ANYWHERE = '';

export class MysqlEngine implements Engine {
  readonly seesAllDatabases = true;
  readonly writes = new WriteLog();
  readonly jobs: MysqlJobs;
  readonly #sessions: ServerSessions<ConnectionSession, MysqlInfo>;
  readonly #passwords: PasswordChecker;
  readonly #runs: JobSessions;

  constructor(settings: ConnectionSettings, flavour: Flavour) {
    const connector = new Connector(settings);
    this.#sessions = new ServerSessions<ConnectionSession, MysqlInfo>({
      limit: settings.connectionLimit,
      open: async () => new ConnectionSession(await connector.open()),
      home: ANYWHERE,
      readInfo: async (session) => await readInfo(session, flavour),
      isLost: isLostSession,
      explain: (error, tried) => toResourceError(error, { ...circumstanceOf(settings), tried }),
    });
    this.#runs = {
      info: async () => await this.info(),
      run: async (steps, signal) => {
        await this.run(steps, signal);
      },
      use: async (tried, work, signal) => await this.#sessions.once(ANYWHERE, work, tried, signal),
      as: async (login, tried, work, how) =>
        await this.#sessions.pool.reserve(async () => {
          const session = new ConnectionSession(await connector.open(login, how));
          try {
            return await work(session);
          } catch (error) {
            throw this.#sessions.explained(error, tried);
          } finally {
            await session.end();
          }
        }),
    };
    this.jobs = new MysqlJobs(this.#runs);
    this.#passwords = new PasswordChecker(async (name, host) => {
      const info = await this.info();
      const query = host === undefined ? { name } : { name, host };
      return (await this.#sessions.read(ANYWHERE, async (session) => await readAccounts(session, [query], info)))[0];
    });
  }

  async info(signal?: AbortSignal): Promise<MysqlInfo> {
    return await this.#sessions.info(signal);
  }

  async read<K extends ReadKind>(
    kind: K,
    queries: readonly Reads[K]['query'][],
    signal?: AbortSignal,
  ): Promise<Reads[K]['result'][]> {
    const info = await this.info();
    const onAccount = this.#passwords.collect();
    return await this.#sessions.read(
      ANYWHERE,
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
        const made = await this.#runOne(step, info, signal);
        done();
        if (made?.stored !== undefined) this.#passwords.remember(step, made.plugin, made.stored);
      } catch (error) {
        done();
        throw this.#sessions.explained(error, triedOf(step), signal);
      }
    }
  }

  async #runOne(step: Step, info: MysqlInfo, signal?: AbortSignal): Promise<Authentication | undefined> {
    if (step.kind !== 'initSQL')
      return await this.#sessions.pool.use(ANYWHERE, async (session) => await runStep(session, step, info), signal);
    await runTenantScript(this.#runs, step);
    return undefined;
  }

  async discover(signal?: AbortSignal): Promise<Discovery> {
    const info = await this.info();
    return await this.#sessions.read(ANYWHERE, async (session) => await discover(session, info), 'read', signal);
  }

  async checkPassword(
    name: string,
    host: string | undefined,
    password: Secret,
  ): Promise<'match' | 'mismatch' | 'unknown'> {
    return await this.#passwords.check(name, host, password);
  }

  async close(): Promise<void> {
    await this.#sessions.pool.close();
  }
}
