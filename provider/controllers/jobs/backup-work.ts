/** Runs of Backup and BackupSchedule: a dump into a storage, a test restore of the newest one, and the removal of all. */
import type { BackupParameters } from '../../api/backup.ts';
import type { BackupScheduleParameters } from '../../api/backup-schedule.ts';
import type { Managed } from '../../api/kind.ts';
import { RUNNER, workFolder } from '../../backup/job-spec.ts';
import { defined } from '../../resources/creation.ts';
import { type ResolvedPlace, resolvePlace } from './places.ts';
import { layoutOf, ResourceWork, TOOL } from './resource-work.ts';
import type { Job } from './store.ts';
import { configOf, type Files, type Layout, runnerFiles, type WorkServices } from './work.ts';

type OwnerKind = 'Backup' | 'BackupSchedule';

type Fields = BackupParameters & Pick<BackupScheduleParameters, 'retention' | 'verify'>;

abstract class StorageWork extends ResourceWork<Fields> {
  protected get database(): string {
    return this.fields.database ?? '';
  }

  /** Whose files they are: a Backup and a BackupSchedule may have one name. */
  protected get owner(): { kind: OwnerKind; namespace: string; name: string } {
    const { kind, metadata } = this.resource;
    return { kind: kind as OwnerKind, namespace: this.namespace, name: metadata.name };
  }

  protected async place(): Promise<ResolvedPlace> {
    const config = configOf(this.resource, this.services);
    return this.within(await resolvePlace(this.fields.storage, this.namespace, config, this.services.readSecret));
  }
}

export class BackupWork extends StorageWork {
  async layout(signal: AbortSignal): Promise<Layout> {
    const [side, place] = [await this.side(signal), await this.place()];
    return layoutOf(side.dump(TOOL, { name: this.names.login }, this.database), place);
  }

  async prepare(job: Job, signal: AbortSignal): Promise<Files> {
    this.services.guard.check(this.resource);
    const [side, place] = [await this.side(signal), await this.place()];
    const login = this.newLogin();
    await side.operations.makeReader(login, this.database, signal);
    const { compression, compressionLevel, encryption, countRows, retention } = this.fields;
    const request = {
      action: 'backup' as const,
      storage: place.place,
      owner: {
        ...this.owner,
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
    await side.operations.dropLogin(this.names.login, signal);
  }
}

/** Restores the newest backup of a schedule into a database that nobody else can use, and drops it. */
export class VerifyWork extends StorageWork {
  constructor(resource: Managed, services: WorkServices) {
    super(resource, services, 'verify');
  }

  async layout(signal: AbortSignal): Promise<Layout> {
    const [side, place] = [await this.side(signal), await this.place()];
    const tool = side.load(TOOL, { name: this.names.login }, this.names.beside, { countRows: true });
    return layoutOf(tool, place);
  }

  async prepare(_job: Job, signal: AbortSignal): Promise<Files> {
    this.services.guard.check(this.resource);
    const [side, place] = [await this.side(signal), await this.place()];
    const login = this.newLogin();
    // Nothing of a test restore stays.
    const beside = {
      like: this.database,
      name: this.names.beside,
      run: this.names.run,
      mayBeAdministrators: true,
    };
    const target = await side.operations.makeBeside(login, beside, signal);
    const { database } = this;
    const files = await this.restoreFiles(
      { source: { ...this.owner, database, engine: side.engine }, verify: true },
      place,
      { field: 'verify.identitySecretRef', ref: this.fields.verify?.identitySecretRef },
    );
    return { [RUNNER]: files, [TOOL]: side.load(TOOL, login, target.database, { countRows: true }).files };
  }

  async cleanUp(signal: AbortSignal): Promise<void> {
    const { operations } = await this.side(signal);
    await operations.dropBeside({ name: this.names.beside, run: this.names.run }, signal);
    await operations.dropLogin(this.names.login, signal);
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
    return { [RUNNER]: runnerFiles({ action: 'delete', storage: place.place, owner: this.owner }, place) };
  }

  async cleanUp(): Promise<void> {
    await Promise.resolve();
  }
}
