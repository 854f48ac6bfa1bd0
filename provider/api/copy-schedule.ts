import { z } from 'zod';
import { defineManaged } from './common.ts';
import { copyFields, copyKind } from './copy-fields.ts';
import type { Managed } from './kind.ts';
import { scheduledMode } from './restore-fields.ts';
import { scheduleColumns, scheduleFields, scheduleStatus } from './schedule.ts';

const forProvider = z.object({ ...scheduleFields, ...copyFields, mode: scheduledMode });

const atProvider = z.object({
  ...scheduleStatus,
  lastSize: z.int().optional().describe('Size of what was last copied, in bytes.'),
});

export const CopyScheduleKind = defineManaged({
  ...copyKind,
  kind: 'CopySchedule',
  plural: 'copyschedules',
  description: 'CopySchedule copies one database into another at the times of a cron expression.',
  forProvider,
  atProvider,
  columns: scheduleColumns,
});

export type CopyScheduleParameters = z.infer<typeof forProvider>;
export type CopyScheduleObservation = z.infer<typeof atProvider>;
export type CopySchedule = Managed<CopyScheduleParameters, CopyScheduleObservation>;
