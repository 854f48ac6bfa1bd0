/** Backups by CockroachDB itself. */
import type { ResourceError } from '../../../common/errors.ts';
import { Secret } from '../../../common/secret.ts';
import type { ServerInfo } from '../../../resources/model/server.ts';
import type { ConnectionWanted, NativeOperations, ScheduleChange } from '../../native.ts';
import { codeOf } from '../../postgres/errors.ts';
import type { Session } from '../../postgres/session.ts';
import { ident, join, parameter, sql } from '../../postgres/sql.ts';
import { command } from '../command.ts';
import { WRONG_STATE } from '../errors.ts';
import { retrying, send } from '../execute.ts';
import { findJobs } from './jobs.ts';
import { findSchedules } from './schedules.ts';
import * as statements from './statements.ts';
import type { Placing } from './placing.ts';
import { handOver, takePlace } from './take-place.ts';

export interface NativeAccess {
  /** Ends the idle sessions of a database, which is about to be another. */
  evict: (database: string) => Promise<void>;
  info: () => Promise<ServerInfo>;
  /** A session of a database; errors are explained with what was tried. `undefined` = the administrator's. */
  use: <T>(
    database: string | undefined,
    tried: string,
    work: (session: Session) => Promise<T>,
    signal?: AbortSignal,
  ) => Promise<T>;
}

/** From here on a connection can be changed in place. */
const ALTER_CONNECTION = 250_400;
/** From here on sessions may list backups by ids instead of paths, which leaves out those of before v26.1. */
const BACKUPS_WITH_IDS = 260_200;

