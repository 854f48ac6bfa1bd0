/** What the jobs of a run say about it. Pure. */
import type { NativeJob } from '../../engines/native.ts';

/** Where a run is, by its last job. */
export type RunState =
  | { state: 'none' }
  | { state: 'running'; job: NativeJob; paused: boolean }
  | { state: 'succeeded'; job: NativeJob }
  /** `again`: it may be tried once more. */
  | { state: 'failed'; job: NativeJob; again: boolean; reason: string; message: string };

/** @param retries how often a job that failed is followed by another */
export function runState(jobs: readonly NativeJob[], retries: number): RunState {
  const job = jobs.at(-1);
  if (job === undefined) return { state: 'none' };
  switch (job.state) {
    case 'succeeded':
      return { state: 'succeeded', job };
    case 'failed': {
      const failures = jobs.filter(({ state }) => state === 'failed').length;
      const isStuck = job.status === 'revert-failed';
      const message = `job ${job.id} failed (${job.status})${job.error === '' ? '' : `: ${job.error}`}`;
      return {
        state: 'failed',
        job,
        // What could not be taken back has to be looked at by somebody.
        again: !isStuck && failures <= retries,
        reason: isStuck ? 'JobRevertFailed' : 'JobFailed',
        message: isStuck ? `${message}; what it left behind could not be taken back, see SHOW JOB ${job.id}` : message,
      };
    }
    case 'canceled':
      return {
        state: 'failed',
        job,
        again: false,
        reason: 'JobCanceled',
        message: `job ${job.id} was canceled on the server; delete this resource and make another to try again`,
      };
    default:
      return { state: 'running', job, paused: job.state === 'paused' };
  }
}
