import { describe, expect, test } from 'vitest';
import { count, parseArguments, type Report } from './report.ts';

const report = (change: Partial<Report> = {}): Report => ({
  numPassedTests: 2,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [{ status: 'passed', assertionResults: [{ status: 'passed' }, { status: 'passed' }] }],
  ...change,
});

describe('what counts as failed', () => {
  test('nothing, when all is well', () => {
    expect(count(report(), 0)).toEqual({ passed: 2, failed: 0, skipped: 0 });
  });

  test('a test that failed, once', () => {
    const testResults = [{ status: 'failed', assertionResults: [{ status: 'failed' }, { status: 'passed' }] }];
    expect(count(report({ numPassedTests: 1, numFailedTests: 1, testResults }), 1).failed).toBe(1);
  });

  test('a file that cannot be loaded', () => {
    const testResults = [...report().testResults, { status: 'failed', assertionResults: [] }];
    expect(count(report({ testResults }), 1)).toEqual({ passed: 2, failed: 1, skipped: 0 });
  });

  test('a hook that fails, with the tests that it kept from running', () => {
    const testResults = [{ status: 'failed', assertionResults: [{ status: 'skipped' }] }];
    const result = count(report({ numPassedTests: 0, numPendingTests: 1, testResults }), 1);
    expect(result).toEqual({ passed: 0, failed: 1, skipped: 1 });
  });

  test('an error outside of any test', () => {
    expect(count(report(), 1)).toEqual({ passed: 2, failed: 1, skipped: 0 });
  });

  test('a vitest that died', () => {
    expect(count(undefined, 1).failed).toBe(1);
    expect(count(undefined, 0).failed).toBe(0);
  });
});

test('projects are chosen in both spellings, the rest goes on', () => {
  expect(parseArguments(['--project', 'unit', 'claim', '--project=e2e', '-t', 'x'])).toEqual({
    chosen: ['unit', 'e2e'],
    rest: ['claim', '-t', 'x'],
  });
});
