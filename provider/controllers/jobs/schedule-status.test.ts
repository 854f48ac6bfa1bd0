import { expect, test } from 'vitest';
import type { RunResult } from '../../backup/contract.ts';
import type { Outcome } from './outcome.ts';
import { conditionsOf, isRecorded, type ScheduleStatus, withOutcome } from './schedule-status.ts';

const backup = {
  key: 'ns/nightly/shop/2026-01-01T00:00:00Z.dump.zst',
  engine: 'postgres' as const,
  database: 'shop',
  serverVersion: '18.4',
  toolVersion: '18.4',
  startTime: '2026-01-01T00:00:00Z',
  finishTime: '2026-01-01T00:00:05Z',
  size: 100,
  storedSize: 10,
  sha256: 'a',
  plainSha256: 'b',
};
const result = { version: 1, action: 'backup', ok: true, startTime: '', finishTime: '', backup } as RunResult;

const good: Outcome = {
  ok: true,
  startTime: '2026-01-01T00:00:00Z',
  completionTime: '2026-01-01T00:00:07Z',
  result,
  reason: '',
  message: '',
};
const bad: Outcome = {
  ...good,
  ok: false,
  completionTime: '2026-01-02T00:00:07Z',
  reason: 'ToolFailed',
  message: 'no such table',
};

test('a success says when, how long and what', () => {
  const status = withOutcome({}, 'BackupSchedule', 'run', good);
  expect(status).toEqual({
    lastSuccessTime: '2026-01-01T00:00:07Z',
    lastDuration: 7,
    lastBackup: { key: backup.key, engine: 'postgres', serverVersion: '18.4', size: 100, storedSize: 10, sha256: 'a' },
  });
  expect(isRecorded(status, 'run', good)).toBe(true);
  expect(isRecorded(status, 'run', bad)).toBe(false);
});

test('a failure leaves the last success as it was, and an older outcome changes nothing', () => {
  const status = withOutcome(withOutcome({}, 'BackupSchedule', 'run', good), 'BackupSchedule', 'run', bad);
  expect(status).toMatchObject({
    lastSuccessTime: good.completionTime,
    lastFailureReason: 'ToolFailed',
    lastBackup: { key: backup.key },
  });
  expect(withOutcome(status, 'BackupSchedule', 'run', good)).toBe(status);
});

test('a test restore has a memory of its own', () => {
  const status = withOutcome({}, 'BackupSchedule', 'verify', good);
  expect(status).toEqual({ lastVerifyTime: good.completionTime, lastVerifiedKey: backup.key });
  expect(withOutcome(status, 'BackupSchedule', 'verify', bad)).toMatchObject({
    lastVerifyFailureMessage: 'ToolFailed: no such table',
  });
});

test('of a success whose words were lost, nothing is said that an earlier one was', () => {
  const before = { ...withOutcome({}, 'BackupSchedule', 'run', good), lastVerifiedKey: backup.key };
  const lost = { ...good, completionTime: '2026-01-03T00:00:07Z', result: undefined };
  const run = withOutcome(before, 'BackupSchedule', 'run', lost);
  expect(run).toMatchObject({ lastSuccessTime: lost.completionTime, lastVerifiedKey: backup.key });
  expect(run).not.toHaveProperty('lastBackup');
  const verify = withOutcome(before, 'BackupSchedule', 'verify', lost);
  expect(verify).toMatchObject({ lastVerifyTime: lost.completionTime, lastBackup: { key: backup.key } });
  expect(verify).not.toHaveProperty('lastVerifiedKey');
});

test.each<[ScheduleStatus, string, string]>([
  [{}, 'Unknown', 'NeverRun'],
  [{ lastSuccessTime: '2026-01-02T00:00:00Z', lastFailureTime: '2026-01-01T00:00:00Z' }, 'True', 'RunSucceeded'],
  [
    {
      lastSuccessTime: '2026-01-01T00:00:00Z',
      lastFailureTime: '2026-01-02T00:00:00Z',
      lastFailureReason: 'ToolFailed',
    },
    'False',
    'ToolFailed',
  ],
  [{ lastSuccessTime: '2026-01-01T00:00:00Z', lastMissedTime: '2026-01-02T00:00:00Z' }, 'False', 'RunMissed'],
])('of %j the last run is %s, %s', (status, expected, reason) => {
  expect(conditionsOf(status, false)).toMatchObject([{ type: 'LastRunSucceeded', status: expected, reason }]);
});
