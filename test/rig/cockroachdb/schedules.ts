/** Schedules of backups: CREATE, ALTER, PAUSE, RESUME, DROP, and running them when a test says so. */
import { Cron } from 'croner';
import { describe, option, quotedText, withOptions } from './backup-options.ts';
import { collectionOf, mayBackUp, startBackup, targets } from './backups.ts';
import { placeOf, redacted } from './collections.ts';
import { idsOf } from './select-ids.ts';
import type { Session } from './session.ts';
import { resultOf } from './shapes.ts';
import type { Simulator } from './simulator.ts';
import type { Job, Schedule } from './state.ts';
import type { Cursor } from './tokens.ts';
import { type Result, SqlError } from './wire.ts';

export async function schedules(session: Session, cursor: Cursor): Promise<Result | undefined> {
  if (cursor.accept('create', 'schedule')) return await create(session, cursor);
  if (cursor.accept('alter', 'backup', 'schedule')) return await alter(session, cursor);
  const verb = ['pause', 'resume', 'drop'].find(
    (word) => cursor.accept(word, 'schedule') || cursor.accept(word, 'schedules'),
  );
  if (verb === undefined) return undefined;
  const ids = await idsOf(session, cursor);
  for (const id of ids) {
    const schedule = scheduleOf(session.simulator, id);
    mayChange(session, schedule, verb);
    if (verb === 'drop') drop(session.simulator, schedule);
    else schedule.paused = verb === 'pause';
    if (verb === 'resume') schedule.nextRun = next(schedule.recurrence);
  }
  return { tag: `${verb.toUpperCase()} SCHEDULES ${ids.length}` };
}

function drop({ state }: Simulator, { id, backupType, partner }: Schedule): void {
  state.schedules.delete(id);
  if (backupType === 'FULL' && partner !== undefined) state.schedules.delete(partner);
}

function scheduleOf({ state }: Simulator, id: string): Schedule {
  const schedule = state.schedules.get(id);
  if (schedule === undefined) throw new SqlError('42704', `schedule ${id} does not exist`);
  return schedule;
}

function mayChange({ simulator: { state }, currentUser }: Session, { owner, id }: Schedule, verb: string): void {
  if (state.isAdmin(currentUser) || owner === currentUser) return;
  throw new SqlError(
    '42501',
    `must have REPAIRCLUSTER privilege or be owner of the schedule ${id} to ${verb.toUpperCase()} it`,
  );
}

function next(recurrence: string): Date {
  try {
    return new Cron(recurrence, { timezone: 'UTC', paused: true }).nextRun() ?? new Date(8.64e15);
  } catch {
    throw new SqlError(
      '22023',
      `error parsing schedule expression: ${JSON.stringify(recurrence)}; it must be a valid cron expression`,
    );
  }
}

/** How far apart two runs are, in hours. */
function hours(recurrence: string): number {
  const [first, second] = new Cron(recurrence, { timezone: 'UTC', paused: true }).nextRuns(2);
  return ((second?.getTime() ?? 0) - (first?.getTime() ?? 0)) / 3_600_000;
}

function fullOf(recurrence: string, asked: string): string {
  if (asked !== '') return asked;
  next(recurrence);
  const apart = hours(recurrence);
  if (apart <= 1) return '@daily';
  return apart <= 24 ? '@weekly' : 'ALWAYS';
}

const RUNNING: Record<string, string> = { start: 'START', skip: 'SKIP', wait: 'WAIT' };
const FAILURE: Record<string, string> = { retry: 'RETRY_SOON', reschedule: 'RETRY_SCHED', pause: 'PAUSE_SCHED' };

