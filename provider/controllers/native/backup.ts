/** Backup on a server that makes backups by itself: the external object is one job of the server, and what it left. */
import type { BackupParameters } from '../../api/backup.ts';
import type { Managed } from '../../api/kind.ts';
import { refuseWhatOthersDo } from '../../api/native-refusals.ts';
import { collectionOf, collectionPath, keyOf, pathIn, timeOf } from '../../backup/native/names.ts';
import { runState } from '../../backup/native/outcome.ts';
import { waiting } from '../../common/errors.ts';
import type { NativeJob } from '../../engines/native.ts';
import { ANNOTATION, annotation, hasCreated, isDeleted } from '../../runtime/managed/annotations.ts';
import type { Observation } from '../../runtime/managed/external.ts';
import { isUnfinished, NativeRun } from './run.ts';
import {
  connectionOf,
  encryptionOf,
  explainYoung,
  observation,
  over,
  recordOf,
  SOON_MS,
  storageBehind,
} from './shared.ts';

/** A backup is of ten seconds before it was asked for, and clocks differ. */
const MARGIN_MS = 30_000;

export class NativeBackup extends NativeRun<BackupParameters> {
  get #path(): string {
    const { name, namespace = '' } = this.context.resource.metadata;
    return collectionPath({ namespace, name, database: this.fields.database ?? '' });
  }

  async observe(resource: Managed, signal: AbortSignal): Promise<Observation> {
    const { native, lookAgain } = this.context;
    const connection = connectionOf(resource);
    const record = recordOf(resource);
    this.act = undefined;
    const jobs = await native.jobs('BACKUP', `external://${connection}/`, signal);
    const state = runState(jobs, this.fields.backoffLimit);
    const shown = await native.connection(connection, signal);
    if (isDeleted(resource)) return this.#observeDeletion(resource, shown, jobs);
    if (record.outcome !== undefined) return this.known(record, record.outcome, shown);
    refuseWhatOthersDo(this.fields);
    if (state.state === 'none') {
      const found = record.begun === true ? await this.#forgotten(shown, connection, signal) : undefined;
      if (found !== undefined) return over(record, this.#succeeded(undefined, found), true);
      return observation(false, { ...record, begun: true }, { ...record, begun: true }, { phase: 'Pending' });
    }
    if (state.state === 'running') return this.running(record, state);
    lookAgain(SOON_MS);
    if (state.state === 'succeeded')
      return over(record, this.#succeeded(state.job, pathIn(state.job.description)), true);
    if (!state.again) return this.failed(record, state);
    this.act = async (until) => {
      await this.create(resource, until);
    };
    return {
      ...observation(true, record, record, this.status(state.job, 'Running')),
      creates: true,
      differences: [`BACKUP DATABASE again, as ${state.message}`],
      unready: { reason: 'Retrying', message: state.message },
    };
  }

  /**
   * The server keeps jobs for days only; what they made stays. A backup of before is that of an earlier resource of the
   * name, and one that the server has refused was never begun.
   */
  async #forgotten(shown: string | undefined, connection: string, signal: AbortSignal): Promise<string | undefined> {
    const { resource, native } = this.context;
    const pending = annotation(resource, ANNOTATION.createPending);
    if (shown === undefined || pending === undefined || !hasCreated(resource)) return undefined;
    const since = Date.parse(pending) - MARGIN_MS;
    const paths = await native.backups(collectionOf(connection, this.#path), signal);
    return paths.findLast((path) => (timeOf(path)?.getTime() ?? 0) >= since);
  }

  #succeeded(job: NativeJob | undefined, path: string | undefined): Record<string, unknown> {
    const { engine, product } = this.context.info;
    return {
      ...this.status(job, 'Succeeded'),
      ...(path === undefined ? {} : { key: keyOf(this.#path, path) }),
      engine,
      serverVersion: /\d[\d.]*\S*/.exec(product)?.[0] ?? '',
    };
  }

  #observeDeletion(resource: Managed, shown: string | undefined, jobs: readonly NativeJob[]): Observation {
    const { native, lookAgain } = this.context;
    this.act = async (signal) => {
      if (await this.cancel(jobs, signal)) await native.dropConnection(connectionOf(resource), signal);
    };
    lookAgain(SOON_MS);
    const record = recordOf(resource);
    return observation(
      shown !== undefined || jobs.some(isUnfinished),
      record,
      record,
      resource.status?.atProvider ?? {},
    );
  }

  async create(resource: Managed, signal: AbortSignal): Promise<void> {
    const { native, connection, services } = this.context;
    const { database, storage, cockroachdb } = this.fields;
    services.guard.check(resource);
    if (database === undefined) throw waiting('forProvider.database is not resolved yet');
    const name = connectionOf(resource);
    const { uri } = await storageBehind(this.context, storage);
    const { options } = await encryptionOf(this.context, cockroachdb);
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
}
