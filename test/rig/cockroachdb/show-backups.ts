/** SHOW of external connections, schedules, jobs and backups, and the tables of the system. */
import { findBackup } from './backups.ts';
import { connectionName, placeOf, redacted } from './collections.ts';
import { idsOf } from './select-ids.ts';
import { statementOf } from './schedules.ts';
import type { Session } from './session.ts';
import type { ShapeName, Shown } from './shapes.ts';
import type { ExternalConnection, Job, Schedule } from './state.ts';
import { withOptions } from './backup-options.ts';
import type { Cursor } from './tokens.ts';
import { SqlError } from './wire.ts';

export async function showBackups(session: Session, cursor: Cursor): Promise<Shown> {
  const { state } = session.simulator;
  if (cursor.accept('external', 'connections')) {
    cursor.end();
    return { shape: 'SHOW EXTERNAL CONNECTIONS', rows: [...state.connections.values()].map(connectionRow) };
  }
  if (cursor.accept('external', 'connection')) {
    const connection = state.connections.get(connectionName(cursor));
    cursor.end();
    return { shape: 'SHOW EXTERNAL CONNECTIONS', rows: connection === undefined ? [] : [connectionRow(connection)] };
  }
  if (cursor.accept('create', 'external', 'connection')) {
    const connection = state.connections.get(connectionName(cursor));
    if (connection === undefined) throw new SqlError('42704', 'external connection does not exist');
    session.simulator.violations.push('SHOW CREATE EXTERNAL CONNECTION prints secrets');
    const statement = `CREATE EXTERNAL CONNECTION '${connection.name}' AS '${connection.uri}'`;
    return {
      shape: 'SHOW CREATE EXTERNAL CONNECTION',
      rows: [{ connection_name: connection.name, create_statement: statement }],
    };
  }
  const only = cursor.oneOf('running', 'paused');
  if (cursor.accept('schedules') || cursor.accept('schedule')) return schedules(session, cursor, only);
  if (cursor.accept('job')) {
    const id = cursor.integer();
    cursor.end();
    const job = state.jobs.get(id);
    return { shape: 'SHOW JOB', rows: job === undefined || !maySee(session, job) ? [] : [jobRow(job)] };
  }
  if (cursor.accept('jobs')) return await jobs(session, cursor);
  if (cursor.accept('cluster', 'sessions') || cursor.accept('sessions')) {
    cursor.end();
    const rows = [...session.simulator.sessions].map(({ id, user, variables }) => ({
      node_id: 1,
      session_id: String(id),
      status: 'ACTIVE',
      user_name: user,
      application_name: variables.get('application_name'),
    }));
    return { shape: 'SHOW SESSIONS', rows };
  }
  if (cursor.accept('backups', 'in')) {
    const place = placeOf(session, cursor.string());
    withOptions(cursor, 'RESTORE', session.simulator.version);
    cursor.end();
    const found = state.backups.filter(({ collection, isFull }) => collection === place && isFull);
    if (['on', 'true'].includes(session.variables.get('use_backups_with_ids') ?? ''))
      return {
        shape: 'SHOW BACKUPS IN with ids',
        rows: found.map(({ path, end }) => ({ id: path, backup_time: end })),
      };
    return { shape: 'SHOW BACKUPS IN', rows: found.map(({ path }) => ({ path })) };
  }
  if (cursor.accept('backup', 'from')) return backup(session, cursor);
  throw cursor.error();
}

const connectionRow = ({ name, uri }: ExternalConnection): Record<string, unknown> => ({
  connection_name: name,
  connection_uri: redacted(uri),
  connection_type: uri.includes('kms') ? 'KMS' : 'STORAGE',
});

function schedules(session: Session, cursor: Cursor, only: string | undefined): Shown {
  const { state, currentUser } = { state: session.simulator.state, currentUser: session.currentUser };
  const isNumber = cursor.peek !== undefined && cursor.peek.kind !== 'word';
  const id = isNumber ? cursor.integer() : undefined;
  const isForBackup = cursor.accept('for', 'backup');
  cursor.end();
  const chosen = [...state.schedules.values()]
    .filter((schedule) => id === undefined || schedule.id === id)
    .filter(({ paused }) => only === undefined || paused === (only === 'paused'))
    .filter(({ owner }) => state.isAdmin(currentUser) || owner === currentUser);
  return {
    shape: isForBackup ? 'SHOW SCHEDULES FOR BACKUP' : 'SHOW SCHEDULES',
    rows: chosen.map((schedule) => scheduleRow(session, schedule, isForBackup)),
  };
}

