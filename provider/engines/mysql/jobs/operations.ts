/**
 * Logins and databases of runs on MySQL and MariaDB. A database has no owner and no second name here: what was loaded
 * beside moves into the target table by table in one statement, and its programs are made anew. The login of the run does
 * all of that itself, never the administrator; where it is the definer of something it stays, locked, with rights on
 * that database alone.
 */
import { ResourceError } from '../../../common/errors.ts';
import {
  type Beside,
  type HandOver,
  type JobOperations,
  type LoadTarget,
  type RunLogin,
  targetNotEmpty,
} from '../../jobs.ts';
import { patternOf } from '../database-pattern.ts';
import { codeOf } from '../errors.ts';
import type { MysqlInfo } from '../info.ts';
import { readDatabaseContents } from '../reads/contents.ts';
import { type Session, UNLIMITED_MS } from '../session.ts';
import { account, ident, literal, sql, word } from '../sql.ts';
import { carryOn, type Phase, phaseOf } from './hand-over.ts';
import { dropLogin, DUMP, grant, LOAD, makeLogin, sessionsIn } from './logins.ts';
import type { JobSessions } from './sessions.ts';

const DATABASE_PREFIX = /^xdatabase_(beside|replaced)_/;
/** MariaDB 11.3 tells the right to see a routine from all others. */
const SHOW_CREATE_ROUTINE = 110_300;

/** Everything is kept before anything is moved: whoever comes back after an interruption can carry it to its end. */
export class MysqlJobs implements JobOperations {
  readonly #sessions: JobSessions;

  constructor(sessions: JobSessions) {
    this.#sessions = sessions;
  }

  async makeReader(login: RunLogin, database: string, signal?: AbortSignal): Promise<void> {
    const info = await this.#sessions.info();
    await makeLogin(this.#sessions, login, signal);
    await this.#sessions.use(
      'backup',
      async (session) => {
        await session.execute(grant(DUMP, database, login.name, info));
        await this.#showRoutines(session, database, login.name, info);
      },
      signal,
    );
  }

  async makeBeside(login: RunLogin, beside: Beside, signal?: AbortSignal): Promise<LoadTarget> {
    const info = await this.#sessions.info();
    await this.dropBeside(beside, signal);
    await makeLogin(this.#sessions, login, signal);
    await this.#sessions.use(
      'restore',
      async (session) => {
        const [like] = await session.query(
          sql`SELECT DEFAULT_CHARACTER_SET_NAME AS charset, DEFAULT_COLLATION_NAME AS collation FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ${literal(beside.like)}`,
        );
        if (like === undefined)
          throw new ResourceError(
            'DatabaseNotFound',
            `database ${JSON.stringify(beside.like)} does not exist on the server`,
          );
        const [charset, collation] = [
          word(String(like['charset']), 'character set'),
          word(String(like['collation']), 'collation'),
        ];
        await session.execute(sql`CREATE DATABASE ${ident(beside.name)} CHARACTER SET ${charset} COLLATE ${collation}`);
        await session.execute(grant(LOAD, beside.name, login.name, info));
      },
      signal,
    );
    return { database: beside.name };
  }

  async size(database: string, signal?: AbortSignal): Promise<number> {
    const rows = await this.#sessions.use(
      'backup',
      async (session) =>
        await session.query(
          sql`SELECT COALESCE(SUM(DATA_LENGTH), 0) AS bytes FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${literal(database)}`,
        ),
      signal,
    );
    return Number(rows[0]?.['bytes'] ?? 0);
  }

  async contents(database: string, signal?: AbortSignal): Promise<{ empty: boolean; summary: string }> {
    const info = await this.#sessions.info();
    const read = async (session: Session) => await readDatabaseContents(session, [{ name: database }], info);
    return (await this.#sessions.use('restore', read, signal))[0] ?? { empty: true, summary: '' };
  }

  async handOver(order: HandOver, signal?: AbortSignal): Promise<number> {
    const { target, beside, requireEmpty, endSessions } = order;
    const phase = await this.#phase(beside, signal);
    if (phase === 'done') return 0;
    if (phase !== 'moved') {
      const { empty, summary } = await this.contents(target, signal);
      if (requireEmpty && !empty) throw targetNotEmpty(target, summary);
      const inTheWay = await this.#sessions.use(
        'restore',
        async (session) => await sessionsIn(session, target, endSessions),
        signal,
      );
      if (inTheWay > 0) return inTheWay;
    }
    await carryOn(this.#sessions, { ...order, beside: beside.name }, signal);
    return 0;
  }

  async settle(order: Parameters<JobOperations['settle']>[0], signal?: AbortSignal): Promise<void> {
    const phase = await this.#phase(order.beside, signal);
    if (phase !== 'clearing' && phase !== 'moved') return;
    await carryOn(this.#sessions, { ...order, beside: order.beside.name }, signal);
  }

  async #phase({ name }: Beside, signal?: AbortSignal): Promise<Phase | undefined> {
    return await this.#sessions.use('restore', async (session) => await phaseOf(session, name), signal);
  }

  async dropBeside({ name }: Pick<Beside, 'name' | 'run'>, signal?: AbortSignal): Promise<void> {
    // Names are digests of the run, and nobody else may use the prefix.
    if (!DATABASE_PREFIX.test(name)) throw new TypeError(`${name} is no database of a run`);
    await this.#sessions.use(
      'drop a database of a run',
      async (session) => {
        await session.execute(sql`DROP DATABASE IF EXISTS ${ident(name)}`, UNLIMITED_MS);
      },
      signal,
    );
  }

  async dropLogin(name: string, signal?: AbortSignal): Promise<void> {
    await dropLogin(this.#sessions, name, signal);
  }

  /** Without it a dump fails where there are routines, and says so. */
  async #showRoutines(session: Session, database: string, login: string, info: MysqlInfo): Promise<void> {
    const [what, where] =
      info.engine === 'mysql'
        ? [sql`SHOW_ROUTINE`, sql`*.*`]
        : info.versionNumber >= SHOW_CREATE_ROUTINE
          ? [sql`SHOW CREATE ROUTINE`, sql`${ident(patternOf(database, info))}.*`]
          : [sql`SELECT`, sql`mysql.proc`];
    try {
      await session.execute(sql`GRANT ${what} ON ${where} TO ${account(login)}`);
    } catch (error) {
      if (!DENIED.has(codeOf(error))) throw error;
    }
  }
}

const DENIED: ReadonlySet<string> = new Set(['1044', '1045', '1142', '1227']);
