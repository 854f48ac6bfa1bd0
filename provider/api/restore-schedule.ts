import { z } from 'zod';
import { defineManaged } from './common.ts';
import type { Managed } from './kind.ts';
import { latestSource, restoreFields, restoreKind, scheduledMode } from './restore-fields.ts';
import { storedBackup } from './run.ts';
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
  ...restoreKind,
  kind: 'RestoreSchedule',
  plural: 'restoreschedules',
  description: 'RestoreSchedule loads the newest backup of a database into another at the times of a cron expression.',
  forProvider,
  atProvider,
  immutable: ['targetDatabase'],
  columns: scheduleColumns,
});

export type RestoreScheduleParameters = z.infer<typeof forProvider>;
export type RestoreScheduleObservation = z.infer<typeof atProvider>;
export type RestoreSchedule = Managed<RestoreScheduleParameters, RestoreScheduleObservation>;
