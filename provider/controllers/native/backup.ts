/** Backup on a server that makes backups by itself: the external object is one job of the server, and what it left. */
import type { BackupParameters } from '../../api/backup.ts';
import type { Managed } from '../../api/kind.ts';
import { refuseWhatOthersDo } from '../../api/native-refusals.ts';
import { collectionOf, collectionPath, keyOf, pathIn } from '../../backup/native/names.ts';
import { runState } from '../../backup/native/outcome.ts';
import { waiting } from '../../common/errors.ts';
import type { NativeJob } from '../../engines/native.ts';
import { defined } from '../../resources/creation.ts';
import { isDeleted } from '../../runtime/managed/annotations.ts';
import type { ExternalClient, Observation } from '../../runtime/managed/external.ts';
import {
  connectionOf,
  encryptionOf,
  explainYoung,
  type NativeContext,
  observation,
  over,
  recordOf,
  RUNNING_MS,
  SOON_MS,
  storageBehind,
} from './shared.ts';

export class NativeBackup implements ExternalClient {
  readonly #context: NativeContext;
  #act: ((signal: AbortSignal) => Promise<void>) | undefined;

  constructor(context: NativeContext) {
    this.#context = context;
  }

  get #fields(): BackupParameters {
    return this.#context.resource.spec.forProvider as unknown as BackupParameters;
  }

  get #path(): string {
    const { name, namespace = '' } = this.#context.resource.metadata;
    return collectionPath({ namespace, name, database: this.#fields.database ?? '' });
  }

  async observe(resource: Managed, signal: AbortSignal): Promise<Observation> {
    const { native, lookAgain } = this.#context;
    const connection = connectionOf(resource);
    const record = recordOf(resource);
    this.#act = undefined;
    const jobs = await native.jobs('BACKUP', `external://${connection}/`, signal);
    const state = runState(jobs, this.#fields.backoffLimit);
    const shown = await native.connection(connection, signal);
    if (isDeleted(resource)) return await Promise.resolve(this.#observeDeletion(resource, shown, jobs));
    if (record.outcome !== undefined) {
      // Nothing needs the credentials any more.
      if (shown !== undefined) {
        this.#act = async (until) => {
          await native.dropConnection(connection, until);
        };
        return { ...over(record, record.outcome, false), differences: ['DROP EXTERNAL CONNECTION'] };
      }
      return over(record, record.outcome, false);
    }
    refuseWhatOthersDo(this.#fields);
    if (state.state === 'none') {
      const found = record.begun === true ? await this.#forgotten(shown, connection, signal) : undefined;
      if (found !== undefined) return over(record, this.#succeeded(undefined, found), true);
      return observation(false, { ...record, begun: true }, { ...record, begun: true }, { phase: 'Pending' });
    }
    lookAgain(state.state === 'running' ? RUNNING_MS : SOON_MS);
    if (state.state === 'succeeded')
      return over(record, this.#succeeded(state.job, pathIn(state.job.description)), true);
    if (state.state === 'failed' && !state.again)
      return over(
        record,
        {
          ...this.#run(state.job, 'Failed'),
          failureReason: state.reason,
          failureMessage: state.message,
        },
        true,
      );
    const seen = observation(true, record, record, this.#run(state.job, 'Running'));
    if (state.state === 'failed') {
      this.#act = async (until) => {
        await this.#start(until);
      };
      return {
        ...seen,
        differences: [`BACKUP DATABASE again, as ${state.message}`],
        unready: { reason: 'Retrying', message: state.message },
      };
    }
    const message = state.paused
      ? `job ${state.job.id} is paused on the server; RESUME JOB ${state.job.id} lets it go on`
      : `job ${state.job.id} runs`;
    return { ...seen, unready: { reason: state.paused ? 'JobPaused' : 'Running', message } };
  }

  /** The server keeps jobs for days only; what they made stays. */
  async #forgotten(shown: string | undefined, connection: string, signal: AbortSignal): Promise<string | undefined> {
    if (shown === undefined) return undefined;
    return (await this.#context.native.backups(collectionOf(connection, this.#path), signal)).at(-1);
  }

  #run(job: NativeJob | undefined, phase: string): Record<string, unknown> {
    return defined({ phase, jobId: job?.id, startTime: job?.created, completionTime: job?.finished });
  }

  #succeeded(job: NativeJob | undefined, path: string | undefined): Record<string, unknown> {
    const { engine, product } = this.#context.info;
    return {
      ...this.#run(job, 'Succeeded'),
      ...(path === undefined ? {} : { key: keyOf(this.#path, path) }),
      engine,
      serverVersion: /\d[\d.]*\S*/.exec(product)?.[0] ?? '',
    };
  }

  #observeDeletion(resource: Managed, shown: string | undefined, jobs: readonly NativeJob[]): Observation {
    const { native, lookAgain } = this.#context;
    const running = jobs.filter(({ state }) => !['succeeded', 'failed', 'canceled'].includes(state));
    this.#act = async (signal) => {
      for (const { id, state } of running) if (state !== 'ending') await native.cancelJob(id, signal);
      if (running.length === 0) await native.dropConnection(connectionOf(resource), signal);
    };
    lookAgain(SOON_MS);
    const record = recordOf(resource);
    return observation(shown !== undefined || running.length > 0, record, record, resource.status?.atProvider ?? {});
  }

  async create(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#start(signal);
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { resource, native, connection, services } = this.#context;
    const { database, storage, cockroachdb } = this.#fields;
    services.guard.check(resource);
    if (database === undefined) throw waiting('forProvider.database is not resolved yet');
    const name = connectionOf(resource);
    const { uri } = await storageBehind(this.#context, storage);
    const { options } = await encryptionOf(this.#context, cockroachdb);
    const [known] = await connection.engine.read('database', [{ name: database }], signal);
    if (known === undefined) throw waiting(`database ${JSON.stringify(database)} does not exist yet`);
    await native.putConnection({ name, uri }, signal);
    try {
      await native.startBackup(
        {
          database,
          collection: collectionOf(name, this.#path),
          ...options,
          revisionHistory: cockroachdb?.revisionHistory === true,
        },
        signal,
      );
    } catch (error) {
      throw explainYoung(error, database);
    }
  }

  async update(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#act?.(signal);
  }

  async delete(_resource: Managed, signal: AbortSignal): Promise<void> {
    await this.#act?.(signal);
  }
}
