/** The CronJobs of a schedule: one for its runs, and one for its test restores where it has them. */
import type { BackupScheduleParameters } from '../../api/backup-schedule.ts';
import type { KindDefinition, KubeObject, Managed } from '../../api/kind.ts';
import { cronJobObject } from '../../backup/job-spec.ts';
import { fingerprint } from './cron-diff.ts';
import type { RunRole } from './names.ts';
import { jobPlan, metadataOf } from './plans.ts';
import type { Work, WorkServices } from './work.ts';

/** What all schedules have, and what only some do. */
type Fields = Omit<BackupScheduleParameters, 'verify'> & { verify?: BackupScheduleParameters['verify'] };

export const fieldsOf = (resource: Managed): Fields => resource.spec.forProvider as unknown as Fields;

interface CronOptions {
  definition: KindDefinition;
  services: WorkServices;
  workOf: (resource: Managed, role: RunRole) => Work;
}

/** Throws ResourceError when the server or the storage cannot be found out about. */
export async function wantedCronJobs(
  resource: Managed,
  { definition, services, workOf }: CronOptions,
  signal: AbortSignal,
): Promise<KubeObject[]> {
  const fields = fieldsOf(resource);
  const roles: { role: RunRole; schedule: string }[] = [{ role: 'run', schedule: fields.schedule }];
  if (fields.verify !== undefined) roles.push({ role: 'verify', schedule: fields.verify.schedule });
  const objects: KubeObject[] = [];
  for (const { role, schedule } of roles) {
    const work = workOf(resource, role);
    const plan = jobPlan(resource, role, await work.layout(signal), work, services);
    const metadata = metadataOf(resource, role, work.jobNamespace, definition);
    const object = cronJobObject(metadata, {
      ...plan,
      // The limits of history say how many are kept.
      ttlSecondsAfterFinished: undefined,
      schedule,
      timeZone: fields.timeZone,
      suspend: fields.suspend,
      concurrencyPolicy: fields.concurrencyPolicy,
      startingDeadlineSeconds: fields.startingDeadlineSeconds,
      successfulJobsHistoryLimit: fields.successfulJobsHistoryLimit,
      failedJobsHistoryLimit: fields.failedJobsHistoryLimit,
    });
    objects.push(fingerprint(object));
  }
  return objects;
}
