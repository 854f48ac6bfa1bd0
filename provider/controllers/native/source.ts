/** Which backup a Restore means: an exact one, that of a Backup, or the newest of the resources that made backups. */
import type { BackupParameters } from '../../api/backup.ts';
import type { Managed } from '../../api/kind.ts';
import type { RestoreParameters } from '../../api/restore.ts';
import type { Storage } from '../../api/storage.ts';
import { collectionOf, collectionPath, encoded, keyOf, splitKey, timeOf } from '../../backup/native/names.ts';
import { invalidSpec, ResourceError, waiting } from '../../common/errors.ts';
import { configOf } from '../jobs/work.ts';
import { connectionOf, type NativeContext } from './shared.ts';

/** The storage that a Restore reads; that of its Backup when it names one. */
export function storageOf({ resource, services }: NativeContext): Storage {
  const { source } = resource.spec.forProvider as unknown as RestoreParameters;
  if (source.storage !== undefined) return source.storage;
  const backup = backupOf(resource, source.backupRef?.name ?? '', services);
  if (configOf(backup, services).metadata.uid !== configOf(resource, services).metadata.uid)
    throw invalidSpec('source.backupRef: is a Backup of another server; give storage and key instead');
  return (backup.spec.forProvider as unknown as BackupParameters).storage;
}

function backupOf(
  { metadata: { namespace = '' } }: Managed,
  name: string,
  services: NativeContext['services'],
): Managed {
  const backup = services.get('Backup', namespace, name);
  if (backup === undefined) throw waiting(`Backup ${JSON.stringify(name)} (source.backupRef) does not exist`);
  return backup;
}

/** Key of the backup that is to be restored. The connection of the Restore has to be there. */
export async function chooseKey(context: NativeContext, signal: AbortSignal): Promise<string> {
  const { resource, services } = context;
  const { source } = resource.spec.forProvider as unknown as RestoreParameters;
  if (source.verifiedOnly)
    throw invalidSpec('source.verifiedOnly: backups of CockroachDB are verified by no test restore; remove it');
  const key = source.backupRef === undefined ? source.key : keyOfBackup(resource, source.backupRef.name, services);
  const chosen = key ?? (await newest(context, source.before, signal));
  const parts = splitKey(chosen);
  if (parts === undefined)
    throw invalidSpec(
      `source.key: ${JSON.stringify(chosen)} is not the key of a CockroachDB backup, which ends in its time, e.g. team-a/nightly/orders/2026/11/25-030000.00`,
    );
  if (isShared(context) && !parts.collection.startsWith(`${encoded(resource.metadata.namespace ?? '')}/`))
    throw new ResourceError(
      'NotYours',
      'source.key: is outside the folder of this namespace, and the storage belongs to a ClusterProviderConfig',
      { retryable: false },
    );
  const age = Date.now() - (timeOf(parts.path)?.getTime() ?? 0);
  if (source.maxAge !== undefined && age > source.maxAge * 1000)
    throw new ResourceError(
      'BackupTooOld',
      `the backup ${chosen} is older than source.maxAge (${source.maxAge} seconds)`,
      { retryable: false },
    );
  return chosen;
}

function isShared({ resource, services }: NativeContext): boolean {
  const { source } = resource.spec.forProvider as unknown as RestoreParameters;
  return source.storage?.s3 === undefined && configOf(resource, services).kind === 'ClusterProviderConfig';
}

function keyOfBackup(resource: Managed, name: string, services: NativeContext['services']): string {
  const { phase, key } = (backupOf(resource, name, services).status?.atProvider ?? {}) as {
    phase?: string;
    key?: string;
  };
  if (phase === 'Failed')
    throw new ResourceError('BackupFailed', `Backup ${JSON.stringify(name)} (source.backupRef) has failed`, {
      retryable: false,
    });
  if (key === undefined) throw waiting(`Backup ${JSON.stringify(name)} (source.backupRef) has not succeeded yet`);
  return key;
}

/** A bucket cannot be listed by SQL: whoever made backups of that database in this namespace is asked. */
async function newest(context: NativeContext, before: string | undefined, signal: AbortSignal): Promise<string> {
  const { resource, native, services } = context;
  const { namespace = '' } = resource.metadata;
  const fields = resource.spec.forProvider as unknown as RestoreParameters;
  const database = fields.sourceDatabase ?? fields.targetDatabase ?? '';
  const makers = ['Backup', 'BackupSchedule'].flatMap((kind) => services.list(kind, namespace));
  const keys: string[] = [];
  for (const { metadata, spec } of makers) {
    if (spec.forProvider['database'] !== database) continue;
    const collection = collectionPath({ namespace, name: metadata.name, database });
    const paths = await native.backups(collectionOf(connectionOf(resource), collection), signal);
    keys.push(...paths.map((path) => keyOf(collection, path)));
  }
  const limit = before === undefined ? Number.POSITIVE_INFINITY : Date.parse(before);
  const timeOfKey = (key: string): number => timeOf(key)?.getTime() ?? 0;
  const found = keys
    .filter((key) => timeOfKey(key) < limit)
    .toSorted((a, b) => timeOfKey(a) - timeOfKey(b))
    .at(-1);
  if (found !== undefined) return found;
  throw new ResourceError(
    'BackupNotFound',
    `no Backup or BackupSchedule of namespace ${JSON.stringify(namespace)} has a backup of database ${JSON.stringify(database)}${before === undefined ? '' : ` from before ${before}`} in this storage; give source.key`,
  );
}
