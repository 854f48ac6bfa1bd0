/** Runs of Backup and BackupSchedule: a dump into a storage, a test restore of the newest one, and the removal of all. */
import { IDENTITY_KEY } from '../../api/common.ts';
import type { BackupParameters } from '../../api/backup.ts';
import type { BackupScheduleParameters } from '../../api/backup-schedule.ts';
import type { Managed } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import { RUNNER, workFolder } from '../../backup/job-spec.ts';
import { defined } from '../../resources/creation.ts';
import { serverNames } from './names.ts';
import { type ResolvedPlace, resolvePlace, secretKeyValue } from './places.ts';
import type { Job } from './store.ts';
import {
  configOf,
  type Files,
  fixedParts,
  type Layout,
  newLogin,
  runnerFiles,
  Side,
  type Work,
  type WorkServices,
} from './work.ts';

/** The name of the only tool of a backup or a restore. */
export const TOOL = 'tool';

type Fields = BackupParameters & Pick<BackupScheduleParameters, 'retention' | 'verify'>;

abstract class StorageWork implements Work {
  readonly containers: readonly string[] = [TOOL];
  protected readonly resource: Managed;
  protected readonly services: WorkServices;

  constructor(resource: Managed, services: WorkServices) {
    this.resource = resource;
    this.services = services;
  }

  protected get fields(): Fields {
    return this.resource.spec.forProvider as unknown as Fields;
  }

  protected get namespace(): string {
    return this.resource.metadata.namespace ?? '';
  }

  protected get database(): string {
    return this.fields.database ?? '';
  }

  protected get deadline(): number {
    return this.fields.activeDeadlineSeconds ?? 86_400;
  }

  configs(): ProviderConfig[] {
    return [configOf(this.resource, this.services)];
  }

  protected async place(): Promise<ResolvedPlace> {
    return await resolvePlace(
      this.fields.storage,
      this.namespace,
      configOf(this.resource, this.services),
      this.services.readSecret,
    );
  }

  protected async side(signal: AbortSignal): Promise<Side> {
    return await Side.connect(this.resource, this.services, signal);
  }

  abstract layout(signal: AbortSignal): Promise<Layout>;
  abstract prepare(job: Job, signal: AbortSignal): Promise<Files>;
  abstract cleanUp(signal: AbortSignal): Promise<void>;
}

export class BackupWork extends StorageWork {
  readonly #names = serverNames(this.resource, 'run');

  async layout(signal: AbortSignal): Promise<Layout> {
    const [side, place] = [await this.side(signal), await this.place()];
    const { volume } = place;
    const tool = fixedParts(side.dump(TOOL, { name: this.#names.login }, this.database));
    return { tools: { [TOOL]: tool }, ...(volume === undefined ? {} : { volume }) };
  }

  async prepare(job: Job, signal: AbortSignal): Promise<Files> {
    this.services.guard.check(this.resource);
    const [side, place] = [await this.side(signal), await this.place()];
    const login = newLogin(this.#names.login, this.deadline, this.services.now());
    await side.operations.makeReader(login, this.database, signal);
    const { compression, compressionLevel, encryption, countRows, retention } = this.fields;
    const request = {
      action: 'backup' as const,
      storage: place.place,
      owner: {
        namespace: this.namespace,
        name: this.resource.metadata.name,
        database: this.database,
        engine: side.engine,
      },
      run: job.metadata.uid ?? '',
      serverVersion: side.version,
      expectedSize: await side.operations.size(this.database, signal),
      recipients: encryption?.recipients ?? [],
      tool: { folder: workFolder(TOOL) },
      ...defined({ fileName: this.fields.fileName, compression, compressionLevel, countRows, retention }),
    };
    return { [RUNNER]: runnerFiles(request, place), [TOOL]: side.dump(TOOL, login, this.database).files };
  }

  async cleanUp(signal: AbortSignal): Promise<void> {
    const side = await this.side(signal);
    await side.operations.dropLogin(this.#names.login, signal);
  }
}

/** Restores the newest backup of a schedule into a database that nobody else can use, and drops it. */
export class VerifyWork extends StorageWork {
  readonly #names = serverNames(this.resource, 'verify');

  async layout(signal: AbortSignal): Promise<Layout> {
    const [side, place] = [await this.side(signal), await this.place()];
    const { volume } = place;
    const tool = fixedParts(side.load(TOOL, { name: this.#names.login }, this.#names.beside, { countRows: true }));
    return { tools: { [TOOL]: tool }, ...(volume === undefined ? {} : { volume }) };
  }

  async prepare(_job: Job, signal: AbortSignal): Promise<Files> {
    this.services.guard.check(this.resource);
    const [side, place] = [await this.side(signal), await this.place()];
    const login = newLogin(this.#names.login, this.deadline, this.services.now());
    // Nothing of a test restore stays.
    const beside = {
      like: this.database,
      name: this.#names.beside,
      run: this.#names.run,
      mayBeAdministrators: true,
    };
    const target = await side.operations.makeBeside(login, beside, signal);
    const identity = this.fields.verify?.identitySecretRef;
    const files = runnerFiles(
      {
        action: 'restore',
        storage: place.place,
        source: {
          namespace: this.namespace,
          name: this.resource.metadata.name,
          database: this.database,
          engine: side.engine,
        },
        tool: { folder: workFolder(TOOL) },
        verify: true,
        ...(identity === undefined ? {} : { identityFile: '/xdatabase/secrets/identity' }),
      },
      place,
    );
    if (identity !== undefined)
      files['identity'] = await secretKeyValue(
        identity,
        IDENTITY_KEY,
        'verify.identitySecretRef',
        this.namespace,
        this.services.readSecret,
      );
    return { [RUNNER]: files, [TOOL]: side.load(TOOL, login, target.database, { countRows: true }).files };
  }

  async cleanUp(signal: AbortSignal): Promise<void> {
    const { operations } = await this.side(signal);
    await operations.dropBeside({ name: this.#names.beside, run: this.#names.run }, signal);
    await operations.dropLogin(this.#names.login, signal);
  }
}

/** filePolicy Delete: the files go when their resource goes. It needs no server. */
export class DeleteFilesWork extends StorageWork {
  override readonly containers = [];

  async layout(): Promise<Layout> {
    const { volume } = await this.place();
    return { tools: {}, ...(volume === undefined ? {} : { volume }) };
  }

  async prepare(): Promise<Files> {
    const place = await this.place();
    const owner = { namespace: this.namespace, name: this.resource.metadata.name };
    return { [RUNNER]: runnerFiles({ action: 'delete', storage: place.place, owner }, place) };
  }

  async cleanUp(): Promise<void> {
    await Promise.resolve();
  }
}
