import { expect, test } from 'vitest';
import { decodeResult, encodeResult, type RunResult } from './contract.ts';

const result: RunResult = {
  version: 1,
  action: 'backup',
  ok: false,
  startTime: '2026-01-01T00:00:00.000Z',
  finishTime: '2026-01-01T00:00:01.000Z',
  prunedCount: 500,
  pruned: Array.from({ length: 500 }, (_, index) => `team/nightly/app/${index}.dump.zst`),
  failureReason: 'ToolFailed',
  failureMessage: `pg_dump: error: ${'ü'.repeat(5000)}`,
};

test('a result is never longer than a termination message, and can be read', () => {
  const message = encodeResult(result);
  expect(Buffer.byteLength(message)).toBeLessThanOrEqual(4096);
  expect(decodeResult(message)).toMatchObject({ failureReason: 'ToolFailed', prunedCount: 500 });
  const { failureMessage: _, ...short } = result;
  const cut = decodeResult(encodeResult(short));
  expect(cut?.pruned?.length).toBeGreaterThan(50);
});

test('what is no result of ours is none', () => {
  for (const message of ['', 'Killed', '{"version":2}', '[]']) expect(decodeResult(message)).toBeUndefined();
});
