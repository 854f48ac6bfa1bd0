/** Logins and databases of runs on PostgreSQL. */
import { ResourceError } from '../../../common/errors.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import {
  type Beside,
  type HandOver,
  type JobOperations,
  type LoadTarget,
  type RunLogin,
  targetNotEmpty,
} from '../../jobs.ts';
import { dropDatabase } from '../drop-database.ts';
import { borrow } from '../membership.ts';
import { readDatabaseContents } from '../reads/contents.ts';
import { type Session, UNLIMITED_MS } from '../session.ts';
import { join } from '../sql.ts';
import {
  createBeside,
  finishInside,
  furnish,
  holderOf,
  isOfRun,
  readExtensions,
  readPublic,
  readRights,
  shapeOf,
} from './beside.ts';
import { openAgain } from './door.ts';
import { dropExpired, dropLogin, makeLogin, type Place } from './logins.ts';
import { letIn, readerRights } from './reader.ts';
import { isDone, swap } from './swap.ts';

export interface JobSessions {
  adminDatabase: string;
  info(): Promise<ServerInfo>;
  /** Throws ResourceError. `tried` says what for. */
  use<T>(database: string, tried: string, work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Our own idle sessions must not keep a database from being renamed or dropped. */
  evict(database: string): Promise<void>;
}

export class PostgresJobs implements JobOperations {
  readonly #sessions: JobSessions;

  constructor(sessions: JobSessions) {
    this.#sessions = sessions;
  }

  async makeReader(login: RunLogin, database: string, signal?: AbortSignal): Promise<void> {
    const info = await this.#sessions.info();
    const rights = await this.#sessions.use(
      database,
      'backup',
      async (session) => await readerRights(session, info),
      signal,
    );
    await this.#clear(login, 'backup', signal);
    await this.#admin(
      'backup',
      async (session) => {
        await makeLogin(session, login, rights, info);
        await letIn(session, login.name, database, info);
      },
      signal,
    );
  }

  async makeBeside(login: RunLogin, beside: Beside, signal?: AbortSignal): Promise<LoadTarget> {
    const info = await this.#sessions.info();
    // An earlier attempt may have left a database that is half full.
    await this.dropBeside(beside, signal);
    const shape = await this.#admin('restore', async (session) => await shapeOf(session, beside.like, info), signal);
    if (shape.isAdministrators && !beside.mayBeAdministrators) throw administrators(beside.like, shape.owner);
    const rights = shape.isAdministrators ? { memberOf: [] } : { memberOf: [shape.owner], actsAs: shape.owner };
    const extensions = await this.#sessions.use(beside.like, 'restore', readExtensions, signal);
    await this.#clear(login, 'restore', signal);
    await this.#admin(
      'restore',
      async (session) => {
        await makeLogin(session, login, rights, info);
        const { create, close } = createBeside(beside, shape, login.name);
        await session.execute(create.text, UNLIMITED_MS);
        await session.execute(`BEGIN; ${join(close, '; ').text}; COMMIT`);
      },
      signal,
    );
    await this.#sessions.use(
      beside.name,
      'restore',
      async (session) => {
        await furnish(session, holderOf(shape, login.name), extensions, info);
      },
      signal,
    );
    return { database: beside.name, ownerRole: holderOf(shape, login.name) };
  }

  async size(database: string, signal?: AbortSignal): Promise<number> {
    const rows = await this.#sessions.use(
      database,
      'backup',
      async (session) => await session.query('SELECT pg_database_size(current_database()) AS bytes', []),
      signal,
    );
    return Number(rows[0]?.['bytes'] ?? 0);
  }

  async contents(database: string, signal?: AbortSignal): Promise<{ empty: boolean; summary: string }> {
    return await this.#sessions.use(database, 'restore', readDatabaseContents, signal);
  }

  async handOver(order: HandOver, signal?: AbortSignal): Promise<number> {
    const info = await this.#sessions.info();
    const { target, beside, login } = order;
    if (await this.#admin('restore', async (session) => await isDone(session, login), signal)) return 0;
    await this.settle(order, signal);
    await this.#refuseFull(order, signal);
    if (!(await this.#admin('restore', async (session) => await isOfRun(session, beside), signal)))
      throw new ResourceError(
        'DatabaseNotFound',
        `database ${JSON.stringify(beside.name)}, into which the data was loaded, is gone`,
        { retryable: false },
      );
    const shape = await this.#admin('restore', async (session) => await shapeOf(session, target, info), signal);
    const publicSchema = await this.#sessions.use(target, 'restore', readPublic, signal);
    await this.#sessions.use(
      beside.name,
      'restore',
      async (session) => {
        await finishInside(session, shape, publicSchema, login, info);
      },
      signal,
    );
    for (const database of [target, beside.name]) await this.#sessions.evict(database);
    return await this.#admin(
      'restore',
      async (session) => {
        const rights = await readRights(session, target);
        const { take, giveBack } = await borrow(
          session,
          [
            { kind: 'alterDatabase', name: target, owner: shape.owner },
            { kind: 'dropDatabase', name: target },
          ],
          info,
        );
        return await swap(session, order, { shape, rights, take, giveBack });
      },
      signal,
    );
  }

  async settle({ login }: Pick<HandOver, 'login'>, signal?: AbortSignal): Promise<void> {
    const info = await this.#sessions.info();
    await this.#admin('restore', async (session) => await openAgain(session, login, info), signal);
  }

  async dropBeside(beside: Pick<Beside, 'name' | 'run'>, signal?: AbortSignal): Promise<void> {
    const info = await this.#sessions.info();
    await this.#sessions.evict(beside.name);
    await this.#admin(
      'drop a database of a run',
      async (session) => {
        if (await isOfRun(session, beside)) await dropDatabase(session, beside.name, info);
      },
      signal,
    );
  }

  async dropLogin(name: string, signal?: AbortSignal): Promise<void> {
    await dropLogin(this.#place('drop the login of a run', signal), name);
  }

  /** Makes room for a login: what an earlier attempt of the run left goes, and what is left of others. */
  async #clear({ name }: RunLogin, tried: string, signal?: AbortSignal): Promise<void> {
    const place = this.#place(tried, signal);
    await dropExpired(place, await this.#sessions.info());
    await this.settle({ login: name }, signal);
    await dropLogin(place, name);
  }

  #place(tried: string, signal?: AbortSignal): Place {
    return {
      adminDatabase: this.#sessions.adminDatabase,
      use: async (database, work) => await this.#sessions.use(database, tried, work, signal),
    };
  }

  async #refuseFull({ target, requireEmpty }: HandOver, signal?: AbortSignal): Promise<void> {
    if (!requireEmpty) return;
    const { empty, summary } = await this.contents(target, signal);
    if (!empty) throw targetNotEmpty(target, summary);
  }

  async #admin<T>(tried: string, work: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return await this.#sessions.use(this.#sessions.adminDatabase, tried, work, signal);
  }
}

const administrators = (database: string, owner: string): ResourceError =>
  new ResourceError(
    'OwnerIsAdministrator',
    `database ${JSON.stringify(database)} belongs to the administrator ${JSON.stringify(owner)}, and on a shared server nothing that others wrote may become the administrator's; give the Database an owner`,
    { retryable: false },
  );
