/** Backups, and the data that a new database begins with. */
import type { BackupSchedule } from '../../provider/api/backup-schedule.ts';
import type { Copy } from '../../provider/api/copy.ts';
import { TRAITS } from '../../provider/api/engines.ts';
import { COMPOSED_LABEL } from '../../provider/api/kind.ts';
import { refusedField } from '../../provider/api/native-refusals.ts';
import type { Restore } from '../../provider/api/restore.ts';
import type { ClaimBackup, ClaimSource } from '../claim.ts';
import { ClaimError } from '../errors.ts';
import type { World } from '../world.ts';
import type { ComposedSet, Wanted } from './composed.ts';

export const BACKUP_KEY = 'backup';
export const SOURCE_KEY = 'source';

const storageOf = (path: string, name: string | undefined): { name: string } => {
  if (name === undefined) throw new ClaimError(path, 'is required: the platform has no default for it');
  return { name };
};

/** Refused here already, where whoever wrote the claim sees it. */
function checkNative({ engine }: World, path: string, fields: Readonly<Record<string, unknown>>): void {
  if (!TRAITS[engine].makesOwnBackups) {
    if (fields['cockroachdb'] !== undefined) throw new ClaimError(`${path}.cockroachdb`, `is not known to ${engine}`);
    return;
  }
  const refused = refusedField(fields);
  if (refused !== undefined)
    throw new ClaimError(`${path}.${refused.field}`, `is not known to ${engine}: ${refused.remedy}`);
}

export function expandBackup(world: World, backup: ClaimBackup, composed: ComposedSet): void {
  const { schedule, storage, ...rest } = backup;
  checkNative(world, 'spec.backup', rest);
  if (rest.encryption !== undefined && rest.verify !== undefined && rest.verify.identitySecretRef === undefined)
    throw new ClaimError('spec.backup.verify.identitySecretRef', 'is required when backups are encrypted');
  const wanted: Wanted<BackupSchedule> = {
    database: world.database,
    schedule: schedule ?? '',
    storage: storageOf('spec.backup.storage', storage),
    ...rest,
  };
  composed.add(BACKUP_KEY, 'BackupSchedule', wanted);
}

/** The database of another XDatabase, by the labels that Crossplane gives to all that it composes. */
function sourceDatabase(
  { legacy, namespace }: World,
  { name, database }: { name?: string | undefined; database?: string | undefined },
): Pick<Wanted<Copy>, 'sourceDatabase' | 'sourceDatabaseSelector'> {
  if (name === undefined) return { sourceDatabase: database };
  const matchLabels: Record<string, string> = legacy
    ? { [COMPOSED_LABEL.claimName]: name, [COMPOSED_LABEL.claimNamespace]: namespace }
    : { [COMPOSED_LABEL.composite]: name };
  return { sourceDatabaseSelector: { matchLabels } };
}

/** A run of its own, which happens once: what it brought is never brought again over what came after it. */
export function expandSource(world: World, source: ClaimSource, composed: ComposedSet): void {
  const target = { targetDatabase: world.database, mode: 'FailIfNotEmpty' as const };
  const { copyFrom, restoreFrom } = source;
  if (copyFrom !== undefined) {
    if (TRAITS[world.engine].makesOwnBackups)
      throw new ClaimError('spec.source.copyFrom', `is not known to ${world.engine}: use restoreFrom`);
    if (copyFrom.database === world.database && copyFrom.serverRef === undefined)
      throw new ClaimError('spec.source.copyFrom.database', 'is the database itself');
    if (copyFrom.name === world.name) throw new ClaimError('spec.source.copyFrom.name', 'is this claim itself');
    const { serverRef, transformSQL } = copyFrom;
    const wanted: Wanted<Copy> = {
      ...sourceDatabase(world, copyFrom),
      ...(serverRef === undefined ? {} : { sourceProviderConfigRef: serverRef }),
      transformSQL,
      ...target,
    };
    composed.add(SOURCE_KEY, 'Copy', wanted);
  }
  if (restoreFrom !== undefined) {
    const { backupRef, storage, before, verifiedOnly, identitySecretRef, cockroachdb } = restoreFrom;
    checkNative(world, 'spec.source.restoreFrom', restoreFrom);
    if (TRAITS[world.engine].makesOwnBackups && verifiedOnly === true)
      throw new ClaimError('spec.source.restoreFrom.verifiedOnly', `is not known to ${world.engine}: remove it`);
    const wanted: Wanted<Restore> = {
      ...(backupRef === undefined ? sourceDatabase(world, restoreFrom) : {}),
      source: {
        ...(backupRef === undefined
          ? { storage: storageOf('spec.source.restoreFrom.storage', storage ?? world.spec.backup?.storage), before }
          : { backupRef }),
        verifiedOnly: verifiedOnly ?? false,
      },
      identitySecretRef,
      cockroachdb,
      ...target,
    };
    composed.add(SOURCE_KEY, 'Restore', wanted);
  }
}
