/** What a backup and a restore that happen once have in common where the server does them: jobs of the server, and a connection. */
import type { Managed } from '../../api/kind.ts';
import type { RunState } from '../../backup/native/outcome.ts';
import type { NativeJob } from '../../engines/native.ts';
import { defined } from '../../resources/creation.ts';
import type { ExternalClient, Observation } from '../../runtime/managed/external.ts';
import { connectionOf, type NativeContext, type NativeRecord, observation, over, RUNNING_MS } from './shared.ts';

type Act = (signal: AbortSignal) => Promise<void>;

export abstract class NativeRun<F> implements ExternalClient {
  protected readonly context: NativeContext;
  /** What is to be done about what was observed last. */
  protected act: Act | undefined;

  constructor(context: NativeContext) {
    this.context = context;
  }

  abstract observe(resource: Managed, signal: AbortSignal): Promise<Observation>;
  abstract create(resource: Managed, signal: AbortSignal): Promise<void>;

  async update(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.act?.(signal);
  }

  async delete(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.act?.(signal);
  }

  protected get fields(): F {
    return this.context.resource.spec.forProvider as unknown as F;
  }

  /** status.atProvider of a run. */
  protected status(job: NativeJob | undefined, phase: string): Record<string, unknown> {
    return defined({ phase, jobId: job?.id, startTime: job?.created, completionTime: job?.finished });
  }

  /**
   * An outcome that was recorded earlier. Nothing needs the credentials any more.
   * @param shown The connection, if it is still there.
   */
  protected known(record: NativeRecord, outcome: Record<string, unknown>, shown: string | undefined): Observation {
    const { native, resource } = this.context;
    const seen = over(record, outcome, false);
    if (shown === undefined) return seen;
    this.act = async (signal) => {
      await native.dropConnection(connectionOf(resource), signal);
    };
    return { ...seen, creates: true, differences: ['DROP EXTERNAL CONNECTION'] };
  }

  protected failed(
    record: NativeRecord,
    { job, reason, message }: Extract<RunState, { state: 'failed' }>,
  ): Observation {
    const outcome = { ...this.status(job, 'Failed'), failureReason: reason, failureMessage: message };
    return over(record, outcome, true);
  }

  /** @param why Who may have paused it. */
  protected running(
    record: NativeRecord,
    { job, paused }: Extract<RunState, { state: 'running' }>,
    why = '',
  ): Observation {
    this.context.lookAgain(RUNNING_MS);
    const message = paused
      ? `job ${job.id} is paused on the server${why}; RESUME JOB ${job.id} lets it go on`
      : `job ${job.id} runs`;
    return {
      ...observation(true, record, record, this.status(job, 'Running')),
      unready: { reason: paused ? 'JobPaused' : 'Running', message },
    };
  }

  /** Cancels those that are not over yet. @returns whether there were none, and it can be cleaned up. */
  protected async cancel(jobs: readonly NativeJob[], signal: AbortSignal): Promise<boolean> {
    const running = jobs.filter(isUnfinished);
    for (const { id, state } of running) if (state !== 'ending') await this.context.native.cancelJob(id, signal);
    return running.length === 0;
  }
}

const OVER: readonly string[] = ['succeeded', 'failed', 'canceled'];

export const isUnfinished = ({ state }: NativeJob): boolean => !OVER.includes(state);
