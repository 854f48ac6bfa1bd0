/** Runs of Restore and RestoreSchedule: one stored backup is loaded into a database. */
import type { Managed } from '../../api/kind.ts';
import type { ProviderConfig } from '../../api/provider-config.ts';
import type { RestoreParameters } from '../../api/restore.ts';
import type { Storage } from '../../api/storage.ts';
import { RUNNER } from '../../backup/job-spec.ts';
import { invalidSpec, ResourceError, waiting } from '../../common/errors.ts';
import { defined } from '../../resources/creation.ts';
import { type ResolvedPlace, resolvePlace } from './places.ts';
import { layoutOf, TOOL } from './resource-work.ts';
import type { Job } from './store.ts';
import { TargetWork } from './target-work.ts';
import { configOf, type Files, type Layout } from './work.ts';

export class RestoreWork extends TargetWork<RestoreParameters> {
  override configs(): ProviderConfig[] {
    const own = super.configs();
    const backup = this.#backup();
    return backup === undefined ? own : [...own, configOf(backup, this.services)];
  }

  async layout(signal: AbortSignal): Promise<Layout> {
    const [side, { place }] = [await this.side(signal), await this.#source()];
    return layoutOf(side.load(TOOL, { name: this.names.login }, this.names.beside), place);
  }

  async prepare(_job: Job, signal: AbortSignal): Promise<Files> {
    const side = await this.side(signal);
    const { place, key, name } = await this.#source();
    const { login, database } = await this.makeBeside(side, signal);
    const { source, sourceDatabase, identitySecretRef } = this.fields;
    const files = await this.restoreFiles(
      {
        source: {
          database: sourceDatabase ?? this.target,
          engine: side.engine,
          ...defined({
            key,
            name,
            kind: name === undefined ? undefined : ('Backup' as const),
            before: source.before,
            maxAge: source.maxAge,
            verifiedOnly: source.verifiedOnly,
          }),
          ...(place.isShared ? { namespace: this.namespace } : {}),
        },
      },
      place,
      { field: 'identitySecretRef', ref: identitySecretRef },
    );
    return { [RUNNER]: files, [TOOL]: side.load(TOOL, login, database).files };
  }

  #backup(): Managed | undefined {
    const name = this.fields.source.backupRef?.name;
    if (name === undefined) return undefined;
    const backup = this.services.get('Backup', this.namespace, name);
    if (backup === undefined)
      throw new ResourceError(
        'ReferenceNotFound',
        `forProvider.source.backupRef: there is no Backup ${JSON.stringify(name)} in namespace ${JSON.stringify(this.namespace)}`,
      );
    return backup;
  }

  async #source(): Promise<{ place: ResolvedPlace; key: string | undefined; name: string | undefined }> {
    const backup = this.#backup();
    const holder = backup ?? this.resource;
    const storage: Storage | undefined =
      backup === undefined ? this.fields.source.storage : (backup.spec.forProvider['storage'] as Storage);
    if (storage === undefined) throw invalidSpec('forProvider.source.storage is required');
    const config = configOf(holder, this.services);
    const place = this.within(await resolvePlace(storage, this.namespace, config, this.services.readSecret));
    if (backup === undefined) return { place, key: this.fields.source.key, name: undefined };
    const { phase, key } = (backup.status?.atProvider ?? {}) as { phase?: string; key?: string };
    if (phase === 'Failed')
      throw new ResourceError(
        'BackupFailed',
        `forProvider.source.backupRef: Backup ${JSON.stringify(backup.metadata.name)} has failed`,
        { retryable: false },
      );
    // Without its key, as what its runner said was lost, it is the newest of its name.
    if (phase !== 'Succeeded')
      throw waiting(
        `forProvider.source.backupRef: Backup ${JSON.stringify(backup.metadata.name)} has not succeeded yet`,
      );
    return { place, key, name: backup.metadata.name };
  }
}
