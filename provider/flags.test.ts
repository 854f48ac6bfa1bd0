import { expect, test } from 'vitest';
import { FlagError, parseFlags } from './flags.ts';

test('the defaults are those that the help text names', () => {
  expect(parseFlags([])).toEqual({
    pollMs: 60_000,
    syncMs: 3_600_000,
    maxReconcileRate: 100,
    leaderElection: false,
    metricsBindAddress: ':8080',
    healthBindAddress: ':8081',
    managementPolicies: true,
    logLevel: 'info',
    kubeconfig: undefined,
    runnerImage: 'ghcr.io/xdatabase/runner:v0.1.0',
  });
});

test.each([
  [['--poll', '30s'], { pollMs: 30_000 }],
  [['--poll=1h30m'], { pollMs: 5_400_000 }],
  [['--leader-election'], { leaderElection: true }],
  [['--leader-election=true'], { leaderElection: true }],
  [['--leader-election=false'], { leaderElection: false }],
  [['--enable-management-policies'], { managementPolicies: true }],
  [['--enable-management-policies=false'], { managementPolicies: false }],
  [['--debug'], { logLevel: 'debug' }],
  [['--log-level', 'trace'], { logLevel: 'trace' }],
  [['--runner-image', 'mirror/runner:v1'], { runnerImage: 'mirror/runner:v1' }],
])('%j is understood', (args, expected) => {
  expect(parseFlags(args)).toMatchObject(expected);
});

test.each([
  [['--poll', 'often']],
  [['--poll', '1ms']],
  [['--max-reconcile-rate', '0']],
  [['--log-level', 'loud']],
  [['--enable-management-policies=off']],
  [['--nope']],
  [['word']],
])('%j is refused with the reason', (args) => {
  expect(() => parseFlags(args)).toThrow(FlagError);
});

test('help is no error', () => {
  expect(parseFlags(['-h'])).toBeUndefined();
});