export function nativeOperations({ evict, info, use }: NativeAccess): NativeOperations {
  const run = async (tried: string, bound: statements.Bound, signal?: AbortSignal) =>
    await use(undefined, tried, async (session) => await query(session, bound), signal);
  const plain = async (tried: string, text: ReturnType<typeof sql>, signal?: AbortSignal): Promise<void> => {
    await use(undefined, tried, async (session) => await send(session, command(text)), signal);
  };
  const placing = (signal?: AbortSignal): Placing => ({
    admin: async (work) => await use(undefined, 'ALTER DATABASE', work, signal),
    inside: async (database, work) => await use(database, 'ALTER DATABASE', work, signal),
  });
  return {
    connection: async (name, signal) =>
      await use(undefined, 'SHOW EXTERNAL CONNECTION', async (session) => await shown(session, name), signal),
    putConnection: async (wanted, signal) => {
      const { versionNumber } = await info();
      await use(
        undefined,
        'CREATE EXTERNAL CONNECTION',
        async (session) => await put(session, wanted, versionNumber >= ALTER_CONNECTION),
        signal,
      );
    },
    dropConnection: async (name, signal) => {
      await use(
        undefined,
        'DROP EXTERNAL CONNECTION',
        async (session) => {
          if ((await shown(session, name)) !== undefined)
            await send(session, command(sql`DROP EXTERNAL CONNECTION ${ident(name)}`));
        },
        signal,
      );
    },
    startBackup: async (order, signal) => jobId(await run('BACKUP', statements.backup(order), signal)),
    startRestore: async (order, signal) => jobId(await run('RESTORE', statements.restore(order), signal)),
    jobs: async (type, mention, signal) => {
      const { versionNumber } = await info();
      return await use(
        undefined,
        'read',
        async (session) => await findJobs(session, type, mention, versionNumber),
        signal,
      );
    },
    cancelJob: async (id, signal) => {
      await plain('CANCEL JOB', sql`CANCEL JOB ${statements.number(id)}`, signal).catch((error: unknown) => {
        // It came to an end, or was asked for it, in the meantime: the next look tells which.
        const { code, message } = error as ResourceError;
        if (code !== WRONG_STATE && !message.includes('cannot be requested to be canceled')) throw error;
      });
    },
    resumeJob: async (id, signal) => {
      await plain('RESUME JOB', sql`RESUME JOB ${statements.number(id)}`, signal);
    },
    backups: async (collection, signal) => {
      const { versionNumber } = await info();
      const text = sql`SELECT path FROM [SHOW BACKUPS IN ${parameter(1)}]`;
      const work = async (session: Session): Promise<Record<string, unknown>[]> => {
        if (versionNumber >= BACKUPS_WITH_IDS) await session.execute('SET use_backups_with_ids = off');
        return await query(session, { sql: text, params: [collection] });
      };
      const rows = await use(undefined, 'SHOW BACKUPS', work, signal).catch((error: unknown) => {
        // A collection without any backup is one that is not there.
        if (/no backups found|does not exist|not found/i.test((error as ResourceError).message)) return [];
        throw error;
      });
      return rows.map((row) => `/${String(row['path']).replace(/^\//, '')}`).toSorted();
    },
    schedules: async (label, signal) =>
      await use(undefined, 'read', async (session) => await findSchedules(session, label), signal),
    createSchedule: async (wanted, signal) => {
      await run('CREATE SCHEDULE', statements.createSchedule(wanted), signal);
    },
    alterSchedule: async (id, changes: readonly ScheduleChange[], signal) => {
      if (changes.length > 0) await run('ALTER BACKUP SCHEDULE', statements.alterSchedule(id, changes), signal);
    },
    pauseSchedules: async (ids, isPaused, signal) => {
      for (const id of ids)
        await plain(
          isPaused ? 'PAUSE SCHEDULE' : 'RESUME SCHEDULE',
          isPaused ? sql`PAUSE SCHEDULE ${statements.number(id)}` : sql`RESUME SCHEDULE ${statements.number(id)}`,
          signal,
        );
    },
    dropSchedules: async (ids, { cancelJobs }, signal) => {
      if (ids.length === 0) return;
      const list = join(ids.map((id) => sql`(${statements.number(id)})`));
      // Once the schedule is gone its jobs are hard to find.
      if (cancelJobs)
        await plain('CANCEL JOBS', sql`CANCEL JOBS FOR SCHEDULES SELECT * FROM (VALUES ${list}) AS ids (id)`, signal);
      for (const id of ids)
        await use(
          undefined,
          'DROP SCHEDULE',
          async (session) => {
            await send(session, command(sql`DROP SCHEDULE ${statements.number(id)}`)).catch((error: unknown) => {
              // A full schedule takes its incremental one along.
              if (codeOf(error) !== '42704' && !/does not exist|not found/.test((error as Error).message)) throw error;
            });
          },
          signal,
        );
    },
    takePlace: async (order, signal) => {
      await evict(order.target);
      const outcome = await takePlace(placing(signal), order);
      for (const name of [order.target, order.beside]) await evict(name);
      return outcome;
    },
    handOver: async (order, signal) => {
      await handOver(placing(signal), order);
    },
    dropDatabase: async (name, signal) => {
      await evict(name);
      await plain('DROP DATABASE', sql`DROP DATABASE IF EXISTS ${ident(name)} CASCADE`, signal);
    },
  };
}

/** Sent again only when the server says that it had no effect: a repeated BACKUP would be another backup. */
async function query(session: Session, { sql: text, params }: statements.Bound): Promise<Record<string, unknown>[]> {
  return await retrying(
    async () =>
      await session.query(
        text.text,
        params.map((value) => (value instanceof Secret ? value.reveal() : value)),
      ),
  );
}

const jobId = ([row]: readonly Record<string, unknown>[]): string => String(row?.['job_id']);

async function shown(session: Session, name: string): Promise<string | undefined> {
  const rows = await session.query(
    'SELECT connection_name, connection_uri FROM [SHOW EXTERNAL CONNECTIONS] WHERE connection_name = $1',
    [name],
  );
  return rows[0]?.['connection_uri'] as string | undefined;
}

async function put(session: Session, { name, uri }: ConnectionWanted, canAlter: boolean): Promise<void> {
  const isThere = (await shown(session, name)) !== undefined;
  const [first, second] = [parameter(1), parameter(2)];
  const params = [name, uri];
  if (isThere && canAlter) {
    await query(session, { sql: sql`ALTER EXTERNAL CONNECTION ${first} AS ${second}`, params });
    return;
  }
  if (isThere) await send(session, command(sql`DROP EXTERNAL CONNECTION ${ident(name)}`));
  await query(session, { sql: sql`CREATE EXTERNAL CONNECTION ${first} AS ${second}`, params });
}
