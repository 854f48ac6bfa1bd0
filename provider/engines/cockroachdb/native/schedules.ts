/** Schedules of backups, by their label. */
import type { ScheduleObserved } from '../../native.ts';
import type { Session } from '../../postgres/session.ts';
import { timestamp } from '../../../common/timestamp.ts';

const FIND = `SELECT id, label, schedule_status, next_run, state, recurrence, owner, on_previous_running, command
  FROM [SHOW SCHEDULES FOR BACKUP] WHERE label = $1 ORDER BY id`;

export async function findSchedules(session: Session, label: string): Promise<ScheduleObserved[]> {
  return (await session.query(FIND, [label])).map((row) => {
    const nextRun = row['next_run'];
    const command = commandOf(row['command']);
    return {
      id: String(row['id']),
      isFull: !/\bINTO LATEST IN\b/.test(command),
      isPaused: row['schedule_status'] !== 'ACTIVE',
      isWaiting: /initial backup/i.test(textOf(row['state'])),
      recurrence: String(row['recurrence']),
      owner: String(row['owner']),
      onPreviousRunning: previousOf(String(row['on_previous_running'])),
      command,
      ...(nextRun instanceof Date ? { nextRun: timestamp(nextRun) } : {}),
    };
  });
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** The statement itself, or JSON around it, as versions have it. */
function commandOf(value: unknown): string {
  if (typeof value === 'object' && value !== null)
    return textOf((value as { backup_statement?: unknown }).backup_statement);
  return textOf(value);
}

/** Spelt in several ways: START and NO_WAIT are one. */
function previousOf(word: string): string {
  if (/^(START|NO_WAIT)$/i.test(word)) return 'start';
  return word.toLowerCase();
}
