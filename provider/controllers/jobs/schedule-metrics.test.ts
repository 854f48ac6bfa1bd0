import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { Managed } from '../../api/kind.ts';
import type { Outcome } from './outcome.ts';
import { ScheduleMetrics } from './schedule-metrics.ts';

const schedule = (name: string, forProvider: object = {}, atProvider: object = {}): Managed =>
  ({
    apiVersion: 'backup.m.xdatabase.dev/v1alpha1',
    kind: 'BackupSchedule',
    metadata: { namespace: 'shop', name },
    spec: { forProvider },
    status: { atProvider },
  }) as unknown as Managed;

const failed: Outcome = {
  ok: false,
  startTime: undefined,
  completionTime: '2026-01-01T00:00:00Z',
  result: undefined,
  reason: 'ToolFailed',
  message: '',
};

test('runs count from 0 on, so that the first failure of a process is an increase, and go with their schedule', async () => {
  const registry = new Registry();
  let schedules = [schedule('nightly'), schedule('proved', { verify: { schedule: '@daily' } })];
  const metrics = new ScheduleMetrics(registry, () => schedules);
  const series = async (): Promise<string[]> =>
    (await registry.metrics())
      .split('\n')
      .filter((line) => line.startsWith('xdatabase_schedule_runs_total'))
      .map((line) => line.replace(/^.*name="(\w+)",run="(\w+)",result="(\w+)"} (\d+)$/, '$1 $2 $3 $4'));
  expect(await series()).toEqual([
    'nightly run success 0',
    'nightly run failure 0',
    'proved run success 0',
    'proved run failure 0',
    'proved verify success 0',
    'proved verify failure 0',
  ]);
  metrics.ended(schedules[0]!, 'run', failed);
  expect(await series()).toContain('nightly run failure 1');
  schedules = [schedule('renamed')];
  expect(await series()).toEqual(['renamed run success 0', 'renamed run failure 0']);
});

test('what a schedule has come to is told by a process that has seen none of it', async () => {
  const registry = new Registry();
  const status = { lastSuccessTime: '2026-01-01T00:00:00Z', lastDuration: 7, lastBackup: { storedSize: 10 } };
  const nightly = schedule('nightly', {}, status);
  const now = new Date('2026-01-01T01:00:00Z');
  const metrics = new ScheduleMetrics(
    registry,
    () => [nightly],
    () => now,
  );
  metrics.ended(nightly, 'verify', failed);
  const text = await registry.metrics();
  const of = '{kind="BackupSchedule",namespace="shop",name="nightly"}';
  for (const line of [
    `xdatabase_schedule_last_success_timestamp_seconds${of} 1767225600`,
    `xdatabase_schedule_last_success_age_seconds${of} 3600`,
    `xdatabase_schedule_last_duration_seconds${of} 7`,
    `xdatabase_schedule_last_size_bytes${of} 10`,
  ])
    expect(text).toContain(line);
});
