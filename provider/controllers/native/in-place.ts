/**
 * Restores whose database the server does not rename, as one with views holds its own name: they are restored a second
 * time, under the name of the target. What was restored beside it stays until then, so there is always a whole copy.
 */
import { runState } from '../../backup/native/outcome.ts';
import type { NativeJob, RestoreOrder } from '../../engines/native.ts';
import { invalidSpec } from '../../common/errors.ts';
import type { NativeContext } from './shared.ts';

export interface InPlaceOptions {
  beside: string;
  target: string;
  /** What was there before, where the server could rename it. */
  replaced: string;
  keepReplaced: boolean;
  exists: (database: string, signal: AbortSignal) => Promise<boolean>;
  /** All but the name. */
  order: (signal: AbortSignal) => Promise<Omit<RestoreOrder, 'as'>>;
}

type Act = (signal: AbortSignal) => Promise<void>;

/** What there is to do next, and what is said until then; `over` = the target is as it was asked for. */
export type InPlaceState =
  | { over: true; job: NativeJob }
  | { over: false; job: NativeJob; difference?: string; act?: Act; reason: string; message: string };

export class InPlace {
  readonly #context: NativeContext;
  readonly #options: InPlaceOptions;

  constructor(context: NativeContext, options: InPlaceOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Begins it. The target goes only now, when nothing but its name is missing. */
  async start(signal: AbortSignal): Promise<void> {
    const { native } = this.#context;
    const { target, keepReplaced, exists, order } = this.#options;
    const restore = await order(signal);
    if (await exists(target, signal)) {
      if (keepReplaced)
        throw invalidSpec(
          `forProvider.keepReplaced: database ${JSON.stringify(target)} has views, and CockroachDB renames no such database; it was left as it was. Remove keepReplaced`,
        );
      await native.dropDatabase(target, signal);
    }
    await native.startRestore({ ...restore, as: target }, signal);
  }

  /** @param jobs those that restore under the name of the target, the oldest first; at least one */
  async state(jobs: readonly NativeJob[], signal: AbortSignal): Promise<InPlaceState> {
    const { native } = this.#context;
    const { beside, target, replaced, keepReplaced, exists } = this.#options;
    // Without it the target would be gone for good: it is tried for as long as somebody wants it.
    const state = runState(jobs, Number.POSITIVE_INFINITY);
    const kept = `what was restored is in database ${JSON.stringify(beside)} until then`;
    switch (state.state) {
      case 'none':
        throw new Error('no job restores in place');
      case 'running': {
        const { job, paused } = state;
        const message = paused
          ? `job ${job.id} is paused on the server; RESUME JOB ${job.id} lets it go on; ${kept}`
          : `job ${job.id} restores once more, under the name ${JSON.stringify(target)}, as the server renames no database with views; ${kept}`;
        return { over: false, job, reason: paused ? 'JobPaused' : 'Running', message };
      }
      case 'failed': {
        const { job, again, reason, message } = state;
        if (!again) return { over: false, job, reason, message: `${message}; ${kept}` };
        return {
          over: false,
          job,
          reason: 'Retrying',
          message: `${message}; ${kept}`,
          difference: `RESTORE DATABASE again, as ${message}`,
          act: async (until) => {
            await this.start(until);
          },
        };
      }
      case 'succeeded': {
        const { job } = state;
        if (!(await exists(beside, signal))) return { over: true, job };
        return {
          over: false,
          job,
          reason: 'Running',
          message: 'what was restored gets its owner',
          difference: `hand the restored database over to the owner of ${JSON.stringify(target)}`,
          act: async (until) => {
            await native.handOver({ from: beside, to: target }, until);
            if (!keepReplaced) await native.dropDatabase(replaced, until);
            await native.dropDatabase(beside, until);
            this.#context.services.onReplaced(this.#context.resource);
          },
        };
      }
    }
  }
}
