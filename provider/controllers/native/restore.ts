/** Restore on a server that restores by itself: beside the target, which it then replaces by renaming. */
import type { Managed } from '../../api/kind.ts';
import { refuseWhatOthersDo } from '../../api/native-refusals.ts';
import type { RestoreParameters } from '../../api/restore.ts';
import { collectionOf, splitKey } from '../../backup/native/names.ts';
import { runState } from '../../backup/native/outcome.ts';
import { ResourceError, waiting } from '../../common/errors.ts';
import type { NativeJob } from '../../engines/native.ts';
import { defined } from '../../resources/creation.ts';
import { isDeleted } from '../../runtime/managed/annotations.ts';
import type { ExternalClient, Observation } from '../../runtime/managed/external.ts';
import { serverNames } from '../jobs/names.ts';
import {
  connectionOf,
  encryptionOf,
  type NativeContext,
  observation,
  over,
  recordOf,
  RUNNING_MS,
  SOON_MS,
  storageBehind,
} from './shared.ts';
import { chooseKey, storageOf } from './source.ts';

export class NativeRestore implements ExternalClient {
  readonly #context: NativeContext;
  #act: ((signal: AbortSignal) => Promise<void>) | undefined;

  constructor(context: NativeContext) {
    this.#context = context;
  }

