/** What `npm test` understands of its arguments and of vitest's report. */

export interface Count {
  passed: number;
  failed: number;
  skipped: number;
}

/** The part of vitest's JSON report that is read here. */
export interface Report {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

/** `--project a --project=b` choose projects; the rest is for vitest. */
export function parseArguments(args: readonly string[]): { chosen: string[]; rest: string[] } {
  const chosen: string[] = [];
  const rest: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const argument = args[at] ?? '';
    if (argument === '--project') {
      at++;
      chosen.push(args[at] ?? '');
    } else if (argument.startsWith('--project=')) {
      chosen.push(argument.slice('--project='.length));
    } else {
      rest.push(argument);
    }
  }
  return { chosen, rest };
}

/** Counts so that nothing that went wrong counts for nothing. There is no report when vitest died, or found no test. */
export function count(report: Report | undefined, exitCode: number): Count {
  const result: Count = { passed: 0, failed: 0, skipped: 0 };
  if (report) {
    // A file that cannot be loaded, or whose hooks fail, may have no failed test in it.
    const broken = report.testResults.filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    );
    result.passed = report.numPassedTests;
    result.failed = report.numFailedTests + broken.length;
    result.skipped = report.numPendingTests + report.numTodoTests;
  }
  // A set-up that fails, or an error outside of any test, shows only in the exit code.
  if (exitCode !== 0 && result.failed === 0) {
    result.failed = 1;
  }
  return result;
}
