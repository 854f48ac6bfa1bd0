/** Restore on a server that restores by itself: beside the target, which it then replaces; see in-place.ts too. */
import type { Managed } from '../../api/kind.ts';
import { refuseWhatOthersDo } from '../../api/native-refusals.ts';
import type { RestoreParameters } from '../../api/restore.ts';
import { collectionOf, splitKey } from '../../backup/native/names.ts';
import { runState } from '../../backup/native/outcome.ts';
import { waiting } from '../../common/errors.ts';
import { targetNotEmpty } from '../../engines/jobs.ts';
import type { NativeJob } from '../../engines/native.ts';
import { externalNameOf, isDeleted } from '../../runtime/managed/annotations.ts';
import type { Observation } from '../../runtime/managed/external.ts';
import { serverNames } from '../jobs/names.ts';
import { isUnfinished, NativeRun } from './run.ts';
import {
  connectionOf,
  encryptionOf,
  observation,
  over,
  recordOf,
  RUNNING_MS,
  SOON_MS,
  storageBehind,
} from './shared.ts';
import { InPlace } from './in-place.ts';
import { chooseKey, storageOf } from './source.ts';

export class NativeRestore extends NativeRun<RestoreParameters> {
  get #names(): { beside: string; replaced: string } {
    return serverNames(this.context.resource, 'run');
  }

  get #target(): string {
    const { targetDatabase } = this.fields;
    if (targetDatabase === undefined) throw waiting('forProvider.targetDatabase is not resolved yet');
    return targetDatabase;
  }

  async observe(resource: Managed, signal: AbortSignal): Promise<Observation> {
    const { native, lookAgain } = this.context;
    const name = connectionOf(resource);
    const record = recordOf(resource);
    const { beside } = this.#names;
    this.act = undefined;
    const all = await native.jobs('RESTORE', `external://${name}/`, signal);
    const jobs = all.filter((job) => isInto(job, beside));
    const again = all.filter((job) => !isInto(job, beside));
    const shown = await native.connection(name, signal);
    if (isDeleted(resource)) return await this.#observeDeletion(shown, all, signal);
    if (record.outcome !== undefined) return this.known(record, record.outcome, shown);
    refuseWhatOthersDo(this.fields);
    if (again.length > 0) return await this.#observeInPlace(again, signal);
    const state = runState(jobs, 0);
    if (state.state === 'none') {
      if (record.begun === true && (await this.#exists(beside, signal))) return this.#place(undefined, resource);
      if (record.placed !== undefined) return over(record, record.placed, true);
      return observation(false, record, { ...record, begun: true }, { phase: 'Pending' });
    }
    if (state.state === 'failed') return this.failed(record, state);
    if (state.state === 'succeeded') {
      if (await this.#exists(beside, signal)) return this.#place(state.job, resource);
      lookAgain(SOON_MS);
      return over(record, this.#succeeded(state.job), true);
    }
    return this.running(record, state, ', by somebody or because a disk was full');
  }

  async #exists(database: string, signal: AbortSignal): Promise<boolean> {
    const [found] = await this.context.connection.engine.read('database', [{ name: database }], signal);
    return found !== undefined;
  }

  #inPlace(job: NativeJob | undefined): InPlace {
    const { keepReplaced, sourceDatabase } = this.fields;
    return new InPlace(this.context, {
      ...this.#names,
      target: this.#target,
      keepReplaced,
      exists: async (database, signal) => await this.#exists(database, signal),
      order: async (signal) => {
        const name = await this.#connect(signal);
        // The very backup that is beside: there may be a newer one by now.
        const key = restoredKey(job) ?? (await chooseKey(this.context, signal));
        const { collection, path } = splitKey(key)!;
        const { options } = await encryptionOf(this.context, this.fields.cockroachdb);
        const database = sourceDatabase ?? this.#target;
        return { collection: collectionOf(name, collection), path, database, ...options };
      },
    });
  }

  async #observeInPlace(jobs: readonly NativeJob[], signal: AbortSignal): Promise<Observation> {
    const { resource, lookAgain } = this.context;
    const record = recordOf(resource);
    const state = await this.#inPlace(jobs.at(-1)).state(jobs, signal);
    if (state.over) {
      lookAgain(SOON_MS);
      return over(record, this.#succeeded(state.job), true);
    }
    const { job, act, difference, reason, message } = state;
    this.act = act;
    lookAgain(act === undefined ? RUNNING_MS : SOON_MS);
    return {
      ...observation(true, record, record, this.status(job, 'Running')),
      creates: true,
      differences: difference === undefined ? [] : [difference],
      unready: { reason, message },
    };
  }

  /** The data is there, beside the target. */
  #place(job: NativeJob | undefined, resource: Managed): Observation {
    const { native, services, lookAgain } = this.context;
    const { beside, replaced } = this.#names;
    const record = recordOf(resource);
    this.act = async (signal) => {
      await this.#refuseFilled(signal);
      const outcome = await native.takePlace({ beside, target: this.#target, replaced }, signal);
      if (outcome === 'immovable') {
        await this.#inPlace(job).start(signal);
        return;
      }
      if (!this.fields.keepReplaced) await native.dropDatabase(replaced, signal);
      // Grants do not come with a restore: whatever manages something in the database looks again.
      services.onReplaced(resource);
    };
    lookAgain(SOON_MS);
    return {
      ...observation(true, { ...record, placed: this.#succeeded(job) }, record, this.status(job, 'Running')),
      creates: true,
      differences: [`put the restored database in the place of ${JSON.stringify(this.#target)}`],
      unready: { reason: 'Running', message: 'what was restored takes the place of the target' },
    };
  }

  async #refuseFilled(signal: AbortSignal): Promise<void> {
    const { engine } = this.context.connection;
    if (this.fields.mode === 'Replace' || !(await this.#exists(this.#target, signal))) return;
    const [contents] = await engine.read('databaseContents', [{ name: this.#target }], signal);
    if (contents?.empty !== false) return;
    throw targetNotEmpty(this.#target, contents.summary);
  }

  #succeeded(job: NativeJob | undefined): Record<string, unknown> {
    const { engine } = this.context.info;
    const { keepReplaced } = this.fields;
    const key = restoredKey(job);
    return {
      ...this.status(job, 'Succeeded'),
      ...(key === undefined ? {} : { restored: { key, engine } }),
      ...(keepReplaced ? { replacedDatabase: this.#names.replaced } : {}),
    };
  }

  async #observeDeletion(
    shown: string | undefined,
    jobs: readonly NativeJob[],
    signal: AbortSignal,
  ): Promise<Observation> {
    const { resource, native, lookAgain } = this.context;
    const { beside } = this.#names;
    const isBeside = await this.#exists(beside, signal);
    const { targetDatabase } = this.fields;
    const isLast = isBeside && (await this.#isHalfway(jobs, signal));
    this.act = async (until) => {
      if (!(await this.cancel(jobs, until))) return;
      if (!isLast) await native.dropDatabase(beside, until);
      await native.dropConnection(connectionOf(resource), until);
    };
    lookAgain(SOON_MS);
    const record = recordOf(resource);
    const exists = shown !== undefined || jobs.some(isUnfinished) || (isBeside && !isLast);
    const seen = observation(exists, record, record, resource.status?.atProvider ?? {});
    if (!isLast) return seen;
    const message = `database ${JSON.stringify(targetDatabase)} is not there; what was restored is in ${JSON.stringify(beside)}, which was kept`;
    return { ...seen, notes: [{ reason: 'KeptExternalResource', message }] };
  }

  /** Between the old database and the new one: what is beside is all that there is of a database that is still wanted. */
  async #isHalfway(jobs: readonly NativeJob[], signal: AbortSignal): Promise<boolean> {
    const { resource, services } = this.context;
    const { targetDatabase } = this.fields;
    const { beside, replaced } = this.#names;
    if (targetDatabase === undefined || (await this.#exists(targetDatabase, signal))) return false;
    const isAgain = jobs.some((job) => !isInto(job, beside));
    if (isAgain || (await this.#exists(replaced, signal))) return true;
    return services
      .list('Database', resource.metadata.namespace ?? '')
      .some((database) => externalNameOf(database) === targetDatabase && !isDeleted(database));
  }

  async create(_resource: Managed, signal: AbortSignal): Promise<void> {
    const context = this.context;
    const { resource, native, services } = context;
    services.guard.check(resource);
    if (!(await this.#exists(this.#target, signal)))
      throw waiting(`database ${JSON.stringify(this.#target)} does not exist yet`);
    await this.#refuseFilled(signal);
    const name = await this.#connect(signal);
    const { collection, path } = splitKey(await chooseKey(context, signal))!;
    const { options } = await encryptionOf(context, this.fields.cockroachdb);
    await native.startRestore(
      {
        collection: collectionOf(name, collection),
        path,
        database: this.fields.sourceDatabase ?? this.#target,
        as: this.#names.beside,
        ...options,
      },
      signal,
    );
  }

  async #connect(signal: AbortSignal): Promise<string> {
    const name = connectionOf(this.context.resource);
    const { uri } = await storageBehind(this.context, storageOf(this.context));
    await this.context.native.putConnection({ name, uri }, signal);
    return name;
  }
}

const isInto = ({ description }: NativeJob, database: string): boolean =>
  description.includes(`new_db_name = '${database}'`);

/** Key of the backup that the statement of a job names. */
function restoredKey(job: NativeJob | undefined): string | undefined {
  const [, path, collection = ''] =
    /FROM '([^']+)' IN 'external:\/\/[^/]+\/([^']*)'/.exec(job?.description ?? '') ?? [];
  return path === undefined ? undefined : `${collection}${path}`;
}
