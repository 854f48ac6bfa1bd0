import { describe, expect, test } from 'vitest';
import type { JobState, NativeJob } from '../../engines/native.ts';
import { runState } from './outcome.ts';

const job = (state: JobState, status: string = state, error = ''): NativeJob => ({
  id: '588796190000218113',
  state,
  status,
  error,
  description: '',
  fraction: 0,
});

describe('what the jobs of a run say', () => {
  test('none, running and paused', () => {
    expect(runState([], 2)).toEqual({ state: 'none' });
    expect(runState([job('running')], 2)).toMatchObject({ state: 'running', paused: false });
    expect(runState([job('ending', 'reverting')], 2)).toMatchObject({ state: 'running', paused: false });
    expect(runState([job('paused')], 2)).toMatchObject({ state: 'running', paused: true });
  });

  test('the last job counts, and failures are repeated as often as allowed', () => {
    const failed = job('failed', 'failed', 'disk full');
    expect(runState([failed, job('succeeded')], 0)).toMatchObject({ state: 'succeeded' });
    expect(runState([failed], 1)).toMatchObject({ state: 'failed', again: true });
    expect(runState([failed, failed], 1)).toMatchObject({ again: false, reason: 'JobFailed' });
    expect(runState([failed, failed], 1)).toHaveProperty('message', expect.stringContaining('disk full'));
  });

  test('what was cancelled, or is stuck, is never repeated by itself', () => {
    expect(runState([job('canceled')], 9)).toMatchObject({ again: false, reason: 'JobCanceled' });
    expect(runState([job('failed', 'revert-failed')], 9)).toMatchObject({ again: false, reason: 'JobRevertFailed' });
  });
});
