/** Jobs of the server, by what their statement mentions. */
import type { JobState, NativeJob } from '../../native.ts';
import { withInternals } from '../internals.ts';
import type { Session } from '../../postgres/session.ts';
import { timestamp } from '../../../common/timestamp.ts';

/** `pause-requested` may still end well, and what is reverted will not. */
const STATES: Readonly<Record<string, JobState>> = {
  pending: 'waiting',
  running: 'running',
  'retry-running': 'running',
  'pause-requested': 'running',
  paused: 'paused',
  reverting: 'ending',
  'retry-reverting': 'ending',
  'cancel-requested': 'ending',
  succeeded: 'succeeded',
  failed: 'failed',
  'revert-failed': 'failed',
  canceled: 'canceled',
};

/** SHOW JOBS forgets after hours and cuts texts off; this keeps them for as long as the server keeps jobs. */
const FIND = `SELECT job_id, status, description, created, finished, fraction_completed, error
  FROM crdb_internal.jobs WHERE job_type = $1 AND strpos(description, $2) > 0 ORDER BY created, job_id`;

export async function findJobs(
  session: Session,
  type: 'BACKUP' | 'RESTORE',
  mention: string,
  versionNumber: number,
): Promise<NativeJob[]> {
  const rows = await withInternals(session, versionNumber, async () => await session.query(FIND, [type, mention]));
  return rows.map((row) => {
    const status = String(row['status']);
    return {
      id: String(row['job_id']),
      status,
      // A state that a later version brings is not taken for an end.
      state: STATES[status] ?? 'running',
      description: String(row['description']),
      error: oneLine(row['error']),
      fraction: Number(row['fraction_completed'] ?? 0),
      ...timeOf('created', row['created']),
      ...timeOf('finished', row['finished']),
    };
  });
}

/** What a job could not do may quote where it was to do it: secrets are hidden by the server, and by us again. */
const oneLine = (error: unknown): string =>
  (typeof error === 'string' ? error : '')
    .split('\n', 1)
    .join('')
    .replaceAll(/(AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN)=[^&\s'"]*/g, '$1=redacted');

const timeOf = <K extends string>(key: K, value: unknown): { [P in K]?: string } => {
  const time = value instanceof Date ? value : typeof value === 'string' ? new Date(value) : undefined;
  if (time === undefined || Number.isNaN(time.getTime())) return {};
  return { [key]: timestamp(time) } as { [P in K]?: string };
};
