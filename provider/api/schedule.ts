/** What every schedule kind has, in the words of CronJob. */
import { z } from 'zod';
import { cron, duration, timeZone, timestamp } from './text.ts';

export const scheduleFields = {
  schedule: cron.describe('When it runs: five fields of cron, or @hourly, @daily, @weekly, @monthly, @yearly.'),
  timeZone: timeZone.default('Etc/UTC').describe('Time zone of schedule.'),
  suspend: z.boolean().default(false).describe('Whether no new run is started. A run that is under way goes on.'),
  concurrencyPolicy: z
    .enum(['Forbid', 'Allow', 'Replace'])
    .default('Forbid')
    .describe(
      'When a run is due and another is under way: Forbid (the default) skips it, Allow lets it follow the other, Replace ends the other.',
    ),
  jitter: duration
    .optional()
    .describe(
      'Every run waits up to this long, each schedule always the same, so that many schedules do not start at once.',
    ),
  startingDeadlineSeconds: z
    .int()
    .min(0)
    .optional()
    .describe('How late a run may start, in seconds; later it counts as missed. No limit when not given.'),
  successfulJobsHistoryLimit: z.int().min(0).max(100).default(3).describe('How many finished Jobs are kept.'),
  failedJobsHistoryLimit: z.int().min(0).max(100).default(1).describe('How many failed Jobs are kept.'),
};

/** What every schedule kind says of itself. */
export const scheduleStatus = {
  cronJobName: z
    .string()
    .optional()
    .describe('CronJob that runs it; `kubectl create job --from=cronjob/<name>` starts a run by hand.'),
  suspended: z.boolean().optional().describe('Whether it is suspended.'),
  nextRunTime: timestamp.optional().describe('When the next run is due.'),
  lastScheduleTime: timestamp.optional().describe('When a run was last due.'),
  lastSuccessTime: timestamp.optional().describe('When a run last succeeded.'),
  lastDuration: z.int().optional().describe('How long the last run that succeeded took, in seconds.'),
  lastFailureTime: timestamp.optional().describe('When a run last failed.'),
  lastFailureReason: z.string().optional().describe('One stable word for why it failed.'),
  lastFailureMessage: z.string().optional().describe('Why it failed, and what to do.'),
  lastMissedTime: timestamp.optional().describe('When a run was last missed.'),
};

export const scheduleColumns = [
  { name: 'SCHEDULE', type: 'string' as const, jsonPath: '.spec.forProvider.schedule' },
  { name: 'SUSPEND', type: 'boolean' as const, jsonPath: '.spec.forProvider.suspend' },
  { name: 'LAST-SUCCESS', type: 'date' as const, jsonPath: '.status.atProvider.lastSuccessTime' },
  { name: 'LAST-FAILURE', type: 'date' as const, jsonPath: '.status.atProvider.lastFailureTime' },
  { name: 'NEXT', type: 'string' as const, jsonPath: '.status.atProvider.nextRunTime', priority: 1 },
];
