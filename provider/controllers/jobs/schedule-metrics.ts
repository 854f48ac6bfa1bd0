/** How schedules do, for dashboards and alerts: `time() - xdatabase_schedule_last_success_timestamp_seconds > 86400`. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Managed } from '../../api/kind.ts';
import type { RunRole } from './names.ts';
import type { Outcome } from './outcome.ts';
import type { ScheduleStatus } from './schedule-status.ts';

export interface ScheduleObserver {
  /** An outcome is seen for the first time by this process. */
  ended(resource: Managed, role: RunRole, outcome: Outcome): void;
}

const LABELS = ['kind', 'namespace', 'name'] as const;

const labels = ({ kind, metadata }: Managed) => ({ kind, namespace: metadata.namespace ?? '', name: metadata.name });

type Series = ReturnType<typeof labels> & { run: string; result: string };

function seriesOf(schedule: Managed): Series[] {
  const runs = schedule.spec.forProvider['verify'] === undefined ? ['run'] : ['run', 'verify'];
  return runs.flatMap((run) => ['success', 'failure'].map((result) => ({ ...labels(schedule), run, result })));
}

const seconds = (time: string | undefined): number | undefined =>
  time === undefined ? undefined : Date.parse(time) / 1000;

const sizeOf = ({ lastBackup, lastRestored, lastSize }: ScheduleStatus): number | undefined =>
  (lastBackup?.['storedSize'] ?? lastRestored?.['storedSize'] ?? lastSize) as number | undefined;

export class ScheduleMetrics implements ScheduleObserver {
  readonly #runs: Counter;

  /** @param schedules All schedules there are, asked whenever the metrics are read. */
  constructor(registry: Registry, schedules: () => Iterable<Managed>, now: () => Date = () => new Date()) {
    const known = new Map<string, Series>();
    this.#runs = new Counter({
      name: 'xdatabase_schedule_runs_total',
      help: 'Runs of a schedule that ended, by result; verify is its test restore',
      labelNames: [...LABELS, 'run', 'result'],
      registers: [],
      // From 0 on, or nobody would see the first failure as an increase; and no longer than the schedule is there.
      collect() {
        const series = new Map([...schedules()].flatMap(seriesOf).map((one) => [JSON.stringify(one), one]));
        for (const [key, one] of series) {
          if (!known.has(key)) this.inc({ ...one }, 0);
          known.set(key, one);
        }
        for (const [key, one] of known)
          if (!series.has(key)) {
            this.remove({ ...one });
            known.delete(key);
          }
      },
    });
    registry.registerMetric(this.#runs);
    const gauge = (name: string, help: string, value: (status: ScheduleStatus) => number | undefined): void => {
      const metric = new Gauge({
        name: `xdatabase_schedule_${name}`,
        help,
        labelNames: LABELS,
        registers: [],
        collect() {
          this.reset();
          for (const schedule of schedules()) {
            const found = value(schedule.status?.atProvider ?? {});
            if (found !== undefined) this.set(labels(schedule), found);
          }
        },
      });
      registry.registerMetric(metric);
    };
    gauge('last_success_timestamp_seconds', 'When a run of a schedule last succeeded', ({ lastSuccessTime }) =>
      seconds(lastSuccessTime),
    );
    gauge('last_success_age_seconds', 'How long ago a run of a schedule last succeeded', ({ lastSuccessTime }) => {
      const at = seconds(lastSuccessTime);
      return at === undefined ? undefined : now().getTime() / 1000 - at;
    });
    gauge('last_failure_timestamp_seconds', 'When a run of a schedule last failed', ({ lastFailureTime }) =>
      seconds(lastFailureTime),
    );
    gauge('last_verify_timestamp_seconds', 'When a test restore of a schedule last succeeded', ({ lastVerifyTime }) =>
      seconds(lastVerifyTime),
    );
    gauge(
      'last_duration_seconds',
      'How long the last run of a schedule that succeeded took',
      ({ lastDuration }) => lastDuration,
    );
    gauge('last_size_bytes', 'Size of the last file of a schedule, or of what it last copied', sizeOf);
  }

  ended(resource: Managed, role: RunRole, { ok }: Outcome): void {
    this.#runs.inc({ ...labels(resource), run: role, result: ok ? 'success' : 'failure' });
  }
}