async function create(session: Session, cursor: Cursor): Promise<Result> {
  const { simulator } = session;
  const { state, version } = simulator;
  const ifNotExists = cursor.accept('if', 'not', 'exists');
  const isNamed = cursor.peek?.text !== 'for' || cursor.peek.kind !== 'word';
  const label = isNamed ? labelOf(cursor) : `BACKUP ${Math.floor(Date.now() / 1000)}`;
  cursor.expect('for', 'backup');
  const databases = targets(cursor);
  cursor.expect('into');
  const collection = collectionOf(cursor);
  if (cursor.peek?.text === 'as') throw new SqlError('0A000', 'scheduled backups cannot specify AS OF SYSTEM TIME');
  const options = withOptions(cursor, 'BACKUP', version);
  options.set('detached', 'true');
  cursor.expect('recurring');
  const recurrence = cursor.string();
  const asked = cursor.accept('full', 'backup') ? (cursor.accept('always') ? 'ALWAYS' : cursor.string()) : '';
  const settings = cursor.accept('with', 'schedule', 'options') ? scheduleOptions(cursor) : new Map<string, string>();
  cursor.end();
  await mayBackUp(session, databases);
  if (ifNotExists && [...state.schedules.values()].some((schedule) => schedule.label === label))
    return {
      tag: 'CREATE SCHEDULE',
      notices: [{ severity: 'NOTICE', code: '00000', message: `schedule "${label}" already exists, skipping` }],
    };
  const place = await dryRun(session, collection, databases);
  if (!settings.has('ignore_existing_backups') && state.backups.some((backup) => backup.collection === place))
    throw new SqlError(
      '22023',
      `backups already created in ${redacted(collection)}; to ignore existing backups, the schedule can be created with the 'ignore_existing_backups' option`,
    );
  const full = fullOf(recurrence, asked);
  const made = (backupType: Schedule['backupType'], when: string): Schedule => {
    const id = state.id();
    const first = settings.get('first_run');
    const schedule: Schedule = {
      id,
      label,
      owner: session.currentUser,
      created: new Date(),
      paused: backupType === 'INCREMENTAL',
      state: backupType === 'INCREMENTAL' ? 'Waiting for initial backup to complete' : '',
      nextRun: first === undefined ? next(when) : first === 'now' ? new Date() : new Date(first),
      recurrence: when,
      onPreviousRunning: RUNNING[settings.get('on_previous_running') ?? 'wait'] ?? 'WAIT',
      onExecutionFailure: FAILURE[settings.get('on_execution_failure') ?? 'reschedule'] ?? 'RETRY_SCHED',
      backupType,
      full: asked,
      backup: { databases, collection, options },
    };
    state.schedules.set(id, schedule);
    return schedule;
  };
  const rows = full === 'ALWAYS' ? [made('FULL', recurrence)] : [made('INCREMENTAL', recurrence), made('FULL', full)];
  const [incremental, whole] = rows;
  if (whole !== undefined && incremental !== undefined) {
    incremental.partner = whole.id;
    whole.partner = incremental.id;
  }
  return resultOf({ shape: 'CREATE SCHEDULE FOR BACKUP', rows: rows.map(rowOf) }, version, 'CREATE SCHEDULE');
}

function labelOf(cursor: Cursor): string {
  const kind = cursor.peek?.kind;
  return kind === 'string' || kind === 'placeholder' ? cursor.string() : cursor.name();
}

async function dryRun(session: Session, collection: string, databases: readonly string[] | undefined): Promise<string> {
  try {
    for (const name of databases ?? []) await session.simulator.catalog.database(name);
    return placeOf(session, collection);
  } catch (error) {
    const { code, message } = error as SqlError;
    throw new SqlError(code, `failed to dry run backup: ${message}`);
  }
}

function scheduleOptions(cursor: Cursor): Map<string, string> {
  const known = [
    'first_run',
    'on_execution_failure',
    'on_previous_running',
    'ignore_existing_backups',
    'updates_cluster_last_backup_time_metric',
  ];
  const options = new Map<string, string>();
  cursor.list(() => {
    const name = cursor.name();
    if (!known.includes(name)) throw new SqlError('22023', `invalid option "${name}"`);
    options.set(name, cursor.accept('=') ? (cursor.peek?.kind === 'word' ? cursor.name() : cursor.string()) : 'true');
    return name;
  });
  return options;
}

export const statementOf = ({ backup, backupType }: Schedule): string =>
  describe(backup, `${backupType === 'INCREMENTAL' ? 'LATEST IN ' : ''}${quotedText(redacted(backup.collection))}`, [
    'detached',
  ]);

const rowOf = (schedule: Schedule): Record<string, unknown> => ({
  schedule_id: schedule.id,
  label: schedule.label,
  status: schedule.paused ? `PAUSED${schedule.state === '' ? '' : `: ${schedule.state}`}` : 'ACTIVE',
  first_run: schedule.paused ? null : schedule.nextRun,
  schedule: schedule.recurrence,
  backup_stmt: statementOf(schedule),
});

