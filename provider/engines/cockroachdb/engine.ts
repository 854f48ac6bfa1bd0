/** CockroachDB as an `Engine`: PostgreSQL's protocol, its own statements. */
import type { Secret } from '../../common/secret.ts';
import type { ReadKind, Reads } from '../../resources/model/reads.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Step } from '../../resources/model/steps.ts';
import type { ConnectionSettings, Engine, Statement } from '../engine.ts';
import type { NativeOperations } from '../native.ts';
import { type Batch, batches, keysOf } from '../postgres/batches.ts';
import { circumstanceOf } from '../postgres/connect.ts';
import { toResourceError } from '../postgres/errors.ts';
import { triedOf } from '../postgres/execute.ts';
import { PasswordChecker } from '../postgres/passwords.ts';
import { Serial } from '../postgres/serial.ts';
import { ClientSession } from '../postgres/session.ts';
import { ident, sql } from '../postgres/sql.ts';
import { ServerSessions } from '../server-sessions.ts';
import { WriteLog } from '../write-log.ts';
import { mergeGrants } from './compile/grants.ts';
import { compileGroup } from './compile/steps.ts';
import { openAs, openSession, STATEMENT_MS } from './connect.ts';
import { COCKROACH_POLICIES, mayReadAgain } from './errors.ts';
import { runSteps } from './execute.ts';
import { readInfo } from './info.ts';
import { endTenantScript, runTenantScript } from './init-sql.ts';
import { nativeOperations } from './native/native.ts';
import { dispatchRead } from './reads/dispatch.ts';

export class CockroachEngine implements Engine {
  readonly writes = new WriteLog();
  readonly native: NativeOperations;
  readonly #settings: ConnectionSettings;
  readonly #sessions: ServerSessions<ClientSession, ServerInfo>;
  readonly #serial = new Serial();
  readonly #passwords: PasswordChecker;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#sessions = new ServerSessions<ClientSession, ServerInfo>({
      limit: settings.connectionLimit,
      open: async (database) => new ClientSession(await openSession(settings, database), database, STATEMENT_MS),
      home: settings.database,
      readInfo,
      isLost: mayReadAgain,
      explain: (error, tried) =>
        toResourceError(error, { ...circumstanceOf(settings), tried, policies: COCKROACH_POLICIES }),
    });
    this.native = nativeOperations({
      evict: async (database) => await this.#sessions.pool.evict(database),
      info: async () => await this.info(),
      use: async (database, tried, work, signal) =>
        await this.#sessions.once(database ?? settings.database, work, tried, signal),
    });
    this.#passwords = new PasswordChecker({
      read: async (work) => await this.#sessions.read(settings.database, work),
      login: async (username, password) =>
        await this.#sessions.pool.reserve(
          async () => await openAs(settings, settings.database, { username, password }),
        ),
    });
  }

  async info(signal?: AbortSignal): Promise<ServerInfo> {
    return await this.#sessions.info(signal);
  }

  async read<K extends ReadKind>(
    kind: K,
    queries: readonly Reads[K]['query'][],
    signal?: AbortSignal,
  ): Promise<Reads[K]['result'][]> {
    const info = await this.info();
    return await dispatchRead(kind, queries, info, {
      admin: async (work) => await this.#sessions.read(this.#settings.database, work, 'read', signal),
      inside: async (database, work) => await this.#sessions.read(database, work, 'read', signal),
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
    await this.#sessions.pool.close();
  }

  async #runBatch(batch: Batch, info: ServerInfo, signal: AbortSignal | undefined): Promise<void> {
    const [step] = batch.steps;
    try {
      if (step?.kind === 'initSQL')
        return await runTenantScript(
          {
            pool: this.#sessions.pool,
            adminDatabase: this.#settings.database,
            open: async (database, login) => await openAs(this.#settings, database, login),
          },
          step,
        );
      if (step?.kind === 'endScript') return await endTenantScript(this.#sessions.pool, step);
      for (const { kind, name } of batch.steps.filter((each) => each.kind === 'dropDatabase'))
        if (kind === 'dropDatabase') await this.#sessions.pool.evict(name);
      await this.#sessions.pool.use(
        batch.database,
        async (session) => {
          await runSteps(session, batch.steps, info);
        },
        signal,
      );
    } catch (error) {
      throw this.#sessions.explained(error, triedOf(batch), signal);
    }
  }
}
