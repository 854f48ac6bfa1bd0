/** PostgreSQL as an `Engine`. */
import { createHash } from 'node:crypto';
import { ResourceError } from '../../resources/errors.ts';
import type { ReadKind, Reads, Step } from '../../resources/model.ts';
import type { Secret } from '../../resources/secret.ts';
import type { ConnectionSettings, Engine, ServerInfo, Statement } from '../engine.ts';
import { compileStep, databaseOf } from './compile/steps.ts';
import { circumstanceOf, openClient } from './connect.ts';
import { isLostSession, toResourceError } from './errors.ts';
import { type Batch, batches, runBatch, triedOf } from './execute.ts';
import { readInfo } from './info.ts';
import { runTenantScript } from './init-sql.ts';
import { dispatchRead } from './reads/dispatch.ts';
import { verifies } from './scram.ts';
import { type Session, SessionPool } from './session-pool.ts';

/** Longer than a poll of a minute, so that sessions survive from one to the next. */
const IDLE_MS = 150_000;
/** Verified passwords that are remembered, to spare 4096 hash rounds per role and poll. */
const REMEMBERED = 20_000;

export class PostgresEngine implements Engine {
  readonly #settings: ConnectionSettings;
  readonly #pool: SessionPool;
  /** Ends of the last transaction per database: the catalog takes one change of a row at a time. */
  readonly #writes = new Map<string, Promise<unknown>>();
  readonly #checked = new Map<string, 'match' | 'mismatch'>();
  #info: Promise<ServerInfo> | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
    this.#pool = new SessionPool({
      limit: settings.connectionLimit,
      idleMs: IDLE_MS,
      open: async (database) => await openClient(settings, database),
    });
  }

  async info(): Promise<ServerInfo> {
    this.#info ??= this.#use(this.#settings.database, readInfo, 'login');
    try {
      return await this.#info;
    } catch (error) {
      this.#info = undefined;
      throw error;
    }
  }

  async read<K extends ReadKind>(kind: K, queries: readonly Reads[K]['query'][]): Promise<Reads[K]['result'][]> {
    const info = await this.info();
    return await dispatchRead(kind, queries, info, {
      admin: async (work) => await this.#read(this.#settings.database, work),
      inside: async (database, work) => await this.#read(database, work),
    });
  }

  compile(steps: readonly Step[], info: ServerInfo): Statement[] {
    return steps.flatMap((step) =>
      compileStep(step, info).map((statement) => ({
        text: statement.display,
        database: databaseOf(step) ?? this.#settings.database,
      })),
    );
  }

  async run(steps: readonly Step[], signal?: AbortSignal): Promise<void> {
    const info = await this.info();
    for (const batch of batches(steps, this.#settings.database)) {
      signal?.throwIfAborted();
      await this.#runBatch(batch, info);
    }
  }

  async checkPassword(
    name: string,
    _host: string | undefined,
    password: Secret,
  ): Promise<'match' | 'mismatch' | 'unknown'> {
    const info = await this.info();
    return info.admin.superUser ? await this.#compareVerifier(name, password) : await this.#tryLogin(name, password);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #runBatch(batch: Batch, info: ServerInfo): Promise<void> {
    const [step] = batch.steps;
    if (step?.kind === 'initSQL') {
      const open = async (database: string, login: { username: string; password: string }) =>
        await openClient(this.#settings, database, login);
      const runner = { pool: this.#pool, adminDatabase: this.#settings.database, info, open };
      await runTenantScript(runner, { database: step.database, owner: step.owner, text: step.sql });
      return;
    }
    if (step?.kind === 'dropDatabase') await this.#pool.evict(step.name);
    const work = async (): Promise<void> => {
      await this.#use(batch.database, async (session) => await runBatch(session, batch, info), triedOf(batch));
    };
    await (batch.alone ? work() : this.#oneAtATime(batch.database, work));
  }

  async #oneAtATime(database: string, work: () => Promise<void>): Promise<void> {
    const previous = this.#writes.get(database);
    const mine = (async (): Promise<void> => {
      await previous?.catch(() => {});
      await work();
    })();
    this.#writes.set(database, mine);
    try {
      await mine;
    } finally {
      if (this.#writes.get(database) === mine) this.#writes.delete(database);
    }
  }

  /** A read that met a dead session is asked once more on a new one. */
  async #read<T>(database: string, work: (session: Session) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1)
      try {
        return await this.#pool.use(database, work);
      } catch (error) {
        if (!isLostSession(error) || attempt >= this.#settings.connectionLimit) throw this.#explained(error, 'read');
      }
  }

  async #use<T>(database: string, work: (session: Session) => Promise<T>, tried: string): Promise<T> {
    try {
      return await this.#pool.use(database, work);
    } catch (error) {
      throw this.#explained(error, tried);
    }
  }

  #explained(error: unknown, tried: string): ResourceError {
    return toResourceError(error, { ...circumstanceOf(this.#settings), tried });
  }

  async #compareVerifier(name: string, password: Secret): Promise<'match' | 'mismatch'> {
    const rows = await this.#read(
      this.#settings.database,
      async (session) => await session.query('SELECT rolpassword FROM pg_authid WHERE rolname = $1', [name]),
    );
    const stored = rows[0]?.['rolpassword'];
    if (typeof stored !== 'string') return 'mismatch';
    return await this.#remembering([name, stored, password.reveal()], async () =>
      (await verifies(password, name, stored)) ? 'match' : 'mismatch',
    );
  }

  async #tryLogin(name: string, password: Secret): Promise<'match' | 'mismatch' | 'unknown'> {
    try {
      // A match is remembered; a mismatch is asked again, as the password may have been set meanwhile.
      return await this.#remembering([name, password.reveal()], async () => {
        await this.#pool.reserve(async () => {
          const client = await openClient(this.#settings, this.#settings.database, {
            username: name,
            password: password.reveal(),
          });
          await client.end();
        });
        return 'match';
      });
    } catch (error) {
      if (!(error instanceof ResourceError)) return 'unknown';
      if (error.code === '28P01') return 'mismatch';
      // The login got as far as the database: the password was right.
      return error.code === '42501' ? 'match' : 'unknown';
    }
  }

  async #remembering(key: string[], work: () => Promise<'match' | 'mismatch'>): Promise<'match' | 'mismatch'> {
    const digest = createHash('sha256').update(JSON.stringify(key)).digest('base64');
    const known = this.#checked.get(digest);
    if (known !== undefined) return known;
    const result = await work();
    if (this.#checked.size >= REMEMBERED) this.#checked.clear();
    this.#checked.set(digest, result);
    return result;
  }
}
