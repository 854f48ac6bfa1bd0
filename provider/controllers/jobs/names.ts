/** Names and labels of what belongs to a run. Names hold the kind and a digest of the UID: they never meet. */
import { createHash } from 'node:crypto';
import type { Managed } from '../../api/kind.ts';

export const LABEL = {
  managedBy: 'app.kubernetes.io/managed-by',
  /** UID of the Backup, BackupSchedule and so on. */
  owner: 'xdatabase.dev/owner-uid',
  /** Which of its runs: `run`, `verify` or `delete`. */
  role: 'xdatabase.dev/run',
  /** Digest of the server, whose Jobs take turns. */
  server: 'xdatabase.dev/server',
} as const;

export const NOTE = {
  /** Kind, namespace and name of the resource, for people. */
  resource: 'xdatabase.dev/resource',
  /** Set once the data has been put into its place. */
  concluded: 'xdatabase.dev/concluded',
  /** JSON of why a run failed after its Job had succeeded. */
  failure: 'xdatabase.dev/failure',
  /** How long the Job is kept once its outcome is recorded, in seconds. */
  keep: 'xdatabase.dev/keep-seconds',
  /** Written by the CronJob controller. */
  scheduledFor: 'batch.kubernetes.io/cronjob-scheduled-timestamp',
} as const;

/** Keeps a Job from going away before its outcome is recorded and what it had on the server is cleaned up. */
export const RUN_FINALIZER = 'xdatabase.dev/run';

export type RunRole = 'run' | 'verify' | 'delete';

const digest = (text: string, length: number): string =>
  createHash('sha256').update(text).digest('hex').slice(0, length);

const uidOf = (resource: Managed): string => resource.metadata.uid ?? '';

/** CronJobs have at most 52 characters; what the Secrets of containers append must fit too. */
const NAME_LENGTH = 40;

/** e.g. "backupschedule-nightly-3f9c1e02". */
export function jobName(resource: Managed, role: RunRole = 'run'): string {
  const kind = resource.kind.toLowerCase();
  const suffix = digest(`${uidOf(resource)} ${role}`, 8);
  const readable = `${kind}-${role === 'run' ? '' : `${role}-`}${resource.metadata.name}`.replaceAll('.', '-');
  return `${readable.slice(0, NAME_LENGTH - suffix.length - 1).replace(/-+$/, '')}-${suffix}`;
}

/** Names of a run on the server: the same for every run of a resource, which take turns. */
export const serverNames = (resource: Managed, role: RunRole) => {
  const id = digest(`${uidOf(resource)} ${role}`, 16);
  return {
    login: `xdatabase_run_${id}`,
    sourceLogin: `xdatabase_run_${id}s`,
    beside: `xdatabase_beside_${id}`,
    replaced: `xdatabase_replaced_${id}`,
    run: `${uidOf(resource)}/${role}`,
  };
};

export type ServerNames = ReturnType<typeof serverNames>;

export const labelsOf = (resource: Managed, role: RunRole, server: string): Record<string, string> => ({
  [LABEL.managedBy]: 'xdatabase',
  [LABEL.owner]: uidOf(resource),
  [LABEL.role]: role,
  [LABEL.server]: digest(server, 16),
});

export const notesOf = (resource: Managed): Record<string, string> => ({
  [NOTE.resource]: `${resource.kind} ${resource.metadata.namespace}/${resource.metadata.name}`,
});

/** How long a run of this resource waits within `jitterMs`: always the same, others another time. */
export const jitterOf = (resource: Managed, jitterMs: number): number =>
  jitterMs <= 0 ? 0 : Number.parseInt(digest(`${uidOf(resource)} jitter`, 8), 16) % jitterMs;
