/** The provider's flags: names and meanings are those of Crossplane's provider template. */
import { parseArgs } from 'node:util';
import { parseDuration } from './common/duration.ts';
import { LOG_LEVELS, type LogLevel } from './runtime/log.ts';

export interface Flags {
  pollMs: number;
  syncMs: number;
  maxReconcileRate: number;
  leaderElection: boolean;
  metricsBindAddress: string;
  healthBindAddress: string;
  managementPolicies: boolean;
  logLevel: LogLevel;
  kubeconfig: string | undefined;
  runnerImage: string;
}

export class FlagError extends Error {
  override readonly name = 'FlagError';
}

/** That of this release. */
const RUNNER_IMAGE = 'ghcr.io/xdatabase/runner:v0.1.0';

export const HELP = `Usage: provider [flags]

  --poll duration                   how often a resource is compared with its server (default 1m)
  --sync duration                   how often all caches are listed anew (default 1h)
  --max-reconcile-rate number       retries and polls per second, over all kinds; bursts are ten times that (default 100)
  --leader-election                 let one of several replicas work (default off)
  --metrics-bind-address address    Prometheus metrics at /metrics; 0 turns them off (default :8080)
  --health-bind-address address     /healthz and /readyz; 0 turns them off (default :8081)
  --enable-management-policies      honour spec.managementPolicies (default on; =false ignores them)
  --log-level level                 ${LOG_LEVELS.join(', ')} (default info)
  --runner-image image              runner of backup, restore and copy jobs (default ${RUNNER_IMAGE})
  --kubeconfig file                 by default $KUBECONFIG, else the service account of the pod
  -d, --debug                       the same as --log-level debug
  -h, --help                        this text

Durations are Go durations, e.g. 30s or 1h30m.
`;

/** Throws FlagError for an unknown flag or a value that makes no sense. Undefined = help was asked for. */
export function parseFlags(args: string[]): Flags | undefined {
  const { values } = parse(args.map(booleanValue));
  if (values.help) return undefined;
  return {
    pollMs: duration('poll', values.poll, 1_000),
    syncMs: duration('sync', values.sync, 60_000),
    maxReconcileRate: rate(values['max-reconcile-rate']),
    leaderElection: values['leader-election'],
    metricsBindAddress: values['metrics-bind-address'],
    healthBindAddress: values['health-bind-address'],
    managementPolicies: switchOf('enable-management-policies', values['enable-management-policies']),
    logLevel: logLevel(values.debug ? 'debug' : values['log-level']),
    kubeconfig: values.kubeconfig,
    runnerImage: values['runner-image'],
  };
}

/** Go programs take --flag=true and --flag=false for switches; parseArgs does not. */
function booleanValue(arg: string): string {
  if (/^--(leader-election|debug)=true$/.test(arg)) return arg.replace('=true', '');
  if (/^--(leader-election|debug)=false$/.test(arg)) return arg.replace(/^--(.*)=false$/, '--no-$1');
  return arg === '--enable-management-policies' ? `${arg}=true` : arg;
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      strict: true,
      allowNegative: true,
      options: {
        poll: { type: 'string', default: '1m' },
        sync: { type: 'string', default: '1h' },
        'max-reconcile-rate': { type: 'string', default: '100' },
        'leader-election': { type: 'boolean', default: false },
        'metrics-bind-address': { type: 'string', default: ':8080' },
        'health-bind-address': { type: 'string', default: ':8081' },
        'enable-management-policies': { type: 'string', default: 'true' },
        'log-level': { type: 'string', default: 'info' },
        kubeconfig: { type: 'string' },
        'runner-image': { type: 'string', default: RUNNER_IMAGE },
        debug: { type: 'boolean', short: 'd', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new FlagError((error as Error).message);
  }
}

function switchOf(flag: string, text: string): boolean {
  if (text !== 'true' && text !== 'false')
    throw new FlagError(`--${flag} must be true or false, not ${JSON.stringify(text)}`);
  return text === 'true';
}

function logLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((one) => one === text);
  if (level === undefined)
    throw new FlagError(`--log-level must be one of ${LOG_LEVELS.join(', ')}, not ${JSON.stringify(text)}`);
  return level;
}

function duration(flag: string, text: string, min: number): number {
  let ms: number;
  try {
    ms = parseDuration(text);
  } catch {
    throw new FlagError(`--${flag} must be a Go duration such as 1m, not ${JSON.stringify(text)}`);
  }
  if (ms < min) throw new FlagError(`--${flag} must be at least ${min / 1000}s, not ${text}`);
  return ms;
}

function rate(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 1)
    throw new FlagError(`--max-reconcile-rate must be a number of at least 1, not ${JSON.stringify(text)}`);
  return value;
}
