import { z } from 'zod';
import { defineManaged, requiresReference } from './common.ts';
import type { Managed } from './kind.ts';
import { latestSource, restoreFields, scheduledMode } from './restore-fields.ts';
import { ownServerOnly, ownStorageOnly, storedBackup } from './run.ts';
import { scheduleColumns, scheduleFields, scheduleStatus } from './schedule.ts';

const forProvider = z.object({
  ...scheduleFields,
  source: latestSource,
  ...restoreFields,
  mode: scheduledMode,
});

const atProvider = z.object({
  ...scheduleStatus,
  lastRestored: z.object(storedBackup).optional().describe('The backup that was last restored.'),
});

export const RestoreScheduleKind = defineManaged({
  group: 'backup',
  kind: 'RestoreSchedule',
  plural: 'restoreschedules',
  description: 'RestoreSchedule loads the newest backup of a database into another at the times of a cron expression.',
  forProvider,
  atProvider,
  references: [
    { field: 'sourceDatabase', kind: 'Database' },
    { field: 'targetDatabase', kind: 'Database' },
  ],
  immutable: ['targetDatabase'],
  rules: [
    requiresReference('targetDatabase'),
    ownServerOnly('serviceAccountName'),
    ...ownStorageOnly('source.storage'),
  ],
  columns: scheduleColumns,
});

export type RestoreScheduleParameters = z.infer<typeof forProvider>;
export type RestoreScheduleObservation = z.infer<typeof atProvider>;
export type RestoreSchedule = Managed<RestoreScheduleParameters, RestoreScheduleObservation>;