async function alter(session: Session, cursor: Cursor): Promise<Result> {
  const { simulator } = session;
  const given = scheduleOf(simulator, cursor.integer());
  mayChange(session, given, 'alter');
  const pair = [given, ...(given.partner === undefined ? [] : [scheduleOf(simulator, given.partner)])];
  const seen = new Set<string>();
  const once = (what: string): void => {
    if (seen.has(what)) throw new SqlError('42601', `can specify ${what} at most once`);
    seen.add(what);
  };
  let [recurrence, full, run] = [undefined as string | undefined, undefined as string | undefined, ''];
  cursor.list(() => {
    if (cursor.accept('execute')) {
      run = cursor.accept('full') ? 'FULL' : 'given';
      cursor.expect('immediately');
      return;
    }
    cursor.expect('set');
    if (cursor.accept('label')) {
      once('SET LABEL');
      const label = labelOf(cursor);
      for (const schedule of pair) schedule.label = label;
    } else if (cursor.accept('into')) {
      once('SET INTO');
      const collection = collectionOf(cursor);
      placeOf(session, collection);
      for (const schedule of pair) schedule.backup.collection = collection;
    } else if (cursor.accept('with')) {
      const [name, value] = option(cursor);
      if (name === 'detached')
        throw new SqlError('22023', 'DETACHED is required for scheduled backups and cannot be altered');
      for (const schedule of pair) {
        if (value === '' || value === 'false') schedule.backup.options.delete(name);
        else schedule.backup.options.set(name, value);
      }
      if (given.backup.options.has('encryption_passphrase') && given.backup.options.has('kms'))
        throw new SqlError('22023', 'cannot have both encryption_passphrase and kms option set');
    } else if (cursor.accept('recurring')) {
      once('SET RECURRING');
      recurrence = cursor.string();
    } else if (cursor.accept('full', 'backup')) {
      once('SET FULL BACKUP');
      full = cursor.accept('always') ? 'ALWAYS' : cursor.string();
    } else if (cursor.accept('schedule', 'option')) {
      const [[name, value] = ['', '']] = scheduleOptions(cursor);
      for (const schedule of pair) {
        if (name === 'on_previous_running') schedule.onPreviousRunning = RUNNING[value] ?? value;
        if (name === 'on_execution_failure') schedule.onExecutionFailure = FAILURE[value] ?? value;
      }
    } else throw cursor.error();
  });
  cursor.end();
  const changed =
    recurrence === undefined && full === undefined ? pair : rescheduled(simulator, pair, recurrence, full);
  if (run !== '') {
    const chosen = run === 'FULL' ? changed.find(({ backupType }) => backupType === 'FULL') : given;
    if (chosen !== undefined) runSchedule(simulator, chosen.id);
  }
  return resultOf(
    { shape: 'CREATE SCHEDULE FOR BACKUP', rows: changed.map(rowOf) },
    simulator.version,
    'ALTER SCHEDULE',
  );
}

function rescheduled(
  simulator: Simulator,
  pair: Schedule[],
  recurrence: string | undefined,
  full: string | undefined,
): Schedule[] {
  const whole = pair.find(({ backupType }) => backupType === 'FULL')!;
  const part = pair.find(({ backupType }) => backupType === 'INCREMENTAL');
  const often = recurrence ?? (part ?? whole).recurrence;
  const seldom =
    full ??
    (part === undefined
      ? recurrence === undefined
        ? 'ALWAYS'
        : fullOf(often, whole.full)
      : fullOf(often, whole.full));
  next(often);
  whole.full = full ?? whole.full;
  if (seldom === 'ALWAYS') {
    if (part !== undefined) simulator.state.schedules.delete(part.id);
    delete whole.partner;
    whole.recurrence = often;
    whole.nextRun = next(often);
    return [whole];
  }
  whole.recurrence = seldom;
  whole.nextRun = next(seldom);
  const incremental = part ?? {
    ...whole,
    id: simulator.state.id(),
    backupType: 'INCREMENTAL' as const,
    backup: { ...whole.backup },
  };
  incremental.recurrence = often;
  incremental.nextRun = next(often);
  incremental.partner = whole.id;
  whole.partner = incremental.id;
  simulator.state.schedules.set(incremental.id, incremental);
  return [incremental, whole];
}

/** Lets the time of a schedule come. */
export function runSchedule(simulator: Simulator, id: string): Job {
  const schedule = scheduleOf(simulator, id);
  const session = { simulator, currentUser: schedule.owner, user: schedule.owner } as Session;
  const place = placeOf(session, schedule.backup.collection);
  const job = startBackup(session, schedule.backup, place, schedule.backupType === 'INCREMENTAL', undefined, id);
  const partner = schedule.partner === undefined ? undefined : simulator.state.schedules.get(schedule.partner);
  if (schedule.backupType === 'FULL' && partner?.state.startsWith('Waiting') === true) {
    partner.paused = false;
    partner.state = '';
  }
  schedule.nextRun = next(schedule.recurrence);
  return job;
}
