import { describe, expect, test } from 'vitest';
import { BackupScheduleKind } from '../provider/api/backup-schedule.ts';
import { parse } from '../provider/api/validate.ts';
import { call, conditionOf, fatal, type Json, READY, resourcesOf, seen } from './compose.fixture.ts';

describe('backups', () => {
  const backup = {
    schedule: '30 2 * * *',
    storage: 'main',
    retention: { keepDaily: 7 },
    verify: { schedule: '@weekly' },
  };

  test('are a BackupSchedule that its kind allows', () => {
    const composed = resourcesOf(call({ backup }))['backup'];
    expect(composed?.spec.forProvider).toMatchObject({
      database: 'orders',
      storage: { name: 'main' },
      retention: { keepDaily: 7 },
    });
    expect(() => parse(BackupScheduleKind, { ...composed, metadata: { name: 'x' } })).not.toThrow();
  });

  test.each<[Json, string]>([
    [{ schedule: '30 2 * * *' }, 'spec.backup.storage: is required'],
    [{ storage: 'main' }, 'spec.backup.schedule: is required'],
    [{ ...backup, schedule: 'often' }, 'spec.backup.schedule: "often" must be a cron expression'],
    [{ ...backup, retention: {} }, 'spec.backup.retention: at least one of keepLast'],
    [
      { ...backup, encryption: { recipients: ['age1abc'] } },
      'spec.backup.verify.identitySecretRef: is required when backups are encrypted',
    ],
  ])('%j is refused', (wrong, message) => {
    expect(fatal(call({ backup: wrong }))).toContain(message);
  });

  test('are spoken of in moments, never in ages', () => {
    const atProvider = {
      lastSuccessTime: '2026-01-02T02:30:00Z',
      lastBackup: { key: 'k' },
      lastVerifyTime: '2026-01-01T03:00:00Z',
      nextRunTime: '2026-01-03T02:30:00Z',
    };
    const response = call({ backup }, seen({ backup }, { backup: { status: { ...READY, atProvider } } }));
    expect(response.desired?.composite?.resource?.['status']).toMatchObject({
      backup: { lastTime: '2026-01-02T02:30:00Z', lastKey: 'k', nextTime: '2026-01-03T02:30:00Z' },
    });
    expect(conditionOf(response, 'BackupHealthy')).toBe(
      '2 Available: the last backup was made at 2026-01-02T02:30:00Z: k',
    );
  });

  test.each<[string, Json, string]>([
    [
      'that failed',
      {
        lastSuccessTime: '2026-01-01T00:00:00Z',
        lastFailureTime: '2026-01-02T00:00:00Z',
        lastFailureMessage: 'no bucket',
      },
      '3 LastBackupFailed: the backup of 2026-01-02T00:00:00Z failed: no bucket',
    ],
    [
      'that failed before the last good one',
      { lastSuccessTime: '2026-01-02T00:00:00Z', lastFailureTime: '2026-01-01T00:00:00Z' },
      '2 Available: the last backup was made at 2026-01-02T00:00:00Z',
    ],
    [
      'whose test restore failed',
      {
        lastSuccessTime: '2026-01-02T00:00:00Z',
        lastVerifyFailureTime: '2026-01-02T00:00:00Z',
        lastVerifyFailureMessage: 'rows differ',
      },
      '3 LastVerificationFailed: the test restore of 2026-01-02T00:00:00Z failed: rows differ',
    ],
    [
      'that has not come yet',
      { nextRunTime: '2026-01-02T00:00:00Z' },
      '1 NoBackupYet: the first backup is due at 2026-01-02T00:00:00Z',
    ],
  ])('one %s', (_, atProvider, words) => {
    const response = call({ backup }, seen({ backup }, { backup: { status: { ...READY, atProvider } } }));
    expect(conditionOf(response, 'BackupHealthy')).toBe(words);
  });

  test('none are nobody’s fault', () => {
    expect(conditionOf(call(), 'BackupHealthy')).toBe('1 NotConfigured: no backups are asked for');
  });
});
