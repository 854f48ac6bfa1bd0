import { expect, test } from 'vitest';
import { NOTE } from './names.ts';
import { untilRecorded } from './plans.ts';

const WEEK = 7 * 86_400;

test.each([
  [0, WEEK],
  [86_400, WEEK],
  [WEEK + 1, WEEK + 1],
])('a Job that is to be kept for %i s waits for %i s until its outcome is recorded', (keep, held) => {
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'a', annotations: { more: 'yes' } },
    spec: { suspend: true, ttlSecondsAfterFinished: keep },
  };
  expect(untilRecorded(job)).toEqual({
    ...job,
    metadata: { name: 'a', annotations: { more: 'yes', [NOTE.keep]: String(keep) } },
    spec: { suspend: true, ttlSecondsAfterFinished: held },
  });
});
