/**
 * BACKUP, RESTORE and schedules as SQL. Labels, places, times and secrets are bound; only names of databases, which
 * cannot be, and words of our own are in the text.
 */
import { ResourceError } from '../../../common/errors.ts';
import type { Secret } from '../../../common/secret.ts';
import type { BackupOrder, BackupOptions, RestoreOrder, ScheduleChange, ScheduleWanted } from '../../native.ts';
import { ident, join, keyword, parameter, type Sql, sql } from '../../postgres/sql.ts';

/** A statement with what is bound to it. */
export interface Bound {
  sql: Sql;
  params: (string | Secret)[];
}

/** Collects what is bound, in the order in which it is named. */
class Params {
  readonly values: (string | Secret)[] = [];

  add(value: string | Secret): Sql {
    this.values.push(value);
    return parameter(this.values.length);
  }
}

/** How old the data of a backup is: younger would wait for, or be in the way of, transactions that are under way. */
const AGE_SECONDS = 10;

function options(params: Params, { passphrase, kms, revisionHistory }: BackupOptions): Sql[] {
  if (passphrase !== undefined && kms !== undefined)
    throw new ResourceError('InvalidSpec', 'a backup is encrypted with a passphrase or with a key, not with both', {
      retryable: false,
    });
  return [
    ...(revisionHistory === true ? [sql`revision_history = true`] : []),
    ...(passphrase === undefined ? [] : [sql`encryption_passphrase = ${params.add(passphrase)}`]),
    ...(kms === undefined ? [] : [sql`kms = ${params.add(kms)}`]),
  ];
}

export function backup(order: BackupOrder): Bound {
  const params = new Params();
  const collection = params.add(order.collection);
  const all = join([...options(params, order), sql`detached`]);
  const age = keyword(`'-${AGE_SECONDS}s'`, [`'-${AGE_SECONDS}s'`]);
  return {
    sql: sql`BACKUP DATABASE ${ident(order.database)} INTO ${collection} AS OF SYSTEM TIME ${age} WITH OPTIONS (${all})`,
    params: params.values,
  };
}

export function restore(order: RestoreOrder): Bound {
  const params = new Params();
  const [path, collection] = [params.add(order.path), params.add(order.collection)];
  const all = join([sql`new_db_name = ${params.add(order.as)}`, ...options(params, order), sql`detached`]);
  return {
    sql: sql`RESTORE DATABASE ${ident(order.database)} FROM ${path} IN ${collection} WITH OPTIONS (${all})`,
    params: params.values,
  };
}

const RUNNING = ['start', 'skip', 'wait'];

export function createSchedule(wanted: ScheduleWanted): Bound {
  const params = new Params();
  const [label, collection] = [params.add(wanted.label), params.add(wanted.collection)];
  const all = options(params, wanted);
  const withOptions = all.length === 0 ? sql`` : sql` WITH OPTIONS (${join(all)})`;
  const recurring = params.add(wanted.recurrence);
  // Backups of an earlier life of the schedule are in the same place.
  const words = join([
    sql`ignore_existing_backups`,
    sql`on_previous_running = ${keyword(wanted.onPreviousRunning, RUNNING)}`,
  ]);
  return {
    sql: sql`CREATE SCHEDULE IF NOT EXISTS ${label} FOR BACKUP DATABASE ${ident(wanted.database)} INTO ${collection}${withOptions} RECURRING ${recurring}${fullBackup(params, wanted.full)} WITH SCHEDULE OPTIONS ${words}`,
    params: params.values,
  };
}

function fullBackup(params: Params, full: string | undefined): Sql {
  if (full === undefined) return sql``;
  return full === 'ALWAYS' ? sql` FULL BACKUP ALWAYS` : sql` FULL BACKUP ${params.add(full)}`;
}

export function alterSchedule(id: string, changes: readonly ScheduleChange[]): Bound {
  const params = new Params();
  const clauses = changes.map((change) => {
    switch (change.kind) {
      case 'recurring':
        return sql`SET RECURRING ${params.add(change.recurrence)}`;
      case 'full':
        return sql`SET${fullBackup(params, change.full)}`;
      case 'into':
        return sql`SET INTO ${params.add(change.collection)}`;
      case 'revisionHistory':
        return sql`SET WITH revision_history = ${keyword(String(change.value), ['true', 'false'])}`;
      case 'passphrase':
        return sql`SET WITH encryption_passphrase = ${params.add(change.value)}`;
      case 'onPreviousRunning':
        return sql`SET SCHEDULE OPTION on_previous_running = ${keyword(change.value, RUNNING)}`;
    }
  });
  return { sql: sql`ALTER BACKUP SCHEDULE ${number(id)} ${join(clauses)}`, params: params.values };
}

/** An id of 64 bits, which never becomes a JavaScript number. */
export function number(id: string): Sql {
  if (!/^\d{1,19}$/.test(id))
    throw new ResourceError('InvalidSpec', `${JSON.stringify(id)} is not the id of a job or schedule`, {
      retryable: false,
    });
  return keyword(id, [id]);
}
