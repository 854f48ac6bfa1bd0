/** Jobs that run beside the statements, and can be held, failed or let go by a test. */
import type { Simulator } from './simulator.ts';
import type { Job, JobStatus } from './state.ts';
import { SqlError } from './wire.ts';

export class Jobs {
  readonly #simulator: Simulator;
  /** Jobs wait in `running` until `finish` while this is set. */
  isHeld = false;
  /** How the next job ends instead of succeeding. */
  nextFailure: string | undefined;
  #isStopped = false;
  readonly #running = new Set<Promise<void>>();

  constructor(simulator: Simulator) {
    this.#simulator = simulator;
  }

  get #all(): Map<string, Job> {
    return this.#simulator.state.jobs;
  }

  start(
    type: Job['type'],
    description: string,
    statement: string,
    user: string,
    work: () => Promise<void>,
    more: Pick<Job, 'schedule' | 'creates'> = {},
  ): Job {
    const now = new Date();
    const job: Job = {
      id: this.#simulator.state.id(),
      type,
      description,
      statement,
      user,
      status: 'running',
      created: now,
      started: now,
      modified: now,
      fraction: 0,
      error: '',
      work,
      ...more,
    };
    this.#all.set(job.id, job);
    if (this.nextFailure !== undefined) {
      const error = this.nextFailure;
      this.nextFailure = undefined;
      this.set(job.id, 'failed', error);
    } else if (!this.isHeld) this.#begin(job);
    return job;
  }

  #begin(job: Job): void {
    const run = this.#simulator
      .exclusively(async () => {
        if (this.#isStopped || job.status !== 'running') return;
        await job.work?.();
        this.set(job.id, 'succeeded');
      })
      .catch((error: unknown) => {
        this.set(job.id, 'failed', (error as Error).message);
      });
    this.#running.add(run);
    void run.finally(() => this.#running.delete(run));
  }

  /** Waits for the end of a job that was begun without `detached`. */
  async ended(job: Job): Promise<Job> {
    while (!['succeeded', 'failed', 'canceled', 'revert-failed', 'paused'].includes(job.status)) {
      if (this.#isStopped) throw new SqlError('57P01', 'server is shutting down');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return job;
  }

  /** Puts a job into any state, as a server might. */
  set(id: string, status: JobStatus, error = ''): void {
    const job = this.get(id);
    job.status = status;
    job.error = error;
    job.modified = new Date();
    if (['succeeded', 'failed', 'canceled', 'revert-failed'].includes(status)) job.finished = new Date();
    if (status === 'succeeded') job.fraction = 1;
  }

  /** Lets a held job do its work. */
  async finish(id: string): Promise<void> {
    const job = this.get(id);
    job.status = 'running';
    this.#begin(job);
    await Promise.all(this.#running);
  }

  get(id: string): Job {
    const job = this.#all.get(id);
    if (job === undefined) throw new SqlError('XXUUU', `job with ID ${id} does not exist`);
    return job;
  }

  control(id: string, verb: 'pause' | 'resume' | 'cancel'): void {
    const job = this.get(id);
    const isOver = ['succeeded', 'failed', 'canceled', 'revert-failed'].includes(job.status);
    if (verb === 'cancel') {
      if (job.status === 'canceled' || job.status === 'cancel-requested') return;
      if (isOver) throw new SqlError('55000', `job with status ${job.status} cannot be requested to be canceled`);
      this.set(id, 'canceled', 'job canceled by user');
    } else if (verb === 'pause') {
      if (isOver) throw new SqlError('55000', `job with status ${job.status} cannot be requested to be paused`);
      this.set(id, 'paused');
    } else if (job.status === 'paused') {
      this.set(id, 'running');
      if (!this.isHeld) this.#begin(job);
    }
  }

  stop(): void {
    this.#isStopped = true;
  }
}
