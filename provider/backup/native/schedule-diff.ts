/** A wanted schedule against the one or two that the server has for it. Pure. */
import type { ScheduleChange, ScheduleObserved, ScheduleWanted } from '../../engines/native.ts';

/** What has to be done; nothing, when all lists are empty and `remake` is absent. */
export interface ScheduleDiff {
  /** Why the schedule has to be dropped and made again, as no ALTER leads there. */
  remake?: string;
  /** For ALTER BACKUP SCHEDULE of the one or the other: it changes both. */
  changes: ScheduleChange[];
  /** Those that have to be paused, or to go on. */
  pause: string[];
  resume: string[];
  /** In words, without secrets. */
  differences: string[];
}

export interface ScheduleDesired extends ScheduleWanted {
  suspend: boolean;
  /** The passphrase is another than at the last change. */
  isPassphraseNew: boolean;
  /** The key of the key management service is another than at the last change, or there is none any more. */
  isKmsNew: boolean;
  /** As whom the schedule has to run: it keeps the rights of whoever made it. */
  owner: string;
}

/** `observed` must hold one at least. */
export function scheduleDiff(wanted: ScheduleDesired, observed: readonly ScheduleObserved[]): ScheduleDiff {
  const remake = remakeOf(wanted, observed);
  if (remake !== undefined)
    return {
      remake,
      changes: [],
      pause: [],
      resume: [],
      differences: [`DROP SCHEDULE and CREATE SCHEDULE: ${remake}`],
    };
  const full = observed.find(({ isFull }) => isFull);
  const often = observed.find(({ isFull }) => !isFull) ?? full;
  const changes: ScheduleChange[] = [];
  if (often !== undefined && often.recurrence !== wanted.recurrence)
    changes.push({ kind: 'recurring', recurrence: wanted.recurrence });
  const isAlways = often === full;
  if (
    wanted.full !== undefined &&
    (wanted.full === 'ALWAYS' ? !isAlways : isAlways || full?.recurrence !== wanted.full)
  )
    changes.push({ kind: 'full', full: wanted.full });
  const commands = observed.map(({ command }) => command);
  if (!commands.every((command) => command.includes(`'${wanted.collection}'`)))
    changes.push({ kind: 'into', collection: wanted.collection });
  const hasHistory = commands.every((command) => /revision_history(?! = false)/.test(command));
  if (hasHistory !== (wanted.revisionHistory === true))
    changes.push({ kind: 'revisionHistory', value: wanted.revisionHistory === true });
  const isEncrypted = commands.every((command) => command.includes('encryption_passphrase'));
  if (wanted.passphrase !== undefined && (wanted.isPassphraseNew || !isEncrypted))
    changes.push({ kind: 'passphrase', value: wanted.passphrase });
  if (observed.some(({ onPreviousRunning }) => onPreviousRunning !== wanted.onPreviousRunning))
    changes.push({ kind: 'onPreviousRunning', value: wanted.onPreviousRunning });
  const pause = wanted.suspend ? observed.filter(({ isPaused }) => !isPaused).map(({ id }) => id) : [];
  // The server itself holds the incremental one back until there is a full backup.
  const resume = wanted.suspend
    ? []
    : observed.filter(({ isPaused, isWaiting }) => isPaused && !isWaiting).map(({ id }) => id);
  return {
    changes,
    pause,
    resume,
    differences: [
      ...changes.map(wordsOf),
      ...(pause.length > 0 ? ['PAUSE SCHEDULE'] : []),
      ...(resume.length > 0 ? ['RESUME SCHEDULE'] : []),
    ],
  };
}

function remakeOf(wanted: ScheduleDesired, observed: readonly ScheduleObserved[]): string | undefined {
  const other = observed.find(({ owner }) => owner !== wanted.owner);
  if (other !== undefined) return `it runs as ${other.owner}, who made it`;
  if (wanted.isKmsNew) return 'the key of its encryption is another';
  if (wanted.passphrase === undefined && observed.some(({ command }) => command.includes('encryption_passphrase')))
    return 'it is encrypted with a passphrase no more';
  return undefined;
}

function wordsOf(change: ScheduleChange): string {
  switch (change.kind) {
    case 'recurring':
      return `ALTER BACKUP SCHEDULE: RECURRING ${change.recurrence}`;
    case 'full':
      return `ALTER BACKUP SCHEDULE: FULL BACKUP ${change.full}`;
    case 'into':
      return `ALTER BACKUP SCHEDULE: INTO ${change.collection}`;
    case 'revisionHistory':
      return `ALTER BACKUP SCHEDULE: revision_history = ${String(change.value)}`;
    case 'passphrase':
      return "ALTER BACKUP SCHEDULE: encryption_passphrase = '***'";
    case 'onPreviousRunning':
      return `ALTER BACKUP SCHEDULE: on_previous_running = ${change.value}`;
  }
}