  get #fields(): RestoreParameters {
    return this.#context.resource.spec.forProvider as unknown as RestoreParameters;
  }

  get #names(): { beside: string; replaced: string } {
    return serverNames(this.#context.resource, 'run');
  }

  get #target(): string {
    const { targetDatabase } = this.#fields;
    if (targetDatabase === undefined) throw waiting('forProvider.targetDatabase is not resolved yet');
    return targetDatabase;
  }

  async observe(resource: Managed, signal: AbortSignal): Promise<Observation> {
    const { native, lookAgain } = this.#context;
    const name = connectionOf(resource);
    const record = recordOf(resource);
    const { beside } = this.#names;
    this.#act = undefined;
    const jobs = await native.jobs('RESTORE', `new_db_name = '${beside}'`, signal);
    const shown = await native.connection(name, signal);
    if (isDeleted(resource)) return await this.#observeDeletion(shown, jobs, signal);
    if (record.outcome !== undefined) {
      if (shown === undefined) return over(record, record.outcome, false);
      this.#act = async (until) => {
        await native.dropConnection(name, until);
      };
      return { ...over(record, record.outcome, false), differences: ['DROP EXTERNAL CONNECTION'] };
    }
    refuseWhatOthersDo(this.#fields);
    const state = runState(jobs, 0);
    if (state.state === 'none') {
      if (record.begun === true && (await this.#exists(beside, signal))) return this.#place(undefined, resource);
      return observation(false, record, { ...record, begun: true }, { phase: 'Pending' });
    }
    if (state.state === 'failed')
      return over(
        record,
        { ...this.#run(state.job, 'Failed'), failureReason: state.reason, failureMessage: state.message },
        true,
      );
    if (state.state === 'succeeded') {
      if (await this.#exists(beside, signal)) return this.#place(state.job, resource);
      lookAgain(SOON_MS);
      return over(record, this.#succeeded(state.job), true);
    }
    lookAgain(RUNNING_MS);
    const message = state.paused
      ? `job ${state.job.id} is paused on the server, by somebody or because a disk was full; RESUME JOB ${state.job.id} lets it go on`
      : `job ${state.job.id} runs`;
    return {
      ...observation(true, record, record, this.#run(state.job, 'Running')),
      unready: { reason: state.paused ? 'JobPaused' : 'Running', message },
    };
  }

  async #exists(database: string, signal: AbortSignal): Promise<boolean> {
    const [found] = await this.#context.connection.engine.read('database', [{ name: database }], signal);
    return found !== undefined;
  }

  /** The data is there, beside the target. */
  #place(job: NativeJob | undefined, resource: Managed): Observation {
    const { native, services, lookAgain } = this.#context;
    const { beside, replaced } = this.#names;
    const record = recordOf(resource);
    this.#act = async (signal) => {
      await this.#refuseFilled(signal);
      await native.takePlace({ beside, target: this.#target, replaced }, signal);
      if (!this.#fields.keepReplaced) await native.dropDatabase(replaced, signal);
      // Grants do not come with a restore: whatever manages something in the database looks again.
      services.onReplaced(resource);
    };
    lookAgain(SOON_MS);
    return {
      ...observation(true, record, record, this.#run(job, 'Running')),
      differences: [`put the restored database in the place of ${JSON.stringify(this.#target)}`],
      unready: { reason: 'Running', message: 'what was restored takes the place of the target' },
    };
  }

  async #refuseFilled(signal: AbortSignal): Promise<void> {
    const { engine } = this.#context.connection;
    if (this.#fields.mode === 'Replace' || !(await this.#exists(this.#target, signal))) return;
    const [contents] = await engine.read('databaseContents', [{ name: this.#target }], signal);
    if (contents?.empty !== false) return;
    throw new ResourceError(
      'TargetNotEmpty',
      `database ${JSON.stringify(this.#target)} holds ${contents.summary}, and mode is FailIfNotEmpty; it was left as it was. Use mode Replace to replace it`,
      { retryable: false },
    );
  }

  #run(job: NativeJob | undefined, phase: string): Record<string, unknown> {
    return defined({ phase, jobId: job?.id, startTime: job?.created, completionTime: job?.finished });
  }

  #succeeded(job: NativeJob): Record<string, unknown> {
    const { engine } = this.#context.info;
    const { keepReplaced } = this.#fields;
    const [, path, collection] = /FROM '([^']+)' IN 'external:\/\/[^/]+\/([^']*)'/.exec(job.description) ?? [];
    return {
      ...this.#run(job, 'Succeeded'),
      ...(path === undefined ? {} : { restored: { key: `${collection ?? ''}${path}`, engine } }),
      ...(keepReplaced ? { replacedDatabase: this.#names.replaced } : {}),
    };
  }

  async #observeDeletion(
    shown: string | undefined,
    jobs: readonly NativeJob[],
    signal: AbortSignal,
  ): Promise<Observation> {
    const { resource, native, lookAgain } = this.#context;
    const running = jobs.filter(({ state }) => !['succeeded', 'failed', 'canceled'].includes(state));
    const isBeside = await this.#exists(this.#names.beside, signal);
    this.#act = async (until) => {
      for (const { id, state } of running) if (state !== 'ending') await native.cancelJob(id, until);
      if (running.length > 0) return;
      await native.dropDatabase(this.#names.beside, until);
      await native.dropConnection(connectionOf(resource), until);
    };
    lookAgain(SOON_MS);
    const record = recordOf(resource);
    const exists = shown !== undefined || running.length > 0 || isBeside;
    return observation(exists, record, record, resource.status?.atProvider ?? {});
  }

  async create(_resource: Managed, signal: AbortSignal): Promise<void> {
    const context = this.#context;
    const { resource, native, services } = context;
    services.guard.check(resource);
    if (!(await this.#exists(this.#target, signal)))
      throw waiting(`database ${JSON.stringify(this.#target)} does not exist yet`);
    await this.#refuseFilled(signal);
    const name = connectionOf(resource);
    const { uri } = await storageBehind(context, storageOf(context));
    await native.putConnection({ name, uri }, signal);
    const { collection, path } = splitKey(await chooseKey(context, signal))!;
    const { options } = await encryptionOf(context, this.#fields.cockroachdb);
    await native.startRestore(
      {
        collection: collectionOf(name, collection),
        path,
        database: this.#fields.sourceDatabase ?? this.#target,
        as: this.#names.beside,
        ...options,
      },
      signal,
    );
  }

  async update(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#act?.(signal);
  }

  async delete(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#act?.(signal);
  }
}
