/** What the kinds of native backups have in common: the storage behind a connection, and how an observation is said. */
import type { Managed } from '../../api/kind.ts';
import type { NativeKeys } from '../../api/native-fields.ts';
import type { Storage } from '../../api/storage.ts';
import { connectionName } from '../../backup/native/names.ts';
import { storageUri } from '../../backup/native/uri.ts';
import { ResourceError } from '../../common/errors.ts';
import { Secret } from '../../common/secret.ts';
import type { BackupOptions, NativeOperations } from '../../engines/native.ts';
import type { ServerInfo } from '../../resources/model/server.ts';
import { appliedOf } from '../../runtime/managed/annotations.ts';
import type { Observation } from '../../runtime/managed/external.ts';
import type { ScheduleObserver } from '../jobs/schedule-metrics.ts';
import { resolvePlace, secretKeyValue } from '../jobs/places.ts';
import { configOf, type WorkServices } from '../jobs/work.ts';
import type { ServerConnection } from '../servers/connection.ts';

/** What a resource remembers of what it has on the server. No secret, nor anything that is made of one. */
export interface NativeRecord {
  /** Versions of the Secrets whose contents the server has. */
  credentials?: string;
  passphrase?: string;
  /** URI of the key that a schedule encrypts with. */
  kms?: string;
  /** Namespace and name of the resource: whoever copies a manifest, annotations and all, wants a run of its own. */
  of?: string;
  /** A run has been asked for: what is not found afterwards is looked for. */
  begun?: true;
  /** status.atProvider of a restore whose data takes its place: once that is done, nothing else on the server says so. */
  placed?: Record<string, unknown>;
  /** status.atProvider at the end of a run. */
  outcome?: Record<string, unknown>;
}

export interface NativeContext {
  resource: Managed;
  connection: ServerConnection;
  native: NativeOperations;
  info: ServerInfo;
  services: WorkServices;
  observer: ScheduleObserver;
  /** Sets when to look again, in ms; the soonest counts. */
  lookAgain: (ms: number) => void;
}

export function recordOf(resource: Managed): NativeRecord {
  const of = `${resource.metadata.namespace}/${resource.metadata.name}`;
  const record = appliedOf(resource) as NativeRecord | null | undefined;
  const isOwn = typeof record === 'object' && record !== null && !Array.isArray(record) && (record.of ?? of) === of;
  return isOwn ? { ...record, of } : { of };
}

export const connectionOf = (resource: Managed): string => connectionName(resource.metadata.uid ?? '');

export interface StorageBehind {
  uri: Secret;
  /** Which versions of which Secrets it was made of. */
  version: string;
}

export async function storageBehind({ resource, services }: NativeContext, storage: Storage): Promise<StorageBehind> {
  const versions: string[] = [];
  const read: WorkServices['readSecret'] = async (name) => {
    const secret = await services.readSecret(name);
    versions.push(`${name.namespace}/${name.name}@${secret?.metadata.resourceVersion ?? 'absent'}`);
    return secret;
  };
  const config = configOf(resource, services);
  const { place, files } = await resolvePlace(storage, resource.metadata.namespace ?? '', config, read);
  const contentOf = (path: string): string => files[path.split('/').at(-1) ?? ''] ?? '';
  const uri = storageUri(place, contentOf);
  const shape = uri.reveal().replaceAll(/(AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN)=[^&]*&?/g, '');
  return { uri, version: [shape, ...versions].join(' ') };
}

/** What a backup is encrypted with, and which version of the Secret that is. */
export async function encryptionOf(
  { resource, services }: NativeContext,
  keys: NativeKeys,
): Promise<{ options: Pick<BackupOptions, 'passphrase' | 'kms'>; version: string | undefined }> {
  const { passphraseSecretRef: ref, kmsUri } = keys ?? {};
  if (ref === undefined) return { options: kmsUri === undefined ? {} : { kms: kmsUri }, version: undefined };
  let version = '';
  const value = await secretKeyValue(
    ref,
    'passphrase',
    'cockroachdb.passphraseSecretRef',
    resource.metadata.namespace ?? '',
    async (name) => {
      const secret = await services.readSecret(name);
      version = `${name.name}@${secret?.metadata.resourceVersion ?? 'absent'}`;
      return secret;
    },
  );
  return { options: { passphrase: new Secret(value) }, version };
}

/** Makes the connection if it is not there, or not as it should be any more. */
export const isConnectionStale = (shown: string | undefined, record: NativeRecord, wanted: StorageBehind): boolean =>
  shown === undefined || record.credentials !== wanted.version;

export const observation = (
  exists: boolean,
  before: NativeRecord,
  after: NativeRecord,
  atProvider: Record<string, unknown>,
): Observation => ({
  exists,
  differences: [],
  unchangeable: [],
  atProvider,
  connectionDetails: {},
  appliedBefore: JSON.stringify(before),
  appliedAfter: JSON.stringify(after),
  notes: [],
});

/** A run that is over: said once in an event, and then for ever in the status. */
export function over(record: NativeRecord, atProvider: Record<string, unknown>, isNews: boolean): Observation {
  const isGood = atProvider['phase'] === 'Succeeded';
  const [reason, message] = [String(atProvider['failureReason']), String(atProvider['failureMessage'])];
  const key = (atProvider['key'] ?? (atProvider['restored'] as { key?: string } | undefined)?.key ?? '') as string;
  const note = isGood
    ? { reason: 'RunSucceeded', message: `job ${String(atProvider['jobId'])} succeeded${key === '' ? '' : `: ${key}`}` }
    : { reason: 'RunFailed', message: `${reason}: ${message}`, type: 'Warning' as const };
  const next = { ...record, outcome: atProvider };
  return {
    ...observation(true, next, next, atProvider),
    ...(isGood ? {} : { unready: { reason, message } }),
    notes: isNews ? [note] : [],
  };
}

/** A backup that is not of the past: the server does not know yet what it was to back up. */
export function explainYoung(error: unknown, database: string): unknown {
  if (!(error instanceof ResourceError) || error.code !== '3D000') return error;
  return new ResourceError(
    'Waiting',
    `database ${JSON.stringify(database)} is not there yet, or was made in the last seconds: CockroachDB backs up what was there ten seconds ago. It is tried again`,
    { code: error.code },
  );
}

/** How soon a run that goes on is looked at again, in ms. */
export const RUNNING_MS = 3_000;
export const SOON_MS = 250;
