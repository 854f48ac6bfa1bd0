/** CockroachDB as an `Engine`: PostgreSQL's protocol, its own statements. */
import type { ReadKind, Reads, Step } from '../../resources/model.ts';
import type { Secret } from '../../resources/secret.ts';
import type { ConnectionSettings, Engine, ServerInfo, Statement } from '../engine.ts';
import { type Batch, batches, keysOf } from '../postgres/batches.ts';
import { circumstanceOf } from '../postgres/connect.ts';
import { isLostSession, toResourceError } from '../postgres/errors.ts';
import { triedOf } from '../postgres/execute.ts';
import { PasswordChecker } from '../postgres/passwords.ts';
import { Serial } from '../postgres/serial.ts';
import { ClientSession, type Session } from '../postgres/session.ts';
import type { NativeOperations } from '../native.ts';
import { ident, sql } from '../postgres/sql.ts';
import { SessionPool } from '../session-pool.ts';
import { WriteLog } from '../write-log.ts';
import { mergeGrants } from './compile/grants.ts';
import { compileGroup } from './compile/steps.ts';
import { openAs, openSession, STATEMENT_MS } from './connect.ts';
import { runSteps } from './execute.ts';
import { readInfo } from './info.ts';
import { runTenantScript } from './init-sql.ts';
import { nativeOperations } from './native/native.ts';
import { dispatchRead } from './reads/dispatch.ts';

/** Longer than a poll of a minute, so that sessions survive from one to the next. */
const IDLE_MS = 150_000;
/** The administrator's rights may change while the sessions stay. */
const INFO_MS = 5 * 60_000;

export class CockroachEngine implements Engine {
  readonly writes = new WriteLog();
  readonly native: NativeOperations;
  readonly #settings: ConnectionSettings;
  readonly #pool: SessionPool<ClientSession>;
  readonly #serial = new Serial();
  readonly #passwords: PasswordChecker;
  #info: { answer: Promise<ServerInfo>; at: number } | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#pool = new SessionPool({
      limit: settings.connectionLimit,
      idleMs: IDLE_MS,
      open: async (database) => new ClientSession(await openSession(settings, database), database, STATEMENT_MS),
      onLost: () => {
        this.#info = undefined;
      },
    });
    this.native = nativeOperations({
      evict: async (database) => await this.#pool.evict(database),
      info: async () => await this.info(),
      use: async (database, tried, work, signal) =>
        await this.#once(database ?? settings.database, work, tried, signal),
    });
    this.#passwords = new PasswordChecker({
      read: async (work) => await this.use(settings.database, work),
      login: async (username, password) =>
        await this.#pool.reserve(async () => await openAs(settings, settings.database, { username, password })),
    });
  }

  async info(signal?: AbortSignal): Promise<ServerInfo> {
    if (this.#info === undefined || Date.now() - this.#info.at > INFO_MS)
      this.#info = { answer: this.use(this.#settings.database, readInfo, 'login', signal), at: Date.now() };
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
    return await dispatchRead(kind, queries, info, {
      admin: async (work) => await this.use(this.#settings.database, work, 'read', signal),
      inside: async (database, work) => await this.use(database, work, 'read', signal),
    });
  }

  compile(steps: readonly Step[], info: ServerInfo): Statement[] {
    return batches(steps, this.#settings.database).flatMap((batch) =>
      mergeGrants(batch.steps)
        .flatMap((group) => compileGroup(group, info))
        .flatMap(({ sql: statement, as }) =>
          as === undefined
            ? [statement.display]
            : [sql`SET ROLE ${ident(as)}`.display, statement.display, sql`RESET ROLE`.display],
        )
        .map((text) => ({ text, database: batch.database })),
    );
  }

  async run(steps: readonly Step[], signal?: AbortSignal): Promise<void> {
    const info = await this.info();
    for (const batch of batches(steps, this.#settings.database)) {
      signal?.throwIfAborted();
      const keys = batch.steps[0]?.kind === 'initSQL' ? [] : keysOf(batch);
      try {
        // Changes of one object, begun at the same time, would only restart each other.
        await this.#serial.run(keys, async () => {
          await this.#runBatch(batch, info, signal);
        });
      } finally {
        this.writes.record(batch.steps);
        this.#passwords.forget(batch.steps);
      }
    }
  }

  /** Verifiers are not read there: whether a password is right is tried. */
  async checkPassword(
    name: string,
    _host: string | undefined,
    password: Secret,
  ): Promise<'match' | 'mismatch' | 'unknown'> {
    const info = await this.info();
    return await this.#passwords.check(name, password, { ...info, admin: { ...info.admin, superUser: false } });
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #runBatch(batch: Batch, info: ServerInfo, signal: AbortSignal | undefined): Promise<void> {
    const [step] = batch.steps;
    try {
      if (step?.kind === 'initSQL')
        return await runTenantScript(
          {
            pool: this.#pool,
            adminDatabase: this.#settings.database,
            open: async (database, login) => await openAs(this.#settings, database, login),
          },
          step,
        );
      for (const { kind, name } of batch.steps.filter((each) => each.kind === 'dropDatabase'))
        if (kind === 'dropDatabase') await this.#pool.evict(name);
      await this.#pool.use(
        batch.database,
        async (session) => {
          await runSteps(session, batch.steps, info);
        },
        signal,
      );
    } catch (error) {
      throw this.#explained(error, triedOf(batch), signal);
    }
  }

  /** Work that changes something: never repeated, as what a lost session did is not known. */
  async #once<T>(
    database: string,
    work: (session: Session) => Promise<T>,
    tried: string,
    signal?: AbortSignal,
  ): Promise<T> {
    try {
      return await this.#pool.use(database, work, signal);
    } catch (error) {
      throw this.#explained(error, tried, signal);
    }
  }

  /** Work that only reads: met by a dead session, it is done again on another one. */
  async use<T>(
    database: string,
    work: (session: Session) => Promise<T>,
    tried = 'read',
    signal?: AbortSignal,
  ): Promise<T> {
    for (let attempt = 0; ; attempt += 1)
      try {
        return await this.#pool.use(database, work, signal);
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
