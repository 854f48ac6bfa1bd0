/** PostgreSQL as an `Engine`. */
import { hasOpenOutcome, withOpenOutcome } from '../../common/errors.ts';
import type { Secret } from '../../common/secret.ts';
import type { Discovery } from '../../resources/model/discovery.ts';
import type { ReadKind, Reads } from '../../resources/model/reads.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import type { Step } from '../../resources/model/steps.ts';
import type { ConnectionSettings, Engine, Statement } from '../engine.ts';
import { ServerSessions } from '../server-sessions.ts';
import { WriteLog } from '../write-log.ts';
import { withOwnAccess } from './access.ts';
import { type Batch, batches, keysOf } from './batches.ts';
import { compileSteps } from './compile/steps.ts';
import { circumstanceOf, openClient } from './connect.ts';
import { isLostSession, toResourceError } from './errors.ts';
import { runBatch, triedOf } from './execute.ts';
import { readInfo } from './info.ts';
import { runTenantScript } from './init-sql.ts';
import { dropLogin } from './jobs/logins.ts';
import { PostgresJobs } from './jobs/operations.ts';
import { PasswordChecker } from './passwords.ts';
import { discover } from './reads/discovery.ts';
import { dispatchRead } from './reads/dispatch.ts';
import { Serial } from './serial.ts';
import { ClientSession, type Session } from './session.ts';

export class PostgresEngine implements Engine {
  readonly writes = new WriteLog();
  readonly jobs: PostgresJobs;
  readonly #settings: ConnectionSettings;
  readonly #sessions: ServerSessions<ClientSession, ServerInfo>;
  readonly #serial = new Serial();
  readonly #passwords: PasswordChecker;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#sessions = new ServerSessions<ClientSession, ServerInfo>({
      limit: settings.connectionLimit,
      open: async (database) => new ClientSession(await openClient(settings, database), database),
      home: settings.database,
      readInfo,
      isLost: isLostSession,
      explain: (error, tried) => toResourceError(error, { ...circumstanceOf(settings), tried }),
    });
    this.jobs = new PostgresJobs({
      adminDatabase: settings.database,
      info: async () => await this.info(),
      use: async (database, tried, work, signal) => await this.#sessions.once(database, work, tried, signal),
      evict: async (database) => {
        await this.#sessions.pool.evict(database);
      },
    });
    this.#passwords = new PasswordChecker({
      read: async (work) => await this.#sessions.read(settings.database, work),
      login: async (username, password) =>
        await this.#sessions.pool.reserve(
          async () => await openClient(settings, settings.database, { username, password }, {}),
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
    const sessions = {
      admin: async <T>(work: (session: Session) => Promise<T>) =>
        await this.#sessions.read(this.#settings.database, work, 'read', signal),
      inside: async <T>(database: string, work: (session: Session) => Promise<T>) =>
        await this.#sessions.read(database, work, 'read', signal),
    };
    return await dispatchRead(kind, queries, info, sessions, this.#passwords.collect());
  }

  compile(steps: readonly Step[], info: ServerInfo): Statement[] {
    return batches(withOwnAccess(steps, info), this.#settings.database).flatMap((batch) =>
      compileSteps(batch.steps, info).map(({ display }) => ({ text: display, database: batch.database })),
    );
  }

  async run(steps: readonly Step[], signal?: AbortSignal): Promise<void> {
    const info = await this.info();
    for (const batch of batches(withOwnAccess(steps, info), this.#settings.database)) {
      signal?.throwIfAborted();
      // Without a superuser, memberships are borrowed, and one transaction must not give back what another needs.
      const keys = info.admin.superUser ? keysOf(batch) : ['membership'];
      const verifiers = new Map<Step, Secret>();
      try {
        await this.#serial.run(batch.steps[0]?.kind === 'initSQL' ? [] : keys, async () => {
          await this.#runBatch(batch, info, verifiers, signal);
        });
      } finally {
        this.writes.record(batch.steps);
        this.#passwords.forget(batch.steps);
      }
      this.#passwords.believe(batch.steps, verifiers, info);
    }
  }

  async discover(signal?: AbortSignal): Promise<Discovery> {
    return await discover(
      await this.info(),
      async (database, work) => await this.#sessions.read(database ?? this.#settings.database, work, 'read', signal),
    );
  }

  async checkPassword(
    name: string,
    _host: string | undefined,
    password: Secret,
  ): Promise<'match' | 'mismatch' | 'unknown'> {
    return await this.#passwords.check(name, password, await this.info());
  }

  async close(): Promise<void> {
    await this.#sessions.pool.close();
  }

  async #runBatch(
    batch: Batch,
    info: ServerInfo,
    verifiers: Map<Step, Secret>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const [step] = batch.steps;
    const { pool } = this.#sessions;
    try {
      if (step?.kind === 'initSQL')
        await runTenantScript(
          {
            pool,
            adminDatabase: this.#settings.database,
            info,
            open: async (database, login) => await openClient(this.#settings, database, login, {}),
          },
          { database: step.database, owner: step.owner, text: step.sql },
        );
      else if (step?.kind === 'endScript')
        await dropLogin(
          {
            adminDatabase: this.#settings.database,
            use: async (database, work) => await pool.use(database, work, signal),
          },
          step.login,
        );
      else {
        // Our own idle sessions must not keep a database from being dropped, copied or moved.
        if (batch.alone && step !== undefined) for (const database of idleIn(step)) await pool.evict(database);
        const onVerifier = (of: Step, verifier: Secret): void => {
          verifiers.set(of, verifier);
        };
        await pool.use(batch.database, async (session) => await runBatch(session, batch, info, onVerifier), signal);
      }
    } catch (error) {
      const explained = this.#sessions.explained(error, triedOf(batch), signal);
      throw step?.kind === 'createDatabase' && hasOpenOutcome(error) ? withOpenOutcome(explained) : explained;
    }
  }
}

function idleIn(step: Step): string[] {
  if (step.kind === 'dropDatabase' || step.kind === 'alterDatabase') return [step.name];
  return step.kind === 'createDatabase' && step.template !== undefined ? [step.template] : [];
}
