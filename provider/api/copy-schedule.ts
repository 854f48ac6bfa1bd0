import { z } from 'zod';
import { defineManaged, requiresReference } from './common.ts';
import { copyFields, ownIdentityOnly } from './copy-fields.ts';
import type { Managed } from './kind.ts';
import { differentDatabases, scheduledMode } from './restore-fields.ts';
import { scheduleColumns, scheduleFields, scheduleStatus } from './schedule.ts';

const forProvider = z.object({ ...scheduleFields, ...copyFields, mode: scheduledMode });

const atProvider = z.object({
  ...scheduleStatus,
  lastSize: z.int().optional().describe('Size of what was last copied, in bytes.'),
});

export const CopyScheduleKind = defineManaged({
  group: 'backup',
  kind: 'CopySchedule',
  plural: 'copyschedules',
  description: 'CopySchedule copies one database into another at the times of a cron expression.',
  forProvider,
  atProvider,
  references: [
    { field: 'sourceDatabase', kind: 'Database' },
    { field: 'targetDatabase', kind: 'Database' },
  ],
  immutable: ['sourceDatabase', 'targetDatabase'],
  rules: [
    requiresReference('sourceDatabase'),
    requiresReference('targetDatabase'),
    differentDatabases,
    ...ownIdentityOnly,
  ],
  columns: scheduleColumns,
});

export type CopyScheduleParameters = z.infer<typeof forProvider>;
export type CopyScheduleObservation = z.infer<typeof atProvider>;
export type CopySchedule = Managed<CopyScheduleParameters, CopyScheduleObservation>;