function scheduleRow(
  { simulator: { state } }: Session,
  schedule: Schedule,
  isForBackup: boolean,
): Record<string, unknown> {
  const running = [...state.jobs.values()].filter((job) => job.schedule === schedule.id && job.finished === undefined);
  const statement = statementOf(schedule);
  return {
    id: schedule.id,
    label: schedule.label,
    schedule_status: schedule.paused ? 'PAUSED' : 'ACTIVE',
    next_run: schedule.paused ? null : schedule.nextRun,
    state: schedule.state === '' ? null : schedule.state,
    recurrence: schedule.recurrence,
    jobsrunning: running.length,
    owner: schedule.owner,
    created: schedule.created,
    on_previous_running: schedule.onPreviousRunning,
    on_execution_failure: schedule.onExecutionFailure,
    command: isForBackup
      ? statement
      : { backup_statement: statement, ...(schedule.backupType === 'INCREMENTAL' ? { backup_type: 1 } : {}) },
    backup_type: schedule.backupType,
  };
}

function maySee({ simulator: { state }, currentUser }: Session, job: Job): boolean {
  return (
    job.user === currentUser || state.hasOption(currentUser, 'CONTROLJOB') || state.hasSystem(currentUser, 'VIEWJOB')
  );
}

function jobRow(job: Job): Record<string, unknown> {
  return {
    job_id: job.id,
    job_type: job.type,
    description: job.description,
    statement: job.statement,
    user_name: job.user,
    status: job.status,
    running_status: null,
    created: job.created,
    started: job.started,
    finished: job.finished,
    modified: job.modified,
    fraction_completed: job.fraction,
    error: job.error,
    coordinator_id: 1,
    trace_id: '0',
    execution_errors: [],
  };
}

/** How long SHOW JOBS remembers, and then crdb_internal.jobs. */
const RECENT_MS = 12 * 3_600_000;

async function jobs(session: Session, cursor: Cursor): Promise<Shown> {
  const { state } = session.simulator;
  let chosen = [...state.jobs.values()].filter((job) => maySee(session, job));
  const mode = cursor.oneOf('for schedules', 'for schedule', 'when complete');
  if (mode !== undefined || !cursor.isAtEnd) {
    const ids = await idsOf(session, cursor);
    chosen = chosen.filter((job) => ids.includes((mode?.startsWith('for') === true ? job.schedule : job.id) ?? ''));
  } else chosen = chosen.filter((job) => job.finished === undefined || Date.now() - job.finished.getTime() < RECENT_MS);
  const isShort = session.simulator.version >= 250_100;
  return {
    shape: 'SHOW JOBS',
    rows: chosen.map((job) => ({
      ...jobRow(job),
      description: isShort ? job.description.slice(0, 70) : job.description,
    })),
  };
}

function backup(session: Session, cursor: Cursor): Shown {
  const subdirectory = cursor.accept('latest') ? undefined : cursor.string();
  cursor.expect('in');
  const place = placeOf(session, cursor.string());
  const options = withOptions(cursor, 'RESTORE', session.simulator.version);
  cursor.end();
  const found = findBackup(session.simulator.state.backups, place, subdirectory, options);
  const common = {
    backup_type: found.isFull ? 'full' : 'incremental',
    start_time: found.start,
    end_time: found.end,
    is_full_cluster: false,
  };
  return {
    shape: 'SHOW BACKUP FROM',
    rows: found.databases.flatMap(({ name, tables }) => [
      { ...common, object_name: name, object_type: 'database' },
      ...tables.map((table) => ({
        ...common,
        database_name: name,
        parent_schema_name: table.schema,
        object_name: table.name,
        object_type: table.type,
        size_bytes: 0,
        rows: 0,
      })),
    ]),
  };
}

export function systemTables(session: Session, name: ShapeName): Shown {
  const { state } = session.simulator;
  if (name === 'crdb_internal.jobs')
    return { shape: name, rows: [...state.jobs.values()].filter((job) => maySee(session, job)).map(jobRow) };
  if (name === 'system.privileges')
    return {
      shape: name,
      rows: [...state.systemAcl].map(([username, held]) => ({
        username,
        path: '/global/',
        privileges: [...held.keys()],
        grant_options: [...held].filter(([, option]) => option).map(([privilege]) => privilege),
      })),
    };
  throw new SqlError('42P01', `simulator: ${name} is not among the tables that it knows`);
}
