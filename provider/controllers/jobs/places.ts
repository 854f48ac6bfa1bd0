/**
 * Where the files of a backup are: the storage of the resource or of its configuration as the runner is told, with the
 * contents of the Secrets that it names. Nobody but the runner's container gets those.
 */
import type { ProviderConfig } from '../../api/provider-config.ts';
import type { NamedStorage, S3Storage, Storage } from '../../api/storage.ts';
import type { Place, S3Place } from '../../backup/contract.ts';
import { FOLDERS } from '../../backup/job-spec.ts';
import { invalidSpec, ResourceError } from '../../common/errors.ts';
import type { SecretObject } from '../../runtime/managed/store.ts';
import { nameOf, type SecretName } from '../objects/secret-names.ts';
import { secretText } from '../../common/secret-text.ts';

export type ReadSecret = (name: SecretName) => Promise<SecretObject | undefined>;

export interface ResolvedPlace {
  place: Place;
  /** Files of the runner's Secret, by name. */
  files: Record<string, string>;
  volume?: { claimName: string; path: string };
  /** Whether others may keep their files in the same place: then only the namespace's own folder may be read. */
  isShared: boolean;
}

interface Ref {
  name: string;
  namespace?: string | undefined;
}

interface Origin {
  /** For messages, e.g. `ClusterProviderConfig "main", storage "s3"`. */
  what: string;
  /** Namespace of references that name none. */
  namespace: string | undefined;
  read: ReadSecret;
}

/** Throws ResourceError naming what is missing. */
export async function resolvePlace(
  storage: Storage,
  resourceNamespace: string,
  config: ProviderConfig,
  read: ReadSecret,
): Promise<ResolvedPlace> {
  if (storage.name === undefined) {
    const origin = { what: 'forProvider.storage', namespace: resourceNamespace, read };
    return { ...(await resolve(storage, origin)), isShared: false };
  }
  const named = config.spec.storages?.find(({ name }) => name === storage.name);
  if (named === undefined)
    throw new ResourceError(
      'StorageNotFound',
      `forProvider.storage: ${nameOf(config)} has no storage ${JSON.stringify(storage.name)}; it has ${config.spec.storages?.map(({ name }) => name).join(', ') || 'none'}`,
    );
  const origin = {
    what: `${nameOf(config)}, storage ${JSON.stringify(named.name)}`,
    // A namespaced configuration reads its own namespace only, whatever it says.
    namespace: config.kind === 'ProviderConfig' ? config.metadata.namespace : undefined,
    read,
  };
  return { ...(await resolve(named, origin)), isShared: config.kind === 'ClusterProviderConfig' };
}

async function resolve(storage: Storage | NamedStorage, origin: Origin): Promise<Omit<ResolvedPlace, 'isShared'>> {
  if (storage.s3 !== undefined) return await resolveS3(storage.s3, origin);
  const { filesystem } = storage;
  if (filesystem === undefined) throw invalidSpec(`${origin.what}: neither s3 nor filesystem is given`);
  const claimName = filesystem.persistentVolumeClaim?.claimName;
  const path = filesystem.path;
  if (claimName === undefined)
    throw invalidSpec(`${origin.what}: filesystem.persistentVolumeClaim is required in a cluster`);
  return {
    place: { type: 'filesystem', path, prefix: filesystem.prefix ?? '' },
    files: {},
    volume: { claimName, path },
  };
}

async function resolveS3(s3: S3Storage, origin: Origin): Promise<Omit<ResolvedPlace, 'isShared'>> {
  const files: Record<string, string> = {};
  const file = (name: string, content: string): string => {
    files[name] = content;
    return `${FOLDERS.secrets}/${name}`;
  };
  const place: S3Place = {
    type: 's3',
    bucket: s3.bucket,
    region: s3.region,
    prefix: s3.prefix ?? '',
    ...(s3.endpoint === undefined ? {} : { endpoint: s3.endpoint }),
    ...(s3.forcePathStyle === undefined ? {} : { forcePathStyle: s3.forcePathStyle }),
    ...(s3.roleArn === undefined ? {} : { roleArn: s3.roleArn }),
    ...(s3.externalId === undefined ? {} : { externalId: s3.externalId }),
    ...(s3.stsEndpoint === undefined ? {} : { stsEndpoint: s3.stsEndpoint }),
    ...(s3.storageClass === undefined ? {} : { storageClass: s3.storageClass }),
  };
  const keys = s3.credentialsSecretRef;
  if (keys !== undefined) {
    const secret = await secretOf(keys, origin);
    const { accessKeyIdKey, secretAccessKeyKey, sessionTokenKey } = keys;
    const token = valueOf(secret, sessionTokenKey, origin);
    place.credentials = {
      accessKeyIdFile: file('access-key-id', required(secret, accessKeyIdKey, origin)),
      secretAccessKeyFile: file('secret-access-key', required(secret, secretAccessKeyKey, origin)),
      ...(token === undefined || token === '' ? {} : { sessionTokenFile: file('session-token', token) }),
    };
  }
  if (s3.caSecretRef !== undefined)
    place.caFile = file('storage-ca.crt', required(await secretOf(s3.caSecretRef, origin), s3.caSecretRef.key, origin));
  const sse = s3.serverSideEncryption;
  if (sse?.type === 'SSE-C' && sse.customerKeySecretRef !== undefined) {
    const ref = sse.customerKeySecretRef;
    const customerKeyFile = file('customer-key', required(await secretOf(ref, origin), ref.key, origin));
    place.serverSideEncryption = { type: 'SSE-C', customerKeyFile };
  } else if (sse?.type === 'SSE-KMS')
    place.serverSideEncryption = { type: 'SSE-KMS', ...(sse.kmsKeyId === undefined ? {} : { kmsKeyId: sse.kmsKeyId }) };
  else if (sse !== undefined) place.serverSideEncryption = { type: 'SSE-S3' };
  return { place, files };
}

async function secretOf(ref: Ref, { what, namespace, read }: Origin): Promise<Found> {
  const where = namespace ?? ref.namespace;
  if (where === undefined) throw new ResourceError('InvalidProviderConfig', `${what}: a secretRef needs a namespace`);
  const secret = await read({ namespace: where, name: ref.name });
  const name = JSON.stringify(`${where}/${ref.name}`);
  if (secret === undefined) throw new ResourceError('SecretNotFound', `${what}: Secret ${name} does not exist`);
  return { name, secret };
}

interface Found {
  name: string;
  secret: SecretObject;
}

function valueOf({ name, secret }: Found, key: string, { what }: Origin): string | undefined {
  const encoded = secret.data?.[key];
  if (encoded === undefined) return undefined;
  return secretText(encoded, `${what}: key ${JSON.stringify(key)} of Secret ${name}`).replace(/\r?\n$/, '');
}

function required(found: Found, key: string, origin: Origin): string {
  const { what } = origin;
  const value = valueOf(found, key, origin);
  if (value === undefined || value === '')
    throw new ResourceError(
      'SecretKeyNotFound',
      `${what}: Secret ${found.name} has no value for key ${JSON.stringify(key)}`,
    );
  return value;
}

/** One key of a Secret that a resource names in its own namespace, e.g. an age identity. */
export async function secretKeyValue(
  ref: { name: string; key?: string | undefined },
  preset: string,
  field: string,
  namespace: string,
  read: ReadSecret,
): Promise<string> {
  const origin = { what: `forProvider.${field}`, namespace, read };
  return required(await secretOf(ref, origin), ref.key ?? preset, origin);
}
