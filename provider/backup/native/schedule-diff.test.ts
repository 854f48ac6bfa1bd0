import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../common/secret.ts';
import type { ScheduleObserved } from '../../engines/native.ts';
import { type ScheduleDesired, scheduleDiff } from './schedule-diff.ts';

const collection = 'external://c/x';
const wanted = (more: Partial<ScheduleDesired> = {}): ScheduleDesired => ({
  label: 'l',
  database: 'd',
  collection,
  recurrence: '@daily',
  onPreviousRunning: 'skip',
  suspend: false,
  isPassphraseNew: false,
  isKmsNew: false,
  owner: 'root',
  ...more,
});
const observed = (more: Partial<ScheduleObserved> = {}): ScheduleObserved => ({
  id: '1',
  isFull: true,
  isPaused: false,
  isWaiting: false,
  recurrence: '@daily',
  owner: 'root',
  onPreviousRunning: 'skip',
  command: `BACKUP DATABASE d INTO '${collection}' WITH OPTIONS (detached)`,
  ...more,
});

/** The server after the changes, as its documentation says. */
function apply(before: readonly ScheduleObserved[], to: ScheduleDesired): ScheduleObserved[] {
  const { changes, pause, resume } = scheduleDiff(to, before);
  let after = before.map((one) => ({ ...one }));
  for (const change of changes) {
    const often = after.find(({ isFull }) => !isFull) ?? after[0]!;
    if (change.kind === 'recurring') often.recurrence = change.recurrence;
    if (change.kind === 'into')
      for (const one of after) one.command = one.command.replace(/'external:[^']*'/, `'${change.collection}'`);
    if (change.kind === 'onPreviousRunning') for (const one of after) one.onPreviousRunning = change.value;
    if (change.kind === 'revisionHistory')
      for (const one of after)
        one.command = one.command.replace(
          /\((revision_history = true, )?/,
          change.value ? '(revision_history = true, ' : '(',
        );
    if (change.kind === 'full') {
      const full = after.find(({ isFull }) => isFull)!;
      after =
        change.full === 'ALWAYS'
          ? [{ ...full, recurrence: often.recurrence }]
          : [
              { ...often, isFull: false, id: '2' },
              { ...full, recurrence: change.full },
            ];
    }
  }
  for (const one of after) {
    if (pause.includes(one.id)) one.isPaused = true;
    if (resume.includes(one.id)) one.isPaused = false;
  }
  return after;
}

describe('a schedule against what is there', () => {
  test('nothing differs when all is as wanted', () => {
    expect(scheduleDiff(wanted(), [observed()]).differences).toEqual([]);
    expect(scheduleDiff(wanted({ full: 'ALWAYS' }), [observed()]).differences).toEqual([]);
  });

  test('after the changes a second look finds nothing', () => {
    const cron = fc.constantFrom('@daily', '@hourly', '0 3 * * *');
    const desired = fc.record({
      recurrence: cron,
      full: fc.constantFrom('ALWAYS', '@weekly', '@monthly'),
      suspend: fc.boolean(),
      revisionHistory: fc.boolean(),
      onPreviousRunning: fc.constantFrom('start' as const, 'skip' as const),
      collection: fc.constantFrom(collection, 'external://c/y'),
    });
    fc.assert(
      fc.property(desired, desired, (first, second) => {
        const made = apply(apply([observed()], wanted(first)), wanted(first));
        const changed = apply(apply(made, wanted(second)), wanted(second));
        expect(scheduleDiff(wanted(second), changed).differences).toEqual([]);
      }),
    );
  });

  test('what the server itself holds back is not taken for a pause', () => {
    const pair = [
      observed({ id: '2', isFull: false, isPaused: true, isWaiting: true }),
      observed({ recurrence: '@weekly' }),
    ];
    expect(scheduleDiff(wanted(), pair).differences).toEqual([]);
    expect(scheduleDiff(wanted({ suspend: true }), pair).pause).toEqual(['1']);
  });

  test('a pause by hand is taken back, and a wish for one is carried out', () => {
    expect(scheduleDiff(wanted(), [observed({ isPaused: true })]).resume).toEqual(['1']);
    expect(scheduleDiff(wanted({ suspend: true }), [observed({ isPaused: true })]).differences).toEqual([]);
  });

  test('a new passphrase is set, and never shown', () => {
    const encrypted = observed({
      command: `BACKUP DATABASE d INTO '${collection}' WITH OPTIONS (encryption_passphrase = '*****', detached)`,
    });
    const passphrase = new Secret('hush');
    expect(scheduleDiff(wanted({ passphrase }), [encrypted]).changes).toEqual([]);
    const { changes, differences } = scheduleDiff(wanted({ passphrase, isPassphraseNew: true }), [encrypted]);
    expect(changes).toMatchObject([{ kind: 'passphrase' }]);
    expect(JSON.stringify([changes, differences])).not.toContain('hush');
    expect(scheduleDiff(wanted({ passphrase }), [observed()]).changes).toMatchObject([{ kind: 'passphrase' }]);
  });

  test('one that runs as somebody else, or is encrypted otherwise than it can be altered to, is made again', () => {
    const encrypted = `BACKUP DATABASE d INTO '${collection}' WITH OPTIONS (encryption_passphrase = '*****', detached)`;
    for (const [change, seen, why] of [
      [{ owner: 'operator' }, observed(), 'it runs as root, who made it'],
      [{ isKmsNew: true, kms: 'external://key' }, observed(), 'the key of its encryption is another'],
      [{}, observed({ command: encrypted }), 'it is encrypted with a passphrase no more'],
    ] as const) {
      const diff = scheduleDiff(wanted({ ...change, suspend: true }), [seen]);
      expect(diff).toMatchObject({ remake: why, changes: [], pause: [], resume: [] });
      expect(diff.differences).toHaveLength(1);
    }
  });
});
